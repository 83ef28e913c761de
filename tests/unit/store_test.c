/* core/store: what is promised is that a callback comes after durability, in order, and that one bad
 * statement harms nobody else. Durability is checked with a second connection. */
#include "store/store.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const char schema[] = "CREATE TABLE IF NOT EXISTS t (id INTEGER PRIMARY KEY, v TEXT NOT NULL)";

struct fixture {
    struct loop *loop;
    struct store *store;
    char dir[64], path[96];
    /* what the callbacks saw */
    char order[64];
    int seen_by_others; /* rows that a second connection sees during the callback; -1: not looked at */
    struct err err;
    int64_t integer;
    char text[64];
    size_t rows, columns;
};

static int rows_in(const char *path) {
    sqlite3 *db = NULL;
    sqlite3_stmt *stmt = NULL;
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READONLY, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT count(*) FROM t", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int count = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return count;
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/ks_store_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/new/state.db", f->dir);
    assert_int_equal(loop_new(&clock_system, &random_system, &f->loop, NULL), 0);
    if (store_open(f->loop, f->path, schema, &f->store, &f->err))
        fail_msg("%s", f->err.message);
    f->seen_by_others = -1;
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[128];
    store_close(f->store);
    loop_free(f->loop);
    snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static void keep(struct fixture *f, char tag, const struct store_value *values, size_t rows, size_t columns,
                 const struct err *err) {
    size_t len = strlen(f->order);
    f->order[len] = err ? '!' : tag;
    f->err = err ? *err : (struct err){0};
    f->rows = rows;
    f->columns = columns;
    if (rows * columns >= 2) {
        f->integer = values[0].integer;
        snprintf(f->text, sizeof f->text, "%.*s", (int)values[1].len, values[1].text);
    }
}

static void on_a(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                 const struct err *err) {
    struct fixture *f = ctx;
    if (f->seen_by_others < 0)
        f->seen_by_others = rows_in(f->path);
    keep(f, 'a', values, rows, columns, err);
}

static void on_b(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                 const struct err *err) {
    keep(ctx, 'b', values, rows, columns, err);
}

static void exec(struct fixture *f, const char *sql, store_cb cb) {
    assert_int_equal(store_exec(f->store, sql, NULL, 0, cb, f, NULL), 0);
}

static void calls_back_in_order_after_the_commit(void **state) {
    struct fixture *f = *state;
    exec(f, "INSERT INTO t VALUES (1, 'x')", on_a);
    exec(f, "INSERT INTO t VALUES (2, 'y')", on_b);
    exec(f, "INSERT INTO t VALUES (3, 'z')", on_a);
    assert_string_equal(f->order, ""); /* never from inside the call */
    loop_run(f->loop);
    assert_string_equal(f->order, "aba");
    assert_true(f->seen_by_others >= 1);
    assert_int_equal(rows_in(f->path), 3);
}

/* While the writer is held back by somebody else's transaction, all that arrive wait; then one commit takes
 * them together: the first callback already sees every row. */
static void commits_what_waits_together(void **state) {
    struct fixture *f = *state;
    sqlite3 *other = NULL;
    assert_int_equal(sqlite3_open(f->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    exec(f, "INSERT INTO t VALUES (0, 'first')", NULL);
    usleep(50000); /* the writer has taken the first and waits for the file */
    for (int i = 1; i <= 50; i++) {
        struct store_value params[] = {{.type = STORE_INTEGER, .integer = i},
                                       {.type = STORE_TEXT, .text = "x", .len = 1}};
        assert_int_equal(
            store_exec(f->store, "INSERT INTO t VALUES (?, ?)", params, 2, i == 1 ? on_a : NULL, f, NULL), 0);
    }
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
    loop_run(f->loop);
    assert_int_equal(f->seen_by_others, 51);
}

static void gives_rows_back(void **state) {
    struct fixture *f = *state;
    struct store_value params[] = {{.type = STORE_INTEGER, .integer = INT64_MIN},
                                   {.type = STORE_TEXT, .text = "a\0b", .len = 3}};
    assert_int_equal(store_exec(f->store, "INSERT INTO t VALUES (?, ?)", params, 2, NULL, NULL, NULL), 0);
    exec(f, "SELECT id, hex(v), NULL FROM t UNION ALL SELECT 1, 2, 3", on_b);
    loop_run(f->loop);
    assert_int_equal(f->rows, 2);
    assert_int_equal(f->columns, 3);
    assert_true(f->integer == INT64_MIN);
    assert_string_equal(f->text, "610062");
}

static void undoes_only_what_failed(void **state) {
    struct fixture *f = *state;
    exec(f, "INSERT INTO t VALUES (1, 'x')", on_b);
    exec(f, "INSERT INTO t VALUES (2, 'y'), (1, 'again')", on_b);
    exec(f, "INSERT INTO t VALUES (3, 'z')", on_b);
    loop_run(f->loop);
    assert_string_equal(f->order, "b!b");
    assert_int_equal(rows_in(f->path), 2);
}

static void says_what_is_wrong_with_a_statement(void **state) {
    struct fixture *f = *state;
    const struct {
        const char *sql, *message;
        int code;
    } cases[] = {{"INSERT INTO t VALUES (1)", "t has 2 columns", ERR_INVALID},
                 {"SELECT 1; SELECT 2", "one SQL statement", ERR_INVALID},
                 {"", "one SQL statement", ERR_INVALID},
                 {"SELECT ?", "1 parameters expected, 0 given", ERR_INVALID},
                 {"COMMIT", "not authorized", ERR_INVALID},
                 {"INSERT INTO t VALUES (9, NULL)", "NOT NULL constraint", ERR_EXISTS}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        exec(f, cases[i].sql, on_b);
        loop_run(f->loop);
        assert_int_equal(f->err.code, cases[i].code);
        assert_non_null(strstr(f->err.message, cases[i].message));
    }
}

static void refuses_a_second_opener(void **state) {
    struct fixture *f = *state;
    struct store *second = NULL;
    struct err err;
    char pid[64];
    assert_int_equal(store_open(f->loop, f->path, schema, &second, &err), ERR_EXISTS);
    snprintf(pid, sizeof pid, "in use by process %ld: stop that one", (long)getpid());
    assert_non_null(strstr(err.message, pid));
    assert_non_null(strstr(err.message, f->path));
    store_close(f->store);
    assert_int_equal(store_open(f->loop, f->path, schema, &f->store, &err), 0); /* and not for ever */
}

static void refuses_a_damaged_file(void **state) {
    struct fixture *f = *state;
    struct store *store = NULL;
    struct err err;
    char path[128];
    snprintf(path, sizeof path, "%s/broken.db", f->dir);
    FILE *file = fopen(path, "we");
    for (int i = 0; i < 1000; i++)
        fputs("no database ", file);
    fclose(file);
    assert_int_equal(store_open(f->loop, path, schema, &store, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, path));
    assert_non_null(strstr(err.message, "move it away"));
}

static void names_a_place_that_cannot_be_written(void **state) {
    struct fixture *f = *state;
    struct store *store = NULL;
    struct err err;
    assert_int_equal(store_open(f->loop, "/proc/nowhere/state.db", schema, &store, &err), ERR_IO);
    assert_non_null(strstr(err.message, "/proc/nowhere"));
}

static void keeps_others_out_of_its_files(void **state) {
    struct fixture *f = *state;
    struct stat st;
    char dir[96];
    snprintf(dir, sizeof dir, "%s/new", f->dir);
    assert_int_equal(stat(dir, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0700);
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

static void writes_what_waits_before_it_closes(void **state) {
    struct fixture *f = *state;
    exec(f, "INSERT INTO t VALUES (1, 'x')", on_b);
    store_close(f->store);
    f->store = NULL;
    assert_string_equal(f->order, "b");
    assert_int_equal(rows_in(f->path), 1);
}

static void close_it(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                     const struct err *err) {
    struct fixture *f = ctx;
    keep(f, 'c', values, rows, columns, err);
    store_close(f->store);
    f->store = NULL;
}

static void can_be_closed_by_a_callback(void **state) {
    struct fixture *f = *state;
    exec(f, "INSERT INTO t VALUES (1, 'x')", close_it);
    exec(f, "INSERT INTO t VALUES (2, 'x')", on_b);
    loop_run(f->loop);
    assert_string_equal(f->order, "cb");
    assert_int_equal(rows_in(f->path), 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(calls_back_in_order_after_the_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(commits_what_waits_together, setup, teardown),
        cmocka_unit_test_setup_teardown(gives_rows_back, setup, teardown),
        cmocka_unit_test_setup_teardown(undoes_only_what_failed, setup, teardown),
        cmocka_unit_test_setup_teardown(says_what_is_wrong_with_a_statement, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_second_opener, setup, teardown),
        cmocka_unit_test_setup_teardown(refuses_a_damaged_file, setup, teardown),
        cmocka_unit_test_setup_teardown(names_a_place_that_cannot_be_written, setup, teardown),
        cmocka_unit_test_setup_teardown(keeps_others_out_of_its_files, setup, teardown),
        cmocka_unit_test_setup_teardown(writes_what_waits_before_it_closes, setup, teardown),
        cmocka_unit_test_setup_teardown(can_be_closed_by_a_callback, setup, teardown),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
