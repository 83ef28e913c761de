/* Runs as processes on this machine (registry/executor.h). Each has a supervisor process that outlives the
 * daemon, keeps the output and writes the exit status, so that a restarted daemon adopts the run: rundir.h.
 * Intents and outcomes are in the store, durable before they count.
 *
 * A manifest's first container counts: command, args, env, workingDir, and the deadlines; the rest is named
 * in the log once a job, and ignored. When the command ends, so do its descendants. Output is a daemon's to
 * tell once; one that was killed may have told the lines of its last second, and its successor tells them
 * again. Results' reasons: Completed, Error, Signal, Killed (SIGKILL from elsewhere, perhaps out of memory),
 * DeadlineExceeded, what stop was given, Stopped (SIGTERM to the supervisor), StartError, InvalidTemplate,
 * NameTaken, StateNotWritable; and of `unknown` SupervisorLost and NoEvidence. */
#ifndef KS_LOCAL_EXECUTOR_H
#define KS_LOCAL_EXECUTOR_H

#include "loop/log.h"
#include "loop/loop.h"
#include "registry/executor.h"
#include "store/store.h"

struct local_executor_config {
    struct loop *loop;
    struct log *log;
    struct store *store;     /* stays the caller's, outlives the executor */
    const char *state_dir;   /* made when missing, 0700; runs/ below it */
    const char *program;     /* this binary's path: PROGRAM --supervise calls local_supervise */
    const char *working_dir; /* where commands without workingDir start */
};

int local_executor_new(const struct local_executor_config *config, struct executor **out, struct err *err);

/* `kube-scheduler --supervise`, which only the executor starts: the process that forks the supervisors
 * (nursery.h). Returns its exit code. */
int local_supervise(void);

#endif
