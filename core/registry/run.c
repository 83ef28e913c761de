/* The life of a run: what the owner decides, and what the executor reports. */
#include "registry/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *run_job_name(const struct run *run) {
    return run->job->name;
}
const char *run_namespace(const struct run *run) {
    return run->job->namespace_;
}

bool run_is_active(const struct run *run) {
    return run->state <= RUN_STARTED;
}

size_t run_active_beside(const struct run *run) {
    return run->job->active - (run_is_active(run) ? 1 : 0);
}

struct run *run_for_slot(const struct job *job, int64_t slot) {
    for (struct run *run = job->runs; run && run->slot >= slot; run = run->next_)
        if (run->slot == slot && run->trigger != TRIGGER_MANUAL)
            return run;
    return NULL;
}

static void link_by_slot(struct job *job, struct run *run) {
    struct run *before = NULL, *after = job->runs;
    while (after && after->slot > run->slot) {
        before = after;
        after = after->next_;
    }
    run->previous = before;
    run->next_ = after;
    if (before)
        before->next_ = run;
    else
        job->runs = run;
    if (after)
        after->previous = run;
}

static void unlink_from_job(struct run *run) {
    if (run->previous)
        run->previous->next_ = run->next_;
    else
        run->job->runs = run->next_;
    if (run->next_)
        run->next_->previous = run->previous;
}

struct run *run_new(struct registry *registry, struct job *job, int64_t slot, enum trigger trigger) {
    struct run *run = calloc(1, sizeof *run);
    if (!run || !(run->id = ids_add(&registry->runs, run))) {
        free(run);
        return NULL;
    }
    run->job = job;
    run->slot = slot;
    run->trigger = trigger;
    run->state = RUN_DECIDING;
    run->decided = true;
    run->asked_at = clock_monotonic(registry->clock);
    run->lateness_ns = clock_realtime(registry->clock) - slot * NS_PER_S;
    job->active++;
    link_by_slot(job, run);
    return run;
}

void run_set_state(struct run *run, enum run_state state) {
    bool was = run_is_active(run);
    run->state = state;
    bool is = run_is_active(run);
    if (was && !is)
        run->job->active--;
    else if (is && !was)
        run->job->active++;
}

void run_undecided(struct registry *registry, struct run *run) {
    run->decided = false;
    run->undecided_prev = registry->undecided_last;
    run->undecided = NULL;
    if (registry->undecided_last)
        registry->undecided_last->undecided = run;
    else
        registry->undecided = run;
    registry->undecided_last = run;
}

void run_decided(struct registry *registry, struct run *run) {
    if (run->decided)
        return;
    run->decided = true;
    if (run->undecided_prev)
        run->undecided_prev->undecided = run->undecided;
    else
        registry->undecided = run->undecided;
    if (run->undecided)
        run->undecided->undecided_prev = run->undecided_prev;
    else
        registry->undecided_last = run->undecided_prev;
    run->undecided_prev = run->undecided = NULL;
}

void run_free(struct registry *registry, struct run *run) {
    struct job *job = run->job;
    run_decided(registry, run);
    run_set_state(run, RUN_FINISHED);
    unlink_from_job(run);
    ids_remove(&registry->runs, run->id);
    tail_free(run->tail);
    free(run);
    job_release_if_unused(registry, job);
}

const struct run *registry_run(const struct registry *registry, uint64_t id) {
    return ids_get(&registry->runs, id);
}

static int find(const struct registry *registry, uint64_t id, struct run **out, struct err *err) {
    *out = ids_get(&registry->runs, id);
    return *out ? 0 : err_set(err, ERR_NOTFOUND, "there is no such run any more");
}

static int find_deciding(const struct registry *registry, uint64_t id, struct run **out, struct err *err) {
    int rc = find(registry, id, out, err);
    if (!rc && (*out)->state != RUN_DECIDING)
        rc = err_set(err, ERR_INVALID, "run %s was decided already", (*out)->name);
    return rc;
}

static void finish(struct registry *registry, struct run *run, const struct result *result) {
    run->result = *result;
    run_set_state(run, RUN_FINISHED);
    registry->events->outcome(registry->ctx, run);
}

int registry_start(struct registry *registry, uint64_t id, const char *manifest, size_t len, bool is_job,
                   struct err *err) {
    struct run *run;
    int rc = find_deciding(registry, id, &run, err);
    if (rc)
        return rc;
    if (registry->stopped)
        return err_set(err, ERR_CANCELED, "the scheduler is stopping; the next one decides this slot");
    int64_t base = run->trigger == TRIGGER_SCHEDULE ? run->slot : clock_seconds(registry->clock);
    struct run_spec spec = {.namespace_ = run->job->namespace_,
                            .name = run->name,
                            .job = run->job->name,
                            .manifest = manifest,
                            .manifest_len = len,
                            .is_job = is_job,
                            .slot = run->slot,
                            .attempt = run->attempt,
                            .trigger = run->trigger,
                            .start_deadline = base + run->job->deadline,
                            .pending_timeout = run->job->pending_timeout,
                            .main_container = run->job->main_container};
    run_set_state(run, RUN_SUBMITTED);
    struct err refused = {0};
    if (registry->executor->ops->start(registry->executor, &spec, run, &refused)) {
        struct result result = {.outcome = OUTCOME_START_FAILED, .exit_code = -1, .reason = "Refused"};
        (void)snprintf(result.message, sizeof result.message, "%.*s", (int)sizeof result.message - 1,
                       refused.message);
        finish(registry, run, &result);
    }
    return 0;
}

int registry_skip(struct registry *registry, uint64_t id, const char *reason, struct err *err) {
    struct run *run;
    int rc = find_deciding(registry, id, &run, err);
    if (rc)
        return rc;
    (void)snprintf(run->reason, sizeof run->reason, "%s", reason);
    run_set_state(run, RUN_SKIPPED);
    return 0;
}

int registry_report(struct registry *registry, uint64_t id, struct err *err) {
    struct run *run;
    int rc = find(registry, id, &run, err);
    if (rc)
        return rc;
    if (run_is_active(run))
        return err_set(err, ERR_INVALID, "run %s is not over", run->name);
    if (run->has_object)
        return registry->executor->ops->report(registry->executor, run, err);
    run_free(registry, run);
    return 0;
}

/* Events of the executor. */

static void *on_adopted(void *ctx, const struct adopted_run *adopted) {
    struct registry *registry = ctx;
    struct job *job = job_or_ghost(registry, adopted->job, adopted->namespace_);
    struct run *run = job ? run_new(registry, job, adopted->slot, adopted->trigger) : NULL;
    if (!run)
        return NULL;
    (void)snprintf(run->name, sizeof run->name, "%s", adopted->name);
    run->attempt = adopted->attempt;
    run->has_object = true;
    run->reported = adopted->reported;
    run_set_state(run, adopted->started ? RUN_STARTED : RUN_ACCEPTED);
    if (!adopted->finished)
        return run;
    if (adopted->reported) {
        run->result = adopted->result;
        run_set_state(run, RUN_FINISHED);
        retention_mark(job);
    } else
        finish(registry, run, &adopted->result);
    return run;
}

static void on_ready(void *ctx) {
    struct registry *registry = ctx;
    registry->events->ready(registry->ctx);
}

static void on_accepted(void *ctx, void *owner) {
    struct run *run = owner;
    run->has_object = true;
    run_decided(ctx, run);
    if (run->state == RUN_SUBMITTED)
        run_set_state(run, RUN_ACCEPTED);
}

static void on_delayed(void *ctx, void *owner, const char *why) {
    struct registry *registry = ctx;
    registry->events->delayed(registry->ctx, owner, why);
}

static void on_started(void *ctx, void *owner, int64_t when) {
    struct registry *registry = ctx;
    struct run *run = owner;
    run->result.started = when;
    run_set_state(run, RUN_STARTED);
    registry->events->started(registry->ctx, run);
}

static void on_line(void *ctx, void *owner, const char *container, const char *line, size_t len) {
    struct registry *registry = ctx;
    struct run *run = owner;
    tail_add(&run->tail, line, len);
    registry->events->line(registry->ctx, run, container, line, len);
}

static void on_finished(void *ctx, void *owner, const struct result *result) {
    finish(ctx, owner, result);
}

static void on_reported(void *ctx, void *owner) {
    (void)ctx;
    struct run *run = owner;
    run->reported = true;
    tail_free(run->tail);
    run->tail = NULL;
    retention_mark(run->job);
}

static void on_gone(void *ctx, void *owner) {
    run_free(ctx, owner);
}

const struct executor_events run_executor_events = {.adopted = on_adopted,
                                                    .ready = on_ready,
                                                    .accepted = on_accepted,
                                                    .delayed = on_delayed,
                                                    .started = on_started,
                                                    .line = on_line,
                                                    .finished = on_finished,
                                                    .reported = on_reported,
                                                    .gone = on_gone};
