/* Inside this folder: the executor and its runs. Every step of a run is one request whose answer leads to the
 * next; whatever is in doubt is found out by a look at the container (steps.c). Thread: the loop's. */
#ifndef KS_DOCKER_RUN_H
#define KS_DOCKER_RUN_H

#include "base/buf.h"
#include "docker/executor.h"
#include "document/document.h"
#include "loop/fetch.h"

#include <sys/queue.h>

#define RETRY_NS NS_PER_S              /* until the engine is asked again after trouble */
#define OUTPUT_WAIT_NS (10 * NS_PER_S) /* for the rest of the output when the container is over */
enum { NAMES_MAX = 256 };

struct docker {
    struct executor executor; /* first */
    struct loop *loop;
    struct log *log;
    struct store *store;
    struct fetch_pool *pool;
    char *runs_dir, *socket, *instance;
    const struct executor_events *events;
    void *ctx;
    struct timer *again; /* of the survey */
    uint64_t last_id;
    bool fenced, ready, troubled;
    bool freed;     /* memory goes with the last write that is under way */
    size_t writes;  /* to the store, under way */
    size_t unready; /* runs found at open whose state is not told yet: ready waits for them */
    TAILQ_HEAD(, run) runs;
};

struct run;
typedef void (*run_step)(struct run *run);
typedef void (*answer_cb)(void *run, const struct fetch_result *result);

struct run {
    TAILQ_ENTRY(run) link;
    struct docker *docker;
    uint64_t id; /* never used again */
    void *owner;
    char *namespace_, *name, *job, *container, *image;
    char *body; /* what to create; NULL: it is created */
    size_t body_len;
    bool is_job;
    int64_t slot;
    int attempt;
    enum trigger trigger;
    int64_t start_deadline, pending_timeout;
    int64_t deadline; /* seconds from its start; 0: none */
    bool pull_always, pull_never;
    bool pulled, found, is_adopted; /* found: by the survey, and not told yet */
    bool accepted, started, over, ended, reported;
    struct fetch *call, *stop_call, *output;
    run_step again; /* what the timer does */
    struct timer *timer, *deadline_timer;
    bool stopping, stop_sent;
    enum outcome stop_as;
    char stop_reason[sizeof((struct result *)0)->reason];
    struct result result;
    char trouble[512];        /* the last create's */
    struct buf frames, lines; /* output that is not cut yet */
    size_t skip;              /* bytes of the stream that were told earlier */
    size_t told;              /* bytes of output, all told */
    int file;                 /* the output's copy; -1: none */
};

int docker_run_new(struct docker *docker, const char *namespace_, const char *name, const char *job,
                   struct run **out);  /* ERR_NOMEM; entered */
void docker_run_free(struct run *run); /* what is under way is cancelled */
struct run *docker_run_of(struct docker *docker, const void *owner);
void docker_run_log(const struct run *run, enum log_level level, const char *message, const char *why);
void docker_run_after(struct run *run, int64_t delay, run_step step); /* ns */
char *docker_run_dir(const struct run *run);                          /* to be freed; NULL: out of memory */
/* The label of a run's container, of a create's body or of an inspection's Config; NULL: none. */
const char *docker_run_label(const struct doc_node *config, const char *name);
void docker_run_read_labels(struct run *run, const struct doc_node *config);

/* engine.c: one request; `again` is done a second later when none could be made. path is below http://engine;
 * data NULL: the answer is collected. ERR_…: logged, no answer comes. */
int engine_call(struct docker *docker, const char *method, const char *path, const struct fetch_request *more,
                struct fetch **out);
void docker_run_call(struct run *run, struct fetch **slot, const char *method, const char *path,
                     answer_cb done, run_step again);
/* What the engine says in an answer that is no success, or what went wrong on the way. */
void engine_complaint(const struct fetch_result *result, char out[512]);

/* steps.c */
void step_create(struct run *run);
void step_look(struct run *run);
void step_stop(struct run *run);
void step_discard(struct run *run);
void step_settle(struct run *run); /* it is over: judged with its output complete */

/* output.c */
void output_follow(struct run *run);
void output_end(struct run *run); /* closes the file and says beside it that the run is over */
void output_remove(const struct run *run);

/* notes.c: what the store keeps. cb: it is durable; tried every second until then. */
int notes_open(struct docker *docker, struct err *err);
int notes_load(struct docker *docker, store_cb cb, struct err *err);
void notes_stop(struct run *run, run_step cb);
void notes_reported(struct run *run, run_step cb);
void notes_delete(struct run *run, run_step cb, run_step again);

/* survey.c */
void survey_begin(void *docker);
void survey_told(struct run *run); /* a found one */

#define RUN_TELL(run, event, ...)                                                                            \
    do {                                                                                                     \
        if ((run)->owner)                                                                                    \
            (run)->docker->events->event((run)->docker->ctx, (run)->owner, ##__VA_ARGS__);                   \
    } while (0)

#endif
