/* The end of a run, and the attempt that may follow it. The next attempt stands in the open list, or exists,
 * before the end of this one is marked as told: whatever crashes when, there is exactly one. */
#include "registry/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool earns_retry(const struct run *run) {
    const struct retry_rule *rule = &run->job->retry;
    return run->attempt < rule->max && (rule->on & 1U << run->result.outcome) && !run->replaced &&
           !job_is_ghost(run->job);
}

static int64_t delay_after(const struct retry_rule *rule, int attempt) {
    double delay = (double)rule->delay;
    for (int i = 0; i < attempt && delay < (double)rule->max_delay; i++)
        delay *= rule->backoff;
    return delay < (double)rule->max_delay ? (int64_t)delay : rule->max_delay;
}

static void say_no_retry(struct run *run, const char *why) {
    char *before = run->result.message, *text = NULL;
    if (asprintf(&text, "%s%s(no retry: %s)", before ? before : "", before ? " " : "", why) < 0)
        return;
    free(before);
    run->result.message = text;
}

static struct run *next_attempt(struct registry *registry, struct run *run) {
    const struct run_key key = {run->origin, run->slot, run->attempt + 1};
    struct run *next = run_by_key(run->job, &key);
    if (next)
        return next; /* an earlier daemon's */
    next = run_new(registry, run->job, &key, TRIGGER_RETRY);
    if (!next || run_set_data(next, run->data)) {
        say_no_retry(run, "out of memory");
        if (next)
            run_free(registry, next);
        return NULL;
    }
    run_undecided(registry, next);
    if (!open_reserve(registry, next, false)) {
        say_no_retry(run, "too many runs wait already");
        run_free(registry, next);
        return NULL;
    }
    int64_t at = clock_seconds(registry->clock) + delay_after(&run->job->retry, run->attempt);
    next->planned = next->due = at;
    waiting_add(registry, next, "retry", at);
    return next;
}

static void conclude(struct registry *registry, struct run *run) {
    struct run *next = earns_retry(run) ? next_attempt(registry, run) : NULL;
    run->untold = false;
    if (next) {
        run->retry = next->id;
        run->retry_at = next->due;
    }
    run_set_state(run, RUN_FINISHED);
    if (next || run->has_object)
        run_decided(registry, run); /* else it stands in the open list until it is told */
    if (!next)
        run_note_end(run);
    registry->events->outcome(registry->ctx, run);
    waiting_wake(registry);
}

void run_finish(struct registry *registry, struct run *run, const struct result *result) {
    ahead_tell(registry, run);
    heap_remove(&registry->timers, &run->timer);
    run_set_result(run, result);
    if (registry->begun) {
        conclude(registry, run);
        return;
    }
    run->untold = true;
    run_set_state(run, RUN_FINISHED);
}

static void look_at(struct registry *registry, struct run *run) {
    if (run->untold)
        conclude(registry, run);
    else if (run->state == RUN_FINISHED)
        run_note_end(run);
}

struct finished {
    uint64_t *ids;
    size_t count;
};

static void collect(void *ctx, const struct run *run) {
    struct finished *finished = ctx;
    if (run->state == RUN_FINISHED)
        finished->ids[finished->count++] = run->id;
}

int finish_untold(struct registry *registry, struct err *err) {
    struct finished finished = {calloc(registry->runs.count + 1, sizeof(uint64_t)), 0};
    if (!finished.ids)
        return err_set(err, ERR_NOMEM, "out of memory");
    registry_each_run(registry, collect, &finished);
    while (finished.count > 0) { /* each job's oldest first: the last word about it is the newest run's */
        struct run *run = ids_get(&registry->runs, finished.ids[--finished.count]);
        if (run)
            look_at(registry, run);
    }
    free(finished.ids);
    return 0;
}

bool retry_is_durable(const struct registry *registry, const struct run *run) {
    const struct run *next = ids_get(&registry->runs, run->retry);
    return !next || next->has_object || (next->listed_at && next->listed_at <= registry->acknowledged_marks);
}
