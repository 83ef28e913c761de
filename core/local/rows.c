#include "local/rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char table[] =
    "CREATE TABLE IF NOT EXISTS local_runs ("
    " namespace TEXT NOT NULL, name TEXT NOT NULL, job TEXT NOT NULL, is_job INTEGER NOT NULL,"
    " slot INTEGER NOT NULL, attempt INTEGER NOT NULL, trigger TEXT NOT NULL, container TEXT NOT NULL,"
    " delivered INTEGER NOT NULL DEFAULT 0," /* bytes of its output that became lines */
    " stop_as TEXT, stop_reason TEXT,"       /* somebody asked for its end */
    " outcome TEXT, exit_code INTEGER, started INTEGER, finished INTEGER, reason TEXT, message TEXT,"
    " reported INTEGER NOT NULL DEFAULT 0,"
    " PRIMARY KEY (namespace, name)) WITHOUT ROWID";

static struct store_value integer(int64_t value) {
    return (struct store_value){.type = STORE_INTEGER, .integer = value};
}

static struct store_value text(const char *value) {
    return (struct store_value){.type = STORE_TEXT, .text = value, .len = strlen(value)};
}

int rows_open(struct local *local, struct err *err) {
    return store_exec(local->store, table, NULL, 0, NULL, NULL, err);
}

/* A statement on its way, and what is to be done after it. */
struct pending {
    struct run *run;
    enum row_write what;
    row_cb cb;
};

static int pending_new(struct run *run, enum row_write what, row_cb cb, struct pending **out) {
    *out = malloc(sizeof **out);
    if (!*out)
        return ERR_NOMEM;
    **out = (struct pending){run, what, cb};
    local_run_ref(run);
    return 0;
}

static void pending_free(struct pending *pending) {
    local_run_unref(pending->run);
    free(pending);
}

static void inserted(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                     const struct err *err) {
    (void)values, (void)rows, (void)columns;
    struct pending *pending = ctx;
    pending->cb(pending->run, err);
    pending_free(pending);
}

int row_insert(struct run *run, row_cb cb, struct err *err) {
    const struct store_value values[] = {text(run->namespace_),
                                         text(run->name),
                                         text(run->job),
                                         integer(run->is_job),
                                         integer(run->slot),
                                         integer(run->attempt),
                                         text(trigger_name(run->trigger)),
                                         text(run->container)};
    struct pending *pending;
    if (pending_new(run, ROW_WRITES, cb, &pending))
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc =
        store_exec(run->local->store,
                   "INSERT INTO local_runs (namespace, name, job, is_job, slot, attempt, trigger, container)"
                   " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                   values, sizeof values / sizeof values[0], inserted, pending, err);
    if (rc)
        pending_free(pending);
    return rc;
}

static int exec_stop(struct run *run, store_cb cb, void *ctx, struct err *err) {
    const struct store_value values[] = {text(outcome_name(run->stop_as)), text(run->stop_reason),
                                         text(run->namespace_), text(run->name)};
    return store_exec(run->local->store,
                      "UPDATE local_runs SET stop_as = ?, stop_reason = ? WHERE namespace = ? AND name = ?",
                      values, 4, cb, ctx, err);
}

static int exec_outcome(struct run *run, store_cb cb, void *ctx, struct err *err) {
    const struct result *result = &run->result;
    const struct store_value values[] = {text(outcome_name(result->outcome)),
                                         integer(result->exit_code),
                                         integer(result->started),
                                         integer(result->finished),
                                         text(result->reason),
                                         text(result->message),
                                         integer(run->delivered),
                                         text(run->namespace_),
                                         text(run->name)};
    return store_exec(
        run->local->store,
        "UPDATE local_runs SET outcome = ?, exit_code = ?, started = ?, finished = ?, reason = ?,"
        " message = ?, delivered = ? WHERE namespace = ? AND name = ?",
        values, sizeof values / sizeof values[0], cb, ctx, err);
}

static int exec_named(struct run *run, const char *sql, store_cb cb, void *ctx, struct err *err) {
    const struct store_value values[] = {text(run->namespace_), text(run->name)};
    return store_exec(run->local->store, sql, values, 2, cb, ctx, err);
}

static int exec_write(struct run *run, enum row_write what, store_cb cb, void *ctx, struct err *err) {
    if (!run->has_row || what == ROW_NOTHING) /* refused: a row of that name is another's */
        return store_exec(run->local->store, "SELECT 1", NULL, 0, cb, ctx, err);
    switch (what) {
    case ROW_STOP:
        return exec_stop(run, cb, ctx, err);
    case ROW_OUTCOME:
        return exec_outcome(run, cb, ctx, err);
    case ROW_REPORTED:
        return exec_named(run, "UPDATE local_runs SET reported = 1 WHERE namespace = ? AND name = ?", cb, ctx,
                          err);
    default:
        return exec_named(run, "DELETE FROM local_runs WHERE namespace = ? AND name = ?", cb, ctx, err);
    }
}

static void complain(const struct run *run, const struct err *err) {
    log_event(run->local->log, LOG_ERROR,
              "the state of a run cannot be written; it is tried again every second", "run", run->name,
              "error", err->message, NULL);
}

static void owe(struct run *run, enum row_write what, row_cb cb, const struct err *err) {
    if (!run->write_failed)
        complain(run, err);
    run->write_failed = true;
    run->owed[what] = cb;
    run->write_at = clock_monotonic(loop_clock(run->local->loop)) + NS_PER_S;
    local_run_activate(run);
}

static void written(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                    const struct err *err) {
    (void)values, (void)rows, (void)columns;
    struct pending *pending = ctx;
    struct run *run = pending->run;
    if (!run->local->freed && err)
        owe(run, pending->what, pending->cb, err);
    else if (!run->local->freed) {
        run->write_failed = false;
        pending->cb(run, NULL);
    }
    pending_free(pending);
}

void row_write(struct run *run, enum row_write what, row_cb cb) {
    struct pending *pending = NULL;
    struct err err = {.message = "out of memory"};
    run->owed[what] = NULL;
    if (pending_new(run, what, cb, &pending) || exec_write(run, what, written, pending, &err)) {
        if (pending)
            pending_free(pending);
        owe(run, what, cb, &err);
    }
}

void rows_retry(struct run *run, int64_t now) {
    if (now < run->write_at)
        return;
    for (int what = 0; what < ROW_WRITES; what++)
        if (run->owed[what])
            row_write(run, (enum row_write)what, run->owed[what]);
}

void row_save_delivered(struct run *run) {
    const struct store_value values[] = {integer(run->delivered), text(run->namespace_), text(run->name)};
    if (!store_exec(run->local->store, "UPDATE local_runs SET delivered = ? WHERE namespace = ? AND name = ?",
                    values, 3, NULL, NULL, NULL))
        run->saved = run->delivered;
}

/* Reading them back. */

enum column {
    NAMESPACE,
    NAME,
    JOB,
    IS_JOB,
    SLOT,
    ATTEMPT,
    TRIGGER,
    CONTAINER,
    DELIVERED,
    STOP_AS,
    STOP_REASON,
    OUTCOME,
    EXIT_CODE,
    STARTED,
    FINISHED,
    REASON,
    MESSAGE,
    REPORTED,
    COLUMNS
};
static const char columns_sql[] =
    "SELECT namespace, name, job, is_job, slot, attempt, trigger, container, delivered, stop_as, stop_reason,"
    " outcome, exit_code, started, finished, reason, message, reported FROM local_runs ORDER BY slot";

static enum outcome outcome_of(const char *name) {
    enum outcome outcome;
    return outcome_parse(name, &outcome) ? OUTCOME_UNKNOWN : outcome;
}

static void read_result(const struct store_value *row, struct result *result) {
    result->outcome = outcome_of(row[OUTCOME].text);
    result->exit_code = (int)row[EXIT_CODE].integer;
    result->started = row[STARTED].integer;
    result->finished = row[FINISHED].integer;
    (void)snprintf(result->reason, sizeof result->reason, "%s", row[REASON].text);
    (void)snprintf(result->message, sizeof result->message, "%s", row[MESSAGE].text);
}

static void read_state(struct run *run, const struct store_value *row) {
    run->has_row = true;
    run->is_job = row[IS_JOB].integer != 0;
    run->slot = row[SLOT].integer;
    run->attempt = (int)row[ATTEMPT].integer;
    (void)trigger_parse(row[TRIGGER].text, &run->trigger);
    run->delivered = run->saved = row[DELIVERED].integer;
    run->reported = row[REPORTED].integer != 0;
    run->state = RUN_RUNNING;
    if (row[STOP_AS].type == STORE_TEXT) {
        run->stopping = true;
        run->stop_as = outcome_of(row[STOP_AS].text);
        (void)snprintf(run->stop_reason, sizeof run->stop_reason, "%s", row[STOP_REASON].text);
    }
    if (row[OUTCOME].type == STORE_TEXT) {
        run->state = RUN_FINISHED;
        read_result(row, &run->result);
    }
}

static struct run *load_row(struct local *local, const struct store_value *row) {
    struct run *run = local_run_new(local, row[NAMESPACE].text, row[NAME].text, row[JOB].text);
    if (!run)
        return NULL;
    run->container = strdup(row[CONTAINER].text);
    read_state(run, row);
    if (run->container && !local_run_enter(run))
        return run;
    local_run_unref(run);
    return NULL;
}

struct load {
    struct local *local;
    rows_cb done;
};

static void loaded(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                   const struct err *err) {
    struct load *load = ctx;
    struct local *local = load->local;
    struct err memory = {ERR_NOMEM, "out of memory"};
    struct run **runs = local->freed || err ? NULL : calloc(rows + 1, sizeof(struct run *));
    size_t count = 0;
    while (runs && count < rows && (runs[count] = load_row(local, &values[count * columns])))
        count++;
    if (!local->freed)
        load->done(local, runs, count, err ? err : count < rows || !runs ? &memory : NULL);
    else
        free(runs);
    free(load);
    local_unref(local);
}

int rows_load(struct local *local, rows_cb done, struct err *err) {
    struct load *load = malloc(sizeof *load);
    if (!load)
        return err_set(err, ERR_NOMEM, "out of memory");
    *load = (struct load){local, done};
    int rc = store_exec(local->store, columns_sql, NULL, 0, loaded, load, err);
    if (rc)
        free(load);
    else
        local->refs++;
    return rc;
}
