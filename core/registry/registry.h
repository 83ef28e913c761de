/* The job registry: which jobs there are, when each is due, which runs are active, what has been decided.
 * A slot is a job's scheduled instant; a run is one execution of a slot, or a manual one. Mechanism only: for
 * each due slot it asks its owner (event `slot`), who answers registry_start or registry_skip.
 *
 * It keeps no timer: whoever owns it calls registry_step at registry_next_wake, and after the clock was
 * stepped. Times are unix seconds UTC, durations seconds, unless a name says otherwise. Events come on the
 * loop's thread and may call back into the registry. Strings given are copied. */
#ifndef KS_REGISTRY_REGISTRY_H
#define KS_REGISTRY_REGISTRY_H

#include "cron/cron.h"
#include "loop/clock.h"
#include "registry/executor.h"
#include "registry/name.h"
#include "registry/tail.h"

enum {
    REGISTRY_PUNCTUAL = 10,       /* a slot found later than this many seconds is a catch-up */
    REGISTRY_CATCH_UP_MAX = 1000, /* most slots that catch_up: all starts at once */
    REGISTRY_MISSED_MAX = 1000,   /* missed slots are counted up to here */
    REGISTRY_OPEN_MAX = 500,      /* entries of the open list */
    REGISTRY_OPEN_AGE = 2         /* seconds that an undecided slot may hold the watermark back */
};

enum catch_up { CATCH_UP_NONE, CATCH_UP_LATEST, CATCH_UP_ALL };

struct job_spec {
    const char *name, *namespace_;
    struct cron_schedule *const *schedules; /* borrowed: they outlive the job */
    size_t schedule_count;
    int64_t baseline; /* no slot at or before it is ever run */
    enum catch_up catch_up;
    size_t catch_up_max; /* for CATCH_UP_ALL */
    int64_t deadline;    /* how late a slot may start */
    size_t keep_succeeded, keep_failed;
    int64_t pending_timeout;
    const char *main_container; /* NULL: as the executor thinks */
};

enum run_state {
    RUN_DECIDING,  /* the owner was asked */
    RUN_SUBMITTED, /* handed to the executor; whether it exists is not known */
    RUN_ACCEPTED,  /* exists */
    RUN_STARTED,
    RUN_FINISHED, /* result holds; waits for registry_report, then for its deletion */
    RUN_SKIPPED   /* will never exist; waits for registry_report */
};

struct run { /* read-only outside this folder */
    uint64_t id;
    struct job *job;
    name_text name;
    int64_t slot;
    int attempt;
    enum trigger trigger;
    enum run_state state;
    bool has_object; /* exists, or existed, in the executor */
    bool reported;   /* its outcome was told, durably */
    bool decided;    /* the watermark may pass its slot */
    bool excess;     /* finished, and beyond the history to keep */
    bool discarding;
    int64_t lateness_ns; /* slot to event `slot` */
    int64_t asked_at;    /* monotonic ns of event `slot` */
    int64_t retain_from; /* monotonic ns since when the retention rule counts; 0: not yet */
    size_t missed;       /* RUN_SKIPPED for being missed: how many slots this stands for, up to … */
    int64_t missed_from; /* … this one, the first; `slot` is the last */
    char reason[128];    /* why skipped */
    struct result result;
    struct tail *tail;
    struct run *previous, *next_;           /* the job's runs, newest slot first */
    struct run *undecided_prev, *undecided; /* the registry's undecided runs */
};

struct registry_events {
    void (*ready)(void *ctx); /* the executor has adopted what there was: call registry_begin */
    void (*slot)(void *ctx, const struct run *run);
    void (*skipped)(void *ctx, const struct run *run); /* by the registry itself: missed, or restored */
    void (*delayed)(void *ctx, const struct run *run, const char *why);
    void (*started)(void *ctx, const struct run *run);
    void (*line)(void *ctx, const struct run *run, const char *container, const char *line, size_t len);
    /* Finished. Tell whom it concerns, then call registry_report. */
    void (*outcome)(void *ctx, const struct run *run);
};

struct registry_config {
    const char *instance;
    const struct clock *clock;
    struct executor *executor; /* outlives the registry */
    int64_t retention;         /* seconds; DESIGN's rule needs 120 */
    const struct registry_events *events;
    void *ctx;
};

struct registry;

int registry_new(const struct registry_config *config, struct registry **out, struct err *err);
void registry_free(struct registry *registry); /* running work is left alone */

/* Opens the executor: earlier runs are adopted, then event ready. Jobs added before are known by then. */
int registry_open(struct registry *registry, struct err *err);

/* What an earlier daemon left undecided beside its watermark. */
struct open_entry {
    const char *job;
    int64_t slot;
    bool skipped; /* decided against; its alert was not delivered. Otherwise to be decided again */
    const char *reason;
    size_t missed;
    int64_t missed_from;
};

/* Decides slots from the watermark on: every slot up to it was decided. 0: there was none, begin now. */
int registry_begin(struct registry *registry, int64_t watermark, const struct open_entry *open, size_t count,
                   struct err *err);

int registry_add(struct registry *registry, const struct job_spec *spec, struct err *err); /* ERR_EXISTS */
/* The job has no further slots; its active runs go on. ERR_NOTFOUND. */
int registry_remove(struct registry *registry, const char *name);

void registry_step(struct registry *registry);
int64_t registry_next_wake(const struct registry *registry); /* CRON_NEVER: nothing to wait for */
/* While held, no slot is decided and none is lost: they are caught up by each job's rule. */
void registry_hold(struct registry *registry, bool held);
void registry_stop(struct registry *registry); /* for good: no new runs; the executor is fenced */

/* A manual run: event slot with TRIGGER_MANUAL. The same request id is the same run (ERR_EXISTS). */
int registry_trigger(struct registry *registry, const char *job, const char *request, struct err *err);

/* Answers to event slot. */
int registry_start(struct registry *registry, uint64_t run, const char *manifest, size_t len, bool is_job,
                   struct err *err);
int registry_skip(struct registry *registry, uint64_t run, const char *reason, struct err *err);
/* The outcome, or the skip, has been told to whom it concerns. */
int registry_report(struct registry *registry, uint64_t run, struct err *err);

/* The watermark to be made durable, with the open list in event order. It never decreases. */
int64_t registry_watermark(struct registry *registry, void (*each)(void *ctx, const struct run *run),
                           void *ctx);
/* The watermark is durable up to here: finished objects that nobody needs any more are deleted. */
void registry_acknowledge(struct registry *registry, int64_t watermark);

const struct run *registry_run(const struct registry *registry, uint64_t id); /* NULL: no such run any more */

struct job_view {
    const char *name, *namespace_;
    int64_t next; /* CRON_NEVER: none */
    size_t active;
};
int registry_job(const struct registry *registry, const char *name, struct job_view *out); /* ERR_NOTFOUND */
void registry_each_job(const struct registry *registry, void (*each)(void *ctx, const struct job_view *job),
                       void *ctx);
void registry_each_run(const struct registry *registry, void (*each)(void *ctx, const struct run *run),
                       void *ctx);
const char *run_job_name(const struct run *run);
const char *run_namespace(const struct run *run);
size_t run_active_beside(const struct run *run); /* the job's other runs that are not finished */

#endif
