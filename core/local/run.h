/* Inside this folder: the executor and its runs. Thread: the loop's, but for what says otherwise. */
#ifndef KS_LOCAL_RUN_H
#define KS_LOCAL_RUN_H

#include "base/buf.h"
#include "local/command.h"
#include "local/executor.h"

#include <sys/queue.h>
#include <sys/types.h>

/* Output is polled rather than watched: inotify has a small limit of watches for each user, so polling would
 * have to be there anyway; a look costs one pread of nothing (1 us); a task that prints without end costs one
 * read a tick and not one a line. The end of a run is noticed at once, by its pidfd. */
#define TICK_NS (100 * NS_PER_MS)

enum run_state {
    RUN_INTENT,    /* its row is on its way to the disk */
    RUN_WAITING,   /* not started because of trouble that passes; again at not_before */
    RUN_LAUNCHING, /* a worker starts its supervisor */
    RUN_RUNNING,   /* the supervisor lives */
    RUN_ENDED,     /* the supervisor is gone; the rest of the output is read */
    RUN_SETTLING,  /* its outcome is on its way to the disk */
    RUN_FINISHED,
    RUN_DISCARDED /* its traces are being removed */
};

struct watch; /* of the supervisor's end: follow.c */
struct run;

enum row_write {
    ROW_STOP,    /* stop_as and stop_reason */
    ROW_OUTCOME, /* result, and how much of the output was delivered */
    ROW_REPORTED,
    ROW_DELETE,
    ROW_NOTHING, /* only to be called back */
    ROW_WRITES   /* how many there are */
};
/* err NULL: it is durable. */
typedef void (*row_cb)(struct run *run, const struct err *err);

struct local {
    struct executor executor; /* first */
    struct loop *loop;
    struct log *log;
    struct store *store;
    char *runs_dir, *working_dir;
    struct nursery *nursery;
    const struct executor_events *events;
    void *ctx;
    bool opened, surveyed, ready, fenced;
    bool freed;               /* the owner is gone: no event, no store; memory goes with the last run */
    size_t refs;              /* runs, and what is on its way without one */
    size_t unready;           /* runs found ended at open and not told yet: ready waits for them */
    void *by_name, *by_owner; /* trees of struct run: tsearch(3) */
    void *told;               /* tree of job names whose ignored fields were logged */
    TAILQ_HEAD(, run) active; /* who needs the ticker */
    size_t active_count;
    struct timer *ticker;
    bool hurried;
};

struct run {
    struct local *local;
    size_t refs;           /* the trees hold one, everything on its way another */
    TAILQ_ENTRY(run) link; /* among the active */
    bool is_active;
    void *owner; /* NULL: left alone */
    char *namespace_, *name, *job, *container;
    bool is_job;
    int64_t slot;
    int attempt;
    enum trigger trigger;
    enum run_state state;
    bool has_row, dropped; /* dropped: fenced before its intent was durable */
    bool found;            /* local->unready counts it */
    bool started_told, reported;
    int64_t start_deadline; /* unix seconds */
    int64_t not_before;     /* monotonic ns */
    struct command command; /* what to start */
    int pidfd, output;      /* -1: none */
    struct watch *watch;
    struct buf unread;       /* output that is read and not delivered: the beginning of a line */
    int64_t delivered;       /* bytes of output that became lines */
    int64_t saved;           /* what the row has of that */
    int64_t save_at;         /* monotonic ns */
    row_cb owed[ROW_WRITES]; /* writes that failed and are tried again at write_at, monotonic ns */
    int64_t write_at;
    bool write_failed; /* logged */
    bool stopping;
    enum outcome stop_as;
    char stop_reason[sizeof((struct result *)0)->reason];
    struct result result; /* result.started also while it runs */
};

struct run *local_run_new(struct local *local, const char *namespace_, const char *name, const char *job);
void local_run_ref(struct run *run);
void local_run_unref(struct run *run);
int local_run_enter(struct run *run);            /* into by_name; ERR_NOMEM */
int local_run_own(struct run *run, void *owner); /* into by_owner; ERR_NOMEM, ERR_EXISTS */
void local_run_leave(struct run *run);           /* out of the trees, which may free it */
struct run *local_run_by_name(struct local *local, const char *namespace_, const char *name);
struct run *local_run_by_owner(struct local *local, void *owner);

/* The ticker looks at active runs, every TICK_NS and when it is hurried. */
void local_run_activate(struct run *run);
void local_run_deactivate(struct run *run);
void local_hurry(struct local *local); /* on the loop's next turn */

void local_unref(struct local *local);

/* An event, unless the owner is gone or never was: RUN_TELL(run, started, when). */
#define RUN_TELL(run, event, ...)                                                                            \
    do {                                                                                                     \
        if (!(run)->local->freed && (run)->owner)                                                            \
            (run)->local->events->event((run)->local->ctx, (run)->owner, ##__VA_ARGS__);                     \
    } while (0)

/* Its directory's name, to be freed; NULL when out of memory. */
char *local_run_dir(const struct run *run);

#endif
