/* What the owner decides about a run, and asks for. */
#include "registry/internal.h"

#include <stdio.h>
#include <string.h>

int run_get(const struct registry *registry, uint64_t id, struct run **out, struct err *err) {
    *out = ids_get(&registry->runs, id);
    if (*out)
        return 0;
    err_set(err, ERR_NOTFOUND, "there is no such run any more");
    return ERR_NOTFOUND;
}

static int find_deciding(const struct registry *registry, uint64_t id, struct run **out, struct err *err) {
    int rc = run_get(registry, id, out, err);
    if (!rc && (*out)->state != RUN_DECIDING)
        rc = err_set(err, ERR_INVALID, "run %s was decided already", (*out)->name);
    return rc;
}

void run_note_asked(const struct registry *registry, struct run *run) {
    run->asked_change = registry->change;
    run->asked_at = clock_monotonic(registry->clock);
    run->lateness_ns = clock_realtime(registry->clock) - run->due * NS_PER_S;
}

void run_ask(struct registry *registry, struct run *run) {
    run_note_asked(registry, run);
    registry->events->slot(registry->ctx, run);
}

static void set_skipped(struct registry *registry, struct run *run, const char *reason) {
    if (run->state == RUN_WAITING)
        waiting_remove(registry, run);
    run_set_reason(run, reason);
    run_set_state(run, RUN_SKIPPED);
    run_note_end(run);
}

void run_give_up(struct registry *registry, struct run *run, const char *reason) {
    set_skipped(registry, run, reason);
    registry->events->skipped(registry->ctx, run);
    waiting_wake(registry);
}

static void replace_one(struct registry *registry, struct run *run) {
    if (run->replaced)
        return;
    run->replaced = true;
    (void)registry->executor->ops->stop(registry->executor, run, OUTCOME_DELETED, REASON_REPLACED,
                                        NULL); /* refused: it is over */
}

/* A run that was still being decided when its job's other runs were replaced. */
static bool is_outdated(const struct run *run) {
    for (const struct run *other = run->job->runs; other; other = other->next_)
        if (other != run && other->replaces)
            return true;
    return false;
}

int registry_start(struct registry *registry, uint64_t id, const char *manifest, size_t len, bool is_job,
                   struct err *err) {
    struct run *run;
    int rc = find_deciding(registry, id, &run, err);
    if (rc)
        return rc;
    if (registry->stopped)
        return err_set(err, ERR_CANCELED, "the scheduler is stopping; the next one decides this slot");
    bool from_due = run->trigger == TRIGGER_SCHEDULE || run->trigger == TRIGGER_RETRY;
    int64_t base = from_due ? run->due : clock_seconds(registry->clock);
    struct run_spec spec = {.namespace_ = run->job->namespace_,
                            .name = run->name,
                            .job = run->job->name,
                            .manifest = manifest,
                            .manifest_len = len,
                            .is_job = is_job,
                            .slot = run->slot,
                            .attempt = run->attempt,
                            .trigger = run->trigger,
                            .start_deadline = base + run->job->deadline,
                            .pending_timeout = run->job->pending_timeout,
                            .main_container = run->job->main_container};
    run_set_state(run, RUN_SUBMITTED);
    struct err refused = {0};
    if (registry->executor->ops->start(registry->executor, &spec, run, &refused)) {
        struct result result = {.outcome = OUTCOME_START_FAILED, .exit_code = -1, .reason = "Refused"};
        (void)snprintf(result.message, sizeof result.message, "%.*s", (int)sizeof result.message - 1,
                       refused.message);
        run_finish(registry, run, &result);
    } else if (is_outdated(run))
        replace_one(registry, run);
    return 0;
}

int registry_skip(struct registry *registry, uint64_t id, const char *reason, struct err *err) {
    struct run *run;
    int rc = find_deciding(registry, id, &run, err);
    if (rc)
        return rc;
    set_skipped(registry, run, reason);
    waiting_wake(registry);
    return 0;
}

static int reserve(struct registry *registry, struct run *run, struct err *err) {
    if (open_reserve(registry, run, false))
        return 0;
    return err_set(err, ERR_LIMIT, "too many runs wait already (%d, or %d bytes)", REGISTRY_OPEN_MAX,
                   REGISTRY_OPEN_BYTES);
}

int registry_wait(struct registry *registry, uint64_t id, const char *why, int64_t not_before,
                  const char *data, struct err *err) {
    struct run *run;
    int rc = find_deciding(registry, id, &run, err);
    if (!rc && run_set_data(run, data))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (!rc)
        rc = reserve(registry, run, err);
    if (rc)
        return rc;
    waiting_add(registry, run, why, not_before);
    waiting_wake(registry);
    return 0;
}

static struct run *first_other_waiting(const struct run *run) {
    for (struct run *other = run->job->runs; other; other = other->next_)
        if (other != run && other->state == RUN_WAITING)
            return other;
    return NULL;
}

int registry_replace(struct registry *registry, uint64_t id, struct err *err) {
    struct run *run;
    int rc = find_deciding(registry, id, &run, err);
    if (!rc)
        rc = reserve(registry, run, err);
    if (rc)
        return rc;
    bool was = registry->waking;
    registry->waking = true; /* it goes on when all is said */
    waiting_add(registry, run, "replace", 0);
    run->replaces = true;
    for (struct run *other = run->job->runs; other; other = other->next_)
        if (run_is_active(other) && other->state != RUN_DECIDING)
            replace_one(registry, other);
    for (struct run *other; (other = first_other_waiting(run));)
        run_give_up(registry, other, "replaced by a newer slot");
    registry->waking = was;
    waiting_wake(registry);
    return 0;
}

static int ask_for(struct registry *registry, const char *name, const struct run_key *key,
                   enum trigger trigger, const char *data, struct err *err) {
    struct job *job = job_find(registry, name);
    if (!job || job_is_ghost(job))
        return err_set(err, ERR_NOTFOUND, "there is no job '%s'", name);
    if (!registry->begun || registry->stopped)
        return err_set(err, ERR_CANCELED, "this scheduler does not lead");
    const struct run *there = run_by_key(job, key);
    if (there)
        return err_set(err, ERR_EXISTS, "request %s is run %s already", key->origin + 1, there->name);
    struct run *run = run_new(registry, job, key, trigger);
    if (!run)
        return err_set(err, ERR_NOMEM, "out of memory");
    run_undecided(registry, run);
    int rc = run_set_data(run, data) ? err_set(err, ERR_NOMEM, "out of memory") : reserve(registry, run, err);
    if (rc)
        run_free(registry, run);
    else if (registry->held)
        waiting_add(registry, run, "slots are held", 0);
    else
        run_ask(registry, run);
    return rc;
}

int registry_trigger(struct registry *registry, const char *job, const char *request, const char *data,
                     struct err *err) {
    name_origin origin;
    int rc = name_make_origin('m', request, origin, err);
    const struct run_key key = {origin, clock_seconds(registry->clock), 0};
    return rc ? rc : ask_for(registry, job, &key, TRIGGER_MANUAL, data, err);
}

int registry_backfill(struct registry *registry, const char *job, const char *id, int64_t slot,
                      const char *data, struct err *err) {
    name_origin origin;
    int rc = name_make_origin('b', id, origin, err);
    const struct run_key key = {origin, slot, 0};
    return rc ? rc : ask_for(registry, job, &key, TRIGGER_BACKFILL, data, err);
}

int registry_report(struct registry *registry, uint64_t id, struct err *err) {
    struct run *run;
    int rc = run_get(registry, id, &run, err);
    if (rc)
        return rc;
    if (run->state != RUN_FINISHED && run->state != RUN_SKIPPED)
        return err_set(err, ERR_INVALID, "run %s is not over", run->name);
    if (!run->has_object) {
        run_free(registry, run);
        return 0;
    }
    run->report_wanted = !retry_is_durable(registry, run);
    return run->report_wanted ? 0 : registry->executor->ops->report(registry->executor, run, err);
}
