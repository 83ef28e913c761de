/* The job registry: which jobs there are, when each is due, which runs are active, what has been decided.
 * A slot is a job's scheduled instant; a run is one execution of a slot, or one that somebody asked for.
 * Mechanism only: for each due slot it asks its owner (event `slot`), who answers registry_start, _skip,
 * _wait or _replace.
 *
 * It keeps no timer: whoever owns it calls registry_step at registry_next_wake, and after the clock was
 * stepped. Times are unix seconds UTC, durations seconds, unless a name says otherwise. Events come on the
 * loop's thread and may call back into the registry. Strings given are copied. */
#ifndef KS_REGISTRY_REGISTRY_H
#define KS_REGISTRY_REGISTRY_H

#include "cron/cron.h"
#include "loop/clock.h"
#include "registry/executor.h"
#include "registry/heap.h"
#include "registry/name.h"
#include "registry/tail.h"

#include <sys/queue.h>

enum {
    REGISTRY_PUNCTUAL = 10,       /* a slot found later than this many seconds is a catch-up */
    REGISTRY_CATCH_UP_MAX = 1000, /* most slots that catch_up: all starts at once */
    REGISTRY_MISSED_MAX = 1000,   /* missed slots are counted up to here */
    REGISTRY_OPEN_MAX = 500,      /* entries of the open list */
    REGISTRY_OPEN_BYTES = 65536,  /* about so many bytes of it, as JSON */
    REGISTRY_OPEN_AGE = 2,        /* seconds that an undecided slot may hold the watermark back */
    REGISTRY_REASON_MAX = 127     /* bytes of why a run is skipped or waits */
};

enum catch_up { CATCH_UP_NONE, CATCH_UP_LATEST, CATCH_UP_ALL };

/* Attempt n + 1 starts delay * backoff^n seconds, at most max_delay, after attempt n ended in one of `on`. */
struct retry_rule {
    int max; /* attempts after the first */
    int64_t delay, max_delay;
    double backoff;
    unsigned on; /* bits 1 << enum outcome */
};

enum after_on { AFTER_SUCCESS, AFTER_FAILURE, AFTER_ANY };
struct upstream_rule {
    const char *job;
    enum after_on on;
};

struct job_spec {
    const char *name, *namespace_;
    struct cron_schedule *const *schedules; /* borrowed: they outlive the job */
    size_t schedule_count;
    int64_t baseline; /* no slot at or before it is ever run */
    enum catch_up catch_up;
    size_t catch_up_max; /* for CATCH_UP_ALL */
    int64_t deadline;    /* how late a slot may start */
    int64_t jitter;      /* at most so many seconds are put before a slot's start: a function of the slot */
    size_t keep_succeeded, keep_failed;
    int64_t pending_timeout;
    int64_t timeout;            /* from started on; 0: none */
    const char *main_container; /* NULL: as the executor thinks */
    struct retry_rule retry;
    size_t max_active; /* runs at once; 0: any number */
    const char *limit; /* NULL, or one that registry_limit made */
    int priority;      /* higher goes first among what waits and what is due in one second */
    bool release_lost; /* a run whose node is gone does not count any more, though its Pod may still be there
                        */
    const struct upstream_rule *after;
    size_t after_count;
};

enum run_state {
    RUN_DECIDING,  /* the owner was asked */
    RUN_SUBMITTED, /* handed to the executor; whether it exists is not known */
    RUN_ACCEPTED,  /* exists */
    RUN_STARTED,
    RUN_WAITING,  /* to be asked for again; stands in the open list */
    RUN_FINISHED, /* result holds; waits for registry_report, then for its deletion */
    RUN_SKIPPED   /* will never exist; waits for registry_report */
};

/* struct result as it is kept, for there may be many runs. */
struct run_result {
    enum outcome outcome;
    int exit_code;
    int64_t started, finished;
    bool removed;
    char *reason, *message; /* NULL: none, or no memory for it */
};

struct run { /* read-only outside this folder */
    uint64_t id;
    struct job *job;
    name_text name;
    name_origin origin; /* "" for a slot of the schedule, and for its retries */
    int64_t slot;
    int attempt;
    enum trigger trigger;
    enum run_state state;
    bool has_object : 1; /* exists, or existed, in the executor */
    bool reported : 1;   /* its outcome was told, durably */
    bool decided : 1;    /* the watermark may pass it */
    bool excess : 1;     /* finished, and beyond the history to keep */
    bool discarding : 1;
    bool reserved : 1;      /* it has its place in the open list */
    bool untold : 1;        /* finished before registry_begin: told then */
    bool replaced : 1;      /* stopped for a newer slot */
    bool replaces : 1;      /* waits for those that it stopped */
    bool recovered : 1;     /* succeeded, after the job's last run did not */
    bool report_wanted : 1; /* once its retry is durable */
    bool begun_untold : 1;  /* event begun is due */
    int64_t planned; /* when it was to be asked for first: the slot and its jitter; the watermark's measure */
    int64_t due;     /* from when its deadline counts: as planned, or when it may go on */
    int64_t not_before;  /* RUN_WAITING: not asked before; 0: asked when it may go on */
    int64_t lateness_ns; /* due to event `slot`, or to its start when it was decided ahead */
    int64_t asked_at;    /* monotonic ns of the same */
    int64_t retain_from; /* monotonic ns since when the retention rule counts; 0: not yet */
    uint64_t asked_change, decided_at, listed_at; /* of registry->change, and of watermarks given out */
    uint64_t retry;                               /* the attempt after this one; 0: none */
    int64_t retry_at;
    size_t open_bytes;
    size_t missed;       /* RUN_SKIPPED for being missed: how many slots this stands for, up to … */
    int64_t missed_from; /* … this one, the first; `slot` is the last */
    char *reason;        /* why skipped; why it waits or waited, NULL when it never did */
    char *data;          /* the owner's own, kept while it waits and for retries; NULL: none */
    char *node;          /* of the cluster, where it runs or ran; NULL: not known */
    struct run_result result;
    struct tail *tail;
    struct heap_item timer;
    struct run *previous, *next_;           /* the job's runs, newest slot first */
    struct run *undecided_prev, *undecided; /* the registry's undecided runs */
    TAILQ_ENTRY(run) waiting;
};

struct registry_events {
    void (*ready)(void *ctx); /* the executor has adopted what there was: call registry_begin */
    void (*slot)(void *ctx, const struct run *run);
    /* A slot that is about to come: see registry_look_ahead. NULL: slots are not decided ahead. */
    void (*ahead)(void *ctx, const struct run *run);
    void (*begun)(void *ctx, const struct run *run); /* was started as prepared; before others about it */
    /* By the registry itself: missed, not started by its deadline, replaced, or restored. */
    void (*skipped)(void *ctx, const struct run *run);
    void (*delayed)(void *ctx, const struct run *run, const char *why);
    void (*started)(void *ctx, const struct run *run);
    void (*line)(void *ctx, const struct run *run, const char *container, const char *line, size_t len);
    /* Finished; run->retry says whether there will be another attempt. Tell whom it concerns, then call
     * registry_report. */
    void (*outcome)(void *ctx, const struct run *run);
    void (*trouble)(void *ctx, const char *namespace_, const char *why); /* as in struct executor_events */
};

struct registry_config {
    const char *instance;
    const struct clock *clock;
    struct executor *executor; /* outlives the registry */
    int64_t retention;         /* seconds; DESIGN's rule needs 120 */
    size_t max_active;         /* runs at once, of all jobs; 0: any number */
    const struct registry_events *events;
    void *ctx;
};

struct registry;

int registry_new(const struct registry_config *config, struct registry **out, struct err *err);
void registry_free(struct registry *registry); /* running work is left alone */

/* A limit that jobs may share: at most max runs at once. Makes or changes it. */
int registry_limit(struct registry *registry, const char *name, size_t max, struct err *err);
void registry_max_active(struct registry *registry, size_t max); /* of all jobs; 0: any number */

/* Opens the executor: earlier runs are adopted, then event ready. Jobs added before are known by then. */
int registry_open(struct registry *registry, struct err *err);

/* What stands beside the watermark: a slot that is not decided, or that owes something. */
struct open_entry {
    const char *job, *origin;
    int64_t slot;
    int attempt;
    enum trigger trigger;
    enum { OPEN_UNDECIDED, OPEN_WAITING, OPEN_SKIPPED, OPEN_EXISTS } state;
    int64_t not_before; /* of OPEN_WAITING; from then on its deadline counts; 0: from its slot on */
    const char *reason; /* why it waits; why it was skipped: that was not told yet */
    const char *data;   /* NULL: none. OPEN_EXISTS is there to keep it for a retry */
    size_t missed;
    int64_t missed_from;
};

/* Decides slots from the watermark on: every slot up to it was decided. 0: there was none, begin now. */
int registry_begin(struct registry *registry, int64_t watermark, const struct open_entry *open, size_t count,
                   struct err *err);

int registry_add(struct registry *registry, const struct job_spec *spec, struct err *err); /* ERR_EXISTS */
/* What is due is asked for first, for a new version of the job may count from now. Then the job has no
 * further slots; its active runs go on. ERR_NOTFOUND. */
int registry_remove(struct registry *registry, const char *name);

void registry_step(struct registry *registry);
int64_t registry_next_wake(const struct registry *registry); /* CRON_NEVER: nothing to wait for */
/* While held, no slot is decided and none is lost: they are caught up by each job's rule. */
void registry_hold(struct registry *registry, bool held);
void registry_stop(struct registry *registry); /* for good: no new runs; the executor is fenced */

/* Deciding ahead. A moment before a slot, while there is leisure, its owner is asked for it (event `ahead`)
 * when nothing but the owner's own rules can bear on it: nothing of the job is active or waits, it comes
 * after no other job, and no limit concerns it. The run has no id yet. The owner answers with
 * registry_prepare from inside the event when the slot will run and when nothing that it rests on passes with
 * time; otherwise not at all, and it must not act on the slot. At its time a prepared slot is
 *   - started at once, before others are asked for, as by registry_start, and event `begun` comes when there
 *     is news of it; or
 *   - asked for like any other (event `slot`): when the owner recalled its answers, slots were held, limits
 * or the clock were set, the job was taken out, or a run of the job is there or has succeeded since. An
 * answer is memory only: until its time the slot is not decided, and whatever ends the daemon leaves it so.
 *
 * registry_look_ahead asks for a few ms; it gives the ns after which it wants
 * to be called again, INT64_MAX when only a change can give it something to do. */
int64_t registry_look_ahead(struct registry *registry);
int registry_prepare(struct registry *registry, const char *manifest, size_t len, bool is_job,
                     struct err *err);
void registry_recall(struct registry *registry); /* no answer given so far holds any more */

/* A run that somebody asks for, now or (backfill) for a past instant: event slot with TRIGGER_MANUAL or
 * TRIGGER_BACKFILL. The same id (and slot) is the same run: ERR_EXISTS. data may be NULL. ERR_LIMIT: too many
 * wait already. */
int registry_trigger(struct registry *registry, const char *job, const char *request, const char *data,
                     struct err *err);
int registry_backfill(struct registry *registry, const char *job, const char *id, int64_t slot,
                      const char *data, struct err *err);

/* Answers to event slot. */
int registry_start(struct registry *registry, uint64_t run, const char *manifest, size_t len, bool is_job,
                   struct err *err);
int registry_skip(struct registry *registry, uint64_t run, const char *reason, struct err *err);
/* Asks again at not_before; or, when that is 0 or past, once there is room, what the job comes `after` is
 * over and something has changed. At its deadline, counted from not_before if that is later than its slot, it
 * is skipped. data replaces the run's unless it is NULL. ERR_LIMIT: the open list is full. */
int registry_wait(struct registry *registry, uint64_t run, const char *why, int64_t not_before,
                  const char *data, struct err *err);
/* Stops the job's other runs, skips those that wait, and waits until they are gone. */
int registry_replace(struct registry *registry, uint64_t run, struct err *err);
/* The outcome, or the skip, has been told to whom it concerns. The outcome of an attempt that is tried again
 * is marked as told only once its retry exists or stands in a durable open list. */
int registry_report(struct registry *registry, uint64_t run, struct err *err);

/* The watermark to be made durable, with the open list in event order. It never decreases. */
int64_t registry_watermark(struct registry *registry, void (*each)(void *ctx, const struct run *run),
                           void *ctx);
/* The same for whoever only wants to know: what was given out last, as far as it is still open. Nothing that
 * an acknowledgement could be taken for. */
int64_t registry_peek(const struct registry *registry, void (*each)(void *ctx, const struct run *run),
                      void *ctx);
/* The run as it stands in the open list; its strings live as long as the run. */
struct open_entry registry_open_entry(const struct run *run);
/* The last watermark and list given out are durable: finished objects that nobody needs any more are
 * deleted. */
void registry_acknowledge(struct registry *registry, int64_t watermark);

const struct run *registry_run(const struct registry *registry, uint64_t id); /* NULL: no such run any more */

struct job_view {
    const char *name, *namespace_;
    int64_t next; /* its slot, without jitter; CRON_NEVER: none */
    size_t active, waiting;
};
int registry_job(const struct registry *registry, const char *name, struct job_view *out); /* ERR_NOTFOUND */
void registry_each_job(const struct registry *registry, void (*each)(void *ctx, const struct job_view *job),
                       void *ctx);
void registry_each_run(const struct registry *registry, void (*each)(void *ctx, const struct run *run),
                       void *ctx);
/* The same of one job; none when there is no such job. */
void registry_each_run_of(const struct registry *registry, const char *job,
                          void (*each)(void *ctx, const struct run *run), void *ctx);
/* Runs that are under way or wait, in slices, so that the loop can turn between them: looks at so many places
 * from `from` on (0: the first) and gives the place to go on at, 0: that was the last. What comes or goes
 * between two slices may be met or not. */
size_t registry_each_open_run(const struct registry *registry, size_t from, size_t places,
                              void (*each)(void *ctx, const struct run *run), void *ctx);
const struct run *registry_run_named(const struct registry *registry, const char *name); /* NULL */
/* How many runs are in each state. */
void registry_count_runs(const struct registry *registry, size_t counts[RUN_SKIPPED + 1]);
const char *run_job_name(const struct run *run);
const char *run_namespace(const struct run *run);
int64_t run_last_success(const struct run *run); /* slot of the job's newest good run; 0: none is known */
/* The job's other runs that keep it from running again: not finished, between two attempts, or lost with
 * their node and perhaps still there. */
size_t run_active_beside(const struct run *run);
size_t run_queued_beside(const struct run *run); /* the job's other runs that wait for room or an upstream */

enum room { ROOM_FREE, ROOM_JOB, ROOM_LIMIT, ROOM_TOTAL }; /* what is full */
enum room run_room(const struct run *run);

/* Of the run's upstreams the first that is not as its rule wants it, one that will never be before one that
 * still may. */
enum upstream_state {
    UPSTREAM_FINE,
    UPSTREAM_PENDING,
    UPSTREAM_NEVER_RAN, /* it still may */
    UPSTREAM_SUCCEEDED,
    UPSTREAM_FAILED,
    UPSTREAM_SKIPPED
};
enum upstream_state run_upstream(const struct run *run, const char **job);

#endif
