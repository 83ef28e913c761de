/* The output of a run's containers: each is followed from its start to its end, init containers too, however
 * often it is restarted. */
#include "kube/outcome.h"
#include "kube/run.h"

#include <stdlib.h>
#include <string.h>

struct follow {
    struct follow *next;
    struct pod *pod;
    struct pod_log *log; /* freed with the Pod's record, not in its own callback */
    bool open;
    char container[];
};

static void line(void *ctx, const char *text, size_t len) {
    const struct follow *follow = ctx;
    const struct run *run = follow->pod->run;
    run->executor->events.line(run->executor->ctx, run->owner, follow->container, text, len);
}

static void done(void *ctx, const struct err *err) {
    struct follow *follow = ctx;
    follow->open = false;
    if (err)
        run_log(follow->pod->run, LOG_WARNING, "output is incomplete", err->message);
    observe_drained(follow->pod->run);
}

static struct follow *follow_of(const struct pod *pod, const char *container) {
    for (struct follow *follow = pod->follows; follow; follow = follow->next)
        if (!strcmp(follow->container, container))
            return follow;
    return NULL;
}

static int open_log(struct follow *follow, struct err *err) {
    static const struct pod_log_events events = {.line = line, .done = done};
    const struct pod *pod = follow->pod;
    char *namespace_ = strndup(pod->key, pod->namespace_len);
    if (!namespace_)
        return err_set(err, ERR_NOMEM, "out of memory");
    int code = pod_log_follow(pod->run->executor->client, namespace_, pod->key + pod->namespace_len + 1,
                              follow->container, pod->run->since, pod->run->tail, &events, follow,
                              &follow->log, err);
    free(namespace_);
    return code;
}

static struct follow *begin(struct pod *pod, const char *container) {
    size_t size = strlen(container) + 1;
    struct follow *follow = calloc(1, sizeof *follow + size);
    struct err err = {.message = "out of memory"};
    if (follow) {
        follow->pod = pod;
        memcpy(follow->container, container, size);
        follow->next = pod->follows;
        pod->follows = follow;
        follow->open = !open_log(follow, &err);
    }
    if (!follow || !follow->open)
        run_log(pod->run, LOG_ERROR, "output is not followed", err.message);
    return follow;
}

void follow_pod(struct pod *pod, const struct kube_object *object, bool over) {
    for (size_t i = 0; i < object->container_count; i++) {
        const struct kube_container *container = &object->containers[i];
        if (!container->name || !outcome_has_started(container))
            continue;
        struct follow *follow = follow_of(pod, container->name);
        if (!follow)
            follow = begin(pod, container->name);
        /* An init container that did well is not started again; any other may be, while the Pod lives. */
        bool ended = over || (container->init && container->state == CONTAINER_TERMINATED &&
                              container->exit_code == 0);
        if (follow && follow->open && ended)
            pod_log_finish(follow->log);
    }
}

void follow_finish(struct pod *pod) {
    for (struct follow *follow = pod->follows; follow; follow = follow->next)
        if (follow->open)
            pod_log_finish(follow->log);
}

bool follow_open(const struct pod *pod) {
    for (const struct follow *follow = pod->follows; follow; follow = follow->next)
        if (follow->open)
            return true;
    return false;
}

void follow_free(struct pod *pod) {
    for (struct follow *follow = pod->follows, *next; follow; follow = next) {
        next = follow->next;
        if (follow->log)
            pod_log_free(follow->log);
        free(follow);
    }
    pod->follows = NULL;
}
