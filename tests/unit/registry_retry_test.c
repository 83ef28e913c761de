/* How runs end: retries, timeouts, recoveries, nodes that are lost; and what an end is kept for. */
#include "registry_fixture.h"

#define ONCE "40 13 22 14 11 *" /* 20 s after START */

enum { FAILED = 1U << OUTCOME_FAILED };

static void add_retried(struct fixture *f, int max, int64_t delay) {
    add_spec(f, ONCE,
             (struct job_spec){
                 .name = "a",
                 .baseline = START,
                 .max_active = 1,
                 .retry = {.max = max, .delay = delay, .backoff = 2, .max_delay = 100, .on = FAILED}});
    begin(f, 0);
    step(f, 20);
}

/* Fails the attempt that was asked for last. */
static void fail_last(struct fixture *f) {
    finish(f, start_running(f, f->asked_count - 1), OUTCOME_FAILED);
}

static void tries_again_with_growing_delays(void **state) {
    struct fixture *f = *state;
    static const int64_t delays[] = {30, 60, 100};
    add_retried(f, 3, 30);
    for (size_t i = 0; i < 3; i++) {
        fail_last(f);
        assert_int_not_equal(f->outcomes[i].retry, 0);
        assert_int_equal(f->outcomes[i].retry_at, f->now_ns / NS_PER_S + delays[i]);
        step(f, delays[i] - 1);
        assert_int_equal(f->asked_count, i + 1);
        step(f, 1);
        assert_int_equal(f->asked_count, i + 2);
        const struct run *next = &f->asked[i + 1];
        assert_int_equal(next->attempt, i + 1);
        assert_int_equal(next->slot, START + 20);
        assert_int_equal(next->trigger, TRIGGER_RETRY);
        assert_int_equal(next->lateness_ns, 0);
    }
    assert_string_equal(strrchr(f->asked[3].name, '-'), "-r3");
    fail_last(f);
    assert_int_equal(f->started_deadline[3], START + 20 + 30 + 60 + 100 + 300);
    assert_int_equal(f->outcomes[3].retry, 0);
    step(f, 1000);
    assert_int_equal(f->asked_count, 4);
}

static void tries_again_only_what_the_rule_names(void **state) {
    struct fixture *f = *state;
    add_retried(f, 1, 30);
    finish(f, start_running(f, 0), OUTCOME_EVICTED);
    assert_int_equal(f->outcomes[0].retry, 0);
}

static void keeps_the_overlap_lock_between_attempts(void **state) {
    struct fixture *f = *state;
    add_retried(f, 1, 30);
    fail_last(f);
    assert_int_equal(registry_trigger(f->registry, "a", "x", NULL, NULL), 0);
    assert_int_equal(run_active_beside(&f->asked[1]), 1);
    assert_int_equal(run_room(&f->asked[1]), ROOM_JOB);
    assert_int_equal(registry_skip(f->registry, f->asked[1].id, "overlap", NULL), 0);
    step(f, 30);
    assert_int_equal(run_active_beside(&f->asked[2]), 0); /* it does not stand in its own way */
}

static void reports_an_attempt_only_when_the_next_is_durable(void **state) {
    struct fixture *f = *state;
    add_retried(f, 1, 30);
    fail_last(f);
    assert_int_equal(registry_report(f->registry, f->asked[0].id, NULL), 0);
    assert_int_equal(f->told_count, 0);
    size_t open = 0;
    (void)registry_peek(f->registry, count_open, &open);
    registry_acknowledge(f->registry, START); /* of a list that was made before */
    assert_int_equal(open, 1);
    assert_int_equal(f->told_count, 0);
    save(f, START);
    assert_int_equal(f->told_count, 1);
    save(f, START);
    assert_int_equal(f->told_count, 1);
}

static void reports_an_attempt_when_the_next_exists(void **state) {
    struct fixture *f = *state;
    add_retried(f, 1, 0);
    fail_last(f);
    assert_int_equal(f->asked_count, 2);
    start_running(f, 1);
    assert_int_equal(registry_report(f->registry, f->asked[0].id, NULL), 0);
    assert_int_equal(f->told_count, 1);
}

/* A start that was refused has no object, so its retry alone stands for the slot. */
static void retries_what_could_not_start(void **state) {
    struct fixture *f = *state;
    size_t open;
    add_spec(f, ONCE, (struct job_spec){.name = "a", .baseline = START, .retry = {.max = 1, .on = ~0U}});
    begin(f, 0);
    step(f, 20);
    f->refuse = true;
    start_run(f, 0);
    assert_int_equal(f->outcomes[0].result.outcome, OUTCOME_START_FAILED);
    watermark(f, &open);
    assert_int_equal(open, 1);
    assert_int_equal(registry_report(f->registry, f->asked[0].id, NULL), 0);
    watermark(f, &open);
    assert_int_equal(open, 1);
    assert_int_equal(f->asked[1].attempt, 1);
}

static void says_why_there_is_no_retry(void **state) {
    struct fixture *f = *state;
    add_retried(f, 1, 30);
    void *run = start_running(f, 0);
    for (int i = 0; i < REGISTRY_OPEN_MAX; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%d", i);
        assert_int_equal(registry_trigger(f->registry, "a", id, NULL, NULL), 0);
    }
    finish(f, run, OUTCOME_FAILED);
    assert_int_equal(f->outcomes[0].retry, 0);
    assert_string_equal(f->outcomes[0].result.message, "(no retry: too many runs wait already)");
}

static void keeps_what_a_manual_run_was_given_for_its_retry(void **state) {
    struct fixture *f = *state;
    size_t open;
    add_retried(f, 1, 30);
    assert_int_equal(registry_skip(f->registry, f->asked[0].id, "x", NULL), 0);
    assert_int_equal(registry_report(f->registry, f->asked[0].id, NULL), 0);
    assert_int_equal(registry_trigger(f->registry, "a", "x", "[1]", NULL), 0);
    void *run = start_running(f, 1);
    watermark(f, &open);
    assert_int_equal(open, 1);
    assert_int_equal(registry_open_entry(registry_run(f->registry, f->asked[1].id)).state, OPEN_EXISTS);
    finish(f, run, OUTCOME_FAILED);
    step(f, 30);
    assert_string_equal(f->asked[2].data, "[1]");
    assert_non_null(strstr(f->asked[2].name, "-mx-r1"));
    finish(f, start_running(f, 2), OUTCOME_SUCCEEDED);
    watermark(f, &open);
    assert_int_equal(open, 0);
}

/* --- timeout --- */

static void stops_a_run_after_its_timeout(void **state) {
    struct fixture *f = *state;
    add_spec(f, ONCE, (struct job_spec){.name = "a", .baseline = START, .timeout = 60});
    begin(f, 0);
    step(f, 20);
    start_run(f, 0);
    f->events->accepted(f->events_ctx, f->started_owner[0]);
    step(f, 200); /* waiting for an image is not running */
    assert_int_equal(f->stopped_count, 0);
    f->events->started(f->events_ctx, f->started_owner[0], f->now_ns / NS_PER_S);
    assert_int_equal(registry_next_wake(f->registry), f->now_ns / NS_PER_S + 60);
    step(f, 60);
    step(f, 60);
    assert_int_equal(f->stopped_count, 1);
    assert_int_equal(f->stopped_as[0], OUTCOME_TIMEOUT);
}

static void adopted_runs_time_out_from_their_start(void **state) {
    struct fixture *f = *state;
    add_spec(f, ONCE, (struct job_spec){.name = "a", .baseline = START, .timeout = 60});
    assert_int_equal(registry_open(f->registry, NULL), 0);
    struct adopted_run run = {.namespace_ = "ns",
                              .name = "a-x",
                              .job = "a",
                              .slot = START - 100,
                              .started = true,
                              .result = {.started = START - 50}};
    f->events->adopted(f->events_ctx, &run);
    assert_int_equal(registry_begin(f->registry, START, NULL, 0, NULL), 0);
    step(f, 9);
    assert_int_equal(f->stopped_count, 0);
    step(f, 1);
    assert_int_equal(f->stopped_count, 1);
}

/* --- what an end means for later --- */

static void knows_a_recovery(void **state) {
    struct fixture *f = *state;
    static const enum outcome outcomes[] = {OUTCOME_SUCCEEDED, OUTCOME_FAILED, OUTCOME_SUCCEEDED,
                                            OUTCOME_SUCCEEDED};
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START);
    begin(f, 0);
    for (size_t i = 0; i < 4; i++) {
        step(f, i == 0 ? 40 : 60);
        finish(f, start_running(f, i), outcomes[i]);
        assert_int_equal(f->outcomes[i].recovered, i == 2);
    }
    assert_int_equal(run_last_success(&f->asked[0]), START + 40 + 180);
}

static struct adopted_run ended(const char *name, int64_t slot, enum outcome outcome, bool reported) {
    return (struct adopted_run){.namespace_ = "ns",
                                .name = name,
                                .job = "a",
                                .slot = slot,
                                .started = true,
                                .finished = true,
                                .reported = reported,
                                .result = {.outcome = outcome}};
}

/* Whatever order the objects are found in. */
static void learns_the_last_end_from_what_it_adopts(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START);
    assert_int_equal(registry_open(f->registry, NULL), 0);
    struct adopted_run runs[] = {ended("a-3", START - 20, OUTCOME_SUCCEEDED, false),
                                 ended("a-1", START - 140, OUTCOME_SUCCEEDED, true),
                                 ended("a-2", START - 80, OUTCOME_FAILED, true)};
    for (size_t i = 0; i < 3; i++)
        f->events->adopted(f->events_ctx, &runs[i]);
    assert_int_equal(f->outcome_count, 0);
    assert_int_equal(registry_begin(f->registry, START, NULL, 0, NULL), 0);
    assert_int_equal(f->outcome_count, 1);
    assert_true(f->outcomes[0].recovered);
    step(f, 40);
    assert_int_equal(run_last_success(&f->asked[0]), START - 20);
}

static void holds_the_lock_of_a_lost_run_until_it_is_gone(void **state) {
    struct fixture *f = *state;
    for (int release = 0; release < 2; release++) {
        add_spec(
            f, "* * * * *",
            (struct job_spec){
                .name = release ? "b" : "a", .baseline = START, .max_active = 1, .release_lost = release});
        if (!release)
            begin(f, 0);
    }
    step(f, 40);
    void *lost_a = NULL;
    for (size_t i = 0; i < 2; i++) {
        void *owner = start_running(f, i);
        if (!strcmp(run_job_name(&f->asked[i]), "a"))
            lost_a = owner;
        finish(f, owner, OUTCOME_LOST);
        assert_int_equal(registry_report(f->registry, f->asked[i].id, NULL), 0);
    }
    step(f, 60);
    for (size_t i = 2; i < 4; i++)
        assert_int_equal(run_room(&f->asked[i]),
                         strcmp(run_job_name(&f->asked[i]), "a") ? ROOM_FREE : ROOM_JOB);
    save(f, START + 50);
    pass(f, 120);
    save(f, START + 50); /* it is deleted though the history could keep it: nothing else ends the wait */
    assert_int_equal(f->discarded_count, 1);
    assert_ptr_equal(f->discarded[0], lost_a);
    f->events->gone(f->events_ctx, lost_a);
    for (size_t i = 2; i < 4; i++)
        assert_int_equal(run_room(&f->asked[i]), ROOM_FREE);
}

static void reads_the_origin_from_a_name(void **state) {
    (void)state;
    const struct name_owner owner = {"test", "ns", "b-job"};
    static const char *const origins[] = {"", "mreq1", "b20261124"};
    for (size_t i = 0; i < 3; i++)
        for (int attempt = 0; attempt < 2; attempt++) {
            name_text name;
            name_origin origin;
            assert_int_equal(name_for_run(&owner, origins[i], START, attempt, name, NULL), 0);
            name_read_origin(&owner, name, origin);
            assert_string_equal(origin, origins[i]);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(tries_again_with_growing_delays),
                                       TEST(tries_again_only_what_the_rule_names),
                                       TEST(keeps_the_overlap_lock_between_attempts),
                                       TEST(reports_an_attempt_only_when_the_next_is_durable),
                                       TEST(reports_an_attempt_when_the_next_exists),
                                       TEST(retries_what_could_not_start),
                                       TEST(says_why_there_is_no_retry),
                                       TEST(keeps_what_a_manual_run_was_given_for_its_retry),
                                       TEST(stops_a_run_after_its_timeout),
                                       TEST(adopted_runs_time_out_from_their_start),
                                       TEST(knows_a_recovery),
                                       TEST(learns_the_last_end_from_what_it_adopts),
                                       TEST(holds_the_lock_of_a_lost_run_until_it_is_gone),
                                       cmocka_unit_test(reads_the_origin_from_a_name)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
