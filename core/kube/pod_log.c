#include "kube/pod_log.h"

#include "base/buf.h"
#include "kube/backoff.h"
#include "kube/object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* RFC 3339 with nanoseconds, as the kubelet writes it, and a little more. */
enum { STAMP_MAX = 40, FINISH_S = 10 };

struct pod_log {
    struct kube_client *client;
    struct loop *loop;
    char *base; /* path and query, up to what differs from call to call */
    int64_t since;
    const struct pod_log_events *events;
    void *ctx;
    struct kube_call *call;
    struct timer *timer, *overdue;
    struct backoff backoff;
    struct buf line;           /* received, not yet handed on */
    char stamp[STAMP_MAX];     /* of the last line handed on; "" before the first */
    size_t same;               /* lines handed on that had this stamp */
    size_t skip;               /* lines with that stamp still to be passed over after a resume */
    bool in_line;              /* a piece of a long line was handed on: what follows has no stamp */
    bool passing;              /* that long line is one to pass over */
    bool finishing, following; /* the container has ended; this call follows */
    bool over, busy, freed;
    struct err err; /* why the last call failed */
};

static void ask(struct pod_log *log);

static void end(struct pod_log *log, const struct err *err) {
    if (log->over)
        return;
    log->over = true;
    timer_stop(log->timer);
    timer_stop(log->overdue);
    if (!log->freed)
        log->events->done(log->ctx, err);
}

/* The most bytes, up to limit, that do not cut a UTF-8 character. */
static size_t whole_characters(const char *text, size_t limit) {
    size_t len = limit;
    while (len > limit - 4 && ((unsigned char)text[len] & 0xc0) == 0x80)
        len--;
    return ((unsigned char)text[len] & 0xc0) == 0x80 ? limit : len;
}

/* Whether a line with this stamp was handed on before the connection broke. Lines come in the order of time.
 */
static bool seen(struct pod_log *log, const char *stamp) {
    int order = log->stamp[0] ? strcmp(stamp, log->stamp) : 1;
    if (log->skip > 0 && order <= 0) {
        if (order == 0)
            log->skip--;
        return true;
    }
    if (order == 0)
        log->same++;
    else {
        (void)snprintf(log->stamp, sizeof log->stamp, "%s", stamp);
        log->same = 1;
    }
    log->skip = 0;
    return false;
}

/* Cuts the stamp off the front of a line; what has none is handed on whole. */
static void begin_line(struct pod_log *log, const char **text, size_t *len) {
    const char *space = memchr(*text, ' ', *len < STAMP_MAX ? *len : STAMP_MAX);
    char stamp[STAMP_MAX] = "";
    log->passing = false;
    if (!space)
        return;
    size_t stamp_len = (size_t)(space - *text);
    if (stamp_len >= sizeof stamp || stamp_len < 20)
        return;
    memcpy(stamp, *text, stamp_len);
    *text += stamp_len + 1;
    *len -= stamp_len + 1;
    log->passing = seen(log, stamp);
}

static void hand_on(struct pod_log *log, const char *text, size_t len, bool last) {
    if (!log->in_line)
        begin_line(log, &text, &len);
    if (!log->passing && !log->freed && !(log->in_line && last && len == 0))
        log->events->line(log->ctx, text, len);
    log->in_line = !last;
}

static void take_lines(struct pod_log *log) {
    size_t at = 0;
    while (!log->freed && at < log->line.len) {
        const char *text = log->line.data + at;
        size_t left = log->line.len - at;
        size_t limit = POD_LOG_LINE_MAX + (log->in_line ? 0 : STAMP_MAX);
        const char *newline = memchr(text, '\n', left < limit ? left : limit);
        if (!newline && left <= limit)
            break;
        size_t len = newline ? (size_t)(newline - text) : whole_characters(text, limit - STAMP_MAX);
        hand_on(log, text, len, newline != NULL);
        at += len + (newline ? 1 : 0);
    }
    buf_consume(&log->line, at);
}

static void data(void *ctx, const char *bytes, size_t len) {
    struct pod_log *log = ctx;
    log->busy = true;
    if (!buf_append(&log->line, bytes, len))
        take_lines(log);
    log->busy = false;
    if (log->freed)
        pod_log_free(log);
}

/* The stream ended. What is left without a line end is a line too, if it was the end of the output. */
static void flush(struct pod_log *log, bool complete) {
    if (complete && log->line.len > 0)
        hand_on(log, log->line.data, log->line.len, true);
    buf_clear(&log->line);
    log->in_line = false;
}

static void ended(struct pod_log *log, const struct kube_reply *reply) {
    bool whole = reply->status == 200;
    flush(log, whole && log->finishing && !log->following);
    if (whole && log->finishing && !log->following) {
        end(log, NULL);
        return;
    }
    if (whole)
        backoff_reset(&log->backoff);
    else
        (void)err_set(&log->err, ERR_IO, "%s", reply->message[0] ? reply->message : "the connection broke");
    if (reply->status == 404 && log->finishing) {
        end(log, &log->err); /* the Pod is gone, and its output with it */
        return;
    }
    /* A follow that ended well may have ended too early: the last word is a plain read, after the finish. */
    if (whole && !log->finishing)
        timer_start(log->timer, NS_PER_S);
    else
        timer_start(log->timer, whole ? 0 : backoff_next(&log->backoff, loop_random(log->loop)));
}

static void done(void *ctx, const struct kube_reply *reply) {
    struct pod_log *log = ctx;
    log->call = NULL;
    log->busy = true;
    ended(log, reply);
    log->busy = false;
    if (log->freed)
        pod_log_free(log);
}

static int append_options(struct pod_log *log, struct buf *path) {
    int rc = log->following ? buf_puts(path, "&follow=true") : 0;
    if (!rc && log->stamp[0])
        rc = buf_puts(path, "&sinceTime=") || kube_escape(path, log->stamp) ? ERR_NOMEM : 0;
    else if (!rc && log->since > 0) {
        int64_t age = clock_seconds(loop_clock(log->loop)) - log->since;
        rc = buf_printf(path, "&sinceSeconds=%lld", (long long)(age > 0 ? age + 1 : 1));
    }
    return rc;
}

static void ask(struct pod_log *log) {
    struct buf path = {0};
    log->following = !log->finishing;
    log->skip = log->same;
    int rc = buf_puts(&path, log->base) || append_options(log, &path) ? ERR_NOMEM : 0;
    struct kube_request request = {.lane = KUBE_LOG,
                                   .method = "GET",
                                   .path = path.data,
                                   .timeout_ns = log->following ? INT64_C(86400) * NS_PER_S : 0,
                                   .done = done,
                                   .data = data,
                                   .ctx = log};
    if (rc || kube_send(log->client, &request, &log->call, &log->err))
        timer_start(log->timer, backoff_next(&log->backoff, loop_random(log->loop)));
    buf_free(&path);
}

static void turn(void *ctx) {
    struct pod_log *log = ctx;
    if (!log->call && !log->over)
        ask(log);
}

static void overdue(void *ctx) {
    struct pod_log *log = ctx;
    if (log->call)
        kube_cancel(log->call);
    log->call = NULL;
    log->busy = true;
    take_lines(log);
    flush(log, true);
    if (!log->err.code)
        (void)err_set(&log->err, ERR_TIMEOUT, "its end did not come within %d s", FINISH_S);
    end(log, &log->err);
    log->busy = false;
    if (log->freed)
        pod_log_free(log);
}

static char *log_path(const char *namespace_, const char *pod, const char *container) {
    struct buf path = {0};
    int rc = buf_puts(&path, "/api/v1/namespaces/") || kube_escape(&path, namespace_) ||
             buf_puts(&path, "/pods/") || kube_escape(&path, pod) ||
             buf_puts(&path, "/log?timestamps=true&container=") || kube_escape(&path, container);
    char *taken = rc ? NULL : buf_take(&path);
    buf_free(&path);
    return taken;
}

int pod_log_follow(struct kube_client *client, const char *namespace_, const char *pod, const char *container,
                   int64_t since, const struct pod_log_events *events, void *ctx, struct pod_log **out,
                   struct err *err) {
    struct pod_log *log = calloc(1, sizeof *log);
    if (!log)
        return err_set(err, ERR_NOMEM, "out of memory");
    *log = (struct pod_log){.client = client,
                            .loop = kube_client_loop(client),
                            .since = since,
                            .events = events,
                            .ctx = ctx,
                            .backoff = {.first_ns = NS_PER_S / 5, .most_ns = 2 * NS_PER_S}};
    log->base = log_path(namespace_, pod, container);
    if (!log->base || timer_new(log->loop, turn, log, &log->timer, err) ||
        timer_new(log->loop, overdue, log, &log->overdue, err)) {
        pod_log_free(log);
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
    timer_start(log->overdue, FINISH_S * NS_PER_S);
    if (!log->call)
        timer_start(log->timer, 0); /* the last read */
}

void pod_log_free(struct pod_log *log) {
    if (!log)
        return;
    if (log->busy) { /* whoever called back to us frees it on the way out */
        log->freed = true;
        return;
    }
    if (log->call)
        kube_cancel(log->call);
    timer_free(log->timer);
    timer_free(log->overdue);
    buf_free(&log->line);
    free(log->base);
    free(log);
}
