#include "kube/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A namespace and a name, as they are looked up. */
struct place {
    const char *namespace_, *name;
};

static bool is_at(const char *key, size_t namespace_len, const struct place *place) {
    return strlen(place->namespace_) == namespace_len && !memcmp(key, place->namespace_, namespace_len) &&
           !strcmp(key + namespace_len + 1, place->name);
}

static uint64_t hash_of(const struct place *place) {
    /* Names are unique but for a few namesakes in other namespaces; `same` tells them apart. */
    return map_hash(place->name, strlen(place->name));
}

int kube_run_new(struct kube_executor *executor, enum kube_kind kind, const char *namespace_,
                 const char *name, struct run **out, struct err *err) {
    struct place place = {namespace_, name};
    size_t namespace_len = strlen(namespace_), size = namespace_len + strlen(name) + 2;
    struct run *run = calloc(1, sizeof *run + size);
    if (!run)
        return err_set(err, ERR_NOMEM, "out of memory");
    run->executor = executor;
    run->is_job = kind == KUBE_JOB;
    run->namespace_len = namespace_len;
    (void)snprintf(run->key, size, "%s/%s", namespace_, name);
    size_t count = executor->runs[KUBE_POD].count + executor->runs[KUBE_JOB].count + 1;
    if (due_reserve(&executor->timers, count) ||
        map_add(&executor->runs[kind], &run->by_name, hash_of(&place))) {
        free(run);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *out = run;
    return 0;
}

void kube_run_free(struct run *run) {
    run_cancel_call(run);
    run_drop_pods(run);
    map_remove(&run->executor->runs[run_kind(run)], &run->by_name);
    (void)run_take_owner(run);
    run_wait_no_more(run);
    run_keep_object(&run->found, NULL);
    free(run->waits);
    free(run->stop);
    free(run->end);
    free(run->job);
    free(run->manifest);
    free(run->uid);
    free(run);
}

static bool run_is_at(const struct map_node *node, const void *key) {
    const struct run *run = MAP_OWNER(node, struct run, by_name);
    return is_at(run->key, run->namespace_len, key);
}

struct run *run_find(const struct kube_executor *executor, enum kube_kind kind, const char *namespace_,
                     const char *name) {
    struct place place = {namespace_, name};
    struct map_node *node = map_find(&executor->runs[kind], hash_of(&place), run_is_at, &place);
    return node ? MAP_OWNER(node, struct run, by_name) : NULL;
}

int run_set_owner(struct run *run, void *owner) {
    if (map_add(&run->executor->owners, &run->by_owner, map_hash(&owner, sizeof owner)))
        return ERR_NOMEM;
    run->owner = owner;
    return 0;
}

void *run_take_owner(struct run *run) {
    void *owner = run->owner;
    if (owner)
        map_remove(&run->executor->owners, &run->by_owner);
    run->owner = NULL;
    return owner;
}

static bool run_is_owned_by(const struct map_node *node, const void *owner) {
    return MAP_OWNER(node, struct run, by_owner)->owner == owner;
}

struct run *run_of_owner(const struct kube_executor *executor, const void *owner) {
    struct map_node *node =
        map_find(&executor->owners, map_hash(&owner, sizeof owner), run_is_owned_by, owner);
    return node ? MAP_OWNER(node, struct run, by_owner) : NULL;
}

int64_t run_now(const struct run *run) {
    return clock_seconds(loop_clock(run->executor->loop));
}

void run_is_due(struct heap_item *item) {
    struct run *run = MAP_OWNER(item, struct run, timer);
    run->then(run);
}

void run_after(struct run *run, int64_t delay_ns, void (*then)(struct run *run)) {
    run->then = then;
    due_set(&run->executor->timers, &run->timer, delay_ns);
}

void run_wait_no_more(struct run *run) {
    due_clear(&run->executor->timers, &run->timer);
}

void run_cancel_call(struct run *run) {
    if (run->call)
        kube_cancel(run->call);
    run->call = NULL;
}

static int path_of(const struct run *run, bool with_name, struct buf *out) {
    char namespace_[256];
    (void)snprintf(namespace_, sizeof namespace_, "%.*s", (int)run->namespace_len, run->key);
    if (buf_puts(out, run->is_job ? "/apis/batch/v1/namespaces/" : "/api/v1/namespaces/") ||
        kube_escape(out, namespace_) || buf_puts(out, run->is_job ? "/jobs" : "/pods"))
        return ERR_NOMEM;
    if (with_name && (buf_puts(out, "/") || kube_escape(out, run_name(run))))
        return ERR_NOMEM;
    return 0;
}

int run_send(struct run *run, struct kube_request *request, bool with_name, struct err *err) {
    struct buf path = {0};
    if (path_of(run, with_name, &path)) {
        buf_free(&path);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    request->ctx = run;
    request->path = path.data;
    int code = kube_send(run->executor->client, request, &run->call, err);
    buf_free(&path);
    return code;
}

int run_set_uid(struct run *run, const char *uid) {
    if (run->uid || !uid)
        return 0;
    run->uid = strdup(uid);
    return run->uid ? 0 : ERR_NOMEM;
}

void run_log(const struct run *run, enum log_level level, const char *message, const char *why) {
    log_event(run->executor->log, level, message, "job", run->job, "run", run->key, "why", why, NULL);
}

void run_note(struct result **at, const struct result *result) {
    if (!result) {
        free(*at);
        *at = NULL;
        return;
    }
    if (!*at)
        *at = malloc(sizeof **at);
    if (*at)
        **at = *result;
}

static bool pod_is_at(const struct map_node *node, const void *key) {
    const struct pod *pod = MAP_OWNER(node, struct pod, by_name);
    return is_at(pod->key, pod->run->namespace_len, key);
}

struct pod *run_find_pod(const struct run *run, const char *name) {
    char namespace_[256];
    (void)snprintf(namespace_, sizeof namespace_, "%.*s", (int)run->namespace_len, run->key);
    struct place place = {namespace_, name};
    struct map_node *node = map_find(&run->executor->pods, hash_of(&place), pod_is_at, &place);
    return node ? MAP_OWNER(node, struct pod, by_name) : NULL;
}

int run_add_pod(struct run *run, const char *name, struct pod **out) {
    size_t size = run->namespace_len + strlen(name) + 2;
    struct pod *pod = calloc(1, sizeof *pod + size);
    if (!pod)
        return ERR_NOMEM;
    pod->run = run;
    (void)snprintf(pod->key, size, "%.*s/%s", (int)run->namespace_len, run->key, name);
    if (map_add(&run->executor->pods, &pod->by_name, map_hash(name, strlen(name)))) {
        free(pod);
        return ERR_NOMEM;
    }
    pod->next = run->pods;
    run->pods = pod;
    *out = pod;
    return 0;
}

void run_drop_pods(struct run *run) {
    for (struct pod *pod = run->pods, *next; pod; pod = next) {
        next = pod->next;
        map_remove(&run->executor->pods, &pod->by_name);
        follow_free(pod);
        run_keep_object(&pod->found, NULL);
        free(pod);
    }
    run->pods = NULL;
}

void run_keep_object(struct kube_object **at, struct kube_object *object) {
    if (*at)
        kube_object_free(*at);
    if (!object) {
        free(*at);
        *at = NULL;
        return;
    }
    if (!*at)
        *at = malloc(sizeof **at);
    if (!*at)
        return;
    **at = *object;
    *object = (struct kube_object){0}; /* moved: nothing is left to free */
}
