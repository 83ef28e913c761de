/* Durable state in SQLite, written in groups on a thread of its own: an fsync can take 60-250 ms and must
 * not hold the loop. Statements are executed in the order given; all that wait when the thread is free go
 * into one transaction, and their callbacks come after its commit. Callbacks on the loop's thread. */
#ifndef KS_STORE_STORE_H
#define KS_STORE_STORE_H

#include "base/err.h"
#include "loop/loop.h"

#include <stddef.h>
#include <stdint.h>

struct store;

/* Opens or creates the file with WAL and synchronous=FULL, and takes it for this process alone: a second
 * daemon on the same state gets an error that says so. Blocking; at start only. schema: SQL with
 * CREATE … IF NOT EXISTS. */
int store_open(struct loop *loop, const char *path, const char *schema, struct store **out, struct err *err);
void store_close(struct store *store); /* writes what waits first; blocking */

struct store_value {
    enum { STORE_NULL, STORE_INTEGER, STORE_TEXT } type;
    int64_t integer;
    const char *text; /* copied */
    size_t len;
};

/* rows: count of result rows; each has `columns` values, row by row, alive during the call. err NULL:
 * committed. */
typedef void (*store_cb)(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                         const struct err *err);

/* cb may be NULL. */
int store_exec(struct store *store, const char *sql, const struct store_value *params, size_t param_count,
               store_cb cb, void *ctx, struct err *err);

#endif
