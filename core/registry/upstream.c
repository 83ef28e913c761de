/* What a job comes `after`: the upstream's run of the same slot, if the upstream has that slot, or else its
 * last run. */
#include "registry/internal.h"

static enum upstream_state state_of(const struct run *run) {
    if (run->state == RUN_SKIPPED)
        return UPSTREAM_SKIPPED;
    if (run->state != RUN_FINISHED)
        return UPSTREAM_PENDING;
    return run->result.outcome == OUTCOME_SUCCEEDED ? UPSTREAM_SUCCEEDED : UPSTREAM_FAILED;
}

static bool has_slot(const struct job *job, int64_t slot) {
    return slot > job->baseline && cron_set_next(job->schedules, job->schedule_count, slot - 1) == slot;
}

static enum upstream_state last_run_before(const struct job *job, int64_t slot) {
    for (const struct run *run = job->runs; run; run = run->next_)
        if (run->slot <= slot && run->state != RUN_SKIPPED)
            return state_of(run);
    return job->last_run.slot ? job->last_run.state : UPSTREAM_NEVER_RAN;
}

static enum upstream_state look(const struct job *job, int64_t slot) {
    if (has_slot(job, slot)) {
        const struct run *run = run_for_slot(job, slot);
        if (run)
            return state_of(run);
        if (job->next <= slot)
            return UPSTREAM_PENDING; /* not asked for yet */
        if (job->last.slot == slot)
            return job->last.state;
    }
    return last_run_before(job, slot);
}

static bool suits(enum after_on on, enum upstream_state state) {
    if (state == UPSTREAM_PENDING || state == UPSTREAM_NEVER_RAN)
        return false;
    return on == AFTER_ANY || state == (on == AFTER_SUCCESS ? UPSTREAM_SUCCEEDED : UPSTREAM_FAILED);
}

enum upstream_state run_upstream(const struct run *run, const char **job) {
    enum upstream_state unmet = UPSTREAM_FINE;
    if (run->origin[0] || run->attempt > 0)
        return UPSTREAM_FINE; /* somebody wants it now; or its first attempt has waited */
    for (size_t i = 0; i < run->job->after_count; i++) {
        const struct upstream *after = &run->job->after[i];
        const struct job *upstream = job_find(run->job->registry, after->job);
        enum upstream_state state = upstream ? look(upstream, run->slot) : UPSTREAM_NEVER_RAN;
        if (suits(after->on, state))
            continue;
        if (unmet == UPSTREAM_FINE || (state != UPSTREAM_PENDING && state != UPSTREAM_NEVER_RAN)) {
            unmet = state;
            *job = after->job;
        }
    }
    return unmet;
}
