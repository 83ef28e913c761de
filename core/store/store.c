#include "store/store.h"

#include "base/buf.h"
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

enum { BUSY_TIMEOUT_MS = 5000 }; /* somebody looks into the file with the sqlite3 program */

/* One statement on its way: waiting, then done, then called back. */
struct request {
    struct request *next;
    char *sql;
    struct store_value *params;
    size_t param_count;
    store_cb cb;
    void *ctx;
    struct store_value *values; /* the result */
    size_t rows, columns, capacity;
    struct err err; /* code 0: it went well */
};

struct queue {
    struct request *head, **tail;
};

struct store {
    uv_async_t done_signal;
    char *path;
    int lock;
    sqlite3 *db; /* the writer's, once it runs */
    bool in_group;
    pthread_t writer;
    bool writer_runs;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct queue waiting, done; /* guarded by mutex */
    bool closing;               /* guarded by mutex */
    size_t pending;             /* not called back yet; the loop's */
    bool delivering, close_wanted;
};

static void queue_init(struct queue *queue) {
    queue->head = NULL;
    queue->tail = &queue->head;
}

static void queue_push(struct queue *queue, struct request *request) {
    request->next = NULL;
    *queue->tail = request;
    queue->tail = &request->next;
}

static struct request *queue_pop(struct queue *queue) {
    struct request *request = queue->head;
    if (request) {
        queue->head = request->next;
        if (!queue->head)
            queue->tail = &queue->head;
    }
    return request;
}

static void values_free(struct store_value *values, size_t count) {
    for (size_t i = 0; i < count; i++)
        free((char *)values[i].text); /* ours; const only for the reader */
    free(values);
}

static void request_free(struct request *request) {
    values_free(request->params, request->param_count);
    values_free(request->values, request->rows * request->columns);
    free(request->sql);
    free(request);
}

static int value_set_text(struct store_value *value, const char *text, size_t len) {
    char *copy = malloc(len + 1);
    if (!copy)
        return ERR_NOMEM;
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    *value = (struct store_value){.type = STORE_TEXT, .text = copy, .len = len};
    return 0;
}

/* On the writer's thread: statements. */

static int sql_error(struct store *store, struct err *err) {
    int code = ERR_INVALID;
    switch (sqlite3_errcode(store->db)) {
    case SQLITE_CONSTRAINT:
        code = ERR_EXISTS;
        break;
    case SQLITE_NOMEM:
        code = ERR_NOMEM;
        break;
    case SQLITE_FULL:
    case SQLITE_IOERR:
    case SQLITE_READONLY:
    case SQLITE_CANTOPEN:
    case SQLITE_CORRUPT:
    case SQLITE_BUSY:
        code = ERR_IO;
        break;
    default:
        break;
    }
    return err_set(err, code, "state file %s: %s", store->path, sqlite3_errmsg(store->db));
}

static int bind_params(sqlite3_stmt *stmt, const struct request *request) {
    for (size_t i = 0; i < request->param_count; i++) {
        const struct store_value *value = &request->params[i];
        int at = (int)i + 1, rc;
        if (value->type == STORE_INTEGER)
            rc = sqlite3_bind_int64(stmt, at, value->integer);
        else if (value->type == STORE_TEXT)
            rc = sqlite3_bind_text64(stmt, at, value->text, value->len, SQLITE_STATIC, SQLITE_UTF8);
        else
            rc = sqlite3_bind_null(stmt, at);
        if (rc != SQLITE_OK)
            return rc;
    }
    return SQLITE_OK;
}

static int reserve_row(struct request *request) {
    size_t used = request->rows * request->columns;
    if (used + request->columns <= request->capacity)
        return 0;
    size_t capacity = request->capacity * 2 + request->columns;
    struct store_value *values = realloc(request->values, capacity * sizeof *values);
    if (!values)
        return ERR_NOMEM;
    request->values = values;
    request->capacity = capacity;
    return 0;
}

static int read_value(sqlite3_stmt *stmt, int column, struct store_value *out) {
    int type = sqlite3_column_type(stmt, column);
    if (type == SQLITE_NULL)
        *out = (struct store_value){.type = STORE_NULL};
    else if (type == SQLITE_INTEGER)
        *out = (struct store_value){.type = STORE_INTEGER, .integer = sqlite3_column_int64(stmt, column)};
    else {
        const char *text = (const char *)sqlite3_column_text(stmt, column);
        if (!text)
            return ERR_NOMEM;
        return value_set_text(out, text, (size_t)sqlite3_column_bytes(stmt, column));
    }
    return 0;
}

static int read_row(sqlite3_stmt *stmt, struct request *request) {
    if (reserve_row(request))
        return err_set(&request->err, ERR_NOMEM, "out of memory");
    struct store_value *row = &request->values[request->rows * request->columns];
    memset(row, 0, request->columns * sizeof *row);
    request->rows++;
    for (size_t i = 0; i < request->columns; i++)
        if (read_value(stmt, (int)i, &row[i]))
            return err_set(&request->err, ERR_NOMEM, "out of memory");
    return 0;
}

static int step_all(struct store *store, sqlite3_stmt *stmt, struct request *request) {
    request->columns = (size_t)sqlite3_column_count(stmt);
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        if (read_row(stmt, request))
            return request->err.code;
    return rc == SQLITE_DONE ? 0 : sql_error(store, &request->err);
}

static int check_statement(sqlite3_stmt *stmt, const char *rest, struct request *request) {
    if (!stmt || rest[strspn(rest, " \t\r\n;")])
        return err_set(&request->err, ERR_INVALID, "one SQL statement a call expected, not: %s",
                       request->sql);
    int wanted = sqlite3_bind_parameter_count(stmt);
    if ((size_t)wanted != request->param_count)
        return err_set(&request->err, ERR_INVALID, "%d parameters expected, %zu given: %s", wanted,
                       request->param_count, request->sql);
    return 0;
}

static void execute(struct store *store, struct request *request) {
    sqlite3_stmt *stmt = NULL;
    const char *rest = "";
    if (sqlite3_prepare_v2(store->db, request->sql, -1, &stmt, &rest) != SQLITE_OK)
        (void)sql_error(store, &request->err);
    else if (!check_statement(stmt, rest, request)) {
        if (bind_params(stmt, request) != SQLITE_OK)
            (void)sql_error(store, &request->err);
        else
            (void)step_all(store, stmt, request);
    }
    (void)sqlite3_finalize(stmt);
}

/* A statement within a group must not end the group's transaction. */
static int authorize(void *ctx, int action, const char *a, const char *b, const char *c, const char *d) {
    (void)a, (void)b, (void)c, (void)d;
    const struct store *store = ctx;
    bool bounds = action == SQLITE_TRANSACTION || action == SQLITE_SAVEPOINT;
    return store->in_group && bounds ? SQLITE_DENY : SQLITE_OK;
}

static void fail_all(struct request *from, const struct request *until, const struct err *err) {
    for (; from != until; from = from->next)
        if (!from->err.code)
            from->err = *err;
}

/* A statement that fails is undone alone, and the rest of the group goes on; only errors like a full disk
 * make SQLite roll back the whole transaction. */
static void run_group(struct store *store, struct request *group) {
    struct err err = {0};
    struct request *at = group;
    if (sqlite3_exec(store->db, "BEGIN IMMEDIATE", NULL, NULL, NULL) != SQLITE_OK) {
        (void)sql_error(store, &err);
        fail_all(group, NULL, &err);
        return;
    }
    for (; at && !sqlite3_get_autocommit(store->db); at = at->next) {
        store->in_group = true;
        execute(store, at);
        store->in_group = false;
        if (at->err.code)
            err = at->err;
    }
    if (!sqlite3_get_autocommit(store->db)) {
        if (sqlite3_exec(store->db, "COMMIT", NULL, NULL, NULL) == SQLITE_OK)
            return;
        (void)sql_error(store, &err);
        (void)sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    }
    fail_all(group, NULL, &err);
}

static void *write_groups(void *ctx) {
    struct store *store = ctx;
    (void)pthread_mutex_lock(&store->mutex);
    while (store->waiting.head || !store->closing) {
        if (!store->waiting.head) {
            (void)pthread_cond_wait(&store->changed, &store->mutex);
            continue;
        }
        struct request *group = store->waiting.head, **last = store->waiting.tail;
        queue_init(&store->waiting);
        (void)pthread_mutex_unlock(&store->mutex);
        run_group(store, group);
        (void)pthread_mutex_lock(&store->mutex);
        *store->done.tail = group;
        store->done.tail = last;
        (void)pthread_cond_broadcast(&store->changed);
        (void)uv_async_send(&store->done_signal);
    }
    (void)pthread_mutex_unlock(&store->mutex);
    return NULL;
}

/* On the loop's thread: results. */

static struct request *next_done(struct store *store) {
    (void)pthread_mutex_lock(&store->mutex);
    struct request *request = queue_pop(&store->done);
    (void)pthread_mutex_unlock(&store->mutex);
    return request;
}

static void deliver(struct store *store) {
    struct request *request;
    store->delivering = true;
    while ((request = next_done(store))) {
        if (--store->pending == 0)
            uv_unref((uv_handle_t *)&store->done_signal);
        if (request->cb && request->err.code)
            request->cb(request->ctx, NULL, 0, 0, &request->err);
        else if (request->cb)
            request->cb(request->ctx, request->values, request->rows, request->columns, NULL);
        request_free(request);
    }
    store->delivering = false;
}

static void group_done(uv_async_t *handle) {
    struct store *store = handle->data;
    deliver(store);
    if (store->close_wanted)
        store_close(store);
}

static struct store_value *copy_params(const struct store_value *params, size_t count) {
    struct store_value *copy = calloc(count ? count : 1, sizeof *copy);
    for (size_t i = 0; copy && i < count; i++) {
        if (params[i].type != STORE_TEXT)
            copy[i] = (struct store_value){.type = params[i].type, .integer = params[i].integer};
        else if (value_set_text(&copy[i], params[i].text, params[i].len)) {
            values_free(copy, i);
            return NULL;
        }
    }
    return copy;
}

int store_exec(struct store *store, const char *sql, const struct store_value *params, size_t param_count,
               store_cb cb, void *ctx, struct err *err) {
    struct request *request = calloc(1, sizeof *request);
    if (!request)
        return err_set(err, ERR_NOMEM, "out of memory");
    *request = (struct request){.sql = strdup(sql), .param_count = param_count, .cb = cb, .ctx = ctx};
    request->params = copy_params(params, param_count);
    if (!request->sql || !request->params) {
        if (!request->params)
            request->param_count = 0;
        request_free(request);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (store->pending++ == 0)
        uv_ref((uv_handle_t *)&store->done_signal);
    (void)pthread_mutex_lock(&store->mutex);
    queue_push(&store->waiting, request);
    (void)pthread_cond_broadcast(&store->changed);
    (void)pthread_mutex_unlock(&store->mutex);
    return 0;
}

/* Opening and closing. */

static int make_parent(const char *path, struct err *err) {
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path)
        return 0;
    char *parent = strndup(path, (size_t)(slash - path));
    if (!parent)
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = dir_make(parent, err);
    free(parent);
    return rc;
}

/* A file of its own: SQLite's locks are on the state file, and closing a second descriptor of that would
 * release them. */
static int take(struct store *store, struct err *err) {
    struct buf name = {0}, holder = {0};
    int rc = 0;
    if (buf_printf(&name, "%s.lock", store->path))
        return err_set(err, ERR_NOMEM, "out of memory");
    store->lock = open(name.data, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (store->lock < 0)
        rc = err_set_errno(err, ERR_IO, errno, "state lock %s: its directory must be writable", name.data);
    else if (flock(store->lock, LOCK_EX | LOCK_NB)) {
        (void)file_read(AT_FDCWD, name.data, 64, &holder, NULL);
        rc = err_set(err, ERR_EXISTS,
                     "state file %s is in use by process %s: stop that one, or give this one another state "
                     "directory",
                     store->path, holder.len ? holder.data : "(unknown)");
    } else if (ftruncate(store->lock, 0) || dprintf(store->lock, "%ld", (long)getpid()) < 0)
        rc = err_set_errno(err, ERR_IO, errno, "state lock %s", name.data);
    buf_free(&name);
    buf_free(&holder);
    return rc;
}

static int open_error(struct store *store, struct err *err) {
    int code = sqlite3_errcode(store->db);
    if (code == SQLITE_NOTADB || code == SQLITE_CORRUPT)
        return err_set(
            err, ERR_INVALID,
            "state file %s is damaged (%s): move it away to begin without a memory of earlier runs",
            store->path, sqlite3_errmsg(store->db));
    return sql_error(store, err);
}

static int open_database(struct store *store, const char *schema, struct err *err) {
    int fd =
        open(store->path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* SQLite would make it readable for all */
    if (fd < 0)
        return err_set_errno(err, ERR_IO, errno, "state file %s: it must be writable", store->path);
    (void)close(fd);
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX; /* one thread at a time uses it */
    if (sqlite3_open_v2(store->path, &store->db, flags, NULL) != SQLITE_OK)
        return store->db ? open_error(store, err) : err_set(err, ERR_NOMEM, "out of memory");
    (void)sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
    if (sqlite3_exec(store->db, "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL", NULL, NULL, NULL) ||
        sqlite3_exec(store->db, schema, NULL, NULL, NULL))
        return open_error(store, err);
    (void)sqlite3_set_authorizer(store->db, authorize, store);
    return 0;
}

static int start_writer(struct store *store, struct err *err) {
    sigset_t all, before; /* signals are the loop's */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&store->writer, NULL, write_groups, store);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (rc)
        return err_set_errno(err, ERR_IO, rc, "state thread");
    store->writer_runs = true;
    return 0;
}

static void release(uv_handle_t *handle) {
    struct store *store = handle->data;
    (void)pthread_cond_destroy(&store->changed);
    (void)pthread_mutex_destroy(&store->mutex);
    free(store->path);
    free(store);
}

int store_open(struct loop *loop, const char *path, const char *schema, struct store **out, struct err *err) {
    struct store *store = calloc(1, sizeof *store);
    if (!store || !(store->path = strdup(path))) {
        free(store);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    store->lock = -1;
    queue_init(&store->waiting);
    queue_init(&store->done);
    (void)pthread_mutex_init(&store->mutex, NULL);
    (void)pthread_cond_init(&store->changed, NULL);
    int rc = uv_async_init(loop_uv(loop), &store->done_signal, group_done);
    if (rc) {
        store->done_signal.data = store;
        release((uv_handle_t *)&store->done_signal);
        return err_set(err, ERR_IO, "event loop: %s", uv_strerror(rc));
    }
    store->done_signal.data = store;
    uv_unref((uv_handle_t *)&store->done_signal); /* only statements on their way keep the loop running */
    if ((rc = make_parent(path, err)) || (rc = take(store, err)) ||
        (rc = open_database(store, schema, err)) || (rc = start_writer(store, err))) {
        store_close(store);
        return rc;
    }
    *out = store;
    return 0;
}

static void wait_for_group(struct store *store) {
    (void)pthread_mutex_lock(&store->mutex);
    while (!store->done.head)
        (void)pthread_cond_wait(&store->changed, &store->mutex);
    (void)pthread_mutex_unlock(&store->mutex);
}

void store_close(struct store *store) {
    if (!store)
        return;
    if (store->delivering) {
        store->close_wanted = true;
        return;
    }
    while (store->pending > 0) {
        wait_for_group(store);
        deliver(store);
    }
    if (store->writer_runs) {
        (void)pthread_mutex_lock(&store->mutex);
        store->closing = true;
        (void)pthread_cond_broadcast(&store->changed);
        (void)pthread_mutex_unlock(&store->mutex);
        (void)pthread_join(store->writer, NULL);
    }
    (void)sqlite3_close(store->db);
    if (store->lock >= 0) {
        (void)flock(store->lock, LOCK_UN); /* a child between its fork and its exec has the descriptor too */
        (void)close(store->lock);
    }
    uv_close((uv_handle_t *)&store->done_signal, release);
}
