#include "kube/pod_log.h"

#include "base/buf.h"
#include "base/rfc3339.h"
#include "kube/backoff.h"
#include "kube/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    STAMP_MAX = 40
}; /* RFC 3339 with nanoseconds, as the kubelet writes it before each line, and a space */
#define END_NS (10 * NS_PER_S)  /* from pod_log_finish to giving up */
#define STILL_NS (2 * NS_PER_S) /* without a byte of a follow whose container has ended */

struct pod_log {
    struct kube_client *client;
    struct loop *loop;
    char *base; /* path and query, up to what differs from call to call */
    const struct pod_log_events *events;
    void *ctx;
    struct kube_call *call;
    struct timer *timer; /* the next call, while there is none; else the end of a follow that stands still */
    struct timer *overdue; /* NULL until finishing */
    struct backoff backoff;
    char *problem;  /* why the last call failed; NULL: none did */
    bool finishing; /* the container has ended */
    bool following; /* what call does; else it reads once */
    bool answered;  /* call has brought something */
    bool over, busy, freed;
    struct buf in; /* received, not yet handed on */
    /* The line being received. */
    bool in_line;  /* its stamp has been cut off */
    bool passing;  /* it was handed on before the connection broke */
    bool counts;   /* it is of the newest second */
    size_t offset; /* bytes of it that lie behind us */
    /* Where to go on. The server knows whole seconds only, so it begins again with the newest line's second,
     * and what we have had of that is passed over. */
    int64_t newest; /* unix ns of the newest line; the caller's `since` before the first */
    size_t count;   /* lines handed on of that second */
    size_t given;   /* bytes handed on of a line that was cut short behind them */
    size_t skip;    /* of count: still to be passed over on this connection */
    int tail;       /* as long as nothing was had: only so many lines */
};

/* Lines */

static int64_t stamp_ns(const char *stamp) {
    int64_t ns = 0, unit = NS_PER_S / 10;
    const char *dot = strchr(stamp, '.');
    for (const char *at = dot ? dot + 1 : ""; *at >= '0' && *at <= '9'; at++, unit /= 10)
        ns += (*at - '0') * unit;
    return kube_time(stamp) * NS_PER_S + ns;
}

/* Lines come in the order of time; a restarted container's are all newer than those of the one before. */
static void place_line(struct pod_log *log, int64_t at) {
    log->passing = log->skip > 0 && at <= log->newest;
    if (log->passing) {
        log->skip--;
        return;
    }
    if (log->skip > 0 || at / NS_PER_S > log->newest / NS_PER_S)
        log->given = 0; /* the line that was cut short is not here any more */
    log->skip = 0;
    if (at / NS_PER_S > log->newest / NS_PER_S)
        log->count = 0;
    if (at > log->newest)
        log->newest = at;
    log->counts = at / NS_PER_S == log->newest / NS_PER_S;
}

/* Cuts the stamp off. False: more is needed to tell. What has none is a message of the kubelet's, and part of
 * the output. */
static bool begin_line(struct pod_log *log, size_t *at) {
    const char *text = log->in.data + *at;
    size_t left = log->in.len - *at, len = left < STAMP_MAX ? left : STAMP_MAX;
    const char *space = memchr(text, ' ', len), *newline = memchr(text, '\n', len);
    if (!space && !newline && left < STAMP_MAX)
        return false;
    char stamp[STAMP_MAX + 1] = "";
    if (space && !(newline && newline < space))
        memcpy(stamp, text, (size_t)(space - text));
    int64_t ns = stamp_ns(stamp);
    if (ns > 0)
        *at += (size_t)(space - text) + 1;
    place_line(log, ns > 0 ? ns : log->newest);
    log->in_line = true;
    log->offset = 0;
    return true;
}

static void hand_on(struct pod_log *log, const char *text, size_t len, bool last) {
    log->offset += len;
    bool had = log->passing || (log->offset <= log->given && log->given > 0);
    if (!had && !log->freed && !(last && len == 0 && log->offset > 0)) {
        log->given = log->offset;
        backoff_reset(&log->backoff);
        log->events->line(log->ctx, text, len);
    }
    if (!last)
        return;
    log->in_line = false;
    if (log->passing)
        return;
    log->count += log->counts;
    log->given = 0;
}

/* The most bytes, up to POD_LOG_LINE_MAX, that do not cut a UTF-8 character. */
static size_t whole_characters(const char *text) {
    size_t len = POD_LOG_LINE_MAX;
    while (len > POD_LOG_LINE_MAX - 4 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return ((unsigned char)text[len] & 0xc0) == 0x80 ? POD_LOG_LINE_MAX : len;
}

static void take_lines(struct pod_log *log) {
    size_t at = 0;
    while (!log->freed && at < log->in.len && (log->in_line || begin_line(log, &at))) {
        const char *text = log->in.data + at;
        size_t left = log->in.len - at, look = left <= POD_LOG_LINE_MAX ? left : POD_LOG_LINE_MAX + 1;
        const char *newline = memchr(text, '\n', look);
        if (!newline && left <= POD_LOG_LINE_MAX)
            break;
        size_t len = newline ? (size_t)(newline - text) : whole_characters(text);
        hand_on(log, text, len, newline != NULL);
        at += len + (newline ? 1 : 0);
    }
    buf_consume(&log->in, at);
}

/* The connection is over. What it left unfinished comes again on the next one; if there is none, it was the
 * last line, without a line end. */
static void drop_rest(struct pod_log *log, bool is_output) {
    if (is_output && log->in.len > 0 && buf_append(&log->in, "\n", 1) == 0)
        take_lines(log);
    buf_clear(&log->in);
    log->in_line = false;
}

/* Calls */

static void cancel_call(struct pod_log *log) {
    if (log->call)
        kube_cancel(log->call);
    log->call = NULL;
}

static void destroy(struct pod_log *log) {
    cancel_call(log);
    timer_free(log->timer);
    timer_free(log->overdue);
    buf_free(&log->in);
    free(log->base);
    free(log->problem);
    free(log);
}

/* Ends every callback of ours: the owner may have let go meanwhile. */
static void leave(struct pod_log *log) {
    log->busy = false;
    if (log->freed)
        destroy(log);
}

static void conclude(struct pod_log *log, const struct err *err) {
    log->over = true;
    timer_stop(log->timer);
    timer_free(log->overdue);
    log->overdue = NULL;
    if (!log->freed)
        log->events->done(log->ctx, err);
}

/* With the last call's failure, which says more. */
static void conclude_failed(struct pod_log *log, const char *why) {
    struct err err;
    (void)err_set(&err, ERR_IO, "%s", log->problem ? log->problem : why);
    conclude(log, &err);
}

static void note_problem(struct pod_log *log, const char *why) {
    free(log->problem);
    log->problem = strdup(why); /* without memory another one is told */
}

static void data(void *ctx, const char *bytes, size_t len) {
    struct pod_log *log = ctx;
    log->busy = log->answered = true;
    if (log->finishing && log->following)
        timer_start(log->timer, STILL_NS);
    if (!buf_append(&log->in, bytes, len))
        take_lines(log);
    else { /* out of memory: they come again */
        cancel_call(log);
        drop_rest(log, false);
        timer_start(log->timer, NS_PER_S);
    }
    leave(log);
}

/* A follow that ended well is no proof that all was read: the server ends it the same way when it loses the
 * node. So the last word has a plain read that began after the container's end. */
static void ended(struct pod_log *log, const struct kube_reply *reply) {
    bool well = reply->status == 200;
    bool is_all = well && log->finishing && !log->following;
    drop_rest(log, is_all);
    if (!well)
        note_problem(log, reply->message);
    if (is_all)
        conclude(log, NULL);
    else if (log->finishing && reply->status == 404)
        conclude_failed(log, reply->message); /* the Pod is gone, and its output with it */
    else if (log->finishing && well)
        timer_start(log->timer, 0);
    else
        timer_start(log->timer, backoff_next(&log->backoff, loop_random(log->loop)));
}

static void done(void *ctx, const struct kube_reply *reply) {
    struct pod_log *log = ctx;
    log->call = NULL;
    log->busy = true;
    ended(log, reply);
    leave(log);
}

static int append_since(const struct pod_log *log, struct buf *path) {
    char since[RFC3339_BYTES];
    if (log->newest == 0)
        return log->tail ? buf_printf(path, "&tailLines=%d", log->tail) : 0;
    rfc3339_format(log->newest / NS_PER_S, since);
    return buf_printf(path, "&sinceTime=%s", since);
}

static void ask(void *ctx) {
    struct pod_log *log = ctx;
    struct buf path = {0};
    cancel_call(log);
    drop_rest(log, false);
    log->following = !log->finishing;
    log->answered = false;
    log->skip = log->count;
    struct kube_request request = {.lane = log->following ? KUBE_LOG : KUBE_LOG_END,
                                   .method = "GET",
                                   .data = data,
                                   .done = done,
                                   .ctx = log};
    int rc = buf_puts(&path, log->base) || append_since(log, &path) ||
             (log->following && buf_puts(&path, "&follow=true"));
    request.path = path.data;
    if (rc || kube_send(log->client, &request, &log->call, NULL))
        timer_start(log->timer, NS_PER_S); /* out of memory */
    buf_free(&path);
}

static void give_up(void *ctx) {
    struct pod_log *log = ctx;
    log->busy = true;
    cancel_call(log);
    drop_rest(log, true);
    conclude_failed(log, "its end did not come in time");
    leave(log);
}

/* Life */

static int put_base(struct buf *path, const char *namespace_, const char *pod, const char *container) {
    return buf_puts(path, "/api/v1/namespaces/") || kube_escape(path, namespace_) ||
           buf_puts(path, "/pods/") || kube_escape(path, pod) ||
           buf_puts(path, "/log?timestamps=true&container=") || kube_escape(path, container);
}

int pod_log_follow(struct kube_client *client, const char *namespace_, const char *pod, const char *container,
                   int64_t since, int tail, const struct pod_log_events *events, void *ctx,
                   struct pod_log **out, struct err *err) {
    struct buf base = {0};
    struct pod_log *log = calloc(1, sizeof *log);
    if (!log)
        return err_set(err, ERR_NOMEM, "out of memory");
    *log = (struct pod_log){.client = client,
                            .loop = kube_client_loop(client),
                            .events = events,
                            .ctx = ctx,
                            .newest = since * NS_PER_S,
                            .tail = tail,
                            .backoff = {.first_ns = NS_PER_S / 4, .most_ns = 4 * NS_PER_S}};
    if (put_base(&base, namespace_, pod, container) || !(log->base = buf_take(&base)) ||
        timer_new(log->loop, ask, log, &log->timer, NULL)) {
        buf_free(&base);
        destroy(log);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    timer_start(log->timer, 0);
    *out = log;
    return 0;
}

void pod_log_finish(struct pod_log *log) {
    if (log->finishing || log->over)
        return;
    log->finishing = true;
    if (!timer_new(log->loop, give_up, log, &log->overdue, NULL)) /* else the executor's patience ends */
        timer_start(log->overdue, END_NS);
    /* What is being read ends by itself, as a rule; what is not may still wait for its turn. */
    timer_start(log->timer, log->call && log->answered ? STILL_NS : 0);
}

void pod_log_free(struct pod_log *log) {
    if (!log)
        return;
    if (log->busy)
        log->freed = true;
    else
        destroy(log);
}
