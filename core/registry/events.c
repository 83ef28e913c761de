/* What the executor reports about runs. */
#include "registry/internal.h"

#include <stdio.h>

static void watch_timeout(struct registry *registry, struct run *run) {
    if (run->job->timeout > 0)
        heap_set(&registry->timers, &run->timer, run->result.started + run->job->timeout);
}

/* What is not the schedule's cannot be found in it again: its data is kept in the open list for a retry. */
static bool keeps_data(const struct run *run) {
    return run->data && run->origin[0] && run->attempt < run->job->retry.max;
}

static void take_over(struct registry *registry, struct run *run, const struct adopted_run *adopted) {
    if (run->state == RUN_WAITING)
        waiting_remove(registry, run);
    (void)snprintf(run->name, sizeof run->name, "%s", adopted->name);
    run->has_object = true;
    run->reported = adopted->reported;
    if (adopted->node)
        run_set_node(run, adopted->node);
    if (!keeps_data(run))
        run_decided(registry, run);
    run_set_state(run, adopted->started ? RUN_STARTED : RUN_ACCEPTED);
    if (adopted->started && !adopted->finished) {
        int64_t started = adopted->result.started;
        run->result.started = started ? started : clock_seconds(registry->clock);
        watch_timeout(registry, run);
    }
}

static void *on_adopted(void *ctx, const struct adopted_run *adopted) {
    struct registry *registry = ctx;
    struct job *job = job_or_ghost(registry, adopted->job, adopted->namespace_);
    if (!job)
        return NULL;
    name_origin origin;
    const struct name_owner owner = {registry->instance, adopted->namespace_, adopted->job};
    name_read_origin(&owner, adopted->name, origin);
    const struct run_key key = {origin, adopted->slot, adopted->attempt};
    struct run *run = run_by_key(job, &key);
    if (run && (run->has_object || run->state == RUN_SUBMITTED))
        return NULL;
    if (!run && !(run = run_new(registry, job, &key, adopted->trigger)))
        return NULL;
    take_over(registry, run, adopted);
    if (adopted->finished && !adopted->reported)
        run_finish(registry, run, &adopted->result);
    else if (adopted->finished) {
        run_set_result(run, &adopted->result);
        run_set_state(run, RUN_FINISHED);
        if (registry->begun)
            run_note_end(run); /* else by finish_untold */
        retention_mark(job);
    }
    return run;
}

static void on_ready(void *ctx) {
    struct registry *registry = ctx;
    registry->events->ready(registry->ctx);
}

static void on_accepted(void *ctx, void *owner) {
    struct run *run = owner;
    ahead_tell(ctx, run);
    run->has_object = true;
    if (!keeps_data(run))
        run_decided(ctx, run);
    if (run->state == RUN_SUBMITTED)
        run_set_state(run, RUN_ACCEPTED);
}

static void on_delayed(void *ctx, void *owner, const char *why) {
    struct registry *registry = ctx;
    ahead_tell(registry, owner);
    registry->events->delayed(registry->ctx, owner, why);
}

static void on_started(void *ctx, void *owner, int64_t when) {
    struct registry *registry = ctx;
    struct run *run = owner;
    run->result.started = when;
    run_set_state(run, RUN_STARTED);
    watch_timeout(registry, run);
    registry->events->started(registry->ctx, run);
}

static void on_line(void *ctx, void *owner, const char *container, const char *line, size_t len) {
    struct registry *registry = ctx;
    struct run *run = owner;
    tail_add(&run->tail, line, len);
    registry->events->line(registry->ctx, run, container, line, len);
}

static void on_finished(void *ctx, void *owner, const struct result *result) {
    run_finish(ctx, owner, result);
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
    waiting_wake(ctx);
}

static void on_trouble(void *ctx, const char *namespace_, const char *why) {
    struct registry *registry = ctx;
    registry->events->trouble(registry->ctx, namespace_, why);
}

static void on_placed(void *ctx, void *owner, const char *node) {
    (void)ctx;
    run_set_node(owner, node);
}

const struct executor_events run_executor_events = {.adopted = on_adopted,
                                                    .ready = on_ready,
                                                    .accepted = on_accepted,
                                                    .delayed = on_delayed,
                                                    .started = on_started,
                                                    .line = on_line,
                                                    .finished = on_finished,
                                                    .reported = on_reported,
                                                    .gone = on_gone,
                                                    .trouble = on_trouble,
                                                    .placed = on_placed};
