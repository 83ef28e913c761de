/* Which slots are due, and which of those that were missed are caught up. */
#include "registry/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int name_run(const struct registry *registry, struct run *run) {
    struct name_owner owner = {registry->instance, run->job->namespace_, run->job->name};
    return name_for_slot(&owner, run->slot, run->attempt, run->name, NULL);
}

void slot_ask(struct registry *registry, struct job *job, int64_t slot, enum trigger trigger) {
    if (run_for_slot(job, slot))
        return; /* decided by an earlier daemon, whose object was adopted */
    struct run *run = run_new(registry, job, slot, trigger);
    if (!run || name_run(registry, run)) {
        if (run)
            run_free(registry, run);
        return;
    }
    run_undecided(registry, run);
    registry->events->slot(registry->ctx, run);
}

void slot_given_up(struct registry *registry, struct job *job, int64_t from, int64_t to, size_t missed,
                   const char *reason) {
    struct run *run = run_new(registry, job, to, TRIGGER_SCHEDULE);
    if (!run || name_run(registry, run)) {
        if (run)
            run_free(registry, run);
        return;
    }
    run->missed = missed;
    run->missed_from = from;
    (void)snprintf(run->reason, sizeof run->reason, "%s", reason);
    run_set_state(run, RUN_SKIPPED);
    run_undecided(registry, run);
    registry->events->skipped(registry->ctx, run);
}

static size_t count_missed(const struct job *job, int64_t from, int64_t to) {
    size_t count = 0, looked = 0;
    for (int64_t slot = from; slot <= to && looked < REGISTRY_MISSED_MAX; looked++) {
        if (!run_for_slot(job, slot))
            count++;
        slot = cron_set_next(job->schedules, job->schedule_count, slot);
    }
    return count;
}

/* The newest slots in [first, now] that may still start, newest first; *rest is the slot before them. */
static size_t may_start(const struct job *job, int64_t first, int64_t now, int64_t *slots, int64_t *rest) {
    size_t limit = job->catch_up == CATCH_UP_NONE     ? 0
                   : job->catch_up == CATCH_UP_LATEST ? 1
                                                      : job->catch_up_max;
    size_t count = 0;
    int64_t slot = cron_set_previous(job->schedules, job->schedule_count, now + 1);
    while (count < limit && slot != CRON_NEVER && slot >= first && now - slot <= job->deadline) {
        slots[count++] = slot;
        slot = cron_set_previous(job->schedules, job->schedule_count, slot);
    }
    *rest = slot;
    return count;
}

static void catch_up(struct registry *registry, struct job *job, int64_t first, int64_t now) {
    int64_t slots[REGISTRY_CATCH_UP_MAX], rest = CRON_NEVER;
    size_t count = may_start(job, first, now, slots, &rest);
    if (rest != CRON_NEVER && rest >= first) {
        size_t missed = count_missed(job, first, rest);
        if (missed > 0)
            slot_given_up(registry, job, first, rest, missed, "missed");
    }
    while (count > 0)
        slot_ask(registry, job, slots[--count], TRIGGER_CATCH_UP);
}

/* Moves the job past one punctual slot, or past all that were missed. The job's next is set first: an event
 * may remove the job. */
static void advance(struct registry *registry, struct job *job, int64_t now) {
    int64_t first = job->next;
    bool punctual = now - first <= REGISTRY_PUNCTUAL;
    job->next = cron_set_next(job->schedules, job->schedule_count, punctual ? first : now);
    (void)heap_update(&registry->heap, job); /* inside already: cannot fail */
    if (punctual)
        slot_ask(registry, job, first, TRIGGER_SCHEDULE);
    else
        catch_up(registry, job, first, now);
}

void registry_step(struct registry *registry) {
    if (!registry->begun || registry->held || registry->stopped)
        return;
    int64_t now = clock_seconds(registry->clock);
    struct job *job;
    while ((job = heap_first(&registry->heap)) && job->next <= now)
        advance(registry, job, now);
    if (now > registry->scanned)
        registry->scanned = now; /* after a step back of the clock, what was asked stays asked */
}

int64_t registry_next_wake(const struct registry *registry) {
    const struct job *job = heap_first(&registry->heap);
    return !job || !registry->begun || registry->held || registry->stopped ? CRON_NEVER : job->next;
}

int registry_trigger(struct registry *registry, const char *name, const char *request, struct err *err) {
    struct job *job = job_find(registry, name);
    if (!job || job->schedule_count == 0)
        return err_set(err, ERR_NOTFOUND, "there is no job '%s'", name);
    name_text run_name;
    struct name_owner owner = {registry->instance, job->namespace_, job->name};
    int rc = name_for_request(&owner, request, run_name, err);
    if (rc)
        return rc;
    for (const struct run *other = job->runs; other; other = other->next_)
        if (!strcmp(other->name, run_name))
            return err_set(err, ERR_EXISTS, "request %s is run %s already", request, run_name);
    struct run *run = run_new(registry, job, clock_seconds(registry->clock), TRIGGER_MANUAL);
    if (!run)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(run->name, run_name, sizeof run_name);
    registry->events->slot(registry->ctx, run);
    return 0;
}
