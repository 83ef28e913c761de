#include "registry/registry.h"

#include "registry/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int registry_new(const struct registry_config *config, struct registry **out, struct err *err) {
    struct registry *registry = calloc(1, sizeof *registry);
    if (!registry || !(registry->instance = strdup(config->instance))) {
        free(registry);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    registry->clock = config->clock;
    registry->executor = config->executor;
    registry->retention_ns = config->retention * NS_PER_S;
    registry->events = config->events;
    registry->ctx = config->ctx;
    *out = registry;
    return 0;
}

void registry_free(struct registry *registry) {
    if (!registry)
        return;
    jobs_free(registry);
    heap_free(&registry->heap);
    ids_free(&registry->runs);
    free(registry->instance);
    free(registry);
}

int registry_open(struct registry *registry, struct err *err) {
    return registry->executor->ops->open(registry->executor, &run_executor_events, registry, err);
}

/* Decides again, or tells again, what an earlier daemon had in hand. */
static void restore(struct registry *registry, const struct open_entry *entry) {
    struct job *job = job_find(registry, entry->job);
    if (!job || job->schedule_count == 0 || run_for_slot(job, entry->slot))
        return;
    bool expired = clock_seconds(registry->clock) - entry->slot > job->deadline;
    if (!entry->skipped && !expired) {
        slot_ask(registry, job, entry->slot, TRIGGER_CATCH_UP);
        return;
    }
    int64_t from = entry->missed ? entry->missed_from : entry->slot;
    slot_given_up(registry, job, from, entry->slot, entry->missed, entry->skipped ? entry->reason : "missed");
}

static void plan(void *ctx, const struct job_view *view) {
    struct registry *registry = ctx;
    struct job *job = job_find(registry, view->name);
    int64_t after = job->baseline > registry->scanned ? job->baseline : registry->scanned;
    job->next = cron_set_next(job->schedules, job->schedule_count, after);
    (void)heap_update(&registry->heap, job); /* no growth: registry_add put it in, or its next is never */
}

int registry_begin(struct registry *registry, int64_t watermark, const struct open_entry *open, size_t count,
                   struct err *err) {
    if (registry->begun)
        return err_set(err, ERR_INVALID, "the registry has begun already");
    int64_t now = clock_seconds(registry->clock);
    registry->scanned = registry->watermark = watermark > 0 ? watermark : now;
    registry_each_job(registry, plan, registry);
    registry->begun = true;
    for (size_t i = 0; i < count; i++)
        restore(registry, &open[i]);
    return 0;
}

void registry_hold(struct registry *registry, bool held) {
    registry->held = held;
}

void registry_stop(struct registry *registry) {
    registry->stopped = true;
    registry->executor->ops->fence(registry->executor);
}
