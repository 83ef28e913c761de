/* What the files of core/registry share, and nobody else includes. */
#ifndef KS_REGISTRY_INTERNAL_H
#define KS_REGISTRY_INTERNAL_H

#include "base/map.h"
#include "registry/heap.h"
#include "registry/ids.h"
#include "registry/registry.h"

struct limit {
    struct limit *next;
    size_t max, active;
    char name[];
};

/* How a job's slot ended. */
struct ending {
    int64_t slot; /* 0: none is known */
    enum upstream_state state;
};

struct upstream {
    char *job;
    enum after_on on;
};

struct ahead;

struct job {
    struct registry *registry;
    char *name, *namespace_;
    struct cron_schedule *const *schedules; /* with count 0: the job is gone, its runs are not */
    size_t schedule_count;
    int64_t next; /* first slot that was not yet asked for */
    struct heap_item slot;
    int64_t looked_at;   /* its last slot that was asked for ahead of its time */
    int64_t begun;       /* its last slot that was started as it was prepared */
    struct ahead *ahead; /* that slot, when it is prepared */
    int64_t baseline, deadline, jitter, pending_timeout, timeout;
    uint64_t jitter_seed;
    enum catch_up catch_up;
    size_t catch_up_max, keep_succeeded, keep_failed, max_active;
    char *main_container;
    struct retry_rule retry;
    struct limit *limit;
    bool release_lost;
    struct upstream *after;
    size_t after_count;
    size_t active; /* runs deciding, submitted, accepted or started */
    size_t held;   /* the same, and those that keep others from running all the same */
    size_t queued; /* runs that wait, but not for a time */
    size_t waiting;
    struct run *runs;             /* newest slot first, of one slot the last attempt */
    struct ending last, last_run; /* the newest slot that is over, and that ran */
    int64_t last_success;
};

TAILQ_HEAD(run_queue, run);
TAILQ_HEAD(ahead_queue, ahead);

enum { AHEAD_AT_ONCE = 64 };

struct registry {
    char *instance;
    const struct clock *clock;
    struct executor *executor;
    int64_t retention_ns;
    const struct registry_events *events;
    void *ctx;
    void *jobs; /* a tree (search.h) of struct job by name */
    struct limit *limits;
    size_t job_count; /* in the schedule */
    size_t active, max_active;
    struct heap slots;  /* jobs by their next slot */
    struct heap timers; /* runs: when one that waits is asked for or given up, one that started times out */
    struct ids runs;
    struct run *undecided, *undecided_last; /* oldest first */
    struct run_queue waiting;               /* who goes first is first */
    uint64_t change;                        /* counts what runs that wait may have waited for */
    bool waking;
    size_t open_count, open_bytes;
    uint64_t marks, acknowledged_marks; /* watermarks given out; the last one that is durable */
    int64_t scanned;                    /* every slot planned up to here was asked for */
    int64_t watermark;                  /* the highest that was ever given out */
    int64_t acknowledged;               /* durable up to here */
    bool begun, held, stopped;
    struct ahead_queue prepared; /* as they come due */
    size_t prepared_count, prepared_bytes;
    uint64_t recalls;
    int64_t zero;                          /* unix ns at which the monotonic clock was 0 */
    struct run *asked_ahead;               /* whose owner is being asked */
    struct job *candidates[AHEAD_AT_ONCE]; /* to be asked for next */
};

/* Which run of a job: an origin, a slot, an attempt. */
struct run_key {
    const char *origin;
    int64_t slot;
    int attempt;
};

/* job.c */
struct job *job_find(const struct registry *registry, const char *name);
/* The job, or a ghost for a name that is not in the schedule (any more). NULL: out of memory. */
struct job *job_or_ghost(struct registry *registry, const char *name, const char *namespace_);
void job_release_if_unused(struct registry *registry, struct job *job);
void jobs_free(struct registry *registry);
static inline bool job_is_ghost(const struct job *job) {
    return job->schedule_count == 0;
}

/* limit.c */
struct limit *limit_find(const struct registry *registry, const char *name);
void limits_free(struct registry *registry);

/* run.c */
/* A run being decided, named, that nobody but the caller knows of; NULL: out of memory. */
struct run *run_make(struct registry *registry, struct job *job, const struct run_key *key,
                     enum trigger trigger);
int run_enter(struct registry *registry, struct run *run); /* into its job's list and what is counted */
/* Both. */
struct run *run_new(struct registry *registry, struct job *job, const struct run_key *key,
                    enum trigger trigger);
struct run *run_by_key(const struct job *job, const struct run_key *key);
struct run *run_for_slot(const struct job *job, int64_t slot); /* its last attempt; NULL */
void run_set_state(struct run *run, enum run_state state);     /* keeps the counts right */
void run_count(const struct run *run, int by); /* before and after what it counts for changes: -1, 1 */
void run_undecided(struct registry *registry, struct run *run);
void run_decided(struct registry *registry, struct run *run);
void run_set_reason(struct run *run, const char *reason);
void run_set_node(struct run *run, const char *node);
void run_set_result(struct run *run, const struct result *result);
int run_set_data(struct run *run, const char *data); /* NULL: keeps what there is */
void run_note_end(struct run *run);                  /* for upstreams and last_success */
void run_free(struct registry *registry, struct run *run);
void run_release(struct run *run); /* its memory only: the registry goes as a whole */
bool run_is_active(const struct run *run);
#define RUN_OF_TIMER(item) MAP_OWNER(item, struct run, timer)

/* registry.c */
bool registry_is_idle(const struct registry *registry); /* no slot is decided now */

/* decide.c */
#define REASON_REPLACED "Replaced" /* with OUTCOME_DELETED: stopped for a newer slot */
int run_get(const struct registry *registry, uint64_t id, struct run **out, struct err *err);
void run_ask(struct registry *registry, struct run *run);              /* event slot */
void run_note_asked(const struct registry *registry, struct run *run); /* when that was, and how late */
/* Event skipped. */
void run_give_up(struct registry *registry, struct run *run, const char *reason);

/* finish.c */
void run_finish(struct registry *registry, struct run *run, const struct result *result);
int finish_untold(struct registry *registry, struct err *err); /* what ended before registry_begin */
bool retry_is_durable(const struct registry *registry, const struct run *run);

/* events.c */
extern const struct executor_events run_executor_events;

/* slot.c */
void slots_ask(struct registry *registry, int64_t now);     /* event slot for all that are due */
void slot_plan(struct registry *registry, struct job *job); /* its first slot that was not asked for */
int64_t slot_planned(const struct job *job, int64_t slot);  /* with its jitter */
void slot_ask(struct registry *registry, struct job *job, int64_t slot, enum trigger trigger);
/* A run that stands for slots that will not run, until that has been told. missed 0: one slot, skipped. */
void slot_given_up(struct registry *registry, struct job *job, int64_t from, int64_t to, size_t missed,
                   const char *reason);

/* ahead.c */
void ahead_start_due(struct registry *registry, int64_t now);  /* all that are prepared and certain */
void ahead_tell(struct registry *registry, struct run *run);   /* event begun, when it is due */
void ahead_forget(struct registry *registry, struct job *job); /* the job is taken out */
void ahead_free(struct registry *registry);

/* waiting.c */
/* Its place in the open list is reserved. */
void waiting_add(struct registry *registry, struct run *run, const char *why, int64_t not_before);
void waiting_remove(struct registry *registry, struct run *run);
void waiting_wake(struct registry *registry); /* asks for those that may go on */
void waiting_timer(struct registry *registry, struct run *run);

/* open.c */
bool open_reserve(struct registry *registry, struct run *run, bool anyway);
void open_release(struct registry *registry, struct run *run);
void open_restore(struct registry *registry, const struct open_entry *entry);

/* retention.c */
void retention_mark(struct job *job); /* which finished runs are beyond the history to keep */

#endif
