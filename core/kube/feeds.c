/* The executor's watches: Jobs and Pods of each of its namespaces. While the API server refuses to list one
 * of them (its Role is missing), the others do without it: there, nothing is created and nothing that is
 * found is adopted before both lists are known. */
#include "kube/run.h"
#include "kube/watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum feed_state { FEED_OPENING, FEED_UNKNOWN, FEED_KNOWN };

struct feed {
    struct kube_executor *executor;
    enum kube_kind kind;
    const char *namespace_; /* NULL: all */
    struct watch *watch;
    uint64_t began; /* the epoch of its last relist */
    enum feed_state state;
    char why[320]; /* FEED_UNKNOWN: why it is not known */
};

static struct feed *sibling(struct feed *feed) {
    size_t each = feed->executor->feed_count;
    return feed->kind == KUBE_JOB ? feed + each : feed - each;
}

static int open_watch(struct feed *feed, struct err *err);

static int open_all(struct kube_executor *executor, enum kube_kind kind, struct err *err) {
    int rc = 0;
    for (size_t i = 0; !rc && i < 2 * executor->feed_count; i++)
        if (executor->feeds[i].kind == kind)
            rc = open_watch(&executor->feeds[i], err);
    return rc;
}

/* Jobs first, so that a Pod's Job is known when the Pod comes. */
int feeds_open(struct kube_executor *executor, struct err *err) {
    return open_all(executor, KUBE_JOB, err);
}

static bool is_opening(const struct kube_executor *executor, enum kube_kind kind) {
    for (size_t i = 0; i < 2 * executor->feed_count; i++)
        if (executor->feeds[i].kind == kind && executor->feeds[i].state == FEED_OPENING)
            return true;
    return false;
}

static void open_further(struct kube_executor *executor, enum kube_kind done) {
    struct err err;
    if (is_opening(executor, done))
        return;
    if (done == KUBE_POD)
        adopt_all(executor);
    else if (open_all(executor, KUBE_POD, &err))
        log_event(executor->log, LOG_ERROR, "cannot watch Pods", "why", err.message, NULL);
}

static void settle(struct feed *feed, enum feed_state state) {
    bool was_opening = feed->state == FEED_OPENING;
    feed->state = state;
    if (was_opening)
        open_further(feed->executor, feed->kind);
}

static void refused(void *ctx, const char *why) {
    struct feed *feed = ctx;
    struct kube_executor *executor = feed->executor;
    const char *namespace_ = feed->namespace_ ? feed->namespace_ : "*";
    bool told = sibling(feed)->state == FEED_UNKNOWN;
    (void)snprintf(feed->why, sizeof feed->why, "the %ss in namespace %s cannot be listed: %.200s",
                   feed->kind == KUBE_JOB ? "Job" : "Pod", namespace_, why);
    if (!told)
        executor->events.trouble(executor->ctx, namespace_, feed->why);
    settle(feed, FEED_UNKNOWN);
}

/* Pods whose Jobs were not known yet have been passed over. */
static void list_pods_again(struct feed *pods) {
    struct err err;
    if (!pods->watch)
        return; /* opened later */
    watch_free(pods->watch);
    pods->watch = NULL;
    if (pods->state == FEED_KNOWN) {
        pods->state = FEED_UNKNOWN;
        (void)snprintf(pods->why, sizeof pods->why, "the Pods are being listed");
    }
    if (open_watch(pods, &err))
        log_event(pods->executor->log, LOG_ERROR, "cannot watch Pods", "why", err.message, NULL);
}

static void recovered(struct feed *feed) {
    log_event(feed->executor->log, LOG_INFO, "a namespace can be watched again", "namespace",
              feed->namespace_ ? feed->namespace_ : "*", "kind", feed->kind == KUBE_JOB ? "Job" : "Pod",
              NULL);
    if (feed->kind == KUBE_JOB)
        list_pods_again(sibling(feed));
    else if (feed->executor->ready)
        adopt_those_found(feed->executor);
}

static void synced(struct feed *feed) {
    bool was_unknown = feed->state == FEED_UNKNOWN;
    observe_synced(feed->executor, feed->kind, feed->namespace_, feed->began);
    settle(feed, FEED_KNOWN);
    if (was_unknown)
        recovered(feed);
}

static void happened(void *ctx, enum watch_event event, struct kube_object *object) {
    struct feed *feed = ctx;
    switch (event) {
    case WATCH_RELIST:
        feed->began = ++feed->executor->epoch;
        break;
    case WATCH_OBJECT:
        observe_object(feed->executor, object);
        break;
    case WATCH_DELETED:
        observe_deleted(feed->executor, object);
        break;
    case WATCH_SYNCED:
        synced(feed);
        break;
    }
}

static int open_watch(struct feed *feed, struct err *err) {
    const struct kube_executor *executor = feed->executor;
    const struct watch_options options = {.kind = feed->kind,
                                          .namespace_ = feed->namespace_,
                                          .label_selector = executor->selector,
                                          .refused = refused};
    return watch_start(executor->client, executor->log, &options, happened, feed, &feed->watch, err);
}

static size_t count(char *const *list) {
    size_t n = 0;
    while (list[n])
        n++;
    return n;
}

int feeds_new(struct kube_executor *executor) {
    size_t each = executor->namespaces ? count(executor->namespaces) : 1;
    executor->feeds = calloc(2 * each + 1, sizeof *executor->feeds);
    if (!executor->feeds)
        return ERR_NOMEM;
    executor->feed_count = each;
    for (size_t i = 0; i < 2 * each; i++) {
        struct feed *feed = &executor->feeds[i];
        feed->executor = executor;
        feed->kind = i < each ? KUBE_JOB : KUBE_POD;
        feed->namespace_ = executor->namespaces ? executor->namespaces[i < each ? i : i - each] : NULL;
    }
    return 0;
}

void feeds_free(struct kube_executor *executor) {
    for (size_t i = 0; executor->feeds && i < 2 * executor->feed_count; i++)
        watch_free(executor->feeds[i].watch);
    free(executor->feeds);
    executor->feeds = NULL;
}

static bool covers(const struct feed *feed, const char *namespace_, size_t len) {
    return !feed->namespace_ ||
           (strlen(feed->namespace_) == len && !memcmp(feed->namespace_, namespace_, len));
}

bool feeds_watch(const struct kube_executor *executor, const char *namespace_) {
    for (size_t i = 0; i < executor->feed_count; i++)
        if (covers(&executor->feeds[i], namespace_, strlen(namespace_)))
            return true;
    return false;
}

const char *feeds_unknown(const struct run *run) {
    const struct kube_executor *executor = run->executor;
    for (size_t i = 0; i < 2 * executor->feed_count; i++) {
        const struct feed *feed = &executor->feeds[i];
        if (feed->state == FEED_UNKNOWN && covers(feed, run->key, run->namespace_len))
            return feed->why;
    }
    return NULL;
}
