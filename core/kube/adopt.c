/* Runs that the watch shows and nobody here started: collected while the executor opens, until all Jobs and
 * then all their Pods are known, and offered to the owner; later ones are offered as they come. */
#include "kube/ending.h"
#include "kube/outcome.h"
#include "kube/run.h"

#include <stdlib.h>
#include <string.h>

enum { TAIL = 50 }; /* lines that an alert shows (registry/tail.h keeps as many) */

static void note_pod(const struct kube_object *pod, struct adopted_run *out, struct result *last) {
    struct result result;
    const struct kube_container *main = outcome_main_container(pod);
    out->node = pod->node ? pod->node : out->node;
    out->started |= main && outcome_has_started(main);
    if (outcome_of_pod(pod, &result) == STAGE_OVER && result.outcome != OUTCOME_SUCCEEDED &&
        result.finished >= last->finished)
        *last = result;
}

static void judge_job(const struct run *run, struct adopted_run *out) {
    struct result last = {.outcome = OUTCOME_SUCCEEDED};
    for (const struct pod *pod = run->pods; pod; pod = pod->next)
        if (pod->found)
            note_pod(pod->found, out, &last);
    const struct result *last_pod = last.outcome == OUTCOME_SUCCEEDED ? NULL : &last;
    out->finished = outcome_of_job(run->found, last_pod, &out->result) == STAGE_OVER;
}

static void judge_pod(const struct kube_object *pod, struct adopted_run *out) {
    const struct kube_container *main = outcome_main_container(pod);
    out->node = pod->node;
    out->started = main && outcome_has_started(main);
    out->finished = outcome_of_pod(pod, &out->result) == STAGE_OVER;
    if (!out->finished && kube_object_is_remnant(pod)) {
        outcome_of_gone(pod, &out->result);
        out->finished = true;
    }
}

/* An earlier daemon was ending it: then that is its outcome, unless it succeeded first. */
static void judge_ending(const struct kube_object *object, struct adopted_run *out) {
    struct result ending;
    if (!ending_read(object, &ending))
        return;
    bool is_over = out->finished || kube_object_is_remnant(object) || (object->deletion && !out->started);
    if (!is_over)
        return;
    if (!out->finished || out->result.outcome != OUTCOME_SUCCEEDED) {
        ending.started = out->result.started;
        ending.finished = out->result.finished;
        ending.exit_code = out->finished ? out->result.exit_code : ending.exit_code;
        out->result = ending;
    }
    out->finished = out->result.removed = true;
}

static void describe(const struct run *run, const char *namespace_, struct adopted_run *out) {
    const struct kube_object *object = run->found;
    *out = (struct adopted_run){.namespace_ = namespace_,
                                .name = run_name(run),
                                .job = run->job,
                                .is_job = run->is_job,
                                .slot = run->slot,
                                .attempt = run->attempt,
                                .reported = object->reported && !strcmp(object->reported, "true")};
    if (!object->trigger || trigger_parse(object->trigger, &out->trigger))
        out->trigger = TRIGGER_SCHEDULE;
    if (run->is_job)
        judge_job(run, out);
    else
        judge_pod(object, out);
    judge_ending(object, out);
}

/* Whoever tells its outcome wants its last lines: then it is adopted as if it ran on, and ends, with them,
 * before `ready`. Later nobody waits for that. */
static bool needs_tail(const struct run *run, const struct adopted_run *found) {
    return !run->executor->ready && found->finished && found->started && !found->reported &&
           !run->found->deletion;
}

/* What an earlier daemon began to do to end it. */
static void take_up_ending(struct run *run) {
    struct result ending;
    run->held = run->found->held;
    run->delete_sent = run->held && run->found->deletion;
    if (ending_read(run->found, &ending) || (!run->is_job && outcome_leaves_work(run->found) &&
                                             outcome_of_pod(run->found, &ending) == STAGE_OVER))
        run_note(&run->stop, &ending);
}

/* From here on it is like a run that was started here. */
static void carry_on(struct run *run, const struct adopted_run *found) {
    struct kube_object *object = run->found;
    run->found = NULL;
    run->state = RUN_ACTIVE;
    run->executor->tails += run->tail > 0;
    run->pending_timeout = run->executor->pending_timeout;
    if (found->started)
        run->started = found->result.started ? found->result.started : object->created;
    if (found->started && !run->tail) {
        run->since = run->executor->output_since ? run->executor->output_since : run_now(run);
        run_log(run, LOG_INFO, "an earlier daemon's run goes on", "its earlier output is in its Pod's log");
    } else {
        observe_pending_from(run, object->created);
    }
    if (run->is_job)
        for (struct pod *pod = run->pods, *next; pod; pod = next) {
            next = pod->next;
            if (pod->found)
                observe_pod(run, pod->found);
            run_keep_object(&pod->found, NULL);
        }
    observe_object(run->executor, object);
    run_keep_object(&object, NULL);
    if (run->stop && run->state == RUN_ACTIVE)
        remove_begin(run, run->stop);
}

static void settle_as(struct run *run, enum run_state state) {
    run->state = state;
    run_drop_pods(run);
    run_keep_object(&run->found, NULL);
}

static void adopt(struct run *run) {
    struct kube_executor *executor = run->executor;
    char *namespace_ = strndup(run->key, run->namespace_len);
    if (!namespace_) {
        run_log(run, LOG_ERROR, "a run is not adopted", "out of memory");
        return;
    }
    struct adopted_run found;
    describe(run, namespace_, &found);
    if (needs_tail(run, &found)) {
        run->tail = TAIL;
        found.finished = false;
    }
    void *owner = executor->events.adopted(executor->ctx, &found);
    free(namespace_);
    bool owned = owner && !run_set_owner(run, owner);
    if (owner && !owned)
        run_log(run, LOG_ERROR, "a run is not adopted", "out of memory");
    take_up_ending(run);
    if (!owned)
        settle_as(run, RUN_IGNORED);
    else if (!found.finished)
        carry_on(run, &found);
    else {
        settle_as(run, RUN_FINISHED);
        run_after(run, 0, remove_settle);
    }
}

static int fill(struct run *run, const struct kube_object *object) {
    run->state = RUN_FOUND;
    run->accepted = true;
    run->slot = kube_time(object->slot);
    run->attempt = object->attempt ? (int)strtol(object->attempt, NULL, 10) : 1;
    run->job = strdup(object->job);
    return run->job ? run_set_uid(run, object->uid) : ERR_NOMEM;
}

static struct run *find_or_add(struct kube_executor *executor, const struct kube_object *object) {
    struct run *run = run_find(executor, object->kind, object->namespace_, object->name);
    if (run || kube_run_new(executor, object->kind, object->namespace_, object->name, &run, NULL))
        return run;
    if (fill(run, object)) {
        kube_run_free(run);
        return NULL;
    }
    return run;
}

static void found_pod_of_job(struct kube_executor *executor, struct kube_object *object) {
    struct run *run = run_find(executor, KUBE_JOB, object->namespace_, object->owner_job);
    if (!run)
        return; /* of a Job that is no run of ours, or gone */
    struct pod *pod = run_find_pod(run, object->name);
    if (!pod && run_add_pod(run, object->name, &pod))
        return;
    pod->seen = executor->epoch;
    run_keep_object(&pod->found, object);
}

void adopt_found(struct kube_executor *executor, struct kube_object *object) {
    if (object->kind == KUBE_POD && object->owner_job) {
        found_pod_of_job(executor, object);
        return;
    }
    if (executor->fenced || !object->job || !object->slot || !object->instance ||
        strcmp(object->instance, executor->instance) != 0)
        return; /* another leader's by now, or not made by a scheduler */
    struct run *run = find_or_add(executor, object);
    if (!run)
        return;
    run->seen = executor->epoch;
    run_keep_object(&run->found, object);
    if (executor->ready && !feeds_unknown(run))
        adopt(run);
}

void adopt_those_found(struct kube_executor *executor) {
    struct run *found = NULL, *next;
    for (enum kube_kind kind = KUBE_POD; kind <= KUBE_JOB; kind++)
        for (struct map_node *node = NULL; (node = map_next(&executor->runs[kind], node));) {
            struct run *run = MAP_OWNER(node, struct run, by_name);
            if (run->state != RUN_FOUND || feeds_unknown(run))
                continue;
            run->todo = found;
            found = run;
        }
    for (; found; found = next) {
        next = found->todo;
        adopt(found);
    }
}

static void become_ready(struct kube_executor *executor) {
    executor->ready = true;
    adopt_those_found(executor); /* that came meanwhile */
    executor->events.ready(executor->ctx);
}

void adopt_all(struct kube_executor *executor) {
    adopt_those_found(executor);
    if (executor->tails == 0)
        become_ready(executor);
}

void adopt_tail_ended(struct kube_executor *executor) {
    if (--executor->tails == 0)
        become_ready(executor);
}
