/* A run until its object exists: the create, tried again under the same name with the same bytes, the look at
 * what already has that name, and giving up. answer.h says what answers mean. */
#include "kube/answer.h"
#include "kube/run.h"

#include <stdio.h>

/* Giving up on a create that may have landed, this often the API server is asked whether it did. */
enum { GIVE_UP_CHECKS = 8 };

static void check_send(struct run *run);

/* The fence: asked right before the create leaves. A dropped one is answered like one that got no answer. */
static bool create_wanted(void *ctx) {
    const struct run *run = ctx;
    const struct kube_executor *executor = run->executor;
    return !executor->fenced && !run->stop && clock_boottime(loop_clock(executor->loop)) < executor->fence;
}

static void tell_delay(struct run *run, const struct kube_reply *reply) {
    int64_t now = clock_monotonic(loop_clock(run->executor->loop));
    if (run->delayed_at && now - run->delayed_at < NS_PER_S)
        return;
    run->delayed_at = now;
    run->executor->events.delayed(run->executor->ctx, run->owner, reply->message);
}

static void again(struct run *run, const struct kube_reply *reply, void (*then)(struct run *run)) {
    int64_t delay = answer_backoff(loop_random(run->executor->loop), ++run->tries, reply->retry_after);
    int64_t left = (run->start_deadline - run_now(run)) * NS_PER_S;
    if (!run->giving_up && delay > left)
        delay = left; /* a last try at the deadline */
    run_after(run, delay, then);
    tell_delay(run, reply);
}

static void fail(struct run *run, const struct kube_reply *reply) {
    struct result result;
    answer_start_failed(reply, &result);
    run_note(&run->stop, &result);
    create_give_up(run);
}

static void retry(struct run *run, const struct kube_reply *reply, void (*then)(struct run *run)) {
    if (run->executor->fenced)
        kube_run_free(run); /* dropped without an event */
    else if (run->stop)
        create_give_up(run);
    else if (run_now(run) >= run->start_deadline)
        fail(run, reply);
    else
        again(run, reply, then);
}

static void exists(struct run *run, const struct kube_reply *reply) {
    struct kube_object object = {0};
    int code = kube_object_parse(reply->body, reply->len, &object, NULL);
    observe_accepted(run, code ? NULL : object.uid); /* unreadable, but there */
    kube_object_free(&object);
}

static void created(void *ctx, const struct kube_reply *reply) {
    struct run *run = ctx;
    run->call = NULL;
    run->in_doubt |= answer_in_doubt(reply);
    switch (answer_to_create(reply)) {
    case ANSWER_DONE:
        exists(run, reply);
        break;
    case ANSWER_CHECK:
        check_send(run);
        break;
    case ANSWER_RETRY:
        retry(run, reply, create_send);
        break;
    case ANSWER_FINAL:
        fail(run, reply);
        break;
    }
}

static void send_or(struct run *run, struct kube_request *request, bool with_name,
                    void (*failed)(struct run *run, const struct kube_reply *reply)) {
    struct err err;
    request->lane = KUBE_CREATE;
    if (!run_send(run, request, with_name, &err))
        return;
    struct kube_reply reply = {.retry_after = -1};
    (void)snprintf(reply.message, sizeof reply.message, "%.511s", err.message);
    failed(run, &reply);
}

static void not_sent(struct run *run, const struct kube_reply *reply) {
    retry(run, reply, create_send);
}

/* Of what nobody may list, nobody would see the end. */
static bool is_put_off(struct run *run) {
    const char *why = feeds_unknown(run);
    if (!why)
        return false;
    struct kube_reply reply = {.retry_after = -1, .reason = "NamespaceRefused"};
    (void)snprintf(reply.message, sizeof reply.message, "%s", why);
    retry(run, &reply, create_send);
    return true;
}

void create_send(struct run *run) {
    if (run->executor->fenced) {
        kube_run_free(run);
        return;
    }
    if (is_put_off(run))
        return;
    struct kube_request request = {.method = "POST",
                                   .body = run->manifest,
                                   .body_len = run->manifest_len,
                                   .wanted = create_wanted,
                                   .done = created};
    send_or(run, &request, false, not_sent);
}

static void unclear(struct run *run, const struct kube_reply *reply) {
    if (!run->giving_up)
        retry(run, reply, check_send);
    else if (run->tries < GIVE_UP_CHECKS)
        again(run, reply, check_send);
    else
        observe_finish(run); /* should it have landed after all, the watch shows it, and it is removed */
}

static void absent(struct run *run, const struct kube_reply *reply) {
    if (run->giving_up)
        observe_finish(run);
    else
        retry(run, reply, create_send);
}

static void compare(struct run *run, struct kube_object *found) {
    struct identity identity = {run->executor->instance, run->job, run->slot, run->attempt};
    if (answer_is_ours(&identity, found)) {
        observe_object(run->executor, found);
        return;
    }
    struct result result;
    answer_name_taken(found, &result);
    run_note(&run->stop, &result);
    observe_finish(run);
}

static void checked(void *ctx, const struct kube_reply *reply) {
    struct run *run = ctx;
    run->call = NULL;
    struct kube_object found = {0};
    if (reply->status == 404)
        absent(run, reply);
    else if (reply->status != 200 || kube_object_parse(reply->body, reply->len, &found, NULL))
        unclear(run, reply);
    else
        compare(run, &found);
    kube_object_free(&found);
}

static void check_send(struct run *run) {
    struct kube_request request = {.method = "GET", .done = checked};
    send_or(run, &request, true, unclear);
}

void create_give_up(struct run *run) {
    if (!run->in_doubt) {
        observe_finish(run);
        return;
    }
    run->giving_up = true;
    run->tries = 0;
    check_send(run);
}
