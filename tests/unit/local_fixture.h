/* What the tests of core/local share: an executor in a directory of its own, and a record of its events. The
 * test program is its own supervisor: RUN_LOCAL_TESTS handles --supervise. */
#ifndef KS_TESTS_LOCAL_FIXTURE_H
#define KS_TESTS_LOCAL_FIXTURE_H

#include "local/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

enum { PATIENCE_S = 15 };

/* What the events said about one run, in order: A accepted, D delayed, S started, l line (the first three),
 * F finished, R reported, G gone. */
struct seen {
    char name[64];
    char order[32];
    char text[1024]; /* the lines, each with its end */
    size_t lines, longest, bytes;
    bool cut_inside; /* a line began in the middle of a character */
    struct result result;
    struct adopted_run adopted;
};

struct fixture {
    struct loop *loop;
    struct log *log;
    int log_fd;
    struct store *store;
    struct executor *executor;
    char dir[64], db[96], program[256];
    struct seen runs[300];
    size_t count;
    bool ready, leave_alone;
    size_t finished_before_ready;
    struct timer *patience;
    const struct seen *wanted; /* the run, and the event that ends waiting for it; */
    char wanted_event;         /* 0: ready; 'f': all are finished */
};

static inline bool satisfied(const struct fixture *f) {
    if (f->wanted_event == 'f') {
        for (size_t i = 0; i < f->count; i++)
            if (!strchr(f->runs[i].order, 'F'))
                return false;
        return true;
    }
    return f->wanted ? strchr(f->wanted->order, f->wanted_event) != NULL : f->ready;
}

static inline void note(struct fixture *f, struct seen *run, char event) {
    size_t len = strlen(run->order);
    if (len + 1 < sizeof run->order && (event != 'l' || run->lines <= 3))
        run->order[len] = event;
    if (satisfied(f))
        loop_stop(f->loop);
}

static inline void on_ready(void *ctx) {
    struct fixture *f = ctx;
    f->ready = true;
    for (size_t i = 0; i < f->count; i++)
        f->finished_before_ready += strchr(f->runs[i].order, 'F') != NULL;
    loop_stop(f->loop);
}

static inline struct seen *add(struct fixture *f, const char *name) {
    struct seen *run = &f->runs[f->count++];
    snprintf(run->name, sizeof run->name, "%s", name);
    return run;
}

static inline void *on_adopted(void *ctx, const struct adopted_run *adopted) {
    struct fixture *f = ctx;
    if (f->leave_alone)
        return NULL;
    struct seen *run = add(f, adopted->name);
    run->adopted = *adopted;
    return run;
}

static inline void on_accepted(void *ctx, void *owner) {
    note(ctx, owner, 'A');
}
static inline void on_delayed(void *ctx, void *owner, const char *why) {
    (void)why;
    note(ctx, owner, 'D');
}
static inline void on_started(void *ctx, void *owner, int64_t when) {
    assert_true(when > 1700000000);
    note(ctx, owner, 'S');
}
static inline void on_line(void *ctx, void *owner, const char *container, const char *line, size_t len) {
    struct seen *run = owner;
    assert_string_equal(container, "c");
    run->lines++;
    run->bytes += len;
    if (len > run->longest)
        run->longest = len;
    run->cut_inside |= len > 0 && ((unsigned char)line[0] & 0xc0) == 0x80;
    size_t used = strlen(run->text);
    if (used + len + 2 < sizeof run->text)
        snprintf(run->text + used, sizeof run->text - used, "%.*s\n", (int)len, line);
    note(ctx, run, 'l');
}
static inline void on_finished(void *ctx, void *owner, const struct result *result) {
    ((struct seen *)owner)->result = *result;
    note(ctx, owner, 'F');
}
static inline void on_reported(void *ctx, void *owner) {
    note(ctx, owner, 'R');
}
static inline void on_gone(void *ctx, void *owner) {
    note(ctx, owner, 'G');
}

static const struct executor_events events = {.adopted = on_adopted,
                                              .ready = on_ready,
                                              .accepted = on_accepted,
                                              .delayed = on_delayed,
                                              .started = on_started,
                                              .line = on_line,
                                              .finished = on_finished,
                                              .reported = on_reported,
                                              .gone = on_gone};

static inline void lost_patience(void *ctx) {
    const struct fixture *f = ctx;
    for (size_t i = 0; i < f->count && i < 5; i++)
        print_error("run %s saw \"%s\"\n", f->runs[i].name, f->runs[i].order);
    fail_msg("waited %d s for event '%c'", PATIENCE_S, f->wanted_event);
}

/* Runs the loop until the run has had the event. */
static inline void await(struct fixture *f, const struct seen *run, char event) {
    f->wanted = run;
    f->wanted_event = event;
    timer_start(f->patience, PATIENCE_S * NS_PER_S);
    while (!satisfied(f))
        loop_run(f->loop);
    timer_stop(f->patience);
}

static inline void spin(struct fixture *f, int ms) {
    for (int i = 0; i < ms; i += 5) {
        uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
        usleep(5000);
    }
}

static inline void open_executor(struct fixture *f) {
    struct err err = {0};
    const struct local_executor_config config = {.loop = f->loop,
                                                 .log = f->log,
                                                 .store = f->store,
                                                 .state_dir = f->dir,
                                                 .program = f->program,
                                                 .working_dir = "/"};
    memset(f->runs, 0, sizeof f->runs);
    f->count = f->finished_before_ready = 0;
    f->ready = false;
    if (local_executor_new(&config, &f->executor, &err))
        fail_msg("%s", err.message);
    assert_int_equal(f->executor->ops->open(f->executor, &events, f, &err), 0);
    await(f, NULL, 0);
}

static inline void close_executor(struct fixture *f) {
    f->executor->ops->free(f->executor);
    f->executor = NULL;
}

/* What a daemon leaves, and the next one finds. */
static inline void restart(struct fixture *f) {
    close_executor(f);
    store_close(f->store);
    f->store = NULL;
    assert_int_equal(store_open(f->loop, f->db, "", &f->store, NULL), 0);
    open_executor(f);
}

static inline int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/ks_local_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->db, sizeof f->db, "%s/state.db", f->dir);
    ssize_t len = readlink("/proc/self/exe", f->program, sizeof f->program - 1);
    assert_true(len > 0);
    char log[96];
    snprintf(log, sizeof log, "%s/log", f->dir);
    f->log_fd = open(log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(loop_new(&clock_system, &random_system, &f->loop, NULL), 0);
    assert_int_equal(log_new(&clock_system, f->log_fd, &f->log, NULL), 0);
    assert_int_equal(store_open(f->loop, f->db, "", &f->store, NULL), 0);
    assert_int_equal(timer_new(f->loop, lost_patience, f, &f->patience, NULL), 0);
    open_executor(f);
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    char command[128];
    if (f->executor)
        close_executor(f);
    timer_free(f->patience);
    store_close(f->store);
    loop_free(f->loop);
    log_free(f->log);
    close(f->log_fd);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no process and no zombie is left */
    assert_int_equal(errno, ECHILD);
    snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static inline struct seen *start_slot(struct fixture *f, const char *name, int64_t slot,
                                      const char *manifest) {
    struct seen *run = add(f, name);
    struct err err = {0};
    const struct run_spec spec = {.namespace_ = "ns",
                                  .name = run->name,
                                  .job = "job",
                                  .manifest = manifest,
                                  .manifest_len = strlen(manifest),
                                  .slot = slot,
                                  .attempt = 1,
                                  .start_deadline = clock_seconds(&clock_system) + 300};
    if (f->executor->ops->start(f->executor, &spec, run, &err))
        fail_msg("%s", err.message);
    assert_string_equal(run->order, ""); /* never from inside the call */
    return run;
}

/* A Pod whose container runs the script; more: further fields of the container, each behind a comma. */
static inline struct seen *start_with(struct fixture *f, const char *name, const char *script,
                                      const char *more, const char *pod) {
    char manifest[4096];
    snprintf(manifest, sizeof manifest,
             "{\"kind\": \"Pod\", \"spec\": {%s \"containers\": [{\"name\": \"c\", \"image\": \"busybox\","
             " \"command\": [\"/bin/sh\", \"-c\"], \"args\": [\"%s\"]%s}]}}",
             pod, script, more);
    return start_slot(f, name, 100, manifest);
}

static inline struct seen *start(struct fixture *f, const char *name, const char *script) {
    return start_with(f, name, script, "", "");
}

static inline void assert_result(const struct seen *run, enum outcome outcome, int exit_code,
                                 const char *reason) {
    assert_string_equal(outcome_name(run->result.outcome), outcome_name(outcome));
    assert_int_equal(run->result.exit_code, exit_code);
    assert_string_equal(run->result.reason, reason);
}

static inline void assert_in(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static inline int is_there(const struct fixture *f, const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%s/runs/ns/%s", f->dir, name);
    return !access(path, F_OK);
}

static inline pid_t first_number(const struct seen *run) {
    return (pid_t)strtol(run->text, NULL, 10);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#define RUN_LOCAL_TESTS(argc, argv, name, tests)                                                             \
    (argc == 2 && !strcmp(argv[1], "--supervise") ? local_supervise()                                        \
                                                  : cmocka_run_group_tests_name(name, tests, NULL, NULL))

#endif
