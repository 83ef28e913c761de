#include "kube/outcome.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static bool one_of(const char *word, const char *const *list) {
    for (; word && *list; list++)
        if (!strcmp(word, *list))
            return true;
    return false;
}

static bool is(const char *text, const char *wanted) {
    return text && !strcmp(text, wanted);
}

static void __attribute__((format(printf, 4, 5)))
conclude(struct result *out, enum outcome outcome, const char *reason, const char *format, ...) {
    out->outcome = outcome;
    (void)snprintf(out->reason, sizeof out->reason, "%s", reason ? reason : "");
    va_list args;
    va_start(args, format);
    (void)vsnprintf(out->message, sizeof out->message, format, args);
    va_end(args);
}

const struct kube_container *outcome_main_container(const struct kube_object *pod) {
    const char *main = pod->main_container ? pod->main_container : pod->main;
    for (size_t i = 0; i < pod->container_count; i++) {
        const struct kube_container *container = &pod->containers[i];
        if (!container->init && (!main || is(container->name, main)))
            return container;
    }
    return NULL;
}

bool outcome_has_started(const struct kube_container *container) {
    return container->state == CONTAINER_RUNNING || container->restarts > 0 ||
           (container->state == CONTAINER_TERMINATED && container->started > 0);
}

/* How a Pod left that did not end by itself; false: nothing says so. The reasons are kubelet's (node
 * pressure, preemption by a critical Pod, node shutdown under its three names since 1.20) and the API's
 * condition DisruptionTarget. */
static bool disrupted(const struct kube_object *pod, struct result *out) {
    static const char *const evicted[] = {"Evicted",      "Preempting", "Preempted", "Shutdown",
                                          "NodeShutdown", "Terminated", NULL};
    const char *reason = pod->reason && pod->reason[0] ? pod->reason : pod->disruption;
    const char *message = pod->message ? pod->message : "";
    if (is(pod->reason, "NodeLost") || is(pod->disruption, "DeletionByPodGC") || is(pod->phase, "Unknown")) {
        conclude(out, OUTCOME_LOST, reason ? reason : "NodeLost", "%s",
                 message[0] ? message : "its node is gone");
        return true;
    }
    if (!one_of(pod->reason, evicted) && !pod->disruption)
        return false;
    conclude(out, OUTCOME_EVICTED, reason, "%s",
             message[0] ? message : "the cluster removed it from its node");
    return true;
}

static void set_times(const struct kube_container *container, struct result *out) {
    out->exit_code = container->exit_code;
    out->started = container->started;
    out->finished = container->finished;
}

static bool failed(const struct kube_container *container) {
    return container->state == CONTAINER_TERMINATED && container->exit_code != 0;
}

/* The first container unless it did well (or never ran); then another one that failed. */
static const struct kube_container *culprit(const struct kube_object *pod) {
    const struct kube_container *main = outcome_main_container(pod);
    if (main && failed(main))
        return main;
    for (size_t i = 0; i < pod->container_count; i++)
        if (failed(&pod->containers[i]))
            return &pod->containers[i];
    return main;
}

static void blame(const struct kube_container *container, struct result *out) {
    const char *said = container->message ? container->message : "";
    const char *colon = said[0] ? ": " : "";
    /* A runtime tells a signal as exit code 128 + its number; `signal` is hardly ever set. */
    int number = container->signal                                               ? container->signal
                 : container->exit_code > 128 && container->exit_code < 128 + 65 ? container->exit_code - 128
                                                                                 : 0;
    if (number)
        conclude(out, OUTCOME_FAILED, container->reason, "container %s: exit code %d, signal %d (%s)%s%s",
                 container->name, container->exit_code, number, strsignal(number), colon, said);
    else
        conclude(out, OUTCOME_FAILED, container->reason, "container %s: exit code %d%s%s", container->name,
                 container->exit_code, colon, said);
}

static void judge_failed(const struct kube_object *pod, struct result *out) {
    static const char *const never_ran[] = {"StartError", "ContainerCannotRun", NULL};
    const struct kube_container *container = culprit(pod);
    if (container && container->state == CONTAINER_TERMINATED)
        set_times(container, out);
    if (disrupted(pod, out))
        return;
    const char *message = pod->message ? pod->message : "";
    if (is(pod->reason, "DeadlineExceeded"))
        conclude(out, OUTCOME_TIMEOUT, pod->reason, "%s", message);
    else if (!container || container->state != CONTAINER_TERMINATED)
        /* The kubelet did not take it: OutOfcpu, NodeAffinity, UnexpectedAdmissionError, … */
        conclude(out, OUTCOME_START_FAILED, pod->reason, "%s", message);
    else if (one_of(container->reason, never_ran))
        conclude(out, OUTCOME_START_FAILED, container->reason, "container %s: %s", container->name,
                 container->message ? container->message : "could not be started");
    else
        blame(container, out);
}

/* The container that was named as the main one, when it has ended for good: it alone decides. */
static const struct kube_container *ended_main(const struct kube_object *pod) {
    const struct kube_container *main = pod->main_container ? outcome_main_container(pod) : NULL;
    bool restarts = main && main->exit_code != 0 && is(pod->restart_policy, "OnFailure");
    return main && main->state == CONTAINER_TERMINATED && !restarts ? main : NULL;
}

static bool ended_badly(const struct kube_object *pod) {
    const struct kube_container *main = ended_main(pod);
    return main ? failed(main) : is(pod->phase, "Failed");
}

static void judge_ended(const struct kube_object *pod, struct result *out) {
    if (ended_badly(pod)) {
        judge_failed(pod, out);
        return;
    }
    const struct kube_container *main = outcome_main_container(pod);
    out->outcome = OUTCOME_SUCCEEDED;
    out->exit_code = 0;
    if (main) {
        out->started = main->started;
        out->finished = main->finished;
    }
}

static bool all_ended(const struct kube_object *pod) {
    return is(pod->phase, "Succeeded") || is(pod->phase, "Failed");
}

static bool has_ended(const struct kube_object *pod) {
    return all_ended(pod) || ended_main(pod);
}

bool outcome_leaves_work(const struct kube_object *pod) {
    return ended_main(pod) && !all_ended(pod);
}

static int64_t last_finished(const struct kube_object *pod) {
    const struct kube_container *main = ended_main(pod);
    if (main)
        return main->finished;
    int64_t last = 0;
    for (size_t i = 0; i < pod->container_count; i++)
        if (pod->containers[i].finished > last)
            last = pod->containers[i].finished;
    return last;
}

/* Whether its end is its own: it came before anybody deleted it. In the same second it counts as deleted. */
static bool ended_undeleted(const struct kube_object *pod) {
    return has_ended(pod) && (!pod->deletion || last_finished(pod) < pod->deletion - pod->grace);
}

static void judge_deleted(const struct kube_object *pod, struct result *out) {
    const struct kube_container *main = outcome_main_container(pod);
    if (main && main->state == CONTAINER_TERMINATED)
        set_times(main, out);
    else if (main)
        out->started = main->started;
    if (!disrupted(pod, out))
        conclude(out, OUTCOME_DELETED, "Deleted", "somebody deleted it");
}

void outcome_of_gone(const struct kube_object *pod, struct result *out) {
    *out = (struct result){.exit_code = -1};
    if (ended_undeleted(pod))
        judge_ended(pod, out);
    else
        judge_deleted(pod, out);
}

/* What a Pod that has not started waits for; true: for ever. */
static bool judge_waiting(const struct kube_object *pod, struct result *out) {
    static const char *const nothing_special[] = {"ContainerCreating", "PodInitializing", NULL};
    if (pod->unschedulable)
        conclude(out, OUTCOME_START_FAILED, "Unschedulable", "%s", pod->unschedulable);
    for (size_t i = 0; i < pod->container_count; i++) {
        const struct kube_container *container = &pod->containers[i];
        if (container->state != CONTAINER_WAITING || !container->reason ||
            one_of(container->reason, nothing_special))
            continue;
        conclude(out, OUTCOME_START_FAILED, container->reason, "container %s: %s", container->name,
                 container->message ? container->message : "waits");
        if (is(container->reason, "InvalidImageName"))
            return true;
    }
    return false;
}

enum stage outcome_of_pod(const struct kube_object *pod, struct result *out) {
    *out = (struct result){.exit_code = -1};
    if (has_ended(pod)) {
        outcome_of_gone(pod, out);
        return STAGE_OVER;
    }
    if (is(pod->phase, "Unknown") || is(pod->reason, "NodeLost")) {
        judge_deleted(pod, out);
        return STAGE_OVER;
    }
    const struct kube_container *main = outcome_main_container(pod);
    if (main && outcome_has_started(main)) {
        out->started = main->started;
        return STAGE_RUNNING;
    }
    return judge_waiting(pod, out) ? STAGE_HOPELESS : STAGE_PENDING;
}

static void judge_failed_job(const struct kube_object *job, const struct result *last_pod,
                             struct result *out) {
    const char *message = job->condition_message ? job->condition_message : "the Job failed";
    if (last_pod) {
        out->exit_code = last_pod->exit_code;
        out->finished = last_pod->finished;
    }
    if (is(job->condition_reason, "DeadlineExceeded"))
        conclude(out, OUTCOME_TIMEOUT, job->condition_reason, "%s", message);
    else if (last_pod)
        conclude(out, last_pod->outcome, last_pod->reason, "%s%s%s", last_pod->message,
                 last_pod->message[0] ? "; " : "", message);
    else
        conclude(out, OUTCOME_FAILED, job->condition_reason, "%s", message);
}

enum stage outcome_of_job(const struct kube_object *job, const struct result *last_pod, struct result *out) {
    *out = (struct result){.exit_code = -1, .started = job->start_time, .finished = job->completion_time};
    if (job->complete) {
        out->outcome = OUTCOME_SUCCEEDED;
        out->exit_code = 0;
        return STAGE_OVER;
    }
    if (job->failed) {
        judge_failed_job(job, last_pod, out);
        return STAGE_OVER;
    }
    return STAGE_PENDING;
}
