/* Runs as processes on this machine (registry/executor.h). Each has a supervisor process (this binary,
 * --supervise) that outlives the daemon, keeps the output in the run's log file and writes the exit status,
 * so that a restarted daemon adopts it. Intents and outcomes are in the store, durable before they count. */
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
    const char *state_dir;   /* runs/NAME/ below it: log, exit status, lock */
    const char *program;     /* this binary's path */
    const char *working_dir; /* where commands without workingDir start */
};

int local_executor_new(const struct local_executor_config *config, struct executor **out, struct err *err);

/* `kube-scheduler --supervise RUN_DIR`: the supervisor's main. Returns the process's exit code. */
int local_supervise(const char *run_dir);

#endif
