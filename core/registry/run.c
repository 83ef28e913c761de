/* The record of a run: where it stands among its job's runs and the undecided ones, and what it counts for.
 */
#include "registry/internal.h"

#include <stdlib.h>
#include <string.h>

const char *run_job_name(const struct run *run) {
    return run->job->name;
}
const char *run_namespace(const struct run *run) {
    return run->job->namespace_;
}
int64_t run_last_success(const struct run *run) {
    return run->job->last_success;
}

bool run_is_active(const struct run *run) {
    return run->state <= RUN_STARTED;
}

static bool may_still_be_there(const struct run *run) {
    return run->state == RUN_FINISHED && run->result.outcome == OUTCOME_LOST && run->has_object &&
           !run->job->release_lost;
}

static bool is_between_attempts(const struct run *run) {
    return run->state == RUN_WAITING && run->attempt > 0;
}

static bool is_held(const struct run *run) {
    return run_is_active(run) || is_between_attempts(run) || may_still_be_there(run);
}

static bool is_queued(const struct run *run) {
    return run->state == RUN_WAITING && run->not_before == 0;
}

size_t run_active_beside(const struct run *run) {
    return run->job->held - (is_held(run) ? 1 : 0);
}

size_t run_queued_beside(const struct run *run) {
    return run->job->queued - (is_queued(run) ? 1 : 0);
}

void run_count(const struct run *run, int by) {
    struct job *job = run->job;
    size_t n = (size_t)by;
    if (run_is_active(run)) {
        job->active += n;
        job->registry->active += n;
        if (job->limit)
            job->limit->active += n;
    }
    if (is_held(run))
        job->held += n;
    if (is_queued(run))
        job->queued += n;
    if (run->state == RUN_WAITING)
        job->waiting += n;
}

void run_set_state(struct run *run, enum run_state state) {
    run_count(run, -1);
    run->state = state;
    run_count(run, 1);
    if (state == RUN_FINISHED || state == RUN_SKIPPED)
        run->job->registry->change++;
}

static bool is_same(const struct run *run, const struct run_key *key) {
    return run->attempt == key->attempt && !strcmp(run->origin, key->origin) &&
           (run->slot == key->slot || key->origin[0] == 'm'); /* a request is one run, whenever it comes */
}

struct run *run_by_key(const struct job *job, const struct run_key *key) {
    for (struct run *run = job->runs; run; run = run->next_)
        if (is_same(run, key))
            return run;
    return NULL;
}

struct run *run_for_slot(const struct job *job, int64_t slot) {
    for (struct run *run = job->runs; run && run->slot >= slot; run = run->next_)
        if (run->slot == slot && !run->origin[0])
            return run;
    return NULL;
}

static bool is_newer(const struct run *a, const struct run *b) {
    return a->slot != b->slot ? a->slot > b->slot : a->attempt > b->attempt;
}

static void link_by_slot(struct job *job, struct run *run) {
    struct run *before = NULL, *after = job->runs;
    while (after && is_newer(after, run)) {
        before = after;
        after = after->next_;
    }
    run->previous = before;
    run->next_ = after;
    if (before)
        before->next_ = run;
    else
        job->runs = run;
    if (after)
        after->previous = run;
}

static void unlink_from_job(struct run *run) {
    if (run->previous)
        run->previous->next_ = run->next_;
    else
        run->job->runs = run->next_;
    if (run->next_)
        run->next_->previous = run->previous;
}

struct run *run_make(struct registry *registry, struct job *job, const struct run_key *key,
                     enum trigger trigger) {
    const struct name_owner owner = {registry->instance, job->namespace_, job->name};
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    run->job = job;
    run->slot = key->slot;
    run->attempt = key->attempt;
    run->trigger = trigger;
    run->state = RUN_DECIDING;
    run->decided = true;
    run->planned = run->due = key->origin[0] ? clock_seconds(registry->clock) : slot_planned(job, key->slot);
    run->asked_at = clock_monotonic(registry->clock);
    run->timer.priority = job->slot.priority;
    memcpy(run->origin, key->origin, strlen(key->origin) + 1);
    if (name_for_run(&owner, key->origin, key->slot, key->attempt, run->name, NULL)) {
        free(run);
        return NULL;
    }
    return run;
}

int run_enter(struct registry *registry, struct run *run) {
    if (!(run->id = ids_add(&registry->runs, run)))
        return ERR_NOMEM;
    if (heap_reserve(&registry->timers, registry->runs.count)) {
        ids_remove(&registry->runs, run->id);
        return ERR_NOMEM;
    }
    run_count(run, 1);
    link_by_slot(run->job, run);
    return 0;
}

struct run *run_new(struct registry *registry, struct job *job, const struct run_key *key,
                    enum trigger trigger) {
    struct run *run = run_make(registry, job, key, trigger);
    if (run && run_enter(registry, run)) {
        free(run);
        run = NULL;
    }
    return run;
}

void run_undecided(struct registry *registry, struct run *run) {
    run->decided = false;
    run->undecided_prev = registry->undecided_last;
    run->undecided = NULL;
    if (registry->undecided_last)
        registry->undecided_last->undecided = run;
    else
        registry->undecided = run;
    registry->undecided_last = run;
}

void run_decided(struct registry *registry, struct run *run) {
    if (run->decided)
        return;
    run->decided = true;
    run->decided_at = registry->marks;
    open_release(registry, run);
    if (run->undecided_prev)
        run->undecided_prev->undecided = run->undecided;
    else
        registry->undecided = run->undecided;
    if (run->undecided)
        run->undecided->undecided_prev = run->undecided_prev;
    else
        registry->undecided_last = run->undecided_prev;
    run->undecided_prev = run->undecided = NULL;
}

enum { NODE_NAME_MAX = 253 }; /* RFC 1123 subdomain */

/* Texts are for people: without memory they are missing. */
static void set_text(char **at, const char *text, size_t most) {
    char *copy = *text ? strndup(text, most) : NULL;
    free(*at);
    *at = copy;
}

void run_set_reason(struct run *run, const char *reason) {
    set_text(&run->reason, reason, REGISTRY_REASON_MAX);
}

void run_set_node(struct run *run, const char *node) {
    set_text(&run->node, node, NODE_NAME_MAX);
}

void run_set_result(struct run *run, const struct result *result) {
    struct run_result *kept = &run->result;
    set_text(&kept->reason, result->reason, sizeof result->reason);
    set_text(&kept->message, result->message, sizeof result->message);
    kept->outcome = result->outcome;
    kept->exit_code = result->exit_code;
    kept->started = result->started;
    kept->finished = result->finished;
    kept->removed = result->removed;
    if (result->outcome == OUTCOME_DELETED && !strcmp(result->reason, REASON_REPLACED))
        run->replaced = true; /* perhaps by an earlier daemon */
}

int run_set_data(struct run *run, const char *data) {
    char *copy = data ? strdup(data) : NULL;
    if (data && !copy)
        return ERR_NOMEM;
    if (copy) {
        free(run->data);
        run->data = copy;
    }
    return 0;
}

void run_note_end(struct run *run) {
    struct job *job = run->job;
    bool good = run->result.outcome == OUTCOME_SUCCEEDED;
    struct ending ending = {run->slot, run->state == RUN_SKIPPED ? UPSTREAM_SKIPPED
                                       : good                    ? UPSTREAM_SUCCEEDED
                                                                 : UPSTREAM_FAILED};
    if (!run->origin[0] && run->slot >= job->last.slot)
        job->last = ending;
    if (run->state == RUN_SKIPPED || run->replaced || run->slot < job->last_run.slot)
        return;
    run->recovered = good && job->last_run.state == UPSTREAM_FAILED && job->last_run.slot < run->slot;
    job->last_run = ending;
    if (good && run->slot > job->last_success)
        job->last_success = run->slot;
}

void run_release(struct run *run) {
    tail_free(run->tail);
    free(run->data);
    free(run->node);
    free(run->reason);
    free(run->result.reason);
    free(run->result.message);
    free(run);
}

void run_free(struct registry *registry, struct run *run) {
    struct job *job = run->job;
    run_decided(registry, run);
    if (run->state == RUN_WAITING)
        waiting_remove(registry, run);
    heap_remove(&registry->timers, &run->timer);
    run_count(run, -1);
    registry->change++;
    unlink_from_job(run);
    ids_remove(&registry->runs, run->id);
    run_release(run);
    job_release_if_unused(registry, job);
}

const struct run *registry_run(const struct registry *registry, uint64_t id) {
    return ids_get(&registry->runs, id);
}
