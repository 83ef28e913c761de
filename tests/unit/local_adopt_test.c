/* core/local: what a daemon leaves, and what its successor makes of it. */
#include "local_fixture.h"

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

/* Its lock is free once it has ended. */
static void wait_for_supervisor(const struct fixture *f, const char *name) {
    char path[160];
    snprintf(path, sizeof path, "%s/runs/ns/%s/lock", f->dir, name);
    int lock = open(path, O_RDWR | O_CLOEXEC);
    assert_true(lock >= 0);
    assert_int_equal(flock(lock, LOCK_EX), 0);
    close(lock);
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

static pid_t parent_of(pid_t pid) {
    char path[64];
    int parent = 0;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    assert_int_equal(fscanf(file, "%*d (%*[^)]) %*c %d", &parent), 1);
    fclose(file);
    return parent;
}

static void survives_the_end_of_the_nursery(void **state) {
    struct fixture *f = *state;
    struct seen *before = start(f, "before", "echo up; sleep 0.5; exit 6");
    await(f, before, 'l');
    kill(parent_of(supervisor_of(f, "before")), SIGKILL);
    spin(f, 300); /* until the daemon knows */
    struct seen *after = start(f, "after", "exit 7");
    await(f, NULL, 'f');
    assert_result(before, OUTCOME_FAILED, 6, "Error");
    assert_result(after, OUTCOME_FAILED, 7, "Error");
    assert_string_equal(after->order, "ADSF"); /* a new one is born a second later */
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

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        TEST(adopts_a_run_that_goes_on),           TEST(adopts_a_run_that_ended_meanwhile),
        TEST(does_not_guess_without_a_supervisor), TEST(survives_the_end_of_the_nursery),
        TEST(does_not_run_an_intent_again),        TEST(survives_the_end_of_the_daemon_at_any_moment),
    };
    return RUN_LOCAL_TESTS(argc, argv, "local adopt", tests);
}
