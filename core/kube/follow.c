/* The output of a run's containers: each is followed from its start to its end, init containers too, however
 * often it is restarted. So many at a time: those beyond wait for their turn, and are read when they have
 * ended. */
#include "kube/outcome.h"
#include "kube/run.h"

#include <stdlib.h>
#include <string.h>

enum { MOST = 50 }; /* followed at a time: each is a stream of the API server's and the kubelet's */

struct follow {
    TAILQ_ENTRY(follow) waiting;
    struct follow *next;
    struct pod *pod;
    struct pod_log *log; /* NULL: waits. Freed with the Pod's record, not in its own callback */
    bool open, followed;
    char container[];
};

static void line(void *ctx, const char *text, size_t len) {
    const struct follow *follow = ctx;
    const struct run *run = follow->pod->run;
    run->executor->events.line(run->executor->ctx, run->owner, follow->container, text, len);
}

static void open_next(struct kube_executor *executor);

static void end_following(struct follow *follow) {
    struct kube_executor *executor = follow->pod->run->executor;
    if (!follow->followed)
        return;
    follow->followed = false;
    executor->following--;
    open_next(executor);
}

static void done(void *ctx, const struct err *err) {
    struct follow *follow = ctx;
    follow->open = false;
    end_following(follow);
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
    char *namespace_ = strndup(pod->key, pod->run->namespace_len);
    if (!namespace_)
        return err_set(err, ERR_NOMEM, "out of memory");
    int code = pod_log_follow(pod->run->executor->client, namespace_, pod->key + pod->run->namespace_len + 1,
                              follow->container, pod->run->since, pod->run->tail, &events, follow,
                              &follow->log, err);
    free(namespace_);
    return code;
}

static void open_or_say(struct follow *follow) {
    struct err err;
    follow->open = !open_log(follow, &err);
    if (!follow->open)
        run_log(follow->pod->run, LOG_ERROR, "output is not followed", err.message);
}

static void stop_waiting(struct follow *follow) {
    TAILQ_REMOVE(&follow->pod->run->executor->unfollowed, follow, waiting);
    open_or_say(follow);
}

static void open_next(struct kube_executor *executor) {
    struct follow *next;
    while (executor->following < MOST && (next = TAILQ_FIRST(&executor->unfollowed))) {
        stop_waiting(next);
        next->followed = next->open;
        executor->following += next->followed;
    }
}

static struct follow *begin(struct pod *pod, const char *container) {
    size_t size = strlen(container) + 1;
    struct follow *follow = calloc(1, sizeof *follow + size);
    if (!follow) {
        run_log(pod->run, LOG_ERROR, "output is not followed", "out of memory");
        return NULL;
    }
    follow->pod = pod;
    follow->open = true;
    memcpy(follow->container, container, size);
    follow->next = pod->follows;
    pod->follows = follow;
    TAILQ_INSERT_TAIL(&pod->run->executor->unfollowed, follow, waiting);
    open_next(pod->run->executor);
    return follow;
}

/* The container has ended: what there is, is read. */
static void finish(struct follow *follow) {
    if (!follow->open)
        return;
    if (!follow->log)
        stop_waiting(follow);
    if (follow->open)
        pod_log_finish(follow->log);
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
        if (follow && ended)
            finish(follow);
    }
}

void follow_finish(struct pod *pod) {
    for (struct follow *follow = pod->follows; follow; follow = follow->next)
        finish(follow);
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
        else if (follow->open)
            TAILQ_REMOVE(&pod->run->executor->unfollowed, follow, waiting);
        end_following(follow);
        free(follow);
    }
    pod->follows = NULL;
}
