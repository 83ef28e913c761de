/* The executor that runs nothing: each run is accepted and starts in the instant it was asked for, ends after
 * the time that its job is said to take, and leaves no trace once its outcome was reported. It goes by the
 * loop's clock (loop/virtual.h makes a year of it cheap), nothing is durable and nothing is adopted.
 * Thread: the loop's. */
#ifndef KS_SIM_EXECUTOR_H
#define KS_SIM_EXECUTOR_H

#include "loop/loop.h"
#include "registry/executor.h"

/* How runs of a job go. */
struct sim_job {
    int64_t duration; /* seconds, from 0 on */
    int exit_code;    /* 0: succeeded, else failed */
};

int sim_executor_new(struct loop *loop, const struct sim_job *unless_said, struct executor **out,
                     struct err *err);
/* For the runs of that job that start from now on. 0 or ERR_NOMEM. */
int sim_executor_say(struct executor *executor, const char *job, const struct sim_job *how);

#endif
