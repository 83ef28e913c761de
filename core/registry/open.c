/* The watermark and the open list beside it: what an earlier daemon left, and what the next would find. A run
 * that the watermark has passed while it is not decided has its place in the list until it is. */
#include "registry/internal.h"

#include <stdio.h>
#include <string.h>

enum { ENTRY_BYTES = 96 }; /* of JSON around the texts of an entry */

static size_t bytes_of(const struct run *run) {
    return ENTRY_BYTES + strlen(run->job->name) + strlen(run->origin) + (run->data ? strlen(run->data) : 0);
}

bool open_reserve(struct registry *registry, struct run *run, bool anyway) {
    if (run->reserved)
        return true;
    size_t bytes = bytes_of(run);
    if (!anyway &&
        (registry->open_count >= REGISTRY_OPEN_MAX || registry->open_bytes + bytes > REGISTRY_OPEN_BYTES))
        return false;
    run->reserved = true;
    run->open_bytes = bytes;
    registry->open_count++;
    registry->open_bytes += bytes;
    return true;
}

void open_release(struct registry *registry, struct run *run) {
    if (!run->reserved)
        return;
    run->reserved = false;
    registry->open_count--;
    registry->open_bytes -= run->open_bytes;
}

/* Creates that take long have half of the list, lest a burst of them leaves no place to what must have one:
 * that waits, is tried again or was asked for. Those beyond it hold the watermark back, and are decided by
 * their job's catch_up should the leader die. */
static bool takes_long(const struct registry *registry, const struct run *run) {
    bool old = clock_monotonic(registry->clock) - run->asked_at >= REGISTRY_OPEN_AGE * NS_PER_S;
    return old && registry->open_count < REGISTRY_OPEN_MAX / 2 &&
           registry->open_bytes < REGISTRY_OPEN_BYTES / 2;
}

static bool belongs(struct registry *registry, struct run *run) {
    return run->reserved ||
           ((!run_is_active(run) || takes_long(registry, run)) && open_reserve(registry, run, false));
}

int64_t registry_watermark(struct registry *registry, void (*each)(void *ctx, const struct run *run),
                           void *ctx) {
    int64_t mark = registry->scanned;
    registry->marks++;
    for (struct run *run = registry->undecided; run; run = run->undecided) {
        if (belongs(registry, run)) {
            each(ctx, run);
            if (!run->listed_at)
                run->listed_at = registry->marks;
        } else if (run->planned <= mark)
            mark = (run->missed ? run->missed_from : run->planned) - 1;
    }
    if (mark > registry->watermark)
        registry->watermark = mark;
    return registry->watermark;
}

int64_t registry_peek(const struct registry *registry, void (*each)(void *ctx, const struct run *run),
                      void *ctx) {
    for (const struct run *run = registry->undecided; run; run = run->undecided)
        if (run->reserved)
            each(ctx, run);
    return registry->watermark;
}

struct open_entry registry_open_entry(const struct run *run) {
    struct open_entry entry = {.job = run->job->name,
                               .origin = run->origin,
                               .slot = run->slot,
                               .attempt = run->attempt,
                               .trigger = run->trigger,
                               .state = OPEN_UNDECIDED,
                               .data = run->data,
                               .missed = run->missed,
                               .missed_from = run->missed_from};
    if (run->state == RUN_WAITING)
        entry.state = OPEN_WAITING;
    else if (run->has_object)
        entry.state = OPEN_EXISTS;
    else if (run->state == RUN_SKIPPED)
        entry.state = OPEN_SKIPPED;
    if (entry.state == OPEN_WAITING || entry.state == OPEN_SKIPPED)
        entry.reason = run->reason ? run->reason : "";
    if (entry.state == OPEN_WAITING && (run->due != run->planned || run->attempt > 0))
        entry.not_before = run->due;
    return entry;
}

/* What an earlier daemon left. */

static struct run *make(struct registry *registry, struct job *job, const struct open_entry *entry,
                        const struct run_key *key) {
    bool again = entry->state == OPEN_UNDECIDED && entry->trigger == TRIGGER_SCHEDULE;
    struct run *run = run_new(registry, job, key, again ? TRIGGER_CATCH_UP : entry->trigger);
    if (!run)
        return NULL;
    run_undecided(registry, run);
    (void)run_set_data(run, entry->data);
    (void)open_reserve(registry, run, true);
    return run;
}

static bool is_too_late(const struct registry *registry, const struct job *job,
                        const struct open_entry *entry, const struct run_key *key) {
    if (entry->state != OPEN_UNDECIDED || key->origin[0] || key->attempt > 0)
        return false;
    return clock_seconds(registry->clock) - slot_planned(job, entry->slot) > job->deadline;
}

static void keep_for_retry(struct registry *registry, struct run *run, const struct open_entry *entry) {
    bool goes_on = run_is_active(run) || run->untold;
    if (!goes_on || !run->decided || !run->origin[0] || run_set_data(run, entry->data) || !run->data)
        return;
    run_undecided(registry, run);
    (void)open_reserve(registry, run, true);
}

void open_restore(struct registry *registry, const struct open_entry *entry) {
    struct job *job = job_find(registry, entry->job);
    if (!job || job_is_ghost(job))
        return;
    const struct run_key key = {entry->origin ? entry->origin : "", entry->slot, entry->attempt};
    struct run *run = run_by_key(job, &key);
    if (run) {
        keep_for_retry(registry, run, entry);
    } else if (entry->state == OPEN_SKIPPED || is_too_late(registry, job, entry, &key)) {
        int64_t from = entry->missed ? entry->missed_from : entry->slot;
        slot_given_up(registry, job, from, entry->slot, entry->missed,
                      entry->state == OPEN_SKIPPED ? entry->reason : "missed");
    } else if (entry->state != OPEN_EXISTS && (run = make(registry, job, entry, &key))) {
        if (entry->state == OPEN_WAITING)
            waiting_add(registry, run, entry->reason ? entry->reason : "", entry->not_before);
        else
            run_ask(registry, run);
    }
}
