#include "kube/answer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The API server gives many refusals one reason, Forbidden, NotFound or InternalError, and tells them apart
 * only in the message. */
static const struct {
    const char *message, *reason;
} refusals[] = {{"exceeded quota", "QuotaExceeded"},
                {"being terminated", "NamespaceTerminating"},
                {"failed calling webhook", "WebhookFailed"},
                {"denied the request", "WebhookDenied"},
                {"namespaces \"", "NamespaceNotFound"}};

static const char *reason_of(const struct kube_reply *reply) {
    for (size_t i = 0; reply->status && i < sizeof refusals / sizeof refusals[0]; i++)
        if (strstr(reply->message, refusals[i].message))
            return refusals[i].reason;
    return reply->reason;
}

/* 403 is a refusal for good but for two states that pass: a full quota, and a namespace that is going away
 * and may come back. */
static bool passing_refusal(const char *message) {
    return strstr(message, "exceeded quota") || strstr(message, "being terminated");
}

enum answer answer_to_create(const struct kube_reply *reply) {
    switch (reply->status) {
    case 409: /* without AlreadyExists it is a write that lost a race: a contended quota */
        return strcmp(reply->reason, "AlreadyExists") ? ANSWER_RETRY : ANSWER_CHECK;
    case 403:
        return passing_refusal(reply->message) ? ANSWER_RETRY : ANSWER_FINAL;
    case 0:   /* no answer */
    case 401: /* the client reads its token again */
    case 404: /* the namespace is not there yet */
    case 408:
    case 429:
        return ANSWER_RETRY;
    default:
        if (reply->status >= 200 && reply->status < 300)
            return ANSWER_DONE;
        return reply->status >= 500 ? ANSWER_RETRY : ANSWER_FINAL;
    }
}

bool answer_in_doubt(const struct kube_reply *reply) {
    return reply->status >= 500 || (!reply->status && reply->sent);
}

static bool same_text(const char *a, const char *b) {
    return a && b && !strcmp(a, b);
}

bool answer_is_ours(const struct identity *run, const struct kube_object *found) {
    return same_text(found->instance, run->instance) && same_text(found->job, run->job) && found->slot &&
           kube_time(found->slot) == run->slot && found->attempt &&
           strtol(found->attempt, NULL, 10) == run->attempt;
}

static void start_failed(struct result *out, const char *reason) {
    *out = (struct result){.outcome = OUTCOME_START_FAILED, .exit_code = -1};
    (void)snprintf(out->reason, sizeof out->reason, "%s", reason);
}

void answer_start_failed(const struct kube_reply *reply, struct result *out) {
    char status[16];
    (void)snprintf(status, sizeof status, "HTTP%d", reply->status);
    const char *reason = reason_of(reply);
    start_failed(out, reason[0] ? reason : reply->status ? status : "NoAnswer");
    (void)snprintf(out->message, sizeof out->message, "%s",
                   reply->message[0] ? reply->message : "the API server gave no reason");
}

void answer_name_taken(const struct kube_object *found, struct result *out) {
    const char *kind = found->kind == KUBE_JOB ? "Job" : "Pod";
    start_failed(out, "NameTaken");
    if (found->instance)
        (void)snprintf(out->message, sizeof out->message,
                       "%s %s/%s exists and belongs to instance %s, job %s, slot %s, attempt %s: give one of "
                       "the two another instance name",
                       kind, found->namespace_, found->name, found->instance,
                       found->job ? found->job : "unknown", found->slot ? found->slot : "unknown",
                       found->attempt ? found->attempt : "unknown");
    else
        (void)snprintf(out->message, sizeof out->message,
                       "%s %s/%s exists and was made by %s, not by this scheduler: delete or rename it", kind,
                       found->namespace_, found->name,
                       found->managed_by ? found->managed_by : "someone else");
}

int64_t answer_backoff(const struct random_source *random, unsigned tries, int64_t retry_after) {
    int64_t most = tries <= 6 ? NS_PER_S / 4 << (tries - 1) : 10 * NS_PER_S;
    uint32_t chance = 0;
    if (random->fill(random->ctx, &chance, sizeof chance))
        chance = UINT32_MAX / 2; /* no randomness: no jitter */
    int64_t delay = (int64_t)((double)most * chance / UINT32_MAX);
    return retry_after > 0 ? retry_after * NS_PER_S + delay : delay;
}
