/* What no container can be told once it is created, in the store. */
#include "docker/run.h"

#include <stdlib.h>
#include <string.h>

static const char table[] = "CREATE TABLE IF NOT EXISTS docker_runs ("
                            " name TEXT NOT NULL PRIMARY KEY,"
                            " stop_as TEXT, stop_reason TEXT," /* somebody asked for its end */
                            " reported INTEGER NOT NULL DEFAULT 0) WITHOUT ROWID";

struct write {
    struct docker *docker;
    uint64_t run; /* its id, since it may be gone */
    run_step cb;
    run_step again; /* on failure */
};

static struct store_value text(const char *value) {
    return (struct store_value){.type = STORE_TEXT, .text = value, .len = strlen(value)};
}

int notes_open(struct docker *docker, struct err *err) {
    return store_exec(docker->store, table, NULL, 0, NULL, NULL, err);
}

int notes_load(struct docker *docker, store_cb cb, struct err *err) {
    return store_exec(docker->store,
                      "SELECT name, coalesce(stop_as, ''), coalesce(stop_reason, ''), CAST(reported AS TEXT)"
                      " FROM docker_runs",
                      NULL, 0, cb, docker, err);
}

static struct run *run_by_id(struct docker *docker, uint64_t id) {
    struct run *run;
    TAILQ_FOREACH(run, &docker->runs, link)
    if (run->id == id)
        return run;
    return NULL;
}

static void written(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                    const struct err *err) {
    (void)values, (void)rows, (void)columns;
    struct write *write = ctx;
    struct docker *docker = write->docker;
    docker->writes--;
    if (docker->freed) {
        if (docker->writes == 0)
            free(docker);
        free(write);
        return;
    }
    struct run *run = run_by_id(docker, write->run);
    if (run && err)
        docker_run_log(run, LOG_ERROR, "the state cannot be written", err->message);
    if (run)
        err ? docker_run_after(run, RETRY_NS, write->again) : write->cb(run);
    free(write);
}

static void exec(struct run *run, const char *sql, const struct store_value *values, size_t count,
                 run_step cb, run_step again) {
    struct write *write = malloc(sizeof *write);
    struct err err = {.message = "out of memory"};
    if (write)
        *write = (struct write){run->docker, run->id, cb, again};
    if (write && !store_exec(run->docker->store, sql, values, count, written, write, &err)) {
        run->docker->writes++;
        return;
    }
    free(write);
    docker_run_log(run, LOG_ERROR, "the state cannot be written", err.message);
    docker_run_after(run, RETRY_NS, again);
}

static void stop_again(struct run *run) {
    notes_stop(run, step_stop);
}

void notes_stop(struct run *run, run_step cb) {
    const struct store_value values[] = {text(run->name), text(outcome_name(run->stop_as)),
                                         text(run->stop_reason)};
    exec(run,
         "INSERT INTO docker_runs (name, stop_as, stop_reason) VALUES (?, ?, ?)"
         " ON CONFLICT (name) DO UPDATE SET stop_as = excluded.stop_as, stop_reason = excluded.stop_reason",
         values, 3, cb, stop_again);
}

static void tell_reported(struct run *run) {
    RUN_TELL(run, reported);
}

static void report_again(struct run *run) {
    notes_reported(run, tell_reported);
}

void notes_reported(struct run *run, run_step cb) {
    const struct store_value value = text(run->name);
    exec(run,
         "INSERT INTO docker_runs (name, reported) VALUES (?, 1)"
         " ON CONFLICT (name) DO UPDATE SET reported = 1",
         &value, 1, cb ? cb : tell_reported, report_again);
}

void notes_delete(struct run *run, run_step cb, run_step again) {
    const struct store_value value = text(run->name);
    exec(run, "DELETE FROM docker_runs WHERE name = ?", &value, 1, cb, again);
}
