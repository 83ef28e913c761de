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

/* Opens or creates the file (0600, and its directory 0700) with WAL and synchronous=FULL, and takes it for
 * this process alone by a lock on PATH.lock: a second daemon on the same state gets ERR_EXISTS with a message
 * that says so. Others may read it meanwhile. Blocking; at start only. schema: any number of statements,
 * CREATE … IF NOT EXISTS; who adds tables later does so by store_exec. */
int store_open(struct loop *loop, const char *path, const char *schema, struct store **out, struct err *err);
/* Writes what waits first, and makes its callbacks; blocking. Inside a callback: right after it. NULL is
 * fine. */
void store_close(struct store *store);

struct store_value {
    enum { STORE_NULL, STORE_INTEGER, STORE_TEXT } type;
    int64_t integer;
    const char *text; /* copied */
    size_t len;
};

/* rows: count of result rows; each has `columns` values, row by row, alive during the call. Numbers that are
 * not integers come as text. err NULL: committed; else nothing of this statement is in the file: ERR_EXISTS
 * for a constraint, ERR_IO for the disk, ERR_INVALID for the SQL. */
typedef void (*store_cb)(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                         const struct err *err);

/* One statement, no BEGIN or COMMIT; one that fails does not harm the others of its group. Everything is
 * copied. cb may be NULL. An error here: cb will not be called. */
int store_exec(struct store *store, const char *sql, const struct store_value *params, size_t param_count,
               store_cb cb, void *ctx, struct err *err);

#endif
