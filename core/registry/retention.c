/* The watermark, and what it allows: a finished object is deleted only when nobody can decide its slot again
 * and no late request can make it anew (DESIGN decision 2, retention). */
#include "registry/internal.h"

#include <stdlib.h>

static bool listed(const struct registry *registry, const struct run *run, size_t already) {
    if (already >= REGISTRY_OPEN_MAX)
        return false;
    bool old = clock_monotonic(registry->clock) - run->asked_at >= REGISTRY_OPEN_AGE * NS_PER_S;
    return old || !run_is_active(run);
}

int64_t registry_watermark(struct registry *registry, void (*each)(void *ctx, const struct run *run),
                           void *ctx) {
    int64_t mark = registry->scanned;
    size_t count = 0;
    for (const struct run *run = registry->undecided; run; run = run->undecided) {
        if (listed(registry, run, count)) {
            each(ctx, run);
            count++;
        } else if (run->slot <= mark)
            mark = (run->missed ? run->missed_from : run->slot) - 1;
    }
    if (mark > registry->watermark)
        registry->watermark = mark;
    return registry->watermark;
}

void retention_mark(struct job *job) {
    size_t succeeded = 0, failed = 0;
    for (struct run *run = job->runs; run; run = run->next_) {
        if (run->state != RUN_FINISHED)
            continue;
        run->excess = run->result.removed;
        if (run->excess)
            continue; /* no history: its object is on its way out */
        bool good = run->result.outcome == OUTCOME_SUCCEEDED;
        run->excess = good ? ++succeeded > job->keep_succeeded : ++failed > job->keep_failed;
    }
}

static bool may_delete(const struct registry *registry, struct run *run, int64_t now) {
    if (run->state != RUN_FINISHED || !run->has_object || !run->reported || !run->excess || run->discarding)
        return false;
    if (run->slot > registry->acknowledged)
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
    struct run *run = ids_get(&sweep->registry->runs, seen->id);
    if (!may_delete(sweep->registry, run, sweep->now))
        return;
    struct executor *executor = sweep->registry->executor;
    run->discarding = executor->ops->discard(executor, run, NULL) == 0; /* else: at the next sweep */
}

void registry_acknowledge(struct registry *registry, int64_t watermark) {
    if (watermark > registry->acknowledged)
        registry->acknowledged = watermark;
    struct sweep sweep = {registry, clock_monotonic(registry->clock)};
    registry_each_run(registry, sweep_run, &sweep);
}
