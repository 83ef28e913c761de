/* A run from the birth of its supervisor to its outcome: started, lines, finished. */
#ifndef KS_LOCAL_FOLLOW_H
#define KS_LOCAL_FOLLOW_H

#include "local/run.h"

void local_follow_tick(void *local); /* the ticker's callback */

void local_follow_begin(struct run *run); /* run->pidfd and run->output are open */
void local_follow_ended(
    struct run *run); /* the supervisor is gone: judges, tells the rest of the output, settles */
void local_follow_settle(struct run *run);  /* run->result is filled: makes it durable, then tells it */
void local_follow_stop(struct run *run);    /* makes the stop durable, then does it */
void local_follow_release(struct run *run); /* looks no longer */

void local_follow_ready(struct local *local); /* tells ready, when it is time */

#endif
