/* A finished object is deleted only when nobody can decide its slot again and no late request can make it
 * anew (DESIGN decision 2, retention). */
#include "registry/internal.h"

#include <stdlib.h>

/* Beyond the history to keep; and one that may still be there, for its job waits until it is gone. */
void retention_mark(struct job *job) {
    size_t succeeded = 0, failed = 0;
    for (struct run *run = job->runs; run; run = run->next_) {
        if (run->state != RUN_FINISHED)
            continue;
        if (run->result.removed)
            run->excess = true; /* no history: its object is on its way out */
        else if (run->result.outcome == OUTCOME_SUCCEEDED)
            run->excess = ++succeeded > job->keep_succeeded;
        else
            run->excess =
                ++failed > job->keep_failed || (run->result.outcome == OUTCOME_LOST && !job->release_lost);
    }
}

/* Whether the attempt before this one would earn it again after a crash. */
static bool is_owed(const struct run *run) {
    const struct run_key key = {run->origin, run->slot, run->attempt - 1};
    const struct run *before = run->attempt > 0 ? run_by_key(run->job, &key) : NULL;
    return before && before->has_object && !before->reported;
}

static bool may_delete(const struct registry *registry, struct run *run, int64_t now) {
    if (run->state != RUN_FINISHED || !run->has_object || !run->reported || !run->excess || run->discarding)
        return false;
    if (run->planned > registry->acknowledged || run->decided_at >= registry->acknowledged_marks ||
        is_owed(run))
        return false;
    if (!run->retain_from)
        run->retain_from = now;
    return now - run->retain_from >= registry->retention_ns;
}

struct sweep {
    struct registry *registry;
    int64_t now;
};

static void sweep_run(void *ctx, const struct run *seen) {
    struct sweep *sweep = ctx;
    struct registry *registry = sweep->registry;
    struct executor *executor = registry->executor;
    struct run *run = ids_get(&registry->runs, seen->id);
    if (run->report_wanted && retry_is_durable(registry, run))
        run->report_wanted = executor->ops->report(executor, run, NULL) != 0; /* else: at the next sweep */
    if (may_delete(registry, run, sweep->now))
        run->discarding = executor->ops->discard(executor, run, NULL) == 0; /* else: at the next sweep */
}

void registry_acknowledge(struct registry *registry, int64_t watermark) {
    if (registry->stopped)
        return; /* what is written now is the last: not yet answered */
    if (watermark > registry->acknowledged)
        registry->acknowledged = watermark;
    registry->acknowledged_marks = registry->marks;
    struct sweep sweep = {registry, clock_monotonic(registry->clock)};
    registry_each_run(registry, sweep_run, &sweep);
}
