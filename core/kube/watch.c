#include "kube/watch.h"

#include "base/buf.h"
#include "kube/backoff.h"
#include "kube/object_reader.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 500, FORBIDDEN = 403, NOT_FOUND = 404, TOO_MANY_REQUESTS = 429 };
#define LIST_NS (60 * NS_PER_S)    /* a page of a list */
#define SILENCE_NS (90 * NS_PER_S) /* unless the options say otherwise */
#define TELL_NS (60 * NS_PER_S)    /* between two complaints in the log */
#define STEADY_NS (10 * NS_PER_S)  /* a watch that lasted so long was a good one */

static const struct {
    const char *kind, *group, *plural;
} collections[] = {[KUBE_POD] = {"Pod", "/api/v1/", "pods"},
                   [KUBE_JOB] = {"Job", "/apis/batch/v1/", "jobs"},
                   [KUBE_CONFIG_MAP] = {"ConfigMap", "/api/v1/", "configmaps"},
                   [KUBE_LEASE_OBJECT] = {"Lease", "/apis/coordination.k8s.io/v1/", "leases"}};

struct watch {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    enum kube_kind kind;
    int64_t silence_ns;
    char *base; /* the collection's path and selector, up to where options follow */
    watch_cb cb;
    void (*on_refused)(void *ctx, const char *why);
    void *ctx;
    struct timer *timer; /* the next request */
    struct backoff backoff;
    struct kube_call *call;
    struct object_reader *reader; /* of what call streams */
    char *version;                /* the watch goes on from here; NULL: list first */
    char *page;                   /* where the list goes on; NULL: at its beginning */
    bool listing;                 /* what call does; else it watches */
    bool refused;                 /* the server does not let us go on from our version */
    struct err problem;           /* what an ERROR event said */
    int64_t asked_at, told_at;    /* monotonic ns; told_at 0: nothing yet */
    int failures;                 /* in a row */
    int refusals;                 /* of the list, since it was complete */
    bool busy, freed;             /* inside a callback; watch_free was called in it */
};

static int64_t now(const struct watch *watch) {
    return clock_monotonic(loop_clock(watch->loop));
}

static void set_text(char **field, const char *text) {
    char *copy = text && *text ? strdup(text) : NULL; /* without memory we list again */
    free(*field);
    *field = copy;
}

static void emit(const struct watch *watch, enum watch_event event, struct kube_object *object) {
    if (!watch->freed)
        watch->cb(watch->ctx, event, object);
}

/* What comes */

static void take_listed(void *ctx, struct object_event *event) {
    emit(ctx, WATCH_OBJECT, &event->object);
}

static void take_watched(void *ctx, struct object_event *event) {
    struct watch *watch = ctx;
    if (!strcmp(event->type, "ERROR")) {
        watch->refused = true;
        (void)err_set(&watch->problem, ERR_IO, "%s", event->message);
        object_reader_stop(watch->reader);
        return;
    }
    if (event->object.resource_version)
        set_text(&watch->version, event->object.resource_version);
    if (!strcmp(event->type, "ADDED") || !strcmp(event->type, "MODIFIED"))
        emit(watch, WATCH_OBJECT, &event->object);
    else if (!strcmp(event->type, "DELETED"))
        emit(watch, WATCH_DELETED, &event->object);
    if (!watch->failures)
        return;
    watch->failures = 0; /* it works again */
    backoff_reset(&watch->backoff);
}

/* Then what */

static void drop_call(struct watch *watch) {
    if (watch->call)
        kube_cancel(watch->call);
    watch->call = NULL;
    object_reader_free(watch->reader);
    watch->reader = NULL;
}

static void destroy(struct watch *watch) {
    drop_call(watch);
    timer_free(watch->timer);
    free(watch->version);
    free(watch->page);
    free(watch->base);
    free(watch);
}

/* Ends every callback of ours: the owner may have let go meanwhile. */
static void leave(struct watch *watch) {
    watch->busy = false;
    if (watch->freed)
        destroy(watch);
}

static void complain(struct watch *watch, const char *why) {
    if (watch->told_at && now(watch) - watch->told_at < TELL_NS)
        return;
    watch->told_at = now(watch);
    log_event(watch->log, LOG_WARNING, "the cluster's objects cannot be watched; trying again", "kind",
              collections[watch->kind].kind, "error", why, NULL);
}

/* One failure is an ordinary restart on the other side, or a version that it has forgotten. */
static void try_again(struct watch *watch, const char *why) {
    drop_call(watch);
    set_text(&watch->page, NULL);
    if (watch->refused)
        set_text(&watch->version, NULL);
    if (++watch->failures > 1)
        complain(watch, why);
    timer_start(watch->timer, backoff_next(&watch->backoff, loop_random(watch->loop)));
}

/* Of some JSON that is no list we would conclude that all objects are gone. */
static int check_page(const struct watch *watch, struct err *err) {
    int rc = object_reader_end(watch->reader, err);
    if (!rc && !*object_reader_version(watch->reader))
        rc = err_set(err, ERR_INVALID,
                     "what answered is no API server: its list has no metadata.resourceVersion");
    return rc;
}

static void page_ended(struct watch *watch) {
    set_text(&watch->page, object_reader_continue(watch->reader));
    if (!watch->page) {
        watch->refusals = 0;
        set_text(&watch->version, object_reader_version(watch->reader));
        emit(watch, WATCH_SYNCED, NULL);
    }
    drop_call(watch);
    timer_start(watch->timer, 0);
}

/* A server ends each watch after a while, and that is no failure; one that ends it at once is not well. */
static void watch_ended(struct watch *watch) {
    if (now(watch) - watch->asked_at < STEADY_NS) {
        try_again(watch, "the server ends every watch at once");
        return;
    }
    watch->failures = 0;
    backoff_reset(&watch->backoff);
    drop_call(watch);
    timer_start(watch->timer, 0);
}

/* One refusal may come from a Role that was made a moment ago. */
static void note_refusal(struct watch *watch, const struct kube_reply *reply) {
    bool for_good = reply->status == FORBIDDEN || reply->status == NOT_FOUND;
    if (!watch->listing || !for_good || watch->freed || !watch->on_refused)
        return;
    if (++watch->refusals == 2)
        watch->on_refused(watch->ctx, reply->message[0] ? reply->message : "it gave no reason");
}

static void done(void *ctx, const struct kube_reply *reply) {
    struct watch *watch = ctx;
    struct err err = {0};
    watch->call = NULL;
    watch->busy = true;
    if (reply->status != 200) {
        watch->refused = reply->status && reply->status != TOO_MANY_REQUESTS;
        try_again(watch, reply->message);
        note_refusal(watch, reply);
    } else if (!watch->listing)
        watch_ended(watch);
    else if (check_page(watch, &err))
        try_again(watch, err.message);
    else
        page_ended(watch);
    leave(watch);
}

static void data(void *ctx, const char *bytes, size_t len) {
    struct watch *watch = ctx;
    struct err err = {0};
    watch->busy = true;
    int rc = object_reader_feed(watch->reader, bytes, len, &err);
    if (rc && !watch->freed)
        try_again(watch, rc == ERR_CANCELED ? watch->problem.message : err.message);
    leave(watch);
}

/* Asking */

/* The server ends a watch by itself after so long; spread out, so that not all come back at once. */
static int timeout_seconds(const struct watch *watch) {
    const struct random_source *random = loop_random(watch->loop);
    uint16_t chance = 0;
    (void)random->fill(random->ctx, &chance, sizeof chance); /* without it they do come at once */
    return 290 + chance % 300;
}

static int append_options(const struct watch *watch, struct buf *path) {
    if (watch->version)
        return buf_printf(path, "watch=true&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s",
                          timeout_seconds(watch), watch->version);
    int rc = buf_printf(path, "limit=%d", PAGE);
    if (!rc && watch->page)
        rc = buf_puts(path, "&continue=");
    return rc || !watch->page ? rc : kube_escape(path, watch->page);
}

static int send_request(struct watch *watch, const char *path, struct err *err) {
    bool listing = watch->listing = !watch->version;
    struct kube_request request = {.lane = KUBE_WATCH, /* a list too: not behind a burst of creates */
                                   .method = "GET",
                                   .path = path,
                                   .timeout_ns = listing ? LIST_NS : 0,
                                   .silence_ns = listing ? 0 : watch->silence_ns,
                                   .data = data,
                                   .done = done,
                                   .ctx = watch};
    int rc = object_reader_new(listing ? SHAPE_LIST : SHAPE_EVENTS, watch->kind,
                               listing ? take_listed : take_watched, watch, &watch->reader, err);
    return rc ? rc : kube_send(watch->client, &request, &watch->call, err);
}

static void ask(void *ctx) {
    struct watch *watch = ctx;
    struct buf path = {0};
    struct err err = {.message = "out of memory"};
    watch->busy = true;
    watch->refused = false;
    watch->asked_at = now(watch);
    if (!watch->version && !watch->page)
        emit(watch, WATCH_RELIST, NULL);
    if (!watch->freed && (buf_puts(&path, watch->base) || append_options(watch, &path) ||
                          send_request(watch, path.data, &err)))
        try_again(watch, err.message);
    buf_free(&path);
    leave(watch);
}

static int put_base(struct buf *path, const struct watch_options *options) {
    int rc = buf_puts(path, collections[options->kind].group);
    if (!rc && options->namespace_)
        rc = buf_puts(path, "namespaces/") || kube_escape(path, options->namespace_) || buf_puts(path, "/");
    if (!rc)
        rc = buf_printf(path, "%s?", collections[options->kind].plural);
    if (!rc && options->label_selector)
        rc = buf_puts(path, "labelSelector=") || kube_escape(path, options->label_selector) ||
             buf_puts(path, "&");
    return rc;
}

int watch_start(struct kube_client *client, struct log *log, const struct watch_options *options, watch_cb cb,
                void *ctx, struct watch **out, struct err *err) {
    struct buf base = {0};
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return err_set(err, ERR_NOMEM, "out of memory");
    *watch = (struct watch){.client = client,
                            .loop = kube_client_loop(client),
                            .log = log,
                            .kind = options->kind,
                            .silence_ns = options->silence_ns ? options->silence_ns : SILENCE_NS,
                            .cb = cb,
                            .on_refused = options->refused,
                            .ctx = ctx,
                            .backoff = {.first_ns = NS_PER_S / 4, .most_ns = 30 * NS_PER_S}};
    if (put_base(&base, options) || !(watch->base = buf_take(&base)) ||
        timer_new(watch->loop, ask, watch, &watch->timer, NULL)) {
        buf_free(&base);
        destroy(watch);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    timer_start(watch->timer, 0);
    *out = watch;
    return 0;
}

void watch_free(struct watch *watch) {
    if (!watch)
        return;
    if (!watch->busy) {
        destroy(watch);
        return;
    }
    watch->freed = true;
    if (watch->reader)
        object_reader_stop(watch->reader);
}
