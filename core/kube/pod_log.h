/* A container's output, followed from its first line to its end, also when the container ended before the
 * follow began, and across broken connections (resumed by timestamp, no line twice, none lost). */
#ifndef KS_KUBE_POD_LOG_H
#define KS_KUBE_POD_LOG_H

#include "kube/client.h"

enum { POD_LOG_LINE_MAX = 16 << 10 }; /* longer lines come in pieces, split between UTF-8 characters */

struct pod_log;

/* line: without its line end. done: the output is complete (err NULL), or could not be had (err says why). */
struct pod_log_events {
    void (*line)(void *ctx, const char *line, size_t len);
    void (*done)(void *ctx, const struct err *err);
};

/* since: unix seconds, lines written before are left out; 0: from the first. */
int pod_log_follow(struct kube_client *client, const char *namespace_, const char *pod, const char *container,
                   int64_t since, const struct pod_log_events *events, void *ctx, struct pod_log **out,
                   struct err *err);
/* The container has terminated: reach the end of what there is, and finish. */
void pod_log_finish(struct pod_log *log);
void pod_log_free(struct pod_log *log); /* before done: cancels; after done: releases */

#endif
