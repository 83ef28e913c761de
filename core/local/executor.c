#include "local/executor.h"

#include "base/file.h"
#include "local/adopt.h"
#include "local/follow.h"
#include "local/launch.h"
#include "local/nursery.h"
#include "local/rows.h"
#include "local/start.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct local *local_of(struct executor *executor) {
    return (struct local *)executor;
}

static struct run *find(struct executor *executor, void *owner, struct err *err) {
    struct run *run = local_run_by_owner(local_of(executor), owner);
    if (!run)
        (void)err_set(err, ERR_NOTFOUND, "there is no such run");
    return run;
}

static int open_executor(struct executor *executor, const struct executor_events *events, void *ctx,
                         struct err *err) {
    struct local *local = local_of(executor);
    if (local->opened)
        return err_set(err, ERR_EXISTS, "the executor is open already");
    local->opened = true;
    local->events = events;
    local->ctx = ctx;
    return local_adopt_all(local, err);
}

static int start(struct executor *executor, const struct run_spec *spec, void *owner, struct err *err) {
    return local_start_run(local_of(executor), spec, owner, err);
}

static int stop(struct executor *executor, void *owner, enum outcome as, const char *reason,
                struct err *err) {
    struct run *run = find(executor, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    if (run->state >= RUN_FINISHED)
        return err_set(err, ERR_INVALID, "run %s is finished already", run->name);
    if (run->stopping)
        return 0; /* the first reason counts */
    run->stopping = true;
    run->stop_as = as;
    (void)snprintf(run->stop_reason, sizeof run->stop_reason, "%s", reason);
    if (run->state == RUN_RUNNING)
        local_follow_stop(run);
    return 0; /* one that is not running yet looks at `stopping` before it would */
}

static int check_finished(const struct run *run, struct err *err) {
    return run->state == RUN_FINISHED ? 0 : err_set(err, ERR_INVALID, "run %s is not finished", run->name);
}

static void tell_reported(struct run *run, const struct err *err) {
    (void)err;
    run->reported = true;
    local_run_deactivate(run);
    RUN_TELL(run, reported);
}

static int report(struct executor *executor, void *owner, struct err *err) {
    struct run *run = find(executor, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    int rc = check_finished(run, err);
    if (!rc)
        row_write(run, ROW_REPORTED, tell_reported);
    return rc;
}

/* Discarding: the directory first, so that none is ever without a row. */

struct removal {
    uv_work_t work;
    struct run *run;
    char *dir;
};

/* The owner may be new memory's address as soon as it hears this, so the run leaves before. */
static void tell_gone(struct run *run, const struct err *err) {
    (void)err;
    struct local *local = run->local;
    void *owner = run->owner;
    local_run_leave(run);
    if (owner)
        local->events->gone(local->ctx, owner);
}

static void remove_work(uv_work_t *work) {
    local_launch_remove(((struct removal *)work)->dir);
}

static void remove_done(uv_work_t *work, int status) {
    (void)status;
    struct removal *removal = (struct removal *)work;
    if (!removal->run->local->freed)
        row_write(removal->run, ROW_DELETE, tell_gone);
    local_run_unref(removal->run);
    free(removal->dir);
    free(removal);
}

static int remove_dir(struct run *run, struct err *err) {
    struct removal *removal = calloc(1, sizeof *removal);
    if (!removal || !(removal->dir = local_run_dir(run))) {
        free(removal);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    removal->run = run;
    local_run_ref(run);
    return uv_queue_work(loop_uv(run->local->loop), &removal->work, remove_work, remove_done); /* always 0 */
}

static int discard(struct executor *executor, void *owner, struct err *err) {
    struct run *run = find(executor, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    int rc = check_finished(run, err);
    if (!rc && run->has_row)
        rc = remove_dir(run, err);
    else if (!rc) /* refused: a directory of that name is another's */
        row_write(run, ROW_DELETE, tell_gone);
    if (!rc)
        run->state = RUN_DISCARDED;
    return rc;
}

/* Ending. */

/* Visits a run twice or thrice, as twalk does; that is harmless. */
static void drop_unsent(const void *node, VISIT visit, void *ctx) {
    (void)visit, (void)ctx;
    struct run *run = *(struct run *const *)node;
    if (run->state == RUN_INTENT || (run->state == RUN_WAITING && !run->has_row))
        run->dropped = true; /* and leaves when the store has answered, or the ticker comes */
}

static void fence(struct executor *executor) {
    struct local *local = local_of(executor);
    local->fenced = true;
    twalk_r(local->by_owner, drop_unsent, NULL);
}

static void leave_alone(struct run *run) {
    if (run->state == RUN_RUNNING && run->delivered != run->saved)
        row_save_delivered(run);
    local_follow_release(run);
    local_run_leave(run);
}

static void free_executor(struct executor *executor) {
    struct local *local = local_of(executor);
    fence(executor);
    while (local->by_owner)
        leave_alone(
            *(struct run **)local->by_owner); /* a tree is a pointer to its root, which points to the run */
    while (local->by_name)
        leave_alone(*(struct run **)local->by_name);
    local->freed = true;
    timer_free(local->ticker);
    local_unref(local);
}

static const struct executor_ops local_ops = {.name = "local",
                                              .open = open_executor,
                                              .start = start,
                                              .stop = stop,
                                              .report = report,
                                              .discard = discard,
                                              .fence = fence,
                                              .free = free_executor};

static int make_runs_dir(struct local *local, const char *state_dir, struct err *err) {
    struct buf path = {0};
    if (buf_printf(&path, "%s/runs", state_dir) || !(local->runs_dir = buf_take(&path))) {
        buf_free(&path);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (dir_make(local->runs_dir, err)) {
        (void)err_prefix(
            err, "state directory %s cannot be used; give the daemon one that it may write, --state-dir",
            state_dir);
        return ERR_IO;
    }
    return 0;
}

static int prepare(struct local *local, const struct local_executor_config *config, struct err *err) {
    const char *working_dir = config->working_dir ? config->working_dir : "/";
    if (!(local->working_dir = strdup(working_dir)))
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = nursery_new(config->program, &local->nursery, err);
    if (!rc)
        rc = make_runs_dir(local, config->state_dir, err);
    if (!rc)
        rc = rows_open(local, err);
    if (!rc)
        rc = timer_new(config->loop, local_follow_tick, local, &local->ticker, err);
    return rc;
}

int local_executor_new(const struct local_executor_config *config, struct executor **out, struct err *err) {
    struct local *local = calloc(1, sizeof *local);
    if (!local)
        return err_set(err, ERR_NOMEM, "out of memory");
    *local = (struct local){.executor.ops = &local_ops,
                            .loop = config->loop,
                            .log = config->log,
                            .store = config->store,
                            .refs = 1};
    TAILQ_INIT(&local->active);
    int rc = prepare(local, config, err);
    if (rc)
        local_unref(local);
    else
        *out = &local->executor;
    return rc;
}
