/* Runs that wait: for a time, for room, or for what their job comes after. They stand in the open list, so
 * that a crash neither loses nor doubles them. At their deadline they are given up. */
#include "registry/internal.h"

#include <stdio.h>

static bool goes_before(const struct run *a, const struct run *b) {
    if (a->timer.priority != b->timer.priority)
        return a->timer.priority > b->timer.priority;
    return a->planned != b->planned ? a->planned < b->planned : a->slot < b->slot;
}

static void enqueue(struct registry *registry, struct run *run) {
    struct run *other;
    TAILQ_FOREACH(other, &registry->waiting, waiting) {
        if (goes_before(run, other)) {
            TAILQ_INSERT_BEFORE(other, run, waiting);
            return;
        }
    }
    TAILQ_INSERT_TAIL(&registry->waiting, run, waiting);
}

static int64_t gives_up_at(const struct run *run) {
    return run->due + run->job->deadline + 1;
}

void waiting_add(struct registry *registry, struct run *run, const char *why, int64_t not_before) {
    if (not_before > run->due)
        run->due = not_before;
    run_count(run, -1);
    run->not_before = not_before > clock_seconds(registry->clock) ? not_before : 0;
    run->state = RUN_WAITING;
    run_count(run, 1);
    run_set_reason(run, why);
    enqueue(registry, run);
    heap_set(&registry->timers, &run->timer, run->not_before ? run->not_before : gives_up_at(run));
}

void waiting_remove(struct registry *registry, struct run *run) {
    TAILQ_REMOVE(&registry->waiting, run, waiting);
    heap_remove(&registry->timers, &run->timer);
    run->replaces = false;
}

static void ask(struct registry *registry, struct run *run) {
    waiting_remove(registry, run);
    run_set_state(run, RUN_DECIDING);
    run_ask(registry, run);
}

void waiting_timer(struct registry *registry, struct run *run) {
    char reason[REGISTRY_REASON_MAX + 1];
    if (run->not_before) {
        ask(registry, run);
        return;
    }
    (void)snprintf(reason, sizeof reason, "not started by its deadline: %.90s",
                   run->reason ? run->reason : "");
    run_give_up(registry, run, reason);
}

static bool upstreams_are_over(const struct run *run) {
    const char *job;
    enum upstream_state state = run_upstream(run, &job);
    return state != UPSTREAM_PENDING && state != UPSTREAM_NEVER_RAN;
}

static struct run *next_to_ask(const struct registry *registry) {
    struct run *run;
    TAILQ_FOREACH(run, &registry->waiting, waiting) {
        if (!run->not_before && run->asked_change != registry->change && run_room(run) == ROOM_FREE &&
            upstreams_are_over(run))
            return run;
    }
    return NULL;
}

void waiting_wake(struct registry *registry) {
    if (!registry->begun || registry->held || registry->stopped || registry->waking)
        return; /* waking: the loop below looks again */
    registry->waking = true;
    for (struct run *run; (run = next_to_ask(registry));)
        ask(registry, run);
    registry->waking = false;
}
