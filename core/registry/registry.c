#include "registry/registry.h"

#include "registry/internal.h"

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
    registry->max_active = config->max_active;
    registry->events = config->events;
    registry->ctx = config->ctx;
    registry->change = 1; /* a run that was never asked for has 0 */
    TAILQ_INIT(&registry->waiting);
    TAILQ_INIT(&registry->prepared);
    *out = registry;
    return 0;
}

void registry_free(struct registry *registry) {
    if (!registry)
        return;
    ahead_free(registry);
    jobs_free(registry);
    limits_free(registry);
    heap_free(&registry->slots);
    heap_free(&registry->timers);
    ids_free(&registry->runs);
    free(registry->instance);
    free(registry);
}

int registry_open(struct registry *registry, struct err *err) {
    return registry->executor->ops->open(registry->executor, &run_executor_events, registry, err);
}

static void plan(void *ctx, const struct job_view *view) {
    struct registry *registry = ctx;
    slot_plan(registry, job_find(registry, view->name));
}

int registry_begin(struct registry *registry, int64_t watermark, const struct open_entry *open, size_t count,
                   struct err *err) {
    if (registry->begun)
        return err_set(err, ERR_INVALID, "the registry has begun already");
    registry->scanned = registry->watermark = watermark > 0 ? watermark : clock_seconds(registry->clock);
    registry_each_job(registry, plan, registry);
    registry->begun = true;
    registry->waking = true; /* nobody goes on before all is known */
    for (size_t i = 0; i < count; i++)
        open_restore(registry, &open[i]);
    int rc = finish_untold(registry, err);
    registry->waking = false;
    waiting_wake(registry);
    return rc;
}

bool registry_is_idle(const struct registry *registry) {
    return !registry->begun || registry->held || registry->stopped;
}

static void stop_overdue(struct registry *registry, struct run *run) {
    heap_remove(&registry->timers, &run->timer);
    (void)registry->executor->ops->stop(registry->executor, run, OUTCOME_TIMEOUT, "Timeout",
                                        NULL); /* refused: it is over */
}

static void fire_timers(struct registry *registry, int64_t now) {
    struct heap_item *first;
    while ((first = heap_first(&registry->timers)) && first->at <= now) {
        struct run *run = RUN_OF_TIMER(first);
        if (run->state == RUN_WAITING)
            waiting_timer(registry, run);
        else
            stop_overdue(registry, run);
    }
}

void registry_step(struct registry *registry) {
    if (registry_is_idle(registry))
        return;
    int64_t now = clock_seconds(registry->clock);
    fire_timers(registry, now);
    waiting_wake(registry);
    slots_ask(registry, now);
}

int64_t registry_next_wake(const struct registry *registry) {
    const struct heap_item *slot = heap_first(&registry->slots), *timer = heap_first(&registry->timers);
    if (registry_is_idle(registry))
        return CRON_NEVER;
    int64_t at = slot ? slot->at : CRON_NEVER;
    return timer && timer->at < at ? timer->at : at;
}

void registry_hold(struct registry *registry, bool held) {
    registry->held = held;
    registry_recall(registry);
}

void registry_stop(struct registry *registry) {
    registry->stopped = true;
    registry->executor->ops->fence(registry->executor);
}
