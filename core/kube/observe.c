/* What the watches tell about a run, what follows from it, and the run's way from accepted to finished. */
#include "kube/answer.h"
#include "kube/outcome.h"
#include "kube/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DRAIN_NS (10 * NS_PER_S) /* the contract: `finished` comes at most so late for its output's sake */
enum { OVERDUE_SECONDS = 60 };   /* beyond its grace period a deleted Pod on a living node is gone */

/* Its end, as `finished` tells it. */
static void compose(const struct run *run, struct result *out) {
    *out = (struct result){.outcome = OUTCOME_DELETED, .exit_code = -1, .reason = "Deleted"};
    (void)snprintf(out->message, sizeof out->message, "somebody deleted it");
    if (run->end && (run->decided || !run->is_job))
        *out = *run->end;
    else if (run->found)
        (void)outcome_of_job(run->found, run->end, out);
    if (run->lost) {
        out->outcome = OUTCOME_LOST;
        (void)snprintf(out->reason, sizeof out->reason, "NodeLost");
        (void)snprintf(out->message, sizeof out->message,
                       "it was deleted and is still there: its node does not answer");
    } else if (run->stop && out->outcome != OUTCOME_SUCCEEDED && out->outcome != OUTCOME_LOST) {
        out->outcome = run->stop->outcome;
        memcpy(out->reason, run->stop->reason, sizeof out->reason);
        memcpy(out->message, run->stop->message, sizeof out->message);
    }
}

static void note_started(struct run *run, int64_t when) {
    if (run->started)
        return;
    run->started = when ? when : run_now(run);
    run_note(&run->waits, NULL);
    if (!run->stop)
        run_wait_no_more(run); /* pending_timeout */
    else if (run->stop->outcome == OUTCOME_START_FAILED)
        run->stop->outcome = OUTCOME_FAILED; /* it came just too late, but it did run */
    run->executor->events.started(run->executor->ctx, run->owner, run->started);
}

void observe_finish(struct run *run) {
    struct result result;
    compose(run, &result);
    if (result.outcome == OUTCOME_SUCCEEDED)
        note_started(run, result.started); /* a Job whose Pods were never seen */
    result.started = run->started;
    if (run->leaves_work)
        run_note(&run->stop, &result); /* its outcome stands, and remove_settle ends the rest */
    result.removed = run->stop && run->accepted;
    run->state = RUN_FINISHED;
    run->tries = 0;
    run_drop_pods(run);
    run_keep_object(&run->found, NULL);
    run_note(&run->waits, NULL);
    run_note(&run->end, NULL);
    run_after(run, 0, remove_settle);
    struct kube_executor *executor = run->executor;
    bool had_tail = run->tail > 0;
    void *owner = run->accepted ? run->owner : run_take_owner(run); /* the contract: it is not used again */
    executor->events.finished(executor->ctx, owner, &result);
    if (had_tail)
        adopt_tail_ended(executor);
}

void observe_drained(struct run *run) {
    if (run->state != RUN_DRAINING || (run->expects_pods && !run->pods))
        return;
    for (const struct pod *pod = run->pods; pod; pod = pod->next)
        if (!pod->over || follow_open(pod))
            return;
    run_after(run, 0, observe_finish); /* not from here: a log may be calling */
}

static void drain(struct run *run) {
    run->state = RUN_DRAINING;
    run_after(run, DRAIN_NS, observe_finish);
    observe_drained(run);
}

/* --- before it runs --- */

static void end_pending(struct run *run, const struct result *why) {
    struct result result = *why; /* it may be run->waits */
    remove_begin(run, &result);
}

static void pending_over(struct run *run) {
    struct result result = {.outcome = OUTCOME_START_FAILED, .exit_code = -1, .reason = "PendingTimeout"};
    (void)snprintf(result.message, sizeof result.message, "it did not start within %lld s",
                   (long long)run->pending_timeout);
    end_pending(run, run->waits ? run->waits : &result);
}

void observe_pending_from(struct run *run, int64_t since) {
    if (run->pending_timeout > 0)
        run_after(run, (since + run->pending_timeout - run_now(run)) * NS_PER_S, pending_over);
}

void observe_accepted(struct run *run, const char *uid) {
    run_cancel_call(run); /* an event of the watch may come before the answer */
    run->state = RUN_ACTIVE;
    run->accepted = true;
    run->tries = 0;
    run->seen = run->executor->epoch;
    (void)run_set_uid(run, uid); /* without it the next event brings it */
    free(run->manifest);
    run->manifest = NULL;
    run_wait_no_more(run);
    observe_pending_from(run, run_now(run));
    run->executor->events.accepted(run->executor->ctx, run->owner);
    if (run->stopping)
        end_pending(run, run->stop);
    else
        run_note(&run->stop, NULL); /* it had been given up, and is there after all */
}

/* --- Pods --- */

static void lose(struct run *run) {
    run->lost = true;
    observe_finish(run); /* no output comes from where it was */
}

/* Nothing will replace its Pods: it is one, or a Job that is over or gone. */
static bool ends_with_its_pods(const struct run *run) {
    return !run->is_job || run->decided || run->object_gone || run->name_only || run->found;
}

static void expect_gone(struct run *run, const struct pod *pod) {
    if (pod->deletion && ends_with_its_pods(run))
        run_after(run, (pod->deletion + OVERDUE_SECONDS - run_now(run)) * NS_PER_S, lose);
}

static void pods_over(struct run *run) {
    for (const struct pod *pod = run->pods; pod; pod = pod->next)
        if (!pod->over) {
            expect_gone(run, pod);
            return;
        }
    drain(run);
}

/* A named main container that did well is the end of a Job too, and one that failed while others go on, for
 * they would keep the Job from trying again. */
static void note_decision(struct run *run, const struct kube_object *object, const struct result *result) {
    bool good = object->main_container && result->outcome == OUTCOME_SUCCEEDED;
    if (!outcome_leaves_work(object) && !good)
        return;
    run->decided = true;
    bool is_tried_again = run->is_job && object->phase && !strcmp(object->phase, "Failed");
    run->leaves_work = run->leaves_work || outcome_leaves_work(object) || is_tried_again;
}

static void pod_over(struct run *run, struct pod *pod, const struct result *result) {
    pod->over = true;
    bool is_latest = !run->end || !result->finished || result->finished >= run->end->finished;
    if (!run->is_job || run->decided || (result->outcome != OUTCOME_SUCCEEDED && is_latest))
        run_note(&run->end, result);
    if (run->state == RUN_DRAINING)
        observe_drained(run);
    else if (ends_with_its_pods(run))
        pods_over(run);
}

static struct pod *pod_of(struct run *run, const char *name) {
    struct pod *pod = run_find_pod(run, name);
    if (!pod && run_add_pod(run, name, &pod))
        run_log(run, LOG_ERROR, "a Pod is not followed", "out of memory");
    return pod;
}

static void observe_active_pod(struct run *run, const struct pod *pod, enum stage stage,
                               const struct result *result) {
    if (stage == STAGE_PENDING && !run->started)
        run_note(&run->waits, result->reason[0] ? result : NULL);
    else if (stage == STAGE_HOPELESS && !run->started && !run->stop)
        end_pending(run, result);
    expect_gone(run, pod);
}

static void note_node(struct run *run, struct pod *pod, const struct kube_object *object) {
    if (pod->placed || !object->node || !*object->node)
        return;
    pod->placed = true;
    run->executor->events.placed(run->executor->ctx, run->owner, object->node);
}

static void note_main_container(struct run *run, const struct kube_object *object) {
    const struct kube_container *main = outcome_main_container(object);
    if (main && outcome_has_started(main))
        note_started(run, main->started);
}

void observe_pod(struct run *run, struct kube_object *object) {
    if (run->state != RUN_ACTIVE && run->state != RUN_DRAINING)
        return;
    struct pod *pod = pod_of(run, object->name);
    if (!pod)
        return;
    pod->seen = run->executor->epoch;
    pod->deletion = object->deletion;
    if (pod->over)
        return;
    struct result result;
    enum stage stage = outcome_of_pod(object, &result);
    note_node(run, pod, object);
    note_main_container(run, object);
    follow_pod(pod, object, stage == STAGE_OVER);
    if (stage == STAGE_OVER) {
        note_decision(run, object, &result);
        pod_over(run, pod, &result);
    } else if (run->state == RUN_ACTIVE)
        observe_active_pod(run, pod, stage, &result);
}

static void pod_gone(struct run *run, struct pod *pod, const struct kube_object *last) {
    struct result result = {.outcome = OUTCOME_DELETED, .exit_code = -1, .reason = "Deleted"};
    (void)snprintf(result.message, sizeof result.message, "somebody deleted it");
    if (run->state == RUN_FOUND)
        return; /* adopt.c judges by its last state */
    if (last) {
        note_node(run, pod, last);
        note_main_container(run, last);
        follow_pod(pod, last, true);
        outcome_of_gone(last, &result);
    }
    follow_finish(pod);
    if (!pod->over)
        pod_over(run, pod, &result);
}

/* --- Jobs --- */

static void observe_job(struct run *run, struct kube_object *object) {
    run->expects_pods = object->succeeded_pods + object->failed_pods > 0;
    if (run->state == RUN_ACTIVE && !run->found && (object->complete || object->failed)) {
        run_keep_object(&run->found, object); /* judged when its Pods have ended, too */
        pods_over(run);
    }
}

/* --- the watch's events --- */

static bool is_ours(const struct run *run, const struct kube_object *object) {
    struct identity identity = {run->executor->instance, run->job, run->slot, run->attempt};
    return answer_is_ours(&identity, object);
}

/* Not a later one under the same name. */
static bool is_same(const struct run *run, const struct kube_object *object) {
    return !run->uid || !object->uid || !strcmp(run->uid, object->uid);
}

/* A create that nobody answered was carried out after its run was given up: nobody waits for it. */
static void came_late(struct run *run, const struct kube_object *object) {
    run->accepted = true;
    run_wait_no_more(run);
    (void)run_set_uid(run, object->uid);
    run_log(run, LOG_WARNING, "a create landed after it was given up; deleting its object", NULL);
    remove_settle(run);
}

static void observe_known(struct run *run, struct kube_object *object) {
    if (!run->accepted && !is_ours(run, object))
        return;
    if (run->state == RUN_CREATING)
        observe_accepted(run, object->uid);
    else if (!run->accepted)
        came_late(run, object);
    (void)run_set_uid(run, object->uid);
    if (!is_same(run, object))
        return;
    run->seen = run->executor->epoch;
    if (kube_object_is_remnant(object))
        observe_done(run, object);
    else if (run->is_job)
        observe_job(run, object);
    else
        observe_pod(run, object);
}

static bool is_of_job(const struct kube_object *object) {
    return object->kind == KUBE_POD && object->owner_job;
}

static struct run *run_of(const struct kube_executor *executor, const struct kube_object *object) {
    if (is_of_job(object))
        return run_find(executor, KUBE_JOB, object->namespace_, object->owner_job);
    return run_find(executor, object->kind, object->namespace_, object->name);
}

void observe_object(struct kube_executor *executor, struct kube_object *object) {
    struct run *run = run_of(executor, object);
    if (run && run->state == RUN_IGNORED)
        run->seen = executor->epoch;
    else if (!run || run->state == RUN_FOUND)
        adopt_found(executor, object);
    else if (is_of_job(object))
        observe_pod(run, object);
    else
        observe_known(run, object);
}

void observe_done(struct run *run, const struct kube_object *last) {
    if (run->state != RUN_ACTIVE)
        return;
    run->name_only = true;
    struct pod *pod = run->is_job ? NULL : pod_of(run, run_name(run));
    if (pod)
        pod_gone(run, pod, last);
    else
        pods_over(run);
}

void observe_gone(struct run *run, const struct kube_object *last) {
    run->object_gone = true;
    if (run->state == RUN_FOUND || run->state == RUN_IGNORED)
        kube_run_free(run);
    else if (run->state == RUN_ACTIVE)
        observe_done(run, last);
    else if (run->state == RUN_FINISHED)
        remove_settle(run);
}

void observe_deleted(struct kube_executor *executor, struct kube_object *object) {
    struct run *run = run_of(executor, object);
    if (!run)
        return;
    struct pod *pod = is_of_job(object) ? run_find_pod(run, object->name) : NULL;
    if (pod)
        pod_gone(run, pod, object);
    else if (!is_of_job(object) && run->accepted && is_same(run, object))
        observe_gone(run, object);
}

static bool is_in(size_t namespace_len, const char *key, const char *namespace_) {
    return !namespace_ || (strlen(namespace_) == namespace_len && !memcmp(key, namespace_, namespace_len));
}

/* The events that follow may start new runs, which moves the map's nodes: so pick first. Nothing that is
 * handled frees another one than itself. */
static void runs_synced(struct kube_executor *executor, enum kube_kind kind, const char *namespace_,
                        uint64_t began) {
    struct run *gone = NULL, *next;
    for (struct map_node *node = NULL; (node = map_next(&executor->runs[kind], node));) {
        struct run *run = MAP_OWNER(node, struct run, by_name);
        if (!run->accepted || run->seen >= began || !is_in(run->namespace_len, run->key, namespace_))
            continue;
        run->todo = gone;
        gone = run;
    }
    for (; gone; gone = next) {
        next = gone->todo;
        observe_gone(gone, NULL);
    }
}

static void pods_synced(struct kube_executor *executor, const char *namespace_, uint64_t began) {
    struct pod *gone = NULL, *next;
    for (struct map_node *node = NULL; (node = map_next(&executor->pods, node));) {
        struct pod *pod = MAP_OWNER(node, struct pod, by_name);
        if (!pod->run->is_job || pod->seen >= began || !is_in(pod->run->namespace_len, pod->key, namespace_))
            continue;
        pod->todo = gone;
        gone = pod;
    }
    for (; gone; gone = next) {
        next = gone->todo;
        pod_gone(gone->run, gone, NULL);
    }
}

void observe_synced(struct kube_executor *executor, enum kube_kind kind, const char *namespace_,
                    uint64_t began) {
    runs_synced(executor, kind, namespace_, began);
    if (kind == KUBE_POD)
        pods_synced(executor, namespace_, began);
}
