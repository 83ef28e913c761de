#include "local/judge.h"

#include "local/rundir.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIGNAL_EXIT = 128 }; /* a shell's exit code for a signal is 128 + its number; so is Kubernetes' */

void local_judge_as(struct run *run, enum outcome outcome, const char *reason, const char *message) {
    run->result.outcome = outcome;
    (void)snprintf(run->result.reason, sizeof run->result.reason, "%s", reason);
    (void)snprintf(run->result.message, sizeof run->result.message, "%s", message);
}

/* A SIGKILL that nobody of us sent may be the kernel's, out of memory; from here that cannot be known. */
static void judge_exit(struct run *run, const struct run_status *status) {
    char text[128];
    if (status->signal) {
        const char *name = sigabbrev_np(status->signal);
        (void)snprintf(text, sizeof text, "ended by SIG%s%s", name ? name : "?",
                       status->signal == SIGKILL ? ", perhaps for want of memory: see the kernel's log" : "");
        local_judge_as(run, OUTCOME_FAILED, status->signal == SIGKILL ? "Killed" : "Signal", text);
    } else if (status->exit_code) {
        (void)snprintf(text, sizeof text, "exit code %d", status->exit_code);
        local_judge_as(run, OUTCOME_FAILED, "Error", text);
    } else
        local_judge_as(run, OUTCOME_SUCCEEDED, "Completed", "");
}

static void judge_status(struct run *run, const struct run_status *status) {
    struct result *result = &run->result;
    result->exit_code = status->signal ? SIGNAL_EXIT + status->signal : status->exit_code;
    result->started = status->started / NS_PER_S;
    result->finished = status->finished / NS_PER_S;
    switch (status->end) {
    case END_EXIT:
        judge_exit(run, status);
        break;
    case END_DEADLINE:
        local_judge_as(run, OUTCOME_TIMEOUT, "DeadlineExceeded",
                       "was still running at its activeDeadlineSeconds");
        break;
    case END_STOP:
        if (run->stopping)
            local_judge_as(run, run->stop_as, run->stop_reason, "was stopped");
        else
            local_judge_as(run, OUTCOME_DELETED, "Stopped", "somebody sent its supervisor SIGTERM");
        break;
    case END_NO_START:
        local_judge_as(run, OUTCOME_START_FAILED, "StartError", status->message);
        break;
    }
}

static void judge_without_status(struct run *run, const struct lock_state *lock) {
    run->result.started = lock->started / NS_PER_S;
    if (lock->pid)
        local_judge_as(
            run, OUTCOME_UNKNOWN, "SupervisorLost",
            "its supervisor ended without a word (killed, or the machine stopped), and the command with "
            "it: how "
            "far it came is not known");
    else
        local_judge_as(
            run, OUTCOME_UNKNOWN, "NoEvidence",
            "the machine or the daemon stopped between recording this run and starting it; it is not "
            "run again");
}

void local_judge(struct run *run) {
    struct run_status status;
    struct lock_state lock = {0};
    char *path = local_run_dir(run);
    int dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(path);
    if (dir >= 0 && !rundir_read_status(dir, &status, NULL))
        judge_status(run, &status);
    else {
        if (dir >= 0)
            rundir_read_lock(dir, &lock);
        judge_without_status(run, &lock);
    }
    if (dir >= 0)
        (void)close(dir);
}
