/* What the files of a run that is over say about it. */
#ifndef KS_LOCAL_JUDGE_H
#define KS_LOCAL_JUDGE_H

#include "local/run.h"

/* Fills run->result from its directory. */
void local_judge(struct run *run);

/* The rest of the result is as it was. */
void local_judge_as(struct run *run, enum outcome outcome, const char *reason, const char *message);

#endif
