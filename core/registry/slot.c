/* Which slots are due, and which of those that were missed are caught up. A job with jitter is asked for each
 * slot a while later, by a function of the slot alone: the watermark speaks of that time, so what is still
 * to come needs no memory. */
#include "base/map.h"
#include "registry/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bijection that spreads neighbours (the finalizer of splitmix64). */
static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
}

int64_t slot_planned(const struct job *job, int64_t slot) {
    if (job->jitter <= 0)
        return slot;
    return slot + (int64_t)(mix(job->jitter_seed ^ (uint64_t)slot) % ((uint64_t)job->jitter + 1));
}

/* The first slot after `after` that is planned after now. */
static int64_t first_to_come(const struct job *job, int64_t after, int64_t now) {
    int64_t from = now - job->jitter > after ? now - job->jitter : after;
    int64_t slot = cron_set_next(job->schedules, job->schedule_count, from);
    while (slot != CRON_NEVER && slot_planned(job, slot) <= now)
        slot = cron_set_next(job->schedules, job->schedule_count, slot);
    return slot;
}

static void set_next(struct registry *registry, struct job *job, int64_t slot) {
    job->next = slot;
    if (slot == CRON_NEVER)
        heap_remove(&registry->slots, &job->slot);
    else
        heap_set(&registry->slots, &job->slot, slot_planned(job, slot));
}

void slot_plan(struct registry *registry, struct job *job) {
    set_next(registry, job, first_to_come(job, job->baseline, registry->scanned));
}

static struct run *new_undecided(struct registry *registry, struct job *job, int64_t slot,
                                 enum trigger trigger) {
    const struct run_key key = {"", slot, 0};
    struct run *run = run_new(registry, job, &key, trigger);
    if (run)
        run_undecided(registry, run);
    return run;
}

void slot_ask(struct registry *registry, struct job *job, int64_t slot, enum trigger trigger) {
    if (run_for_slot(job, slot))
        return; /* decided by an earlier daemon, whose object was adopted */
    if (job->begun == slot)
        return;
    struct run *run = new_undecided(registry, job, slot, trigger);
    if (run)
        run_ask(registry, run);
}

void slot_given_up(struct registry *registry, struct job *job, int64_t from, int64_t to, size_t missed,
                   const char *reason) {
    struct run *run = new_undecided(registry, job, to, TRIGGER_SCHEDULE);
    if (!run)
        return;
    run->missed = missed;
    run->missed_from = from;
    run_give_up(registry, run, reason);
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

/* The newest slots in [first, end) that may still start, newest first; *rest is the slot before them. */
static size_t may_start(const struct job *job, int64_t first, int64_t end, int64_t now, int64_t *slots,
                        int64_t *rest) {
    size_t limit = job->catch_up == CATCH_UP_NONE     ? 0
                   : job->catch_up == CATCH_UP_LATEST ? 1
                                                      : job->catch_up_max;
    size_t count = 0;
    int64_t slot = cron_set_previous(job->schedules, job->schedule_count, end);
    while (count < limit && slot != CRON_NEVER && slot >= first &&
           now - slot_planned(job, slot) <= job->deadline) {
        slots[count++] = slot;
        slot = cron_set_previous(job->schedules, job->schedule_count, slot);
    }
    *rest = slot;
    return count;
}

static void catch_up(struct registry *registry, struct job *job, int64_t first, int64_t end, int64_t now) {
    int64_t slots[REGISTRY_CATCH_UP_MAX], rest = CRON_NEVER;
    size_t count = may_start(job, first, end, now, slots, &rest);
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
    if (now - job->slot.at <= REGISTRY_PUNCTUAL) {
        set_next(registry, job, cron_set_next(job->schedules, job->schedule_count, first));
        slot_ask(registry, job, first, TRIGGER_SCHEDULE);
        return;
    }
    int64_t to_come = first_to_come(job, first - 1, now);
    set_next(registry, job, to_come);
    catch_up(registry, job, first, to_come < now + 1 ? to_come : now + 1, now);
}

void slots_ask(struct registry *registry, int64_t now) {
    ahead_start_due(registry, now); /* first: it takes no time, as asking does, and finding the next slot */
    struct heap_item *first;
    while ((first = heap_first(&registry->slots)) && first->at <= now)
        advance(registry, MAP_OWNER(first, struct job, slot), now);
    if (now > registry->scanned)
        registry->scanned = now; /* after a step back of the clock, what was asked stays asked */
}
