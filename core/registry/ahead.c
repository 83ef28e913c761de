/* Slots that are decided before their time, so that at it they only have to be started. What is kept here is
 * a cache: it is not durable, no watermark knows of it, and without it the slot is asked for.
 *
 *   coming ──event `ahead`, registry_prepare──► prepared ──its time──► started; event `begun`
 *                                                  └── recalled, or no longer certain ──► event `slot`
 *
 * An answer is certain as long as all that the owner was told of the run is as it was: the job's own runs and
 * its last success are compared, jobs whose slots depend on other jobs or on limits are left out, and what
 * the owner itself knows it recalls. */
#include "registry/internal.h"

#include <stdlib.h>
#include <string.h>

/* Slots are looked at so long before their time, and once more shortly before it, for a run may have ended in
 * between; and what has just been started goes first. */
static const int64_t FIRST_LOOK = 900 * NS_PER_MS, LAST_LOOK = 200 * NS_PER_MS, REST = 50 * NS_PER_MS;
static const int64_t SLICE = 2 * NS_PER_MS;  /* the loop is not held for longer at a time */
static const int64_t STEP = 100 * NS_PER_MS; /* by which the clock cannot drift in a second: it was set */
enum { MOST = 4000, MOST_BYTES = 16 << 20 }; /* prepared at a time */

struct ahead {
    TAILQ_ENTRY(ahead) link;
    struct run *run; /* not in the registry yet */
    uint64_t recalls;
    int64_t last_success;
    bool is_job;
    size_t len;
    char manifest[];
};

/* A clock that was set recalls all answers: what is due now may not be what was to come. */
static void look_at_clock(struct registry *registry) {
    int64_t zero = clock_realtime(registry->clock) - clock_monotonic(registry->clock);
    int64_t stepped = zero - registry->zero;
    registry->zero = zero;
    if (stepped > STEP || stepped < -STEP)
        registry_recall(registry);
}

/* Nothing of the job is there that a decision could rest on. */
static bool is_alone(const struct job *job) {
    return job->held == 0 && job->waiting == 0 && job->after_count == 0 && !job->limit &&
           job->registry->max_active == 0;
}

/* Its run, which is the caller's now. */
static struct run *take_out(struct registry *registry, struct ahead *ahead) {
    struct run *run = ahead->run;
    TAILQ_REMOVE(&registry->prepared, ahead, link);
    registry->prepared_count--;
    registry->prepared_bytes -= ahead->len;
    run->job->ahead = NULL;
    return run;
}

static void drop(struct registry *registry, struct ahead *ahead) {
    run_release(take_out(registry, ahead));
    free(ahead);
}

static bool is_certain(const struct registry *registry, const struct ahead *ahead) {
    const struct job *job = ahead->run->job;
    return ahead->recalls == registry->recalls && ahead->run->slot == job->next && is_alone(job) &&
           ahead->last_success == job->last_success && !run_for_slot(job, job->next);
}

/* The run that the owner is being asked for, which is the caller's now. */
static struct run *end_asking(struct registry *registry) {
    struct run *run = registry->asked_ahead;
    registry->asked_ahead = NULL;
    run_count(run, -1);
    return run;
}

void ahead_forget(struct registry *registry, struct job *job) {
    if (job->ahead)
        drop(registry, job->ahead);
    for (size_t i = 0; i < AHEAD_AT_ONCE; i++)
        if (registry->candidates[i] == job)
            registry->candidates[i] = NULL;
    if (registry->asked_ahead && registry->asked_ahead->job == job)
        run_release(end_asking(registry));
}

void ahead_free(struct registry *registry) {
    for (struct ahead *ahead = TAILQ_FIRST(&registry->prepared), *next; ahead; ahead = next) {
        next = TAILQ_NEXT(ahead, link);
        drop(registry, ahead);
    }
}

void registry_recall(struct registry *registry) {
    registry->recalls++;
}

/* --- at its time --- */

static void start(struct registry *registry, struct ahead *ahead) {
    struct run *run = take_out(registry, ahead);
    run->job->begun = run->slot;
    run_undecided(registry, run);
    run_note_asked(registry, run);
    run->begun_untold = true;
    (void)registry_start(registry, run->id, ahead->manifest, ahead->len, ahead->is_job, NULL);
    free(ahead);
}

static bool holds(const struct registry *registry, const struct ahead *ahead, int64_t now) {
    return now - ahead->run->planned <= REGISTRY_PUNCTUAL && is_certain(registry, ahead);
}

void ahead_start_due(struct registry *registry, int64_t now) {
    struct ahead *first = TAILQ_FIRST(&registry->prepared);
    if (first)
        look_at_clock(registry);
    while (first && first->run->planned <= now) { // NOLINT(clang-analyzer-unix.Malloc): see its end
        if (holds(registry, first, now) && !run_enter(registry, first->run))
            start(registry, first);
        else
            drop(registry, first);
        first = TAILQ_FIRST(&registry->prepared); /* another one: that was taken out */
    }
}

void ahead_tell(struct registry *registry, struct run *run) {
    if (!run->begun_untold)
        return;
    run->begun_untold = false;
    registry->events->begun(registry->ctx, run);
}

/* --- before it --- */

static bool may_ask(const struct job *job) {
    return !job->ahead && job->looked_at != job->next && is_alone(job) && !run_for_slot(job, job->next);
}

/* Of the jobs below a place of the heap whose slot is at that time the first that can be asked for. */
static size_t collect(struct registry *registry, size_t place, int64_t at, size_t count) {
    const struct heap *slots = &registry->slots;
    if (place >= slots->count || slots->items[place]->at != at || count == AHEAD_AT_ONCE)
        return count;
    struct job *job = MAP_OWNER(slots->items[place], struct job, slot);
    if (may_ask(job))
        registry->candidates[count++] = job;
    count = collect(registry, 2 * place + 1, at, count);
    return collect(registry, 2 * place + 2, at, count);
}

int registry_prepare(struct registry *registry, const char *manifest, size_t len, bool is_job,
                     struct err *err) {
    if (!registry->asked_ahead)
        return err_set(err, ERR_INVALID, "no slot is being asked for ahead of its time");
    if (registry->prepared_count >= MOST || registry->prepared_bytes + len > MOST_BYTES)
        return err_set(err, ERR_LIMIT, "enough slots are prepared already");
    struct ahead *ahead = malloc(sizeof *ahead + len);
    if (!ahead)
        return err_set(err, ERR_NOMEM, "out of memory");
    struct run *run = end_asking(registry);
    *ahead = (struct ahead){.run = run,
                            .recalls = registry->recalls,
                            .last_success = run->job->last_success,
                            .is_job = is_job,
                            .len = len};
    memcpy(ahead->manifest, manifest, len);
    TAILQ_INSERT_TAIL(&registry->prepared, ahead, link);
    registry->prepared_count++;
    registry->prepared_bytes += len;
    run->job->ahead = ahead;
    return 0;
}

/* It counts as being decided while its owner is asked, as it will at its time. */
static void ask(struct registry *registry, struct job *job) {
    const struct run_key key = {"", job->next, 0};
    struct run *run = run_make(registry, job, &key, TRIGGER_SCHEDULE);
    if (!run)
        return;
    run_count(run, 1);
    registry->asked_ahead = run;
    job->looked_at = job->next;
    registry->events->ahead(registry->ctx, run);
    if (registry->asked_ahead)
        run_release(end_asking(registry)); /* it is asked for at its time */
}

/* Whether there is more to ask. */
static bool ask_some(struct registry *registry, int64_t at) {
    int64_t end = clock_monotonic(registry->clock) + SLICE;
    size_t count = collect(registry, 0, at, 0);
    for (size_t i = 0; i < count; i++) {
        if (registry->prepared_count >= MOST)
            return false;
        if (clock_monotonic(registry->clock) >= end)
            return true;
        if (registry->candidates[i])
            ask(registry, registry->candidates[i]);
        registry->candidates[i] = NULL;
    }
    return count == AHEAD_AT_ONCE;
}

int64_t registry_look_ahead(struct registry *registry) {
    const struct heap_item *first = heap_first(&registry->slots);
    if (!first || registry_is_idle(registry))
        return INT64_MAX;
    look_at_clock(registry);
    int64_t left = first->at * NS_PER_S - clock_realtime(registry->clock);
    if (left > FIRST_LOOK)
        return left - FIRST_LOOK;
    if (left > 0 && ask_some(registry, first->at))
        return 0;
    return left > LAST_LOOK ? left - LAST_LOOK : left > 0 ? left + REST : REST;
}
