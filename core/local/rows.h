/* The table of runs in the store. A run has a row from before its process exists until it is discarded. */
#ifndef KS_LOCAL_ROWS_H
#define KS_LOCAL_ROWS_H

#include "local/run.h"

/* runs: in the order of their slots; the array (not what it points at) is the callback's to free. */
typedef void (*rows_cb)(struct local *local, struct run **runs, size_t count, const struct err *err);

int rows_open(struct local *local, struct err *err); /* makes the table */

/* Once; cb comes with what became of it, also when the executor is freed. */
int row_insert(struct run *run, row_cb cb, struct err *err);

/* Tried every second until it succeeds (the first failure is logged); then cb, err NULL, unless the executor
 * is freed. A run without a row: nothing is written. */
void row_write(struct run *run, enum row_write what, row_cb cb);
void rows_retry(struct run *run, int64_t now); /* from the ticker; now: monotonic ns */

void row_save_delivered(struct run *run); /* best effort */

/* Makes a struct run of every row, entered by name and not owned. */
int rows_load(struct local *local, rows_cb done, struct err *err);

#endif
