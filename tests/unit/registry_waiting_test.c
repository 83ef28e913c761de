/* Runs that wait: for a time, for room, for an upstream; who goes first; what replaces; what is given up. */
#include "registry_fixture.h"

#define MINUTELY "* * * * *"

static void asks_again_when_its_time_has_come(void **state) {
    struct fixture *f = *state;
    add(f, "a", MINUTELY, CATCH_UP_LATEST, START);
    begin(f, 0);
    step(f, 40);
    wait_run(f, 0, "delay", START + 70);
    assert_int_equal(registry_next_wake(f->registry), START + 70);
    step(f, 29);
    assert_int_equal(f->asked_count, 1);
    step(f, 1);
    assert_int_equal(f->asked_count, 2);
    assert_int_equal(f->asked[1].id, f->asked[0].id);
    assert_string_equal(f->asked[1].reason, "delay");
    assert_int_equal(f->asked[1].lateness_ns, 0); /* it was due now */
    start_run(f, 1);
    assert_int_equal(f->started_deadline[0], START + 70 + 300);
}

static void waits_for_room_and_keeps_its_slot(void **state) {
    struct fixture *f = *state;
    add_spec(f, MINUTELY, (struct job_spec){.name = "a", .baseline = START, .max_active = 1});
    begin(f, 0);
    step(f, 40);
    void *first = start_running(f, 0);
    for (size_t i = 1; i <= 2; i++) {
        step(f, 60);
        assert_int_equal(run_room(&f->asked[i]), ROOM_JOB);
        wait_run(f, i, "queue", 0);
    }
    assert_int_equal(f->asked_count, 3);
    finish(f, first, OUTCOME_SUCCEEDED);
    assert_int_equal(f->asked_count, 4); /* one, for there is room for one */
    assert_int_equal(f->asked[3].slot, START + 100);
    finish(f, start_running(f, 3), OUTCOME_SUCCEEDED);
    assert_int_equal(f->asked[4].slot, START + 160);
}

static void gives_up_at_the_deadline(void **state) {
    struct fixture *f = *state;
    add_spec(f, "0 0 1 1 *", (struct job_spec){.name = "a", .baseline = START, .max_active = 1});
    begin(f, 0);
    assert_int_equal(registry_trigger(f->registry, "a", "x", NULL, NULL), 0);
    start_running(f, 0);
    assert_int_equal(registry_trigger(f->registry, "a", "y", NULL, NULL), 0);
    wait_run(f, 1, "limit db", 0);
    assert_int_equal(registry_next_wake(f->registry), START + 301);
    step(f, 300);
    assert_int_equal(f->skipped_count, 0);
    step(f, 1);
    assert_int_equal(f->skipped_count, 1);
    assert_string_equal(f->skipped[0].reason, "not started by its deadline: limit db");
    assert_int_equal(waiting_of(f, "a"), 0);
}

/* An owner that always waits is asked once for each change, not for ever. */
static void asks_once_for_each_change(void **state) {
    struct fixture *f = *state;
    add(f, "a", MINUTELY, CATCH_UP_LATEST, START);
    add(f, "b", MINUTELY, CATCH_UP_LATEST, START);
    begin(f, 0);
    step(f, 40);
    wait_run(f, 0, "something else", 0);
    assert_int_equal(f->asked_count, 2);
    void *other = start_running(f, 1);
    registry_step(f->registry);
    assert_int_equal(f->asked_count, 2);
    finish(f, other, OUTCOME_SUCCEEDED);
    assert_int_equal(f->asked_count, 3);
    wait_run(f, 2, "something else", 0);
    registry_step(f->registry);
    assert_int_equal(f->asked_count, 3);
}

static void shares_a_limit_by_priority(void **state) {
    struct fixture *f = *state;
    assert_int_equal(registry_limit(f->registry, "db", 1, NULL), 0);
    const struct job_spec low = {.name = "low", .baseline = START, .limit = "db"},
                          high = {.name = "high", .baseline = START, .limit = "db", .priority = 5},
                          mid = {.name = "mid", .baseline = START, .limit = "db", .priority = 1};
    add_spec(f, MINUTELY, low);
    add_spec(f, MINUTELY, high);
    add_spec(f, MINUTELY, mid);
    begin(f, 0);
    step(f, 40);
    assert_string_equal(run_job_name(&f->asked[0]), "high"); /* all are due in one second */
    assert_string_equal(run_job_name(&f->asked[2]), "low");
    void *first = start_running(f, 0);
    wait_run(f, 2, "limit", 0);
    wait_run(f, 1, "limit", 0);
    assert_int_equal(run_room(registry_run(f->registry, f->asked[1].id)), ROOM_LIMIT);
    finish(f, first, OUTCOME_SUCCEEDED);
    assert_int_equal(f->asked_count, 4);
    assert_string_equal(run_job_name(&f->asked[3]), "mid");
}

static void caps_all_jobs_together(void **state) {
    struct fixture *f = *state;
    registry_free(f->registry);
    f->max_active = 2;
    setup_registry(f);
    add(f, "a", MINUTELY, CATCH_UP_LATEST, START);
    add(f, "b", MINUTELY, CATCH_UP_LATEST, START);
    begin(f, 0);
    assert_int_equal(registry_trigger(f->registry, "a", "x", NULL, NULL), 0);
    assert_int_equal(run_room(&f->asked[0]), ROOM_FREE);
    step(f, 40);
    assert_int_equal(run_room(&f->asked[0]), ROOM_TOTAL);
    assert_int_equal(registry_skip(f->registry, f->asked[1].id, "x", NULL), 0);
    assert_int_equal(run_room(&f->asked[0]), ROOM_FREE);
}

static void refuses_an_unknown_limit(void **state) {
    struct fixture *f = *state;
    struct err err;
    struct cron_schedule *none = NULL;
    const struct job_spec spec = {
        .name = "a", .namespace_ = "ns", .schedules = &none, .schedule_count = 1, .limit = "db"};
    assert_int_equal(registry_add(f->registry, &spec, &err), ERR_NOTFOUND);
}

static void replaces_when_the_old_is_gone(void **state) {
    struct fixture *f = *state;
    add_spec(
        f, MINUTELY,
        (struct job_spec){.name = "a", .baseline = START, .max_active = 1, .retry = {.max = 5, .on = ~0U}});
    begin(f, 0);
    step(f, 40);
    void *old = start_running(f, 0);
    step(f, 60);
    assert_int_equal(registry_replace(f->registry, f->asked[1].id, NULL), 0);
    assert_ptr_equal(f->stopped[0], old);
    assert_int_equal(f->stopped_as[0], OUTCOME_DELETED);
    step(f, 60); /* it takes its time; a newer slot comes, and the one that waits is outdated */
    assert_int_equal(registry_replace(f->registry, f->asked[2].id, NULL), 0);
    assert_int_equal(f->skipped_count, 1);
    assert_string_equal(f->skipped[0].reason, "replaced by a newer slot");
    assert_int_equal(f->stopped_count, 1);
    assert_int_equal(f->asked_count, 3);
    finish(f, old, OUTCOME_DELETED);
    assert_true(f->outcomes[0].replaced);
    assert_int_equal(f->outcomes[0].retry, 0); /* that would be absurd */
    assert_int_equal(f->asked_count, 4);
    assert_int_equal(f->asked[3].slot, START + 160);
}

/* The hook of the old slot takes long: when it starts in the end, it is stopped at once. */
static void replaces_one_that_was_still_being_decided(void **state) {
    struct fixture *f = *state;
    add_spec(f, MINUTELY, (struct job_spec){.name = "a", .baseline = START, .max_active = 1});
    begin(f, 0);
    step(f, 40);
    step(f, 60);
    assert_int_equal(registry_replace(f->registry, f->asked[1].id, NULL), 0);
    assert_int_equal(f->stopped_count, 0);
    start_run(f, 0);
    assert_int_equal(f->stopped_count, 1);
    finish(f, f->stopped[0], OUTCOME_DELETED);
    assert_int_equal(f->asked[2].slot, START + 100);
}

/* More than fit in the open list: the rest must be skipped, for a crash would lose them. */
/* The daemon that replaced it died: the next one does not call it a failure. */
static void knows_what_an_earlier_daemon_replaced(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_NONE, START - 100);
    assert_int_equal(registry_open(f->registry, NULL), 0);
    const struct adopted_run run = {
        .namespace_ = "ns",
        .name = "a-x",
        .job = "a",
        .slot = START - 20,
        .started = true,
        .finished = true,
        .result = {.outcome = OUTCOME_DELETED, .removed = true, .reason = "Replaced"}};
    assert_non_null(f->events->adopted(f->events_ctx, &run));
    assert_int_equal(registry_begin(f->registry, START, NULL, 0, NULL), 0);
    assert_int_equal(f->outcome_count, 1);
    assert_true(f->outcomes[0].replaced);
}

static void takes_only_so_many(void **state) {
    struct fixture *f = *state;
    size_t open;
    struct err err;
    add(f, "a", "0 0 1 1 *", CATCH_UP_LATEST, START);
    begin(f, 0);
    for (size_t i = 0; i < REGISTRY_OPEN_MAX; i++) {
        char id[16];
        (void)snprintf(id, sizeof id, "%zu", i);
        assert_int_equal(registry_trigger(f->registry, "a", id, NULL, NULL), 0);
        wait_run(f, i, "queue", START + 1000);
    }
    assert_int_equal(registry_trigger(f->registry, "a", "more", NULL, &err), ERR_LIMIT);
    watermark(f, &open);
    assert_int_equal(open, REGISTRY_OPEN_MAX);
    assert_int_equal(registry_next_wake(f->registry), START + 1000);
}

static void creates_that_take_long_leave_half_of_the_list(void **state) {
    struct fixture *f = *state;
    size_t open;
    static const char *const names[] = {"a", "b", "c"};
    for (size_t i = 0; i < 3; i++)
        add_spec(f, "* * * * *",
                 (struct job_spec){.name = names[i], .catch_up = CATCH_UP_ALL, .deadline = 100000});
    begin(f, START - 100 * 60);
    assert_int_equal(f->asked_count, 300);
    step(f, REGISTRY_OPEN_AGE);
    watermark(f, &open);
    assert_int_equal(open, REGISTRY_OPEN_MAX / 2);
    assert_int_equal(registry_trigger(f->registry, "a", "id", NULL, NULL), 0);
}

static void takes_only_so_many_bytes(void **state) {
    struct fixture *f = *state;
    struct err err;
    char data[REGISTRY_OPEN_BYTES / 2];
    memset(data, 'x', sizeof data - 1);
    data[sizeof data - 1] = '\0';
    add(f, "a", "0 0 1 1 *", CATCH_UP_LATEST, START);
    begin(f, 0);
    assert_int_equal(registry_trigger(f->registry, "a", "1", data, NULL), 0);
    assert_int_equal(registry_trigger(f->registry, "a", "2", data, &err), ERR_LIMIT);
    start_run(f, 0);
    f->events->accepted(f->events_ctx, f->started_owner[0]);
    assert_int_equal(registry_trigger(f->registry, "a", "3", data, &err), 0);
}

/* --- after --- */

static const struct upstream_rule after_up[] = {{"up", AFTER_SUCCESS}};

static void add_pair(struct fixture *f, const char *up, const char *down, const struct upstream_rule *rule) {
    add(f, "up", up, CATCH_UP_LATEST, START);
    add_spec(f, down, (struct job_spec){.name = "down", .baseline = START, .after = rule, .after_count = 1});
    begin(f, 0);
}

static enum upstream_state upstream_of(struct fixture *f, size_t asked) {
    const char *job = NULL;
    return run_upstream(registry_run(f->registry, f->asked[asked].id), &job);
}

/* Both are due in one second, in either order of asking. */
static size_t index_of(struct fixture *f, const char *job) {
    for (size_t i = f->asked_count; i > 0; i--)
        if (!strcmp(run_job_name(&f->asked[i - 1]), job))
            return i - 1;
    fail();
    return 0;
}

static void comes_after_the_run_of_the_same_slot(void **state) {
    struct fixture *f = *state;
    add_pair(f, MINUTELY, MINUTELY, after_up);
    step(f, 40);
    size_t down = index_of(f, "down");
    assert_int_equal(upstream_of(f, down), UPSTREAM_PENDING);
    void *up = start_running(f, index_of(f, "up"));
    wait_run(f, down, "after", 0);
    assert_int_equal(f->asked_count, 2);
    finish(f, up, OUTCOME_SUCCEEDED);
    assert_int_equal(f->asked_count, 3);
    assert_int_equal(upstream_of(f, 2), UPSTREAM_FINE);
    assert_int_equal(f->asked[2].slot, START + 40);
}

static void hears_that_its_upstream_failed_or_was_skipped(void **state) {
    struct fixture *f = *state;
    add_pair(f, MINUTELY, MINUTELY, after_up);
    step(f, 40);
    void *up = start_running(f, index_of(f, "up"));
    wait_run(f, index_of(f, "down"), "after", 0);
    finish(f, up, OUTCOME_FAILED);
    assert_int_equal(upstream_of(f, 2), UPSTREAM_FAILED);
    assert_int_equal(registry_skip(f->registry, f->asked[2].id, "x", NULL), 0);
    step(f, 60);
    size_t index = index_of(f, "up");
    wait_run(f, index_of(f, "down"), "after", 0);
    assert_int_equal(registry_skip(f->registry, f->asked[index].id, "x", NULL), 0);
    assert_int_equal(registry_report(f->registry, f->asked[index].id, NULL), 0); /* nothing is left of it */
    assert_int_equal(upstream_of(f, f->asked_count - 1), UPSTREAM_SKIPPED);
}

static void comes_after_failure_or_any_end(void **state) {
    struct fixture *f = *state;
    static const struct upstream_rule failure[] = {{"up", AFTER_FAILURE}}, any[] = {{"up", AFTER_ANY}};
    add(f, "up", MINUTELY, CATCH_UP_LATEST, START);
    add_spec(f, MINUTELY,
             (struct job_spec){.name = "f", .baseline = START, .after = failure, .after_count = 1});
    add_spec(f, MINUTELY,
             (struct job_spec){.name = "any", .baseline = START, .after = any, .after_count = 1});
    begin(f, 0);
    step(f, 40);
    finish(f, start_running(f, index_of(f, "up")), OUTCOME_SUCCEEDED);
    assert_int_equal(upstream_of(f, index_of(f, "f")), UPSTREAM_SUCCEEDED);
    assert_int_equal(upstream_of(f, index_of(f, "any")), UPSTREAM_FINE);
}

/* The upstream has no slot at that time: its last run counts, also one that still goes on. */
static void comes_after_the_last_run_else(void **state) {
    struct fixture *f = *state;
    add_pair(f, "40 13 22 * * *", "50 13 22 * * *", after_up); /* :40 is 20 s from START, :50 30 s */
    step(f, 20);
    void *up = start_running(f, 0);
    step(f, 10);
    assert_int_equal(upstream_of(f, 1), UPSTREAM_PENDING);
    finish(f, up, OUTCOME_SUCCEEDED);
    assert_int_equal(upstream_of(f, 1), UPSTREAM_FINE);
}

static void waits_for_one_that_never_ran(void **state) {
    struct fixture *f = *state;
    add_pair(f, "0 0 1 1 *", MINUTELY, after_up);
    step(f, 40);
    assert_int_equal(upstream_of(f, 0), UPSTREAM_NEVER_RAN);
    wait_run(f, 0, "after", 0);
    assert_int_equal(registry_trigger(f->registry, "down", "x", NULL, NULL), 0);
    assert_int_equal(upstream_of(f, 1), UPSTREAM_FINE); /* by hand: now */
    step(f, 301);
    assert_string_equal(f->skipped[0].reason, "not started by its deadline: after");
}

/* --- jitter --- */

static int64_t jittered_wake(struct fixture *f, const char *name) {
    add_spec(f, "0 0 * * *", (struct job_spec){.name = name, .baseline = START, .jitter = 600});
    begin(f, 0);
    return registry_next_wake(f->registry);
}

static void jitter_is_a_function_of_the_slot(void **state) {
    struct fixture *f = *state;
    const int64_t midnight = INT64_C(1700006400);
    int64_t wake = jittered_wake(f, "a");
    assert_in_range(wake, midnight, midnight + 600);
    f->now_ns = wake * NS_PER_S;
    registry_step(f->registry);
    assert_int_equal(f->asked[0].slot, midnight); /* never in the name */
    assert_int_equal(f->asked[0].lateness_ns, 0);
    assert_int_equal(f->asked[0].trigger, TRIGGER_SCHEDULE);
    f->now_ns = START * NS_PER_S;
    registry_free(f->registry);
    setup_registry(f);
    assert_int_equal(jittered_wake(f, "a"), wake);
    registry_free(f->registry);
    setup_registry(f);
    assert_int_not_equal(jittered_wake(f, "b"), wake);
}

/* The watermark speaks of the jittered time, so a daemon that starts in between still runs the slot, once. */
static void a_slot_within_its_jitter_survives_a_restart(void **state) {
    struct fixture *f = *state;
    size_t open;
    const int64_t midnight = INT64_C(1700006400);
    int64_t wake = jittered_wake(f, "a");
    assert_in_range(wake, midnight + 2, midnight + 600); /* else choose another name */
    f->now_ns = (wake - 1) * NS_PER_S;
    registry_step(f->registry);
    int64_t mark = watermark(f, &open);
    assert_int_equal(mark, wake - 1);
    for (int life = 0; life < 2; life++) {
        registry_free(f->registry);
        setup_registry(f);
        add_spec(f, "0 0 * * *", (struct job_spec){.name = "a", .baseline = START, .jitter = 600});
        begin(f, mark);
        assert_int_equal(f->asked_count, life);
        f->now_ns = (wake + 1) * NS_PER_S;
        registry_step(f->registry);
        assert_int_equal(f->asked_count, 1); /* the second life knows that it was decided */
        mark = wake + 1;
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(asks_again_when_its_time_has_come),
                                       TEST(waits_for_room_and_keeps_its_slot),
                                       TEST(gives_up_at_the_deadline),
                                       TEST(asks_once_for_each_change),
                                       TEST(shares_a_limit_by_priority),
                                       TEST(caps_all_jobs_together),
                                       TEST(refuses_an_unknown_limit),
                                       TEST(replaces_when_the_old_is_gone),
                                       TEST(replaces_one_that_was_still_being_decided),
                                       TEST(knows_what_an_earlier_daemon_replaced),
                                       TEST(takes_only_so_many),
                                       TEST(creates_that_take_long_leave_half_of_the_list),
                                       TEST(takes_only_so_many_bytes),
                                       TEST(comes_after_the_run_of_the_same_slot),
                                       TEST(hears_that_its_upstream_failed_or_was_skipped),
                                       TEST(comes_after_failure_or_any_end),
                                       TEST(comes_after_the_last_run_else),
                                       TEST(waits_for_one_that_never_ran),
                                       TEST(jitter_is_a_function_of_the_slot),
                                       TEST(a_slot_within_its_jitter_survives_a_restart)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
