/* What an API server's answer to the create of a run means, and how long to wait before the next try. Pure;
 * DESIGN decision 3 is the source of every row. Thread: any. */
#ifndef KS_KUBE_ANSWER_H
#define KS_KUBE_ANSWER_H

#include "kube/client.h"
#include "kube/object.h"
#include "registry/executor.h"

enum answer {
    ANSWER_DONE,  /* the object exists and is ours */
    ANSWER_CHECK, /* something of that name exists: GET it and ask answer_is_ours */
    ANSWER_RETRY, /* the same body again, until the start deadline */
    ANSWER_FINAL  /* it will never be accepted */
};
enum answer answer_to_create(const struct kube_reply *reply);

/* Whether a reply leaves open if the request was executed: then the object may still appear. */
bool answer_in_doubt(const struct kube_reply *reply);

/* Whether what stands under a run's name is that very run: the same instance, job, slot and attempt. */
struct identity {
    const char *instance, *job;
    int64_t slot;
    int attempt;
};
bool answer_is_ours(const struct identity *run, const struct kube_object *found);

/* The result of a run whose create failed for good, or was still refused at its deadline. Its reason is the
 * API server's, or a finer one: QuotaExceeded, NamespaceNotFound, NamespaceTerminating, WebhookDenied,
 * WebhookFailed. */
void answer_start_failed(const struct kube_reply *reply, struct result *out);
/* … whose name is in use: says whose. */
void answer_name_taken(const struct kube_object *found, struct result *out);

/* Nanoseconds before try number `tries` (from 1): full jitter below 0.25 s, doubled each time, at most 10 s;
 * on top of retry_after seconds when the server said so (-1: it did not). */
int64_t answer_backoff(const struct random_source *random, unsigned tries, int64_t retry_after);

#endif
