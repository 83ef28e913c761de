/* core/local: runs as processes, seen through the executor's events, across restarts of the daemon. This
 * program is its own supervisor (--supervise). */
#include "local/executor.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

static bool satisfied(const struct fixture *f) {
    if (f->wanted_event == 'f') {
        for (size_t i = 0; i < f->count; i++)
            if (!strchr(f->runs[i].order, 'F'))
                return false;
        return true;
    }
    return f->wanted ? strchr(f->wanted->order, f->wanted_event) != NULL : f->ready;
}

static void note(struct fixture *f, struct seen *run, char event) {
    size_t len = strlen(run->order);
    if (len + 1 < sizeof run->order && (event != 'l' || run->lines <= 3))
        run->order[len] = event;
    if (satisfied(f))
        loop_stop(f->loop);
}

static void on_ready(void *ctx) {
    struct fixture *f = ctx;
    f->ready = true;
    for (size_t i = 0; i < f->count; i++)
        f->finished_before_ready += strchr(f->runs[i].order, 'F') != NULL;
    loop_stop(f->loop);
}

static struct seen *add(struct fixture *f, const char *name) {
    struct seen *run = &f->runs[f->count++];
    snprintf(run->name, sizeof run->name, "%s", name);
    return run;
}

static void *on_adopted(void *ctx, const struct adopted_run *adopted) {
    struct fixture *f = ctx;
    if (f->leave_alone)
        return NULL;
    struct seen *run = add(f, adopted->name);
    run->adopted = *adopted;
    return run;
}

static void on_accepted(void *ctx, void *owner) {
    note(ctx, owner, 'A');
}
static void on_delayed(void *ctx, void *owner, const char *why) {
    (void)why;
    note(ctx, owner, 'D');
}
static void on_started(void *ctx, void *owner, int64_t when) {
    assert_true(when > 1700000000);
    note(ctx, owner, 'S');
}
static void on_line(void *ctx, void *owner, const char *container, const char *line, size_t len) {
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
static void on_finished(void *ctx, void *owner, const struct result *result) {
    ((struct seen *)owner)->result = *result;
    note(ctx, owner, 'F');
}
static void on_reported(void *ctx, void *owner) {
    note(ctx, owner, 'R');
}
static void on_gone(void *ctx, void *owner) {
    note(ctx, owner, 'G');
}

static const struct executor_events events = {on_adopted, on_ready,    on_accepted, on_delayed, on_started,
                                              on_line,    on_finished, on_reported, on_gone};

static void lost_patience(void *ctx) {
    const struct fixture *f = ctx;
    for (size_t i = 0; i < f->count && i < 5; i++)
        print_error("run %s saw \"%s\"\n", f->runs[i].name, f->runs[i].order);
    fail_msg("waited %d s for event '%c'", PATIENCE_S, f->wanted_event);
}

/* Runs the loop until the run has had the event. */
static void await(struct fixture *f, const struct seen *run, char event) {
    f->wanted = run;
    f->wanted_event = event;
    timer_start(f->patience, PATIENCE_S * NS_PER_S);
    while (!satisfied(f))
        loop_run(f->loop);
    timer_stop(f->patience);
}

static void spin(struct fixture *f, int ms) {
    for (int i = 0; i < ms; i += 5) {
        uv_run(loop_uv(f->loop), UV_RUN_NOWAIT);
        usleep(5000);
    }
}

static void open_executor(struct fixture *f) {
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

static void close_executor(struct fixture *f) {
    f->executor->ops->free(f->executor);
    f->executor = NULL;
}

/* What a daemon leaves, and the next one finds. */
static void restart(struct fixture *f) {
    close_executor(f);
    store_close(f->store);
    assert_int_equal(store_open(f->loop, f->db, "", &f->store, NULL), 0);
    open_executor(f);
}

static int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    strcpy(f->dir, "/tmp/ks_local_XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->db, sizeof f->db, "%s/state.db", f->dir);
    ssize_t len = readlink("/proc/self/exe", f->program, sizeof f->program - 1);
    assert_true(len > 0);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(loop_new(&clock_system, &random_system, &f->loop, NULL), 0);
    assert_int_equal(log_new(&clock_system, null, &f->log, NULL), 0);
    assert_int_equal(store_open(f->loop, f->db, "", &f->store, NULL), 0);
    assert_int_equal(timer_new(f->loop, lost_patience, f, &f->patience, NULL), 0);
    open_executor(f);
    *state = f;
    return 0;
}

static int teardown(void **state) {
    struct fixture *f = *state;
    char command[128];
    if (f->executor)
        close_executor(f);
    timer_free(f->patience);
    store_close(f->store);
    loop_free(f->loop);
    log_free(f->log);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no process and no zombie is left */
    assert_int_equal(errno, ECHILD);
    snprintf(command, sizeof command, "rm -rf %s", f->dir);
    assert_int_equal(system(command), 0);
    free(f);
    return 0;
}

static struct seen *start_slot(struct fixture *f, const char *name, int64_t slot, const char *manifest) {
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
static struct seen *start_with(struct fixture *f, const char *name, const char *script, const char *more,
                               const char *pod) {
    char manifest[4096];
    snprintf(manifest, sizeof manifest,
             "{\"kind\": \"Pod\", \"spec\": {%s \"containers\": [{\"name\": \"c\", \"image\": \"busybox\","
             " \"command\": [\"/bin/sh\", \"-c\"], \"args\": [\"%s\"]%s}]}}",
             pod, script, more);
    return start_slot(f, name, 100, manifest);
}

static struct seen *start(struct fixture *f, const char *name, const char *script) {
    return start_with(f, name, script, "", "");
}

static void assert_result(const struct seen *run, enum outcome outcome, int exit_code, const char *reason) {
    assert_string_equal(outcome_name(run->result.outcome), outcome_name(outcome));
    assert_int_equal(run->result.exit_code, exit_code);
    assert_string_equal(run->result.reason, reason);
}

static void assert_in(const char *text, const char *part) {
    if (!strstr(text, part))
        fail_msg("\"%s\" is not in \"%s\"", part, text);
}

static int is_there(const struct fixture *f, const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%s/runs/ns/%s", f->dir, name);
    return !access(path, F_OK);
}

static void tells_a_run_from_accepted_to_gone(void **state) {
    struct fixture *f = *state;
    struct seen *run = start(f, "a", "echo one; echo two >&2; echo three");
    await(f, run, 'F');
    assert_string_equal(run->text, "one\ntwo\nthree\n");
    assert_result(run, OUTCOME_SUCCEEDED, 0, "Completed");
    assert_true(run->result.started > 0 && run->result.finished >= run->result.started);
    assert_true(is_there(f, "a"));
    assert_int_equal(f->executor->ops->report(f->executor, run, NULL), 0);
    await(f, run, 'R');
    assert_int_equal(f->executor->ops->discard(f->executor, run, NULL), 0);
    await(f, run, 'G');
    assert_string_equal(run->order, "ASlllFRG");
    assert_false(is_there(f, "a"));
    restart(f);
    assert_int_equal(f->count, 0);
}

static void tells_how_a_run_failed(void **state) {
    struct fixture *f = *state;
    struct seen *code = start(f, "code", "exit 3");
    struct seen *term = start(f, "term", "kill -TERM $$$$");
    struct seen *killed = start(f, "killed", "kill -KILL $$$$");
    await(f, NULL, 'f');
    assert_result(code, OUTCOME_FAILED, 3, "Error");
    assert_result(term, OUTCOME_FAILED, 143, "Signal");
    assert_in(term->result.message, "SIGTERM");
    assert_result(killed, OUTCOME_FAILED, 137, "Killed");
}

static void delivers_every_byte_of_the_output(void **state) {
    struct fixture *f = *state;
    struct seen *lines = start(f, "lines", "i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
    struct seen *end = start(f, "end", "printf 'first\\\\n\\\\nlast without end'");
    /* a single byte, then two-byte characters: the limit falls inside one */
    struct seen *wide =
        start(f, "wide", "printf x; i=0; while [ $i -lt 20000 ]; do printf '\xc3\xa4'; i=$((i+1)); done");
    struct seen *again = start(f, "again", "echo before; echo over > /dev/stderr; echo after");
    await(f, NULL, 'f');
    assert_int_equal(lines->lines, 20000);
    assert_int_equal(lines->bytes, 20000 * 5 + 10 + 90 * 2 + 900 * 3 + 9000 * 4 + 10000 * 5);
    assert_string_equal(end->text, "first\n\nlast without end\n");
    assert_int_equal(wide->bytes, 40001);
    assert_int_equal(wide->lines, 3);
    assert_int_equal(wide->longest, 16384);
    assert_false(wide->cut_inside);
    assert_string_equal(again->text, "before\nover\nafter\n");
}

static pid_t first_number(const struct seen *run) {
    return (pid_t)strtol(run->text, NULL, 10);
}

static void ends_a_run_and_its_descendants_at_the_deadline(void **state) {
    struct fixture *f = *state;
    struct seen *run =
        start_with(f, "late", "setsid sleep 1000 & echo $!; trap 'echo told' TERM; sleep 1000; exit 0", "",
                   "\"activeDeadlineSeconds\": 1,");
    struct seen *deaf = start_with(f, "deaf", "trap '' TERM; echo $$$$; while :; do sleep 0.1; done", "",
                                   "\"activeDeadlineSeconds\": 1, \"terminationGracePeriodSeconds\": 1,");
    await(f, NULL, 'f');
    assert_result(run, OUTCOME_TIMEOUT, 0, "DeadlineExceeded");
    assert_in(run->text, "told");
    assert_int_equal(kill(first_number(run), 0), -1);
    assert_result(deaf, OUTCOME_TIMEOUT, 137, "DeadlineExceeded");
    assert_int_equal(kill(first_number(deaf), 0), -1);
}

static void ends_descendants_with_the_command(void **state) {
    struct fixture *f = *state;
    struct seen *run = start(f, "left", "setsid sleep 1000 & echo $!");
    await(f, run, 'F');
    assert_result(run, OUTCOME_SUCCEEDED, 0, "Completed");
    assert_int_equal(kill(first_number(run), 0), -1);
}

static void gives_the_container_its_environment(void **state) {
    struct fixture *f = *state;
    setenv("KS_SECRET", "of the daemon", 1);
    struct seen *run = start_with(
        f, "env", "echo '$(A)/$(NONE)/$$(A)' $B; echo ${KS_SECRET-none} ${HOME:+home}; pwd",
        ", \"env\": [{\"name\": \"A\", \"value\": \"one\"}, {\"name\": \"B\", \"value\": \"$(A) two\"},"
        " {\"name\": \"C\", \"valueFrom\": {}}], \"workingDir\": \"/usr\"",
        "");
    await(f, run, 'F');
    assert_string_equal(run->text, "one/$(NONE)/$(A) one two\nnone home\n/usr\n");
}

static void refuses_a_template_it_cannot_run(void **state) {
    struct fixture *f = *state;
    const struct {
        const char *manifest, *reason, *message;
    } cases[] = {
        {"{\"spec\": {\"containers\": [{\"name\": \"c\", \"image\": \"perl\"}]}}", "InvalidTemplate",
         "set 'command'"},
        {"{\"spec\": {}}", "InvalidTemplate", "set 'command'"},
        {"{\"spec\": {\"containers\": [{\"command\": \"perl\"}]}}", "InvalidTemplate", "must be a list"},
        {"{\"spec\": {\"containers\": [{\"command\": [\"a\", 1]}]}}", "InvalidTemplate",
         "command[1] must be a string"},
        {"{", "InvalidTemplate", "manifest, line 1"},
        {"{\"spec\": {\"containers\": [{\"command\": [\"no-such-command\"]}]}}", "StartError",
         "command no-such-command: not found in PATH="},
        {"{\"spec\": {\"containers\": [{\"command\": [\"/etc/passwd\"]}]}}", "StartError",
         "command /etc/passwd: Permission denied"},
        {"{\"spec\": {\"containers\": [{\"command\": [\"true\"], \"workingDir\": \"/nowhere\"}]}}",
         "StartError", "working directory /nowhere: No such file"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16];
        snprintf(name, sizeof name, "bad-%zu", i);
        struct seen *run = start_slot(f, name, 100, cases[i].manifest);
        await(f, run, 'F');
        assert_result(run, OUTCOME_START_FAILED, -1, cases[i].reason);
        assert_in(run->result.message, cases[i].message);
        assert_int_equal(run->result.started, 0);
        assert_null(strchr(run->order, 'S'));
    }
}

static void stops_a_run(void **state) {
    struct fixture *f = *state;
    struct seen *run = start(f, "stop", "echo up; sleep 1000");
    await(f, run, 'l');
    assert_int_equal(f->executor->ops->stop(f->executor, run, OUTCOME_TIMEOUT, "TooLong", NULL), 0);
    await(f, run, 'F');
    assert_result(run, OUTCOME_TIMEOUT, 143, "TooLong");
    struct seen *early = start(f, "early", "echo never");
    assert_int_equal(f->executor->ops->stop(f->executor, early, OUTCOME_DELETED, "Replaced", NULL), 0);
    await(f, early, 'F');
    assert_string_equal(early->order, "AF");
    assert_result(early, OUTCOME_DELETED, -1, "Replaced");
    assert_int_equal(f->executor->ops->stop(f->executor, early, OUTCOME_DELETED, "Again", NULL), ERR_INVALID);
}

static void adopts_a_run_that_goes_on(void **state) {
    struct fixture *f = *state;
    char script[160], go[96];
    snprintf(go, sizeof go, "%s/go", f->dir);
    snprintf(script, sizeof script, "echo one; while [ ! -e %s ]; do sleep 0.05; done; echo two; exit 4", go);
    await(f, start(f, "long", script), 'l');
    restart(f);
    assert_int_equal(f->count, 1);
    struct seen *run = &f->runs[0];
    assert_true(run->adopted.started);
    assert_false(run->adopted.finished);
    assert_int_equal(run->adopted.slot, 100);
    close(open(go, O_CREAT | O_WRONLY | O_CLOEXEC, 0600));
    await(f, run, 'F');
    assert_string_equal(run->text, "two\n"); /* and not one again */
    assert_result(run, OUTCOME_FAILED, 4, "Error");
}

static pid_t supervisor_of(const struct fixture *f, const char *name) {
    char path[160];
    int pid = 0;
    snprintf(path, sizeof path, "%s/runs/ns/%s/lock", f->dir, name);
    FILE *file = fopen(path, "re");
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    return pid;
}

/* In life its parent, the earlier daemon, is gone, and init collects it. */
static void wait_for_supervisor(const struct fixture *f, const char *name) {
    pid_t pid = supervisor_of(f, name);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void adopts_a_run_that_ended_meanwhile(void **state) {
    struct fixture *f = *state;
    struct seen *run = start(f, "over", "echo one; sleep 0.3; echo two; exit 5");
    await(f, run, 'l');
    close_executor(f);
    wait_for_supervisor(f, "over");
    open_executor(f);
    run = &f->runs[0];
    assert_int_equal(f->finished_before_ready, 1);
    assert_false(run->adopted.finished);
    assert_string_equal(run->text, "two\n");
    assert_result(run, OUTCOME_FAILED, 5, "Error");
    f->executor->ops->report(f->executor, run, NULL);
    await(f, run, 'R');
    restart(f);
    run = &f->runs[0];
    assert_true(run->adopted.finished && run->adopted.reported);
    assert_int_equal(run->adopted.result.exit_code, 5);
    assert_string_equal(run->order, "");
    f->executor->ops->discard(f->executor, run, NULL);
    await(f, run, 'G');
}

static void does_not_guess_without_a_supervisor(void **state) {
    struct fixture *f = *state;
    struct seen *run = start(f, "orphan", "echo $$$$; exec sleep 1000");
    await(f, run, 'l');
    kill(supervisor_of(f, "orphan"), SIGKILL);
    await(f, run, 'F');
    assert_result(run, OUTCOME_UNKNOWN, -1, "SupervisorLost");
    for (int i = 0; i < 200 && !kill(first_number(run), 0); i++)
        usleep(10000);
    assert_int_equal(kill(first_number(run), 0), -1); /* nobody runs on unseen */
}

static void does_not_run_an_intent_again(void **state) {
    struct fixture *f = *state;
    close_executor(f);
    assert_int_equal(
        store_exec(f->store,
                   "INSERT INTO local_runs (namespace, name, job, is_job, slot, attempt, trigger,"
                   " container) VALUES ('ns', 'lost', 'job', 0, 100, 1, 'schedule', 'c')",
                   NULL, 0, NULL, NULL, NULL),
        0);
    open_executor(f);
    assert_int_equal(f->count, 1);
    assert_int_equal(f->finished_before_ready, 1);
    assert_result(&f->runs[0], OUTCOME_UNKNOWN, -1, "NoEvidence");
    assert_string_equal(f->runs[0].order, "F");
    restart(f);
    assert_true(f->runs[0].adopted.finished); /* it stays so */
}

static void refuses_a_name_that_is_taken(void **state) {
    struct fixture *f = *state;
    struct seen *first = start(f, "same", "exit 0");
    await(f, first, 'F');
    struct seen *other = start_slot(f, "same", 200, "{}");
    await(f, other, 'F');
    assert_result(other, OUTCOME_START_FAILED, -1, "NameTaken");
    assert_in(other->result.message, "job job, slot 100");
    assert_int_equal(f->executor->ops->discard(f->executor, other, NULL), 0);
    await(f, other, 'G');
    assert_true(is_there(f, "same")); /* that is the first one's */
    f->leave_alone = true;
    restart(f);
    struct seen *again = start(f, "same", "exit 0");
    await(f, again, 'F');
    assert_string_equal(again->order, "AF");
    assert_result(again, OUTCOME_SUCCEEDED, 0, "Completed");
}

static void starts_nothing_behind_the_fence(void **state) {
    struct fixture *f = *state;
    struct seen *run = start(f, "queued", "echo never");
    struct run_spec late = {
        .namespace_ = "ns", .name = "late", .job = "job", .manifest = "{}", .manifest_len = 2};
    f->executor->ops->fence(f->executor);
    assert_int_equal(f->executor->ops->start(f->executor, &late, f, NULL), ERR_CANCELED);
    spin(f, 200);
    assert_string_equal(run->order, "");
    restart(f);
    assert_int_equal(f->count, 0); /* undecided: the next daemon may start it */
}

static void survives_the_end_of_the_daemon_at_any_moment(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "r%d", i);
        start(f, name, "echo x");
        spin(f, i * 5);
        restart(f);
        for (size_t k = 0; k < f->count; k++) {
            if (!f->runs[k].adopted.finished)
                await(f, &f->runs[k], 'F');
            enum outcome outcome =
                f->runs[k].adopted.finished ? f->runs[k].adopted.result.outcome : f->runs[k].result.outcome;
            assert_true(outcome == OUTCOME_SUCCEEDED || outcome == OUTCOME_UNKNOWN);
        }
    }
    spin(f, 100);
}

static void starts_many_at_once(void **state) {
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++) {
        char name[16];
        snprintf(name, sizeof name, "m%d", i);
        start(f, name, "echo $(N)");
    }
    await(f, NULL, 'f');
    for (size_t i = 0; i < f->count; i++)
        assert_result(&f->runs[i], OUTCOME_SUCCEEDED, 0, "Completed");
}

static void names_a_state_directory_it_cannot_make(void **state) {
    struct fixture *f = *state;
    struct executor *executor = NULL;
    struct err err;
    struct local_executor_config config = {.loop = f->loop,
                                           .log = f->log,
                                           .store = f->store,
                                           .state_dir = "/proc/nowhere",
                                           .program = f->program};
    assert_int_equal(local_executor_new(&config, &executor, &err), ERR_IO);
    assert_in(err.message, "state directory /proc/nowhere");
    assert_in(err.message, "--state-dir");
    config.program = "/nowhere/kube-scheduler";
    assert_int_equal(local_executor_new(&config, &executor, &err), ERR_IO);
    assert_in(err.message, "/nowhere/kube-scheduler");
}

static void keeps_others_out_of_its_files(void **state) {
    struct fixture *f = *state;
    static const char *const names[] = {"spec", "lock", "output", "status"};
    await(f, start(f, "mode", "exit 0"), 'F');
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[160];
        struct stat st;
        snprintf(path, sizeof path, "%s/runs/ns/mode/%s", f->dir, names[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(int argc, char **argv) {
    if (argc == 3 && !strcmp(argv[1], "--supervise"))
        return local_supervise(argv[2]);
    const struct CMUnitTest tests[] = {
        TEST(tells_a_run_from_accepted_to_gone),
        TEST(tells_how_a_run_failed),
        TEST(delivers_every_byte_of_the_output),
        TEST(ends_a_run_and_its_descendants_at_the_deadline),
        TEST(ends_descendants_with_the_command),
        TEST(gives_the_container_its_environment),
        TEST(refuses_a_template_it_cannot_run),
        TEST(stops_a_run),
        TEST(adopts_a_run_that_goes_on),
        TEST(adopts_a_run_that_ended_meanwhile),
        TEST(does_not_guess_without_a_supervisor),
        TEST(does_not_run_an_intent_again),
        TEST(refuses_a_name_that_is_taken),
        TEST(starts_nothing_behind_the_fence),
        TEST(survives_the_end_of_the_daemon_at_any_moment),
        TEST(starts_many_at_once),
        TEST(names_a_state_directory_it_cannot_make),
        TEST(keeps_others_out_of_its_files),
    };
    return cmocka_run_group_tests_name("local executor", tests, NULL, NULL);
}
