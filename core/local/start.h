/* A run from start to the birth of its supervisor: refused, or accepted and launched. */
#ifndef KS_LOCAL_START_H
#define KS_LOCAL_START_H

#include "local/run.h"

int local_start_run(struct local *local, const struct run_spec *spec, void *owner, struct err *err);
void local_start_again(struct run *run);   /* a waiting one, from the ticker */
void local_start_stopped(struct run *run); /* a waiting one that is not wanted any more */

#endif
