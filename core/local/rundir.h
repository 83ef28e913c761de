/* A run's directory, STATE_DIR/runs/NAMESPACE/NAME, is how the daemon and the run's supervisor speak, across
 * restarts of the daemon. Everything in it is 0600:
 *
 *     spec      what to run; the daemon writes it, before it starts the supervisor
 *     lock      flocked from before the supervisor's first instruction to its last: the proof of life. Holds
 *               "PID", and after the command began " STARTED" (unix ns)
 *     output    stdout and stderr of the command and its descendants, byte for byte, in order
 *     status    how it ended: "END CODE SIGNAL STARTED FINISHED" and a line with the message; written in one
 *               step, durably, by the supervisor as its last act
 *
 * Functions take the directory's descriptor. Blocking, for a few bytes. Thread: any. */
#ifndef KS_LOCAL_RUNDIR_H
#define KS_LOCAL_RUNDIR_H

#include "base/err.h"
#include "local/command.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define RUNDIR_SPEC "spec"
#define RUNDIR_LOCK "lock"
#define RUNDIR_OUTPUT "output"
#define RUNDIR_STATUS "status"
#define RUNDIR_STATUS_NEW "status.new" /* before it is whole: file_replace */

enum run_end {
    END_EXIT,     /* by itself */
    END_DEADLINE, /* it was over its deadline */
    END_STOP,     /* somebody sent the supervisor SIGTERM */
    END_NO_START  /* the command never ran: message says why */
};

struct run_status {
    enum run_end end;
    int exit_code;             /* -1: it ended by a signal, or did not start */
    int signal;                /* 0: none */
    int64_t started, finished; /* unix ns; 0: never */
    char message[512];
};

struct lock_state {
    pid_t pid;       /* 0: not written yet */
    int64_t started; /* unix ns; 0: the command has not begun, as far as is known */
};

int rundir_write_spec(int dir, const struct command *command, struct err *err);
/* Gives argv, env, cwd, deadline and grace. command is to be freed in any case. */
int rundir_read_spec(int dir, struct command *command, struct err *err);

int rundir_write_status(int dir, const struct run_status *status, struct err *err);
int rundir_read_status(int dir, struct run_status *status, struct err *err); /* ERR_NOTFOUND: there is none */

int rundir_write_lock(int lock, const struct lock_state *state);
void rundir_read_lock(int dir, struct lock_state *state); /* zeros when there is none */

#endif
