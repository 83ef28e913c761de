/* Slots that are decided before their time: when they are started as they were prepared, and when not. */
#include "registry_fixture.h"

#define SLOT (START + 40)
#define HALF (NS_PER_S / 2)

static void pass_ns(struct fixture *f, int64_t ns) {
    f->now_ns += ns;
    f->mono_ns += ns;
}

static void prepare_by(struct fixture *f, enum catch_up rule) {
    f->prepares = true;
    add(f, "a", "* * * * *", rule, 0);
    begin(f, START);
    pass_ns(f, 39 * NS_PER_S + HALF);
    (void)registry_look_ahead(f->registry);
    assert_int_equal(f->ahead_count, 1);
}

/* A job of each minute, half a second before its slot; what there is to prepare is prepared. */
static void prepare(struct fixture *f) {
    prepare_by(f, CATCH_UP_LATEST);
}

static void come_due(struct fixture *f) {
    pass_ns(f, HALF);
    registry_step(f->registry);
}

/* As if nothing had been prepared. */
static void assert_asked(struct fixture *f) {
    size_t started = f->started_count;
    come_due(f);
    assert_int_equal(f->started_count, started);
    assert_int_equal(f->asked[f->asked_count - 1].slot, SLOT);
    start_run(f, f->asked_count - 1);
    assert_int_equal(f->begun_count, 0);
}

static void is_started_at_its_time(void **state) {
    struct fixture *f = *state;
    prepare(f);
    assert_int_equal(f->ahead[0].slot, SLOT);
    registry_step(f->registry);
    assert_int_equal(f->started_count, 0);
    come_due(f);
    assert_int_equal(f->started_count, 1);
    assert_int_equal(f->asked_count, 0);
    assert_int_equal(f->begun_count, 0);
    f->events->accepted(f->events_ctx, f->started_owner[0]);
    f->events->started(f->events_ctx, f->started_owner[0], SLOT);
    finish(f, f->started_owner[0], OUTCOME_SUCCEEDED);
    assert_int_equal(f->begun_count, 1);
    assert_int_equal(f->outcome_count, 1);
    assert_string_equal(f->outcomes[0].name, f->started_name[0]);
}

static void is_undecided_until_then(void **state) {
    struct fixture *f = *state;
    size_t open;
    prepare(f);
    registry_step(f->registry);
    assert_true(watermark(f, &open) < SLOT);
    assert_int_equal(open, 0);
    come_due(f);
    assert_true(watermark(f, &open) < SLOT); /* nor does it pass before the object is there */
    f->events->accepted(f->events_ctx, f->started_owner[0]);
    assert_int_equal(watermark(f, &open), SLOT);
}

static void is_asked_for_when_the_owner_does_not_answer(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, 0);
    begin(f, START);
    pass_ns(f, 39 * NS_PER_S + HALF);
    (void)registry_look_ahead(f->registry);
    (void)registry_look_ahead(f->registry);
    assert_int_equal(f->ahead_count, 1);
    assert_int_not_equal(registry_prepare(f->registry, "{}", 2, false, NULL), 0);
    assert_asked(f);
}

static void is_looked_at_shortly_before(void **state) {
    struct fixture *f = *state;
    assert_int_equal(registry_look_ahead(f->registry), INT64_MAX);
    add(f, "a", "* * * * *", CATCH_UP_LATEST, 0);
    begin(f, START);
    int64_t first = registry_look_ahead(f->registry);
    assert_int_equal(f->ahead_count, 0);
    assert_in_range(first, 39 * NS_PER_S, 40 * NS_PER_S - 1);
    pass_ns(f, first);
    pass_ns(f, registry_look_ahead(f->registry));
    assert_int_equal(f->ahead_count, 1);
    assert_in_range(f->now_ns, (SLOT - 1) * NS_PER_S, SLOT * NS_PER_S - 1);
    registry_hold(f->registry, true);
    assert_int_equal(registry_look_ahead(f->registry), INT64_MAX);
}

static void is_asked_for_when_late(void **state) {
    struct fixture *f = *state;
    prepare(f);
    step(f, 20);
    assert_int_equal(f->started_count, 0);
    assert_int_equal(f->asked[0].trigger, TRIGGER_CATCH_UP);
    step(f, 60);
    assert_int_equal(f->started_count, 0);
}

static void is_missed_when_nothing_is_caught_up(void **state) {
    struct fixture *f = *state;
    prepare_by(f, CATCH_UP_NONE);
    step(f, 20);
    assert_int_equal(f->started_count + f->asked_count, 0);
    assert_int_equal(f->skipped_count, 1);
    step(f, 41);
    assert_int_equal(f->asked_count, 1);
    assert_int_equal(f->asked[0].slot, SLOT + 60);
}

/* What happens between the answer and the slot. */

static void a_recall(struct fixture *f) {
    registry_recall(f->registry);
}
static void a_hold(struct fixture *f) {
    registry_hold(f->registry, true);
    registry_hold(f->registry, false);
}
static void a_limit_of_all(struct fixture *f) {
    registry_max_active(f->registry, 100);
}
static void a_limit_of_some(struct fixture *f) {
    assert_int_equal(registry_limit(f->registry, "l", 1, NULL), 0);
}
static void a_clock_set_back(struct fixture *f) {
    f->now_ns -= NS_PER_S;
    registry_step(f->registry);
    pass_ns(f, NS_PER_S);
}
static void a_clock_set_forward(struct fixture *f) {
    f->now_ns += HALF;
}
static void a_suspended_machine(struct fixture *f) {
    f->now_ns += 5 * NS_PER_S;
}
static void a_reload(struct fixture *f) {
    assert_int_equal(registry_remove(f->registry, "a"), 0);
    add(f, "a", "* * * * *", CATCH_UP_LATEST, 0);
}
static void a_run_that_goes_on(struct fixture *f) {
    assert_int_equal(registry_trigger(f->registry, "a", "m1", NULL, NULL), 0);
    (void)start_running(f, f->asked_count - 1);
}
static void a_run_that_waits(struct fixture *f) {
    assert_int_equal(registry_trigger(f->registry, "a", "m1", NULL, NULL), 0);
    wait_run(f, f->asked_count - 1, "later", SLOT + 100);
}
static void a_success(struct fixture *f) {
    assert_int_equal(registry_trigger(f->registry, "a", "m1", NULL, NULL), 0);
    run_through(f, f->asked_count - 1);
}

static void is_asked_for_after(void **state, void (*happens)(struct fixture *f)) {
    struct fixture *f = *state;
    prepare(f);
    happens(f);
    assert_asked(f);
}

#define AFTER(what)                                                                                          \
    static void is_asked_for_after_##what(void **state) {                                                    \
        is_asked_for_after(state, what);                                                                     \
    }
AFTER(a_recall)
AFTER(a_hold)
AFTER(a_limit_of_all)
AFTER(a_limit_of_some)
AFTER(a_clock_set_back)
AFTER(a_clock_set_forward)
AFTER(a_suspended_machine)
AFTER(a_reload)
AFTER(a_run_that_goes_on)
AFTER(a_run_that_waits)
AFTER(a_success)

static void is_not_started_when_its_job_is_gone(void **state) {
    struct fixture *f = *state;
    prepare(f);
    assert_int_equal(registry_remove(f->registry, "a"), 0);
    come_due(f);
    assert_int_equal(f->started_count + f->asked_count, 0);
}

static void is_not_started_by_one_that_stops(void **state) {
    struct fixture *f = *state;
    prepare(f);
    registry_stop(f->registry);
    come_due(f);
    assert_int_equal(f->started_count, 0);
}

static void is_not_asked_for_where_others_have_a_say(void **state) {
    struct fixture *f = *state;
    const struct upstream_rule after = {"x", AFTER_ANY};
    assert_int_equal(registry_limit(f->registry, "l", 1, NULL), 0);
    add_spec(f, "* * * * *", (struct job_spec){.name = "follower", .after = &after, .after_count = 1});
    add_spec(f, "* * * * *", (struct job_spec){.name = "limited", .limit = "l"});
    add(f, "x", "0 0 1 1 *", CATCH_UP_LATEST, 0);
    begin(f, START);
    pass_ns(f, 39 * NS_PER_S + HALF);
    (void)registry_look_ahead(f->registry);
    assert_int_equal(f->ahead_count, 0);
    come_due(f);
    assert_int_equal(f->asked_count, 2);
}

static void goes_before_those_that_are_asked_for(void **state) {
    struct fixture *f = *state;
    add_spec(f, "* * * * *", (struct job_spec){.name = "first", .priority = 1});
    begin(f, START);
    pass_ns(f, 39 * NS_PER_S + HALF);
    (void)registry_look_ahead(f->registry);
    f->prepares = true;
    add(f, "second", "* * * * *", CATCH_UP_LATEST, 0);
    (void)registry_look_ahead(f->registry);
    come_due(f);
    assert_int_equal(f->started_count, 1);
    assert_int_equal(f->asked_count, 1);
}

static void a_refused_start_is_told(void **state) {
    struct fixture *f = *state;
    prepare(f);
    f->refuse = true;
    come_due(f);
    assert_int_equal(f->begun_count, 1);
    assert_int_equal(f->outcome_count, 1);
    assert_int_equal(f->outcomes[0].result.outcome, OUTCOME_START_FAILED);
}

static void listen_with(struct fixture *f, const struct registry_events *others) {
    struct registry_config config = {
        .instance = "test", .clock = &f->clock, .executor = &f->executor, .events = others, .ctx = f};
    registry_free(f->registry);
    assert_int_equal(registry_new(&config, &f->registry, NULL), 0);
}

static void report_at_once(void *ctx, const struct run *run) {
    struct fixture *f = ctx;
    f->outcome_count++;
    assert_int_equal(registry_report(f->registry, run->id, NULL), 0);
}

static void one_that_is_over_at_once_is_not_asked_for(void **state) {
    struct fixture *f = *state;
    struct registry_events reporting = events;
    reporting.outcome = report_at_once;
    listen_with(f, &reporting);
    prepare(f);
    f->refuse = true;
    come_due(f);
    assert_int_equal(f->outcome_count, 1);
    assert_int_equal(f->asked_count, 0);
}

static void remove_both(void *ctx, const struct run *run) {
    struct fixture *f = ctx;
    (void)run;
    f->ahead_count++;
    if (f->prepares)
        assert_int_equal(registry_prepare(f->registry, "{}", 2, false, NULL), 0);
    assert_int_equal(registry_remove(f->registry, "a"), 0);
    assert_int_equal(registry_remove(f->registry, "b"), 0);
}

static void a_job_may_go_while_it_is_asked_for(void **state) {
    struct fixture *f = *state;
    struct registry_events removing = events;
    removing.ahead = remove_both;
    registry_free(f->registry);
    struct registry_config config = {
        .instance = "test", .clock = &f->clock, .executor = &f->executor, .events = &removing, .ctx = f};
    assert_int_equal(registry_new(&config, &f->registry, NULL), 0);
    for (int round = 0; round < 2; round++) {
        f->prepares = round == 1;
        add(f, "a", "* * * * *", CATCH_UP_LATEST, 0);
        add(f, "b", "* * * * *", CATCH_UP_LATEST, 0);
        if (round == 0)
            begin(f, START);
        pass_ns(f, round == 0 ? 39 * NS_PER_S + HALF : 0);
        (void)registry_look_ahead(f->registry);
        assert_int_equal(f->ahead_count, round + 1);
    }
    come_due(f);
    assert_int_equal(f->started_count + f->asked_count, 0);
}

static void many_come_in_slices(void **state) {
    struct fixture *f = *state;
    struct job_spec spec = {.name = "job-000", .namespace_ = "ns", .deadline = 60, .schedule_count = 1};
    struct cron_options options = {0};
    struct cron_error error;
    f->prepares = true;
    assert_int_equal(cron_parse("* * * * *", 9, &options, &f->schedule[f->schedules], &error), 0);
    spec.schedules = &f->schedule[f->schedules++];
    for (int i = 0; i < 300; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "job-%03d", i);
        spec.name = name;
        assert_int_equal(registry_add(f->registry, &spec, NULL), 0);
    }
    begin(f, START);
    pass_ns(f, 39 * NS_PER_S + HALF);
    assert_int_equal(registry_look_ahead(f->registry), 0);
    assert_in_range(f->ahead_count, 1, 100);
    while (registry_look_ahead(f->registry) == 0) {
    }
    assert_int_equal(f->ahead_count, 300);
    come_due(f);
    assert_int_equal(f->started_count, 300);
    assert_int_equal(f->asked_count, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(is_started_at_its_time),
        TEST(is_undecided_until_then),
        TEST(is_asked_for_when_the_owner_does_not_answer),
        TEST(is_looked_at_shortly_before),
        TEST(is_asked_for_when_late),
        TEST(is_missed_when_nothing_is_caught_up),
        TEST(is_asked_for_after_a_recall),
        TEST(is_asked_for_after_a_hold),
        TEST(is_asked_for_after_a_limit_of_all),
        TEST(is_asked_for_after_a_limit_of_some),
        TEST(is_asked_for_after_a_clock_set_back),
        TEST(is_asked_for_after_a_clock_set_forward),
        TEST(is_asked_for_after_a_suspended_machine),
        TEST(is_asked_for_after_a_reload),
        TEST(is_asked_for_after_a_run_that_goes_on),
        TEST(is_asked_for_after_a_run_that_waits),
        TEST(is_asked_for_after_a_success),
        TEST(is_not_started_when_its_job_is_gone),
        TEST(is_not_started_by_one_that_stops),
        TEST(is_not_asked_for_where_others_have_a_say),
        TEST(goes_before_those_that_are_asked_for),
        TEST(a_refused_start_is_told),
        TEST(one_that_is_over_at_once_is_not_asked_for),
        TEST(a_job_may_go_while_it_is_asked_for),
        TEST(many_come_in_slices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
