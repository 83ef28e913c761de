#include "local/adopt.h"

#include "local/follow.h"
#include "local/judge.h"
#include "local/launch.h"
#include "local/rows.h"

#include <stdlib.h>

/* The look at the machine, on a worker thread: it may have to wait for a supervisor that was just born. */
struct survey {
    uv_work_t work;
    struct local *local;
    struct run **runs;
    size_t count;
};

static void look_at(struct run *run) {
    struct launched found = {-1, -1};
    char *dir = local_run_dir(run);
    if (dir)
        (void)local_launch_find(dir, &found);
    free(dir);
    run->pidfd = found.pidfd;
    run->output = found.output;
    local_judge(run); /* also says whether it has started */
}

static void survey_work(uv_work_t *work) {
    struct survey *survey = (struct survey *)work;
    for (size_t i = 0; i < survey->count; i++)
        if (survey->runs[i]->state != RUN_FINISHED)
            look_at(survey->runs[i]);
}

static void *hand_over(struct run *run) {
    const struct adopted_run adopted = {.namespace_ = run->namespace_,
                                        .name = run->name,
                                        .job = run->job,
                                        .is_job = run->is_job,
                                        .slot = run->slot,
                                        .attempt = run->attempt,
                                        .trigger = run->trigger,
                                        .started = run->result.started != 0,
                                        .finished = run->state == RUN_FINISHED,
                                        .reported = run->reported,
                                        .result = run->result};
    run->started_told = adopted.started;
    return run->local->events->adopted(run->local->ctx, &adopted);
}

/* One that ended while no daemon looked is handed over as active, and its lines and its end follow before
 * ready: so its output is not lost, and no slot is decided as if it still ran. */
static void adopt(struct run *run) {
    struct local *local = run->local;
    void *owner = hand_over(run);
    if (!owner || local->freed)
        return;
    if (local_run_own(run, owner)) {
        log_event(local->log, LOG_ERROR, "out of memory: a run of an earlier daemon is left alone", "run",
                  run->name, NULL);
        return;
    }
    if (run->state == RUN_FINISHED)
        return;
    if (run->pidfd >= 0)
        local_follow_begin(run);
    else {
        run->found = true;
        local->unready++;
        local_follow_ended(run);
    }
}

static void survey_done(uv_work_t *work, int status) {
    (void)status;
    struct survey *survey = (struct survey *)work;
    struct local *local = survey->local;
    for (size_t i = 0; i < survey->count; i++) {
        if (!local->freed)
            adopt(survey->runs[i]);
        local_run_unref(survey->runs[i]);
    }
    local->surveyed = true;
    local_follow_ready(local);
    free(survey->runs);
    free(survey);
    local_unref(local);
}

static void loaded(struct local *local, struct run **runs, size_t count, const struct err *err) {
    struct survey *survey = err ? NULL : calloc(1, sizeof *survey);
    if (!survey) {
        log_event(local->log, LOG_ERROR,
                  "the runs of earlier daemons cannot be read; nothing will be started", "error",
                  err ? err->message : "out of memory", NULL);
        free(runs);
        return;
    }
    *survey = (struct survey){.local = local, .runs = runs, .count = count};
    for (size_t i = 0; i < count; i++)
        local_run_ref(runs[i]);
    local->refs++;
    (void)uv_queue_work(loop_uv(local->loop), &survey->work, survey_work,
                        survey_done); /* fails only without cb */
}

int local_adopt_all(struct local *local, struct err *err) {
    return rows_load(local, loaded, err);
}
