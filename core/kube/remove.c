/* What is done to an object that exists: deleting it (to end its run, or because it is no longer needed) and
 * marking its outcome as delivered. All are tried until they succeed; a missing object is success. */
#include "kube/answer.h"
#include "kube/run.h"

#include <string.h>

enum { COMPLAIN_EVERY = 8 }; /* tries: about once a minute when the server keeps refusing */

static void delete_send(struct run *run);

static void try_again(struct run *run, const char *why, int64_t retry_after, void (*then)(struct run *run)) {
    if (++run->tries % COMPLAIN_EVERY == 0)
        run_log(run, LOG_WARNING,
                then == delete_send ? "cannot delete; trying on"
                                    : "cannot mark the outcome as delivered; trying on",
                why);
    run_after(run, answer_backoff(loop_random(run->executor->loop), run->tries, retry_after), then);
}

/* 409 with a uid precondition: another object has the name by now. */
static bool is_absent(const struct kube_reply *reply) {
    return reply->status == 404 || (reply->status == 409 && strstr(reply->message, "recondition"));
}

static void deleted(void *ctx, const struct kube_reply *reply) {
    struct run *run = ctx;
    run->call = NULL;
    if (is_absent(reply)) {
        observe_gone(run, NULL);
    } else if (reply->status >= 200 && reply->status < 300) {
        run->delete_sent = true;
        run->tries = 0;
        if (run->state == RUN_FINISHED)
            remove_settle(run);
        else if (run->state == RUN_ACTIVE && !run->started)
            observe_finish(run); /* nothing of it runs, nor will: nobody needs to wait for its end */
        /* else the watch tells when it is over */
    } else if (run->state != RUN_DRAINING) { /* else its timer is in use, and remove_settle comes soon */
        try_again(run, reply->message, reply->retry_after, delete_send);
    }
}

static int delete_options(const struct run *run, struct buf *out) {
    if (buf_puts(out,
                 "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\""))
        return ERR_NOMEM;
    if (run->uid && buf_printf(out, ",\"preconditions\":{\"uid\":\"%s\"}", run->uid))
        return ERR_NOMEM;
    return buf_puts(out, "}");
}

static void delete_send(struct run *run) {
    if (run->call || run->delete_sent)
        return;
    struct buf body = {0};
    struct err err = {.message = "out of memory"};
    int code = delete_options(run, &body);
    struct kube_request request = {
        .lane = KUBE_DELETE, .method = "DELETE", .body = body.data, .body_len = body.len, .done = deleted};
    if (!code)
        code = run_send(run, &request, true, &err);
    buf_free(&body);
    if (code)
        try_again(run, err.message, -1, delete_send);
}

void remove_begin(struct run *run, const struct result *as) {
    run_note(&run->stop, as);
    run->tries = 0;
    delete_send(run);
}

static void reported(void *ctx, const struct kube_reply *reply) {
    struct run *run = ctx;
    run->call = NULL;
    if (reply->status == 404)
        run->object_gone = true;
    else if (reply->status < 200 || reply->status >= 300) {
        try_again(run, reply->message, reply->retry_after, remove_settle);
        return;
    }
    run->tries = 0;
    run->want_report = false;
    run->executor->events.reported(run->executor->ctx, run->owner);
    remove_settle(run);
}

static void report_send(struct run *run) {
    static const char body[] = "{\"metadata\":{\"annotations\":{\"kube-scheduler/reported\":\"true\"}}}";
    struct kube_request request = {.lane = KUBE_OTHER,
                                   .method = "PATCH",
                                   .content_type = "application/merge-patch+json",
                                   .body = body,
                                   .body_len = sizeof body - 1,
                                   .done = reported};
    struct err err;
    if (run_send(run, &request, true, &err))
        try_again(run, err.message, -1, remove_settle);
}

static bool has_object(const struct run *run) {
    return run->accepted && !run->object_gone;
}

void remove_settle(struct run *run) {
    if (run->call)
        return; /* its answer comes back here */
    if (run->want_report && has_object(run)) {
        report_send(run);
    } else if (run->want_report) {
        run->want_report = false;
        run->executor->events.reported(run->executor->ctx, run->owner);
        remove_settle(run);
    } else if (run->want_discard && !has_object(run)) {
        run->executor->events.gone(run->executor->ctx, run->owner);
        kube_run_free(run);
    } else if (run->want_discard || (run->stop && has_object(run))) {
        delete_send(run);
    }
}
