#include "kube/watch.h"

#include "base/buf.h"
#include "document/document.h"
#include "kube/backoff.h"

#include <stdlib.h>
#include <string.h>

enum { PAGE = 500, SILENCE_S = 90, TELL_EVERY_S = 60, LINE_MAX_BYTES = 8 << 20 };

struct watch {
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    enum kube_kind kind;
    char *base; /* the collection's path, up to where options follow */
    watch_cb cb;
    void *ctx;
    struct kube_call *call;
    struct timer *timer;
    struct backoff backoff;
    char *version;              /* resume from here; NULL: list first */
    char *page;                 /* continue token of the list's next page */
    struct buf line;            /* the event that is being received */
    int64_t told_at;            /* monotonic ns of the last complaint in the log */
    bool listing, broken, gone; /* gone: the server forgot our version */
    bool busy, freed;           /* in a callback of ours; freed meanwhile */
};

static void ask(struct watch *watch);

static void emit(struct watch *watch, enum watch_event event, struct kube_object *object) {
    if (!watch->freed)
        watch->cb(watch->ctx, event, object);
}

static void set_text(char **field, const char *text) {
    char *copy = text && *text ? strdup(text) : NULL;
    free(*field);
    *field = copy;
}

static void complain(struct watch *watch, const char *what, const char *why) {
    int64_t now = clock_monotonic(loop_clock(watch->loop));
    if (watch->told_at && now - watch->told_at < TELL_EVERY_S * NS_PER_S)
        return;
    watch->told_at = now;
    log_event(watch->log, LOG_WARNING, what, "kind", watch->kind == KUBE_JOB ? "Job" : "Pod", "error", why,
              NULL);
}

static void ask_later(struct watch *watch, bool failed) {
    const struct random_source *random = loop_random(watch->loop);
    timer_start(watch->timer, failed ? backoff_next(&watch->backoff, random) : 0);
}

static void relist(struct watch *watch) {
    set_text(&watch->version, NULL);
    set_text(&watch->page, NULL);
}

/* Items of a list do not say their kind; the parser wants to know it. */
static int parse_item(const struct watch *watch, const struct doc_node *item, struct kube_object *out) {
    struct buf text = {0}, whole = {0};
    int rc = doc_write_json(item, 0, &text, NULL);
    const char *kind = watch->kind == KUBE_JOB ? "{\"kind\":\"Job\"," : "{\"kind\":\"Pod\",";
    if (!rc && text.len > 2)
        rc = buf_puts(&whole, kind) || buf_append(&whole, text.data + 1, text.len - 1) ? ERR_NOMEM : 0;
    if (!rc)
        rc = kube_object_parse(whole.data ? whole.data : "", whole.len, out, NULL);
    buf_free(&text);
    buf_free(&whole);
    return rc;
}

static int take_items(struct watch *watch, const struct doc_node *items) {
    for (size_t i = 0; i < doc_length(items) && !watch->freed; i++) {
        struct kube_object object;
        if (parse_item(watch, doc_item(items, i), &object))
            return ERR_INVALID;
        emit(watch, WATCH_OBJECT, &object);
        kube_object_free(&object);
    }
    return 0;
}

/* One page of the list. */
static int take_page(struct watch *watch, const struct kube_reply *reply) {
    struct doc *doc = NULL;
    if (doc_parse_json(reply->body, reply->len, &doc, NULL))
        return ERR_INVALID;
    const struct doc_node *root = doc_root(doc);
    const char *version = doc_string(doc_path(root, "metadata", "resourceVersion", NULL), NULL);
    int rc = version ? take_items(watch, doc_get(root, "items")) : ERR_INVALID;
    if (!rc) {
        set_text(&watch->page, doc_string(doc_path(root, "metadata", "continue", NULL), NULL));
        if (!watch->page) {
            set_text(&watch->version, version);
            emit(watch, WATCH_SYNCED, NULL);
        }
    }
    doc_free(doc);
    return rc;
}

static void list_done(struct watch *watch, const struct kube_reply *reply) {
    int rc = reply->status == 200 ? take_page(watch, reply) : ERR_IO;
    if (!rc) {
        backoff_reset(&watch->backoff);
        ask_later(watch, false);
        return;
    }
    complain(watch, "the cluster's objects cannot be listed",
             reply->message[0] ? reply->message : "bad answer");
    relist(watch);
    ask_later(watch, true);
}

static void watch_done(struct watch *watch, const struct kube_reply *reply) {
    buf_clear(&watch->line); /* an event cut short comes again: the version is that of the last whole one */
    bool ended_well = reply->status == 200 && !watch->broken;
    if (watch->gone || reply->status == 410)
        relist(watch);
    else if (!ended_well)
        complain(watch, "the cluster's watch was broken", reply->message[0] ? reply->message : "bad event");
    ask_later(watch, !ended_well && !watch->gone);
}

static void done(void *ctx, const struct kube_reply *reply) {
    struct watch *watch = ctx;
    watch->call = NULL;
    watch->busy = true;
    if (watch->listing)
        list_done(watch, reply);
    else
        watch_done(watch, reply);
    watch->busy = false;
    if (watch->freed)
        watch_free(watch);
}

static int take_object(struct watch *watch, const char *type, const struct doc_node *node) {
    struct kube_object object;
    struct buf text = {0};
    int rc = doc_write_json(node, 0, &text, NULL);
    if (!rc)
        rc = kube_object_parse(text.data, text.len, &object, NULL);
    buf_free(&text);
    if (rc)
        return rc;
    set_text(&watch->version, object.resource_version);
    emit(watch, !strcmp(type, "DELETED") ? WATCH_DELETED : WATCH_OBJECT, &object);
    kube_object_free(&object);
    return 0;
}

/* One line of the stream: {"type": …, "object": …}. */
static int take_event(struct watch *watch, const char *line, size_t len) {
    struct doc *doc = NULL;
    if (doc_parse_json(line, len, &doc, NULL))
        return ERR_INVALID;
    const struct doc_node *object = doc_get(doc_root(doc), "object");
    const char *type = doc_string(doc_get(doc_root(doc), "type"), NULL);
    int rc = type && object ? 0 : ERR_INVALID;
    if (!rc && !strcmp(type, "BOOKMARK"))
        set_text(&watch->version, doc_string(doc_path(object, "metadata", "resourceVersion", NULL), NULL));
    else if (!rc && !strcmp(type, "ERROR")) {
        watch->gone = doc_integer(doc_get(object, "code"), 0) == 410;
        rc = ERR_IO;
    } else if (!rc)
        rc = take_object(watch, type, object);
    doc_free(doc);
    return rc;
}

static void take_lines(struct watch *watch) {
    size_t at = 0;
    const char *end;
    while (!watch->freed && !watch->broken &&
           (end = memchr(watch->line.data + at, '\n', watch->line.len - at))) {
        size_t len = (size_t)(end - (watch->line.data + at));
        if (len > 0 && take_event(watch, watch->line.data + at, len))
            watch->broken = true;
        at += len + 1;
    }
    buf_consume(&watch->line, at);
}

static void data(void *ctx, const char *bytes, size_t len) {
    struct watch *watch = ctx;
    if (watch->broken || watch->freed)
        return; /* until the call has ended */
    watch->busy = true;
    if (watch->line.len + len > LINE_MAX_BYTES || buf_append(&watch->line, bytes, len))
        watch->broken = true;
    else
        take_lines(watch);
    watch->busy = false;
    if (!watch->broken)
        backoff_reset(&watch->backoff);
    if (watch->freed)
        watch_free(watch);
    else if (watch->broken && watch->call) {
        struct kube_reply reply = {.status = 200};
        kube_cancel(watch->call);
        watch->call = NULL;
        watch_done(watch, &reply);
    }
}

/* The server ends a watch by itself after a while; spread out, so that not all come back at once. */
static int timeout_seconds(const struct watch *watch) {
    const struct random_source *random = loop_random(watch->loop);
    uint16_t chance = 0;
    (void)random->fill(random->ctx, &chance, sizeof chance);
    return 290 + chance % 300;
}

static int append_options(const struct watch *watch, struct buf *path) {
    if (watch->version)
        return buf_printf(path, "watch=1&allowWatchBookmarks=true&timeoutSeconds=%d&resourceVersion=%s",
                          timeout_seconds(watch), watch->version);
    int rc = buf_printf(path, "limit=%d", PAGE);
    if (!rc && watch->page)
        rc = buf_puts(path, "&continue=") || kube_escape(path, watch->page) ? ERR_NOMEM : 0;
    return rc;
}

static void ask(struct watch *watch) {
    struct buf path = {0};
    watch->listing = !watch->version;
    watch->broken = watch->gone = false;
    if (watch->listing && !watch->page)
        emit(watch, WATCH_RELIST, NULL);
    struct kube_request request = {
        .lane = watch->listing ? KUBE_OTHER : KUBE_WATCH, .method = "GET", .done = done, .ctx = watch};
    if (!watch->listing) {
        request.data = data;
        request.timeout_ns = 700 * NS_PER_S;
        request.silence_ns = SILENCE_S * NS_PER_S;
    }
    struct err err = {.message = "out of memory"};
    int rc = buf_puts(&path, watch->base) || append_options(watch, &path) ? ERR_NOMEM : 0;
    request.path = path.data;
    if (rc || kube_send(watch->client, &request, &watch->call, &err)) {
        complain(watch, "the cluster cannot be asked", err.message);
        ask_later(watch, true);
    }
    buf_free(&path);
}

static void turn(void *ctx) {
    struct watch *watch = ctx;
    watch->busy = true;
    ask(watch);
    watch->busy = false;
    if (watch->freed)
        watch_free(watch);
}

static char *collection_path(enum kube_kind kind, const char *namespace_, const char *selector) {
    struct buf path = {0};
    int rc = buf_puts(&path, kind == KUBE_JOB ? "/apis/batch/v1/" : "/api/v1/");
    if (!rc && namespace_)
        rc = buf_puts(&path, "namespaces/") || kube_escape(&path, namespace_) || buf_puts(&path, "/")
                 ? ERR_NOMEM
                 : 0;
    if (!rc)
        rc = buf_puts(&path, kind == KUBE_JOB ? "jobs?labelSelector=" : "pods?labelSelector=");
    if (!rc)
        rc = kube_escape(&path, selector) || buf_puts(&path, "&") ? ERR_NOMEM : 0;
    char *taken = rc ? NULL : buf_take(&path);
    buf_free(&path);
    return taken;
}

int watch_start(struct kube_client *client, struct log *log, enum kube_kind kind, const char *namespace_,
                const char *label_selector, watch_cb cb, void *ctx, struct watch **out, struct err *err) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return err_set(err, ERR_NOMEM, "out of memory");
    *watch = (struct watch){.client = client,
                            .loop = kube_client_loop(client),
                            .log = log,
                            .kind = kind,
                            .cb = cb,
                            .ctx = ctx,
                            .backoff = {.first_ns = NS_PER_S / 4, .most_ns = 30 * NS_PER_S}};
    watch->base = collection_path(kind, namespace_, label_selector);
    if (!watch->base || timer_new(watch->loop, turn, watch, &watch->timer, err)) {
        watch_free(watch);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    timer_start(watch->timer, 0);
    *out = watch;
    return 0;
}

void watch_free(struct watch *watch) {
    if (!watch)
        return;
    if (watch->busy) { /* whoever called back to us frees it on the way out */
        watch->freed = true;
        return;
    }
    if (watch->call)
        kube_cancel(watch->call);
    timer_free(watch->timer);
    buf_free(&watch->line);
    free(watch->version);
    free(watch->page);
    free(watch->base);
    free(watch);
}
