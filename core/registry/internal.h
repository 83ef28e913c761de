/* What the files of core/registry share, and nobody else includes. */
#ifndef KS_REGISTRY_INTERNAL_H
#define KS_REGISTRY_INTERNAL_H

#include "registry/heap.h"
#include "registry/ids.h"
#include "registry/registry.h"

struct job {
    char *name, *namespace_;
    struct cron_schedule *const *schedules; /* with count 0: the job is gone, its runs are not */
    size_t schedule_count;
    int64_t next; /* first slot that was not yet asked for */
    size_t heap_index;
    int64_t baseline, deadline, pending_timeout;
    enum catch_up catch_up;
    size_t catch_up_max, keep_succeeded, keep_failed;
    char *main_container;
    size_t active;    /* runs deciding, submitted, accepted or started */
    struct run *runs; /* newest slot first */
};

struct registry {
    char *instance;
    const struct clock *clock;
    struct executor *executor;
    int64_t retention_ns;
    const struct registry_events *events;
    void *ctx;
    void *jobs; /* a tree (search.h) of struct job by name */
    struct heap heap;
    struct ids runs;
    struct run *undecided, *undecided_last; /* oldest first */
    int64_t scanned;                        /* every slot up to here was asked for */
    int64_t watermark;                      /* the highest that was ever given out */
    int64_t acknowledged;                   /* durable up to here */
    bool begun, held, stopped;
};

/* job.c */
struct job *job_find(const struct registry *registry, const char *name);
/* The job, or a ghost for a name that is not in the schedule (any more). NULL: out of memory. */
struct job *job_or_ghost(struct registry *registry, const char *name, const char *namespace_);
void job_release_if_unused(struct registry *registry, struct job *job);
void jobs_free(struct registry *registry);

/* run.c */
struct run *run_new(struct registry *registry, struct job *job, int64_t slot, enum trigger trigger);
struct run *run_for_slot(const struct job *job, int64_t slot); /* of any attempt; NULL */
void run_set_state(struct run *run, enum run_state state);     /* keeps job->active right */
void run_undecided(struct registry *registry, struct run *run);
void run_decided(struct registry *registry, struct run *run);
void run_free(struct registry *registry, struct run *run);
bool run_is_active(const struct run *run);
extern const struct executor_events run_executor_events;

/* slot.c */
void slot_ask(struct registry *registry, struct job *job, int64_t slot, enum trigger trigger);
/* A run that stands for slots that will not run, until that has been told. missed 0: one slot, skipped. */
void slot_given_up(struct registry *registry, struct job *job, int64_t from, int64_t to, size_t missed,
                   const char *reason);

/* retention.c */
void retention_mark(struct job *job); /* which finished runs are beyond the history to keep */

#endif
