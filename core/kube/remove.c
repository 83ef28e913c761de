/* What is done to an object that exists: ending its work while its name stays taken, marking its outcome as
 * delivered, and letting go of it. All are tried until they succeed; a missing object is success.
 *
 *   stop     PATCH (finalizer, outcome), DELETE       the name stays, and a later daemon knows the outcome
 *   discard  PATCH (no finalizer), or DELETE          the name is free */
#include "kube/answer.h"
#include "kube/ending.h"
#include "kube/run.h"

#include <string.h>

/* A create that got no answer may be carried out for so long (DESIGN's retention rule). */
#define LATE_NS (120 * NS_PER_S)
enum { COMPLAIN_EVERY = 8 }; /* tries: about once a minute when the server keeps refusing */

static void end_send(struct run *run);

static void try_again(struct run *run, const char *why, int64_t retry_after, void (*then)(struct run *run)) {
    if (++run->tries % COMPLAIN_EVERY == 0)
        run_log(run, LOG_WARNING,
                run->want_report ? "cannot mark the outcome as delivered; trying on"
                                 : "cannot delete; trying on",
                why);
    run_after(run, answer_backoff(loop_random(run->executor->loop), run->tries, retry_after), then);
}

/* 409 with a uid precondition: another object has the name by now. */
static bool is_absent(const struct kube_reply *reply) {
    return reply->status == 404 || (reply->status == 409 && strstr(reply->message, "recondition"));
}

static bool is_done(const struct kube_reply *reply) {
    return reply->status >= 200 && reply->status < 300;
}

static void send_change(struct run *run, struct kube_request *request, int code, struct buf *body,
                        void (*then)(struct run *run)) {
    struct err err = {.message = "out of memory"};
    request->body = body->data;
    request->body_len = body->len;
    if (!code)
        code = run_send(run, request, true, &err);
    buf_free(body);
    if (code)
        try_again(run, err.message, -1, then);
}

/* What follows a step on the way to the end; a draining run's timer is in use, and it settles soon. */
static void go_on(struct run *run) {
    run->tries = 0;
    if (run->state == RUN_FINISHED)
        remove_settle(run);
    else
        end_send(run);
}

static void end_again(struct run *run, const struct kube_reply *reply) {
    if (run->state != RUN_DRAINING)
        try_again(run, reply->message, reply->retry_after,
                  run->state == RUN_FINISHED ? remove_settle : end_send);
}

/* --- ending its work --- */

static void deleted(void *ctx, const struct kube_reply *reply) {
    struct run *run = ctx;
    run->call = NULL;
    if (is_absent(reply)) {
        observe_gone(run, NULL);
    } else if (!is_done(reply)) {
        end_again(run, reply);
    } else {
        run->delete_sent = true;
        if (run->state == RUN_ACTIVE && !run->started)
            observe_finish(run); /* nothing of it runs, nor will: nobody needs to wait for its end */
        else
            go_on(run); /* the watch tells when it is over */
    }
}

/* An object that is held would keep a Job's Pods running for as long, were they not deleted before it. */
static int delete_options(const struct run *run, struct buf *out) {
    if (buf_printf(out, "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"%s\"",
                   run->held ? "Foreground" : "Background"))
        return ERR_NOMEM;
    if (run->uid && buf_printf(out, ",\"preconditions\":{\"uid\":\"%s\"}", run->uid))
        return ERR_NOMEM;
    return buf_puts(out, "}");
}

static void delete_send(struct run *run) {
    struct buf body = {0};
    int code = delete_options(run, &body);
    struct kube_request request = {.lane = KUBE_DELETE, .method = "DELETE", .done = deleted};
    send_change(run, &request, code, &body, run->state == RUN_FINISHED ? remove_settle : end_send);
}

/* 422: no finalizer can be added to what somebody is deleting already. 403, 400: not by us. The work must
 * stop all the same. */
static bool never_held(const struct kube_reply *reply) {
    return reply->status == 422 || reply->status == 403 || reply->status == 400;
}

static void held(void *ctx, const struct kube_reply *reply) {
    struct run *run = ctx;
    run->call = NULL;
    if (is_absent(reply)) {
        observe_gone(run, NULL);
    } else if (is_done(reply) || never_held(reply)) {
        run->held = is_done(reply);
        run->unheld = !run->held;
        if (run->unheld)
            run_log(run, LOG_WARNING, "its name cannot be kept while it is ended", reply->message);
        go_on(run);
    } else {
        end_again(run, reply);
    }
}

static void hold_send(struct run *run) {
    struct buf body = {0};
    int code = ending_hold_patch(run->uid, run->stop, &body);
    struct kube_request request = {
        .lane = KUBE_DELETE, .method = "PATCH", .content_type = ENDING_PATCH_TYPE, .done = held};
    send_change(run, &request, code, &body, run->state == RUN_FINISHED ? remove_settle : end_send);
}

static void end_send(struct run *run) {
    if (run->call || run->delete_sent)
        return;
    if (run->held || run->unheld)
        delete_send(run);
    else
        hold_send(run);
}

void remove_begin(struct run *run, const struct result *as) {
    run_note(&run->stop, as);
    run->tries = 0;
    end_send(run);
}

/* --- a finished run --- */

static void reported(void *ctx, const struct kube_reply *reply) {
    struct run *run = ctx;
    run->call = NULL;
    if (reply->status == 404) {
        run->object_gone = true;
    } else if (!is_done(reply)) {
        try_again(run, reply->message, reply->retry_after, remove_settle);
        return;
    }
    run->tries = 0;
    run->want_report = false;
    run->executor->events.reported(run->executor->ctx, run->owner);
    remove_settle(run);
}

static void report_send(struct run *run) {
    struct buf body = {0};
    int code = buf_puts(&body, "{\"metadata\":{\"annotations\":{\"kube-scheduler/reported\":\"true\"}}}");
    struct kube_request request = {.lane = KUBE_OTHER,
                                   .method = "PATCH",
                                   .content_type = "application/merge-patch+json",
                                   .done = reported};
    send_change(run, &request, code, &body, remove_settle);
}

static void released(void *ctx, const struct kube_reply *reply) {
    struct run *run = ctx;
    run->call = NULL;
    if (is_absent(reply)) {
        observe_gone(run, NULL);
    } else if (is_done(reply)) {
        run->held = false;
        run->unheld = true;
        run->tries = 0;
        remove_settle(run); /* deleted already, as a rule: the watch tells when it is gone */
    } else {
        try_again(run, reply->message, reply->retry_after, remove_settle);
    }
}

static void release_send(struct run *run) {
    struct buf body = {0};
    int code = ending_release_patch(run->uid, &body);
    struct kube_request request = {
        .lane = KUBE_DELETE, .method = "PATCH", .content_type = ENDING_PATCH_TYPE, .done = released};
    send_change(run, &request, code, &body, remove_settle);
}

static bool has_object(const struct run *run) {
    return run->accepted && !run->object_gone;
}

static void settle_report(struct run *run) {
    if (has_object(run)) {
        report_send(run);
        return;
    }
    run->want_report = false;
    run->executor->events.reported(run->executor->ctx, run->owner);
    remove_settle(run);
}

/* Nobody asks about it any more. */
static void forget(struct run *run) {
    if (run->in_doubt && !run->accepted)
        run_after(run, LATE_NS, kube_run_free);
    else
        kube_run_free(run);
}

static void let_go(struct run *run) {
    run->want_discard = true;
    remove_settle(run);
}

void remove_settle(struct run *run) {
    if (run->call)
        return; /* its answer comes back here */
    if (!run->owner && !has_object(run)) {
        forget(run);
    } else if (run->want_report) {
        settle_report(run);
    } else if (!has_object(run)) {
        if (!run->want_discard)
            return;
        run->executor->events.gone(run->executor->ctx, run->owner);
        kube_run_free(run);
    } else if (run->stop && !run->delete_sent) {
        end_send(run);
    } else if (!run->owner && !run->want_discard) {
        run_after(run, LATE_NS, let_go); /* it came late, and so may another try */
    } else if (run->want_discard && run->held) {
        release_send(run);
    } else if (run->want_discard && !run->delete_sent) {
        delete_send(run);
    }
}
