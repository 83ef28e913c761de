/* How runs reach the world: the interface that core/kube (objects in a cluster) and core/local (processes)
 * implement and core/registry drives. Asynchronous: every call returns at once; what happens comes as events,
 * on the loop's thread, never from inside a call. A run is known by namespace and name; `owner` is the
 * caller's own pointer for it, handed back with every event. Times are unix seconds UTC, durations seconds.
 */
#ifndef KS_REGISTRY_EXECUTOR_H
#define KS_REGISTRY_EXECUTOR_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum outcome {
    OUTCOME_SUCCEEDED,
    OUTCOME_FAILED,       /* ran and ended badly: exit code, OOMKilled, … */
    OUTCOME_TIMEOUT,      /* past its activeDeadlineSeconds or `timeout` */
    OUTCOME_START_FAILED, /* never ran: create refused for good, image not pullable, not schedulable, … */
    OUTCOME_EVICTED,
    OUTCOME_LOST,    /* its node is gone */
    OUTCOME_DELETED, /* somebody else removed it */
    OUTCOME_UNKNOWN  /* local: an intent without evidence after a crash; never run again */
};
const char *outcome_name(enum outcome outcome); /* "succeeded", "failed", "timeout", "start_failed", … */
int outcome_parse(const char *name, enum outcome *out);

enum trigger { TRIGGER_SCHEDULE, TRIGGER_MANUAL, TRIGGER_CATCH_UP, TRIGGER_BACKFILL, TRIGGER_RETRY };
const char *trigger_name(enum trigger trigger); /* "schedule", "manual", "catch-up", "backfill", "retry" */
int trigger_parse(const char *name, enum trigger *out);

struct result {
    enum outcome outcome;
    int exit_code;    /* -1: there is none */
    int64_t started;  /* 0: unknown or never */
    int64_t finished; /* 0: unknown */
    /* Its object is being deleted by us and only keeps the name: no history worth keeping, so discard it as
     * soon as the retention rule allows. */
    bool removed;
    char reason[64];   /* one word where there is one: Error, OOMKilled, ImagePullBackOff, DeadlineExceeded */
    char message[768]; /* for people */
};

struct run_spec {
    const char *namespace_, *name; /* the object's */
    const char *job;               /* full job name, for logs and annotations */
    const char *manifest;          /* JSON, complete; sent byte for byte on every try */
    size_t manifest_len;
    bool is_job; /* batch/v1 Job; otherwise a Pod */
    int64_t slot;
    int attempt;
    enum trigger trigger;
    int64_t start_deadline;  /* creates are tried again until then */
    int64_t pending_timeout; /* seconds from accepted to started; then start_failed, "PendingTimeout" */
    /* The container whose end is the run's, whatever the others do; NULL: the executor's own rule. The
     * manifest has it too, as the annotation kube-scheduler/main-container of the object and of a Job's Pods.
     */
    const char *main_container;
};

/* A run that an earlier daemon left. Strings live during the call only. */
struct adopted_run {
    const char *namespace_, *name, *job;
    bool is_job;
    int64_t slot;
    int attempt;
    enum trigger trigger;
    bool started;     /* then result.started holds */
    bool finished;    /* then all of result holds */
    bool reported;    /* its outcome was delivered (hooks, alerts) by an earlier daemon */
    const char *node; /* as in event placed; NULL: none is known */
    struct result result;
};

struct executor_events {
    /* One call for each run found when the executor opens, and for one that shows up later (an earlier
     * leader's create that came late); gives the owner for it, NULL to leave it alone. */
    void *(*adopted)(void *ctx, const struct adopted_run *run);
    /* All that an earlier daemon left has been adopted; slots may be decided from now on. Once. */
    void (*ready)(void *ctx);
    /* The run exists durably: its slot is decided. */
    void (*accepted)(void *ctx, void *owner);
    /* The create meets trouble that passes (429, quota, 5xx, no connection); it is tried again. At most once
     * a second for each run. */
    void (*delayed)(void *ctx, void *owner, const char *why);
    void (*started)(void *ctx, void *owner, int64_t when);
    void (*line)(void *ctx, void *owner, const char *container, const char *line, size_t len);
    /* The run is over and its output complete (or given up on after 10 s). Once for each run. A run that was
     * never accepted has no object: the executor has forgotten it, and owner is not used again. */
    void (*finished)(void *ctx, void *owner, const struct result *result);
    void (*reported)(void *ctx, void *owner); /* what report asked for is durable */
    void (*gone)(void *ctx, void *owner);     /* after finished: no trace is left; owner is not used again */
    /* What there is in a namespace cannot be found out (a Role is missing): runs there are not started, and
     * fail at their start deadline, until it can. Once for each time that this begins; also before `ready`,
     * which does not wait for it. namespace_ "*": all. */
    void (*trouble)(void *ctx, const char *namespace_, const char *why);
    /* The cluster's node that works on the run is known; of a Job again for each of its Pods. Before
     * `started`. */
    void (*placed)(void *ctx, void *owner, const char *node);
};

struct executor;

struct executor_ops {
    const char *name; /* "kubernetes" or "local" */
    /* Starts looking for earlier runs; then events come. Called once. */
    int (*open)(struct executor *executor, const struct executor_events *events, void *ctx, struct err *err);
    /* Copies what it needs of spec. An error here means the run was never tried: no event follows. */
    int (*start)(struct executor *executor, const struct run_spec *spec, void *owner, struct err *err);
    /* Ends a run that is not finished: its outcome will be `as` with that reason, also when a later daemon
     * has to tell it. Its work is stopped at once, but its name stays taken until discard: a create that was
     * sent earlier and is carried out late must find it (DESIGN's retention rule). One that had started is
     * finished when its work has ended, any other as soon as the executor can be sure that it never will
     * start. */
    int (*stop)(struct executor *executor, void *owner, enum outcome as, const char *reason, struct err *err);
    /* Marks a finished run's outcome as delivered, durably: event reported. */
    int (*report)(struct executor *executor, void *owner, struct err *err);
    /* Deletes what is left of a finished run and with it frees its name: event gone. Deciding when that is
     * safe is the caller's: DESIGN's retention rule. */
    int (*discard)(struct executor *executor, void *owner, struct err *err);
    /* No start is tried from now on (a lost lease, SIGTERM); what was queued and not yet sent is dropped
     * without an event. Running work is left alone. */
    void (*fence)(struct executor *executor);
    void (*free)(struct executor *executor);
};

struct executor {
    const struct executor_ops *ops;
};

#endif
