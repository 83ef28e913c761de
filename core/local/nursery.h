/* The nursery: one small process of this binary that forks the supervisors. Loading the binary anew for each
 * run would cost 20 ms of linking and 2 MB, a fork of the nursery costs 1 ms and some pages; and it happens
 * beside the daemon, whose memory is large. The nursery ends with the daemon; the supervisors live on, and
 * are nobody's to collect but the nursery's or init's. */
#ifndef KS_LOCAL_NURSERY_H
#define KS_LOCAL_NURSERY_H

#include "base/err.h"

struct nursery;

/* program: this binary, whose --supervise calls nursery_serve. The process is born with the first supervisor,
 * and again when somebody killed it. */
int nursery_new(const char *program, struct nursery **out, struct err *err);
void nursery_free(struct nursery *nursery); /* NULL is fine; waits the moment that the process takes to end */

/* A supervisor for run_dir, which gets the descriptor `lock` too. Blocking; from any thread. ERR_LIMIT: there
 * is none, a little later may be better. ERR_IO: the nursery ended meanwhile, so there may be one or not. */
int nursery_bear(struct nursery *nursery, const char *run_dir, int lock, int *pidfd, struct err *err);

/* In the nursery's process: until the daemon closes its end. In each child, supervise. Returns an exit code.
 */
int nursery_serve(int (*supervise)(const char *run_dir, int lock));

#endif
