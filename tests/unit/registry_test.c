/* Slots, the watermark, catching up, adoption and retention. */
#include "registry_fixture.h"

static void asks_for_each_slot_once(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START);
    begin(f, 0);
    assert_int_equal(f->asked_count, 0);
    assert_int_equal(registry_next_wake(f->registry), START + 40);
    pass(f, 40);
    registry_step(f->registry);
    registry_step(f->registry);
    assert_int_equal(f->asked_count, 1);
    assert_int_equal(f->asked[0].slot, START + 40);
    assert_int_equal(f->asked[0].trigger, TRIGGER_SCHEDULE);
    f->now_ns -= 3600 * NS_PER_S; /* the clock is set back: nothing comes again */
    registry_step(f->registry);
    f->now_ns += 3600 * NS_PER_S;
    registry_step(f->registry);
    assert_int_equal(f->asked_count, 1);
}

static void holds_the_watermark_below_an_undecided_slot(void **state) {
    struct fixture *f = *state;
    size_t open;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START);
    begin(f, 0);
    pass(f, 41);
    registry_step(f->registry);
    assert_int_equal(watermark(f, &open), START + 39);
    assert_int_equal(open, 0);
    pass(f, REGISTRY_OPEN_AGE); /* now it stands in the open list instead */
    registry_step(f->registry);
    assert_int_equal(watermark(f, &open), START + 43);
    assert_int_equal(open, 1);
    run_through(f, 0);
    watermark(f, &open);
    assert_int_equal(open, 0);
}

static void keeps_a_refused_start_open_until_it_is_told(void **state) {
    struct fixture *f = *state;
    size_t open;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START);
    begin(f, 0);
    f->refuse = true;
    pass(f, 40);
    registry_step(f->registry);
    assert_int_equal(registry_start(f->registry, f->asked[0].id, "{}", 2, false, NULL), 0);
    assert_int_equal(f->outcome_count, 1);
    assert_int_equal(f->outcomes[0].result.outcome, OUTCOME_START_FAILED);
    assert_string_equal(f->outcomes[0].result.message, "refused by the test");
    watermark(f, &open);
    assert_int_equal(open, 1);
    assert_int_equal(registry_report(f->registry, f->asked[0].id, NULL), 0);
    watermark(f, &open);
    assert_int_equal(open, 0);
    assert_null(registry_run(f->registry, f->asked[0].id));
}

static void counts_the_runs_beside(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START);
    begin(f, 0);
    pass(f, 40);
    registry_step(f->registry);
    assert_int_equal(run_active_beside(&f->asked[0]), 0);
    pass(f, 60);
    registry_step(f->registry);
    assert_int_equal(f->asked_count, 2);
    assert_int_equal(run_active_beside(&f->asked[1]), 1);
    assert_int_equal(registry_skip(f->registry, f->asked[1].id, "overlap", NULL), 0);
    assert_int_equal(registry_skip(f->registry, f->asked[1].id, "overlap", NULL), ERR_INVALID);
    struct job_view job;
    assert_int_equal(registry_job(f->registry, "a", &job), 0);
    assert_int_equal(job.active, 1);
}

/* Down for an hour and a minute: the newest slot is within its deadline, sixty are not. */
static void catches_up_the_latest(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START - 100000);
    begin(f, START - 3660);
    assert_int_equal(f->asked_count, 1);
    assert_int_equal(f->asked[0].trigger, TRIGGER_CATCH_UP);
    assert_int_equal(f->asked[0].slot, START - 20);
    assert_int_equal(f->skipped_count, 1);
    assert_int_equal(f->skipped[0].missed, 60);
    assert_int_equal(f->skipped[0].missed_from, START - 3620);
    assert_int_equal(f->skipped[0].slot, START - 80);
}

static void catches_up_all_oldest_first_within_the_deadline(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_ALL, 1);
    begin(f, START - 3660);
    assert_int_equal(f->asked_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_int_equal(f->asked[i].slot, START - 260 + 60 * (int64_t)i);
    assert_int_equal(f->skipped[0].missed, 56);
}

static void catches_up_none(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_NONE, 1);
    begin(f, START - 3660);
    assert_int_equal(f->asked_count, 0);
    assert_int_equal(f->skipped[0].missed, 61);
}

static void never_runs_slots_before_the_baseline(void **state) {
    struct fixture *f = *state;
    add(f, "edited", "* * * * *", CATCH_UP_ALL, START - 10);
    begin(f, START - 3660);
    assert_int_equal(f->asked_count, 0);
    assert_int_equal(f->skipped_count, 0);
}

static void counts_years_of_missed_seconds_without_walking_them(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * * *", CATCH_UP_LATEST, 1);
    begin(f, START - INT64_C(10) * 365 * 86400);
    assert_int_equal(f->asked_count, 1);
    assert_int_equal(f->skipped[0].missed, REGISTRY_MISSED_MAX);
}

static void loses_nothing_while_held(void **state) {
    struct fixture *f = *state;
    size_t open;
    add(f, "a", "* * * * *", CATCH_UP_ALL, START);
    begin(f, 0);
    registry_hold(f->registry, true);
    assert_int_equal(registry_next_wake(f->registry), CRON_NEVER);
    pass(f, 130);
    registry_step(f->registry);
    assert_int_equal(f->asked_count, 0);
    assert_int_equal(watermark(f, &open), START);
    registry_hold(f->registry, false);
    registry_step(f->registry);
    assert_int_equal(f->asked_count, 2);
}

static void adopts_and_does_not_ask_again(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_ALL, 1);
    assert_int_equal(registry_open(f->registry, NULL), 0);
    struct adopted_run run = {
        .namespace_ = "ns", .name = "a-x", .job = "a", .slot = START - 20, .started = true};
    void *owner = f->events->adopted(f->events_ctx, &run);
    struct adopted_run orphan = {.namespace_ = "ns",
                                 .name = "b-x",
                                 .job = "gone",
                                 .slot = START - 20,
                                 .finished = true,
                                 .result = {.outcome = OUTCOME_FAILED}};
    assert_non_null(f->events->adopted(f->events_ctx, &orphan));
    assert_int_equal(registry_begin(f->registry, START - 80, NULL, 0, NULL), 0);
    registry_step(f->registry);
    assert_int_equal(f->outcome_count, 1); /* nobody had been told of it */
    assert_int_equal(f->asked_count, 0);
    assert_int_equal(f->skipped_count, 0);
    finish(f, owner, OUTCOME_SUCCEEDED);
    assert_int_equal(f->outcome_count, 2);
}

static void restores_the_open_list(void **state) {
    struct fixture *f = *state;
    add(f, "a", "0 0 1 1 *", CATCH_UP_LATEST, 1);
    assert_int_equal(registry_open(f->registry, NULL), 0);
    const struct open_entry open[] = {
        {.job = "a", .slot = START - 100},
        {.job = "a", .slot = START - 400},
        {.job = "a", .slot = START - 50, .state = OPEN_SKIPPED, .reason = "overlap"},
        {.job = "gone", .slot = START - 50}};
    assert_int_equal(registry_begin(f->registry, START - 1, open, 4, NULL), 0);
    assert_int_equal(f->asked_count, 1);
    assert_int_equal(f->asked[0].slot, START - 100);
    assert_int_equal(f->skipped_count, 2);
    assert_string_equal(f->skipped[0].reason, "missed"); /* past its deadline */
    assert_string_equal(f->skipped[1].reason, "overlap");
}

/* Two good runs, one to keep: the older goes, but only when the watermark has passed it, durably, for the
 * whole retention time. */
static void deletes_by_the_retention_rule(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START);
    begin(f, 0);
    for (size_t i = 0; i < 2; i++) {
        pass(f, i == 0 ? 40 : 60);
        registry_step(f->registry);
        run_through(f, i);
    }
    save(f, START); /* not past the slot yet */
    pass(f, 1000);
    save(f, START);
    assert_int_equal(f->discarded_count, 0);
    save(f, START + 100);
    pass(f, 119);
    save(f, START + 100);
    assert_int_equal(f->discarded_count, 0);
    pass(f, 1);
    save(f, START + 100);
    save(f, START + 100);
    assert_int_equal(f->discarded_count, 1);
    assert_ptr_equal(f->discarded[0], f->started_owner[0]);
    f->events->gone(f->events_ctx, f->discarded[0]);
    assert_null(registry_run(f->registry, f->asked[0].id));
}

static void refuses_the_same_request_twice(void **state) {
    struct fixture *f = *state;
    struct err err;
    add(f, "a", "0 0 1 1 *", CATCH_UP_LATEST, START);
    begin(f, 0);
    assert_int_equal(registry_trigger(f->registry, "a", "abc1", NULL, &err), 0);
    assert_int_equal(f->asked[0].trigger, TRIGGER_MANUAL);
    assert_int_equal(registry_trigger(f->registry, "a", "abc1", NULL, &err), ERR_EXISTS);
    assert_int_equal(registry_trigger(f->registry, "b", "abc2", NULL, &err), ERR_NOTFOUND);
    assert_int_equal(registry_trigger(f->registry, "a", "../x", NULL, &err), ERR_INVALID);
}

static void stops_for_good(void **state) {
    struct fixture *f = *state;
    struct err err;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, START);
    begin(f, 0);
    pass(f, 40);
    registry_step(f->registry);
    registry_stop(f->registry);
    assert_int_equal(registry_start(f->registry, f->asked[0].id, "{}", 2, false, &err), ERR_CANCELED);
    pass(f, 60);
    registry_step(f->registry);
    assert_int_equal(f->asked_count, 1);
}

static void names_are_a_function_of_the_slot(void **state) {
    (void)state;
    const struct name_owner owner = {"kube-scheduler", "default", "Nightly_Report!"};
    name_text name, again;
    assert_int_equal(name_for_run(&owner, "", 1700000000, 0, name, NULL), 0);
    assert_int_equal(name_for_run(&owner, "", 1700000000, 0, again, NULL), 0);
    assert_string_equal(name, again);
    assert_non_null(strstr(name, "nightly-report-"));
    assert_non_null(strstr(name, "-1700000000"));
    assert_int_equal(name_for_run(&owner, "", 1700000000, 2, again, NULL), 0);
    assert_string_equal(strrchr(again, '-'), "-r2");
    const struct name_owner twin = {"kube-scheduler", "default", "nightly-report"};
    assert_int_equal(name_for_run(&twin, "", 1700000000, 0, again, NULL), 0);
    assert_string_not_equal(name, again); /* the slug is the same */
    char longer[300];
    memset(longer, 'x', sizeof longer - 1);
    longer[sizeof longer - 1] = '\0';
    const struct name_owner big = {"i", "n", longer};
    assert_int_equal(name_for_run(&big, "", INT64_C(253402300799), 10, name, NULL), 0);
    assert_int_equal(strlen(name), NAME_MAX_LENGTH);
    name_text slug;
    name_slug("--Ä--", slug);
    assert_string_equal(slug, "job");
}

static void tail_keeps_the_last_lines(void **state) {
    (void)state;
    struct tail *tail = NULL;
    for (int i = 0; i < 120; i++) {
        char line[16];
        int len = snprintf(line, sizeof line, "line %d", i);
        tail_add(&tail, line, (size_t)len);
    }
    size_t len;
    assert_int_equal(tail_count(tail), TAIL_LINES);
    assert_string_equal(tail_line(tail, 0, &len), "line 70");
    assert_string_equal(tail_line(tail, TAIL_LINES - 1, &len), "line 119");
    tail_free(tail);
}

static void trouble_in_a_namespace_is_passed_on_before_anything_begins(void **state) {
    struct fixture *f = *state;
    assert_int_equal(registry_open(f->registry, NULL), 0);
    f->events->trouble(f->events_ctx, "ns", "forbidden");
    assert_string_equal(f->trouble, "ns");
}

int main(void) {
    const struct CMUnitTest tests[] = {TEST(asks_for_each_slot_once),
                                       TEST(trouble_in_a_namespace_is_passed_on_before_anything_begins),
                                       TEST(holds_the_watermark_below_an_undecided_slot),
                                       TEST(keeps_a_refused_start_open_until_it_is_told),
                                       TEST(counts_the_runs_beside),
                                       TEST(catches_up_the_latest),
                                       TEST(catches_up_all_oldest_first_within_the_deadline),
                                       TEST(catches_up_none),
                                       TEST(never_runs_slots_before_the_baseline),
                                       TEST(counts_years_of_missed_seconds_without_walking_them),
                                       TEST(loses_nothing_while_held),
                                       TEST(adopts_and_does_not_ask_again),
                                       TEST(restores_the_open_list),
                                       TEST(deletes_by_the_retention_rule),
                                       TEST(refuses_the_same_request_twice),
                                       TEST(stops_for_good),
                                       cmocka_unit_test(names_are_a_function_of_the_slot),
                                       cmocka_unit_test(tail_keeps_the_last_lines)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
