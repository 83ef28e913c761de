/* What the parts of the executor (executor.c, feeds.c, create.c, remove.c, observe.c, adopt.c, follow.c)
 * share: the run, its Pods, and how they are found. Nobody else includes this. Thread: the loop's.
 *
 *   start ─► CREATING ──accepted──► ACTIVE ──over──► DRAINING ──output complete──► FINISHED ──discard──► gone
 *               └──── refused for good, or stopped before it existed ────────────────▲
 *   found by the watch ─► FOUND ──adopted──► ACTIVE or FINISHED; nobody wants it: IGNORED
 */
#ifndef KS_KUBE_RUN_H
#define KS_KUBE_RUN_H

#include "base/buf.h"
#include "base/map.h"
#include "kube/executor.h"
#include "kube/object.h"
#include "kube/pod_log.h"
#include "registry/due.h"

#include <sys/queue.h>

enum run_state { RUN_CREATING, RUN_ACTIVE, RUN_DRAINING, RUN_FINISHED, RUN_FOUND, RUN_IGNORED };

struct kube_executor {
    struct executor base; /* first */
    struct kube_client *client;
    struct loop *loop;
    struct log *log;
    char *instance, *selector;
    char **namespaces; /* NULL-terminated; NULL: all */
    int64_t output_since, pending_timeout;
    struct executor_events events;
    void *ctx;
    struct map runs[2]; /* by kind: KUBE_POD, KUBE_JOB */
    struct map owners;  /* the same runs by owner */
    struct map pods;    /* of active runs */
    struct due timers;
    size_t following;                /* logs that are followed */
    TAILQ_HEAD(, follow) unfollowed; /* those that wait for it: follow.c's */
    struct feed *feeds;              /* feeds.c's: feed_count of Jobs, then as many of Pods */
    size_t feed_count;
    uint64_t epoch; /* counts relists; whoever was seen in one has its number */
    int64_t fence;  /* CLOCK_BOOTTIME, ns */
    bool fenced, ready;
    size_t tails; /* runs whose last lines `ready` waits for */
};

struct run {
    struct map_node by_name, by_owner;
    struct kube_executor *executor;
    void *owner;
    enum run_state state;
    bool is_job : 1;
    bool in_doubt : 1;  /* a create was sent and not answered: the object may appear */
    bool giving_up : 1; /* no further create; only whether it exists is still asked */
    bool accepted : 1;  /* the object is known to have existed */
    bool object_gone : 1;
    bool stopping : 1; /* its owner wants it ended */
    bool lost : 1;
    bool decided : 1;      /* by the main container of its Pod: end is its outcome */
    bool leaves_work : 1;  /* something goes on beside or after that */
    bool expects_pods : 1; /* a Job that says its Pods have ended */
    bool want_report : 1, want_discard : 1;
    bool held : 1;        /* our finalizer is on the object (ending.h) */
    bool unheld : 1;      /* and cannot be put there: somebody deletes it already, or we may not */
    bool delete_sent : 1; /* and accepted */
    bool name_only : 1;   /* the object's work is done, only its name is kept */
    unsigned tries;       /* of what is being tried now */
    int attempt;
    int64_t slot, start_deadline, pending_timeout;
    int64_t started;    /* when its first container was; 0: it has not */
    int64_t since;      /* output before is left out */
    int tail;           /* only so many of the last lines; 0: all */
    int64_t delayed_at; /* CLOCK_MONOTONIC of the last event `delayed` */
    uint64_t seen;      /* epoch */
    struct heap_item timer;
    void (*then)(struct run *run); /* what the timer does */
    struct kube_call *call;        /* at most one */
    char *job, *manifest, *uid;    /* manifest: until accepted */
    size_t manifest_len;
    /* Allocated when there is something to say: */
    struct result *waits;      /* why it has not started */
    struct result *stop;       /* what `finished` shall say, for we end it or could not start it */
    struct result *end;        /* how its Pod ended; of a Job: its last Pod that did not succeed */
    struct kube_object *found; /* FOUND: its last state; then: a Job that is over */
    struct pod *pods;
    struct run *todo; /* links those that one walk over the map has picked */
    size_t namespace_len;
    char key[]; /* namespace/name */
};

struct pod {
    struct map_node by_name;
    struct pod *next;
    struct run *run;
    struct follow *follows;    /* follow.c's */
    struct kube_object *found; /* while its run is FOUND */
    struct pod *todo;
    uint64_t seen;
    int64_t deletion; /* as in kube_object */
    bool over;
    bool placed; /* its node was told */
    char key[];  /* namespace/name, the namespace as long as its run's */
};

static inline enum kube_kind run_kind(const struct run *run) {
    return run->is_job ? KUBE_JOB : KUBE_POD;
}
static inline const char *run_name(const struct run *run) {
    return run->key + run->namespace_len + 1;
}
int64_t run_now(const struct run *run); /* unix seconds */

/* run.c: the record. A new run is in its executor's map by name. */
int kube_run_new(struct kube_executor *executor, enum kube_kind kind, const char *namespace_,
                 const char *name, struct run **out, struct err *err);
void kube_run_free(struct run *run); /* leaves the maps, cancels its call */
struct run *run_find(const struct kube_executor *executor, enum kube_kind kind, const char *namespace_,
                     const char *name);
int run_set_owner(struct run *run, void *owner);
void *run_take_owner(struct run *run); /* from then on it has none */
struct run *run_of_owner(const struct kube_executor *executor, const void *owner);
/* The run's one timer: replaces what it was to do before. */
void run_after(struct run *run, int64_t delay_ns, void (*then)(struct run *run));
void run_wait_no_more(struct run *run);  /* for its timer */
void run_is_due(struct heap_item *item); /* for due_init */
void run_cancel_call(struct run *run);
/* Sends a request about the run's object (with_name) or its collection; fills in path, ctx and run->call. */
int run_send(struct run *run, struct kube_request *request, bool with_name, struct err *err);
int run_set_uid(struct run *run, const char *uid);
void run_log(const struct run *run, enum log_level level, const char *message, const char *why);
/* *at becomes a copy of result, or NULL. Out of memory: the old text stays, which only words a message. */
void run_note(struct result **at, const struct result *result);
int run_add_pod(struct run *run, const char *name, struct pod **out);
struct pod *run_find_pod(const struct run *run, const char *name);
void run_drop_pods(struct run *run);
void run_keep_object(struct kube_object **at, struct kube_object *object); /* moves it; NULL releases */

/* feeds.c: the watches. */
int feeds_new(struct kube_executor *executor); /* once its namespaces are known */
int feeds_open(struct kube_executor *executor, struct err *err);
void feeds_free(struct kube_executor *executor);
bool feeds_watch(const struct kube_executor *executor, const char *namespace_); /* or try to */
/* Why it is not known what there is in the run's namespace; NULL: it is. */
const char *feeds_unknown(const struct run *run);

/* create.c: until the object exists. */
void create_send(struct run *run);
void create_give_up(struct run *run); /* after run->stop was set */

/* remove.c: stop, report and discard of an object that exists. */
void remove_begin(struct run *run, const struct result *as); /* ends an active run */
void remove_settle(struct run *run);                         /* does what a finished run still owes */

/* observe.c: what the watches tell, and what follows. */
void observe_object(struct kube_executor *executor, struct kube_object *object);
void observe_deleted(struct kube_executor *executor, struct kube_object *object);
/* The list that began in this epoch is complete: whoever was not in it is gone. namespace_ NULL: all. */
void observe_synced(struct kube_executor *executor, enum kube_kind kind, const char *namespace_,
                    uint64_t began);
void observe_accepted(struct run *run, const char *uid);
void observe_pod(struct run *run, struct kube_object *object);
void observe_gone(struct run *run, const struct kube_object *last); /* last: NULL when unknown */
void observe_done(struct run *run, const struct kube_object *last); /* nothing of an active run is left */
void observe_drained(struct run *run);                              /* looks whether the last line has come */
void observe_finish(struct run *run);                               /* tells the end */
void observe_pending_from(struct run *run, int64_t since);          /* unix seconds: starts pending_timeout */

/* adopt.c: runs that are not ours yet. */
void adopt_found(struct kube_executor *executor, struct kube_object *object);
void adopt_those_found(struct kube_executor *executor); /* where all is known */
void adopt_all(struct kube_executor *executor); /* then `ready`, at once or when the last tail is there */
void adopt_tail_ended(struct kube_executor *executor);

/* follow.c: the output of a run's containers. */
void follow_pod(struct pod *pod, const struct kube_object *object, bool over);
void follow_finish(struct pod *pod); /* nothing more will be written */
bool follow_open(const struct pod *pod);
void follow_free(struct pod *pod);

#endif
