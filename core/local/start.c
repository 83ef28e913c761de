#include "local/start.h"

#include "local/follow.h"
#include "local/judge.h"
#include "local/launch.h"
#include "local/rows.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_NS NS_PER_S

/* Names become directories. */
static bool is_name(const char *text) {
    return *text && *text != '.' && strlen(text) < 256 && !strchr(text, '/');
}

static int no_memory(struct err *err) {
    return err_set(err, ERR_NOMEM, "out of memory");
}

static struct run *run_of_spec(struct local *local, const struct run_spec *spec) {
    struct run *run = local_run_new(local, spec->namespace_, spec->name, spec->job);
    if (!run)
        return NULL;
    run->is_job = spec->is_job;
    run->slot = spec->slot;
    run->attempt = spec->attempt;
    run->trigger = spec->trigger;
    run->start_deadline = spec->start_deadline;
    return run;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(a, b);
}

/* Once for each job: its template will say the same every time. */
static void tell_ignored(const struct run *run) {
    struct local *local = run->local;
    if (!run->command.ignored || tfind(run->job, &local->told, compare_texts))
        return;
    char *job = strdup(run->job);
    if (!job || !tsearch(job, &local->told, compare_texts))
        free(job);
    log_event(local->log, LOG_INFO, "runs as a process of this machine; what needs a cluster is ignored",
              "job", run->job, "ignored", run->command.ignored, NULL);
}

/* Launching. */

struct launching {
    uv_work_t work;
    struct run *run;
    char *dir;
    struct launched launched;
    int rc;
    struct err err;
};

static void fail(struct run *run, const char *reason, const char *message) {
    local_judge_as(run, OUTCOME_START_FAILED, reason, message);
    local_follow_settle(run);
}

void local_start_stopped(struct run *run) {
    local_judge_as(run, run->stop_as, run->stop_reason, "was stopped before it started");
    local_follow_settle(run);
}

static void trouble(struct run *run, const char *reason, const struct err *err) {
    struct local *local = run->local;
    if (clock_seconds(loop_clock(local->loop)) >= run->start_deadline) {
        fail(run, reason, err->message);
        return;
    }
    run->state = RUN_WAITING;
    run->not_before = clock_monotonic(loop_clock(local->loop)) + AGAIN_NS;
    local_run_activate(run);
    RUN_TELL(run, delayed, err->message);
}

static void launch_work(uv_work_t *work) {
    struct launching *l = (struct launching *)work;
    l->rc = local_launch(l->run->local->nursery, l->dir, &l->run->command, &l->launched, &l->err);
}

static void launch_done(uv_work_t *work, int status) {
    (void)status;
    struct launching *l = (struct launching *)work;
    struct run *run = l->run;
    run->pidfd = l->launched.pidfd; /* of a freed executor: run_unref closes them */
    run->output = l->launched.output;
    if (run->local->freed)
        ;
    else if (!l->rc) {
        command_free(&run->command);
        local_follow_begin(run);
    } else if (run->stopping)
        local_start_stopped(run);
    else if (l->rc == ERR_LIMIT)
        trouble(run, "StartError", &l->err);
    else
        fail(run, "StartError", l->err.message);
    free(l->dir);
    free(l);
    local_run_unref(run);
}

static void launch_run(struct run *run) {
    struct err err = {ERR_NOMEM, "out of memory"};
    struct launching *l = calloc(1, sizeof *l);
    char *dir = local_run_dir(run);
    if (!l || !dir) {
        free(l);
        free(dir);
        trouble(run, "StartError", &err);
        return;
    }
    l->run = run;
    l->dir = dir;
    local_run_ref(run);
    run->state = RUN_LAUNCHING;
    (void)uv_queue_work(loop_uv(run->local->loop), &l->work, launch_work,
                        launch_done); /* fails only without cb */
}

/* The intent. */

static void nothing(struct run *run, const struct err *err) {
    (void)run, (void)err;
}

/* Fenced, or the daemon ends: the slot stays undecided, so its row must not stay. */
static void take_back(struct run *run) {
    run->has_row = true;
    row_write(run, ROW_DELETE, nothing);
    if (!run->local->freed)
        local_run_leave(run);
}

static void intent_answered(struct run *run, const struct err *err) {
    if (run->dropped || run->local->freed) {
        if (!err)
            take_back(run);
        else if (!run->local->freed)
            local_run_leave(run);
    } else if (err && err->code == ERR_EXISTS)
        fail(run, "NameTaken", "its name is taken by a run that is not known to this daemon");
    else if (err)
        trouble(run, "StateNotWritable", err);
    else {
        run->has_row = true;
        RUN_TELL(run, accepted);
        if (run->stopping)
            local_start_stopped(run);
        else if (!run->local->freed)
            launch_run(run);
    }
}

static int write_intent(struct run *run, struct err *err) {
    run->state = RUN_INTENT;
    return row_insert(run, intent_answered, err);
}

void local_start_again(struct run *run) {
    struct err err = {0};
    local_run_deactivate(run);
    if (run->dropped)
        local_run_leave(run);
    else if (run->stopping)
        local_start_stopped(run);
    else if (run->has_row && !run->local->fenced)
        launch_run(run);
    else if (run->has_row)
        ; /* accepted, fenced: the next daemon finds an intent without evidence and says so */
    else if (write_intent(run, &err))
        trouble(run, "StateNotWritable", &err);
}

/* A start of what exists already. */

static void again_accepted(struct run *run, const struct err *err) {
    (void)err;
    RUN_TELL(run, accepted);
    if (run->local->freed)
        return;
    if (run->state == RUN_FINISHED)
        RUN_TELL(run, finished, &run->result);
    else if (run->pidfd >= 0)
        local_follow_begin(run);
    else
        local_follow_ended(run);
}

static bool same_run(const struct run *run, const struct run_spec *spec) {
    return !strcmp(run->job, spec->job) && run->slot == spec->slot && run->attempt == spec->attempt;
}

/* An earlier daemon's run that nobody wanted when this one opened. */
static int start_found(struct run *run, void *owner, struct err *err) {
    if (run->owner)
        return err_set(err, ERR_EXISTS, "run %s/%s is active already", run->namespace_, run->name);
    if (local_run_own(run, owner))
        return no_memory(err);
    row_write(run, ROW_NOTHING, again_accepted);
    return 0;
}

static void refuse_name(struct run *run, const struct run *other) {
    char text[512];
    (void)snprintf(text, sizeof text, "its name is taken by job %.200s, slot %lld, attempt %d", other->job,
                   (long long)other->slot, other->attempt);
    fail(run, "NameTaken", text);
}

static int start_new(struct run *run, const struct run_spec *spec, struct err *err) {
    struct err bad = {0};
    int rc = command_read(spec->manifest, spec->manifest_len, spec->is_job, &run->command, &bad);
    if (rc) {
        fail(run, "InvalidTemplate", bad.message);
        return 0;
    }
    tell_ignored(run);
    run->container = strdup(run->command.container);
    if (!run->command.cwd)
        run->command.cwd = strdup(run->local->working_dir);
    if (!run->container || !run->command.cwd || local_run_enter(run))
        return no_memory(err);
    return write_intent(run, err);
}

int local_start_run(struct local *local, const struct run_spec *spec, void *owner, struct err *err) {
    if (!local->ready || local->fenced)
        return err_set(err, ERR_CANCELED,
                       local->fenced ? "no run is started any more"
                                     : "no run is started before the executor is ready");
    if (!is_name(spec->namespace_) || !is_name(spec->name))
        return err_set(err, ERR_INVALID, "namespace and name of a run must be names without '/'");
    struct run *other = local_run_by_name(local, spec->namespace_, spec->name);
    if (other && same_run(other, spec))
        return start_found(other, owner, err);
    struct run *run = run_of_spec(local, spec);
    if (!run)
        return no_memory(err);
    int rc = local_run_own(run, owner);
    if (rc) {
        local_run_unref(run);
        return err_set(err, rc, rc == ERR_EXISTS ? "this owner has a run already" : "out of memory");
    }
    if (other)
        refuse_name(run, other);
    else if ((rc = start_new(run, spec, err)))
        local_run_leave(run);
    return rc;
}
