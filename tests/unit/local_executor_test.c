/* core/local: runs as processes, seen through the executor's events. */
#include "local_fixture.h"

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

static void says_why_a_run_did_not_start(void **state) {
    struct fixture *f = *state;
    const struct {
        const char *container, *reason, *message;
    } cases[] = {
        {"\"image\": \"perl\"", "InvalidTemplate", "set 'command'"},
        {"\"command\": [\"no-such-command\"]", "StartError", "command no-such-command: not found in PATH="},
        {"\"command\": [\"/etc/passwd\"]", "StartError", "command /etc/passwd: Permission denied"},
        {"\"command\": [\"true\"], \"workingDir\": \"/nowhere\"", "StartError",
         "working directory /nowhere: No such file"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char name[16], manifest[256];
        snprintf(name, sizeof name, "bad-%zu", i);
        snprintf(manifest, sizeof manifest, "{\"spec\": {\"containers\": [{%s}]}}", cases[i].container);
        struct seen *run = start_slot(f, name, 100, manifest);
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

static void names_once_a_job_what_it_ignores(void **state) {
    struct fixture *f = *state;
    char command[160];
    await(f, start(f, "once", "exit 0"), 'F');
    await(f, start(f, "twice", "exit 0"), 'F');
    usleep(50000); /* the log has a thread of its own */
    snprintf(command, sizeof command, "test \"$(grep -c 'ignored=image' %s/log)\" = 1", f->dir);
    assert_int_equal(system(command), 0);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(tells_a_run_from_accepted_to_gone),
        TEST(tells_how_a_run_failed),
        TEST(delivers_every_byte_of_the_output),
        TEST(ends_a_run_and_its_descendants_at_the_deadline),
        TEST(ends_descendants_with_the_command),
        TEST(gives_the_container_its_environment),
        TEST(says_why_a_run_did_not_start),
        TEST(stops_a_run),
        TEST(refuses_a_name_that_is_taken),
        TEST(starts_nothing_behind_the_fence),
        TEST(starts_many_at_once),
        TEST(names_a_state_directory_it_cannot_make),
        TEST(keeps_others_out_of_its_files),
        TEST(names_once_a_job_what_it_ignores),
    };
    return RUN_LOCAL_TESTS(argc, argv, "local executor", tests);
}
