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

/* Tried again until it works, also while there is no such container yet. since: unix seconds, lines written
 * before that are left out; 0: from the first. tail: only so many of the last lines there are at first; 0:
 * all. */
int pod_log_follow(struct kube_client *client, const char *namespace_, const char *pod, const char *container,
                   int64_t since, int tail, const struct pod_log_events *events, void *ctx,
                   struct pod_log **out, struct err *err);
/* The container has terminated: done follows when the end of what there is was read, after 10 s at most. */
void pod_log_finish(struct pod_log *log);
/* Before done: cancels; after done: releases. Allowed from both callbacks. */
void pod_log_free(struct pod_log *log);

#endif
