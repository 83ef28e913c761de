/* Starting a run's supervisor: on a worker thread, because it writes files and waits for a fork. */
#ifndef KS_LOCAL_LAUNCH_H
#define KS_LOCAL_LAUNCH_H

#include "local/command.h"
#include "local/nursery.h"

#include <stdbool.h>

struct launched {
    int pidfd;  /* of the supervisor; the caller's to close */
    int output; /* the output file, to read; likewise */
};

/* Makes run_dir and the supervisor in it. A negative code: there is no process; ERR_LIMIT when it may work a
 * little later (no free process, descriptor or memory). */
int local_launch(struct nursery *nursery, const char *run_dir, const struct command *command,
                 struct launched *out, struct err *err);

/* What is left of a run when a daemon starts. Waits until a supervisor that was just born has said its
 * number; alive: pidfd and output are set (output -1: there is no file). */
bool local_launch_find(const char *run_dir, struct launched *out);

void local_launch_remove(const char *run_dir); /* the directory and its files */

#endif
