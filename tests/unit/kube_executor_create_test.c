/* A run until its object exists: the create, its retries, giving up, and the fence. */
#include "executor_fixture.h"

static void a_runs_whole_life(void **state) {
    (void)state;
    begin(false);
    assert_string_equal(call_of("POST", PODS)->body, "{\"a\": 1}");
    answer("POST", PODS, 201, "", POD("a", PENDING));
    expect("accepted a");
    tell(KUBE_POD, WATCH_OBJECT, POD("a", PENDING));
    tell(KUBE_POD, WATCH_OBJECT, POD("a", RUNNING));
    expect("started a +5");
    assert_false(logs[0].finish);
    logs[0].events->line(logs[0].ctx, "hello", 5);
    expect("a/main: hello");
    tell(KUBE_POD, WATCH_OBJECT, POD("a", SUCCEEDED));
    assert_true(logs[0].finish);
    expect(""); /* its output is not complete */
    logs[0].events->line(logs[0].ctx, "bye", 3);
    output_ends(0);
    pass(0);
    expect("a/main: bye; finished a succeeded 0 ");
    assert_int_equal(executor->ops->report(executor, a, NULL), 0);
    pass(0);
    assert_string_equal(call_of("PATCH", PODS "/a")->body,
                        "{\"metadata\":{\"annotations\":{\"kube-scheduler/reported\":\"true\"}}}");
    answer("PATCH", PODS "/a", 200, "", "{}");
    expect("reported a");
    assert_int_equal(executor->ops->discard(executor, a, NULL), 0);
    pass(0);
    assert_string_equal(
        call_of("DELETE", PODS "/a")->body,
        "{\"kind\":\"DeleteOptions\",\"apiVersion\":\"v1\",\"propagationPolicy\":\"Background\","
        "\"preconditions\":{\"uid\":\"uid-a\"}}");
    answer("DELETE", PODS "/a", 200, "", "{}");
    expect("");
    tell(KUBE_POD, WATCH_DELETED, POD("a", SUCCEEDED));
    expect("gone a");
    assert_int_equal(executor->ops->discard(executor, a, NULL), ERR_NOTFOUND);
}

static void an_event_before_the_creates_answer(void **state) {
    (void)state;
    begin(false);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", PENDING));
    expect("accepted a");
    assert_int_equal(open_calls(), 0);
    pass(60);
    assert_int_equal(sent, 1);
}

static void a_fast_run_is_started_and_then_finished(void **state) {
    (void)state;
    begin(false);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", FAILED("3")));
    output_ends(0);
    pass(0);
    expect("accepted a; started a +5; finished a failed 3 Error");
}

static void a_create_that_was_cut_is_recognised_on_its_retry(void **state) {
    (void)state;
    begin(false);
    answer("POST", PODS, 0, "", NULL);
    expect("delayed a: ");
    pass(0.3);
    assert_string_equal(call_of("POST", PODS)->body, "{\"a\": 1}");
    answer("POST", PODS, 409, "AlreadyExists", NULL);
    answer("GET", PODS "/a", 200, "", POD("a", RUNNING));
    expect("accepted a; started a +5");
    assert_int_equal(open_calls(), 0);
}

static void an_event_of_somebody_elses_object(void **state) {
    (void)state;
    begin(false);
    char other[JSON_MAX];
    (void)snprintf(other, sizeof other, "%s", POD("a", PENDING));
    *strstr(other, "10:00:00Z\",\"kube-scheduler/attempt") = '2'; /* the same name, another slot */
    tell(KUBE_POD, WATCH_OBJECT, other);
    expect("");
    (void)call_of("POST", PODS);
}

static void a_name_that_is_somebody_elses(void **state) {
    (void)state;
    begin(false);
    answer("POST", PODS, 409, "AlreadyExists", NULL);
    answer("GET", PODS "/a", 200, "", "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\",\"name\":\"a\"}}");
    expect("finished a start_failed -1 NameTaken");
    pass(0);
    assert_int_equal(sent, 2); /* nothing was deleted */
}

/* What was never accepted is forgotten by both sides: its owner's address may be another run's then. */
static void an_address_that_is_used_again(void **state) {
    (void)state;
    char others[20][4];
    struct run_spec spec = {.namespace_ = "n",
                            .name = "b",
                            .job = "job",
                            .manifest = "{}",
                            .manifest_len = 2,
                            .slot = NOW,
                            .attempt = 1,
                            .start_deadline = NOW + 300};
    begin(false);
    answer("POST", PODS, 422, "Invalid", NULL);
    expect("finished a start_failed -1 Invalid");
    assert_int_equal(executor->ops->start(executor, &spec, a, NULL), 0);
    pass(0); /* the first one's record goes, and does not take the second one's place with it */
    answer("POST", PODS, 201, "", POD("b", PENDING));
    expect("accepted a");
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) { /* tables grow */
        (void)snprintf(others[i], sizeof others[i], "c%zu", i);
        spec.name = others[i];
        assert_int_equal(executor->ops->start(executor, &spec, others[i], NULL), 0);
    }
    assert_int_equal(executor->ops->stop(executor, a, OUTCOME_DELETED, "Replaced", NULL), 0);
    pass(0);
    name_is_kept(PODS "/b");
}

static void a_taken_name_that_is_free_again(void **state) {
    (void)state;
    begin(false);
    answer("POST", PODS, 409, "AlreadyExists", NULL);
    answer("GET", PODS "/a", 404, "NotFound", NULL);
    pass(0.3);
    answer("POST", PODS, 201, "", POD("a", PENDING));
    expect("delayed a: NotFound; accepted a");
}

static void retry_after_is_honoured_and_delays_are_told_once_a_second(void **state) {
    (void)state;
    begin(false);
    struct kube_reply busy = {.status = 429, .retry_after = 3, .message = "busy"};
    answer_with("POST", PODS, busy);
    expect("delayed a: busy");
    pass(2.9);
    assert_int_equal(open_calls(), 0);
    pass(0.4); /* 3 s and up to 0.25 s */
    answer("POST", PODS, 503, "down", NULL);
    pass(0.6);
    answer("POST", PODS, 503, "down again", NULL);
    expect("delayed a: down");
}

static void the_last_try_is_at_the_start_deadline(void **state) {
    (void)state;
    begin(false);
    since_start = 295 * NS_PER_S;
    answer_with("POST", PODS, (struct kube_reply){.status = 429, .retry_after = 60, .message = "busy"});
    pass(5);
    answer("POST", PODS, 409, "Conflict", NULL);
    expect("delayed a: busy; finished a start_failed -1 Conflict");
    pass(100);
    assert_int_equal(open_calls(), 0);
}

static void a_final_refusal_is_told_at_once(void **state) {
    (void)state;
    begin(false);
    answer("POST", PODS, 422, "Invalid", NULL);
    expect("finished a start_failed -1 Invalid");
}

/* The last try is at the deadline; the one before it was cut. */
static void run_into_the_deadline_in_doubt(void) {
    begin(false);
    answer("POST", PODS, 0, "", NULL);
    since_start = 299 * NS_PER_S;
    pass(1);
    answer("POST", PODS, 429, "busy", NULL);
    forget_heard();
}

static void a_create_in_doubt_is_looked_for_before_giving_up(void **state) {
    (void)state;
    run_into_the_deadline_in_doubt();
    answer("GET", PODS "/a", 200, "", POD("a", PENDING));
    expect("accepted a");
    pass(1);
    assert_int_equal(open_calls(), 0); /* it is not removed */
    tell(KUBE_POD, WATCH_OBJECT, POD("a", FAILED("3")));
    output_ends(0);
    pass(0);
    expect("started a +5; finished a failed 3 Error");
}

static void a_create_that_lands_after_giving_up_is_removed(void **state) {
    (void)state;
    run_into_the_deadline_in_doubt();
    answer("GET", PODS "/a", 404, "NotFound", NULL);
    expect("finished a start_failed -1 busy");
    tell(KUBE_POD, WATCH_OBJECT, POD("a", PENDING));
    name_is_kept(PODS "/a"); /* for another try may land after this one */
    assert_non_null(strstr(call_of("DELETE", PODS "/a")->body, "uid-a"));
    answer("DELETE", PODS "/a", 200, "", "{}");
    tell(KUBE_POD, WATCH_OBJECT, HELD_POD("0", PENDING));
    pass(119);
    assert_int_equal(open_calls(), 0);
    pass(2);
    name_is_freed(PODS "/a"); /* nobody else would, and its namespace could never go */
    tell(KUBE_POD, WATCH_DELETED, HELD_POD("0", PENDING));
    pass(0);
    expect("");
    assert_int_equal(try_start(a, "n", false, NULL), 0);
}

static void a_look_that_stays_unanswered_ends(void **state) {
    (void)state;
    run_into_the_deadline_in_doubt();
    for (int i = 0; i < 20 && open_calls(); i++) {
        answer("GET", PODS "/a", 0, "", NULL);
        forget_heard();
        pass(10);
    }
    assert_int_equal(open_calls(), 0);
}

static void a_relist_during_the_create_does_not_end_it(void **state) {
    (void)state;
    begin(false);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    answer("POST", PODS, 201, "", POD("a", PENDING));
    tell(KUBE_POD, WATCH_SYNCED, NULL); /* the list was made before */
    pass(0);
    expect("accepted a");
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", PENDING));
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    pass(0);
    expect("");
}

static void past_the_fence_nothing_is_sent(void **state) {
    (void)state;
    begin(false);
    kube_executor_set_fence(executor, NS_PER_S); /* the fake CLOCK_BOOTTIME of the start */
    answer("POST", PODS, 201, "", POD("a", PENDING));
    expect("delayed a: dropped");
    kube_executor_set_fence(executor, INT64_MAX); /* the lease was renewed */
    pass(0.3);
    answer("POST", PODS, 201, "", POD("a", PENDING));
    expect("accepted a");
}

static void a_fence_drops_what_was_not_sent(void **state) {
    (void)state;
    static char b[] = "b";
    begin(false);
    answer("POST", PODS, 429, "busy", NULL);
    forget_heard();
    assert_int_equal(try_start(b, "n", false, NULL), 0);
    pass(0); /* b waits in the client's queue, a for its next try */
    executor->ops->fence(executor);
    answer("POST", PODS, 201, "", POD("b", PENDING));
    pass(60);
    expect("");
    assert_int_equal(sent, 2);
    assert_int_equal(try_start(a, "n", false, NULL), ERR_CANCELED);
}

static void a_fence_leaves_running_work_alone(void **state) {
    (void)state;
    begin_running();
    executor->ops->fence(executor);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", SUCCEEDED));
    output_ends(0);
    pass(0);
    expect("finished a succeeded 0 ");
}

static void bad_starts_are_refused(void **state) {
    (void)state;
    struct err err;
    begin(false);
    assert_int_equal(try_start(a, "n", false, &err), ERR_EXISTS);
    assert_int_equal(try_start(a, "elsewhere", false, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "elsewhere is not watched"));
    assert_int_equal(executor->ops->report(executor, a, &err), ERR_INVALID);
}

/* Its owner's memory may serve another run by then. */
static void a_run_that_never_existed_is_forgotten(void **state) {
    (void)state;
    begin(false);
    answer("POST", PODS, 422, "Invalid", "");
    expect("finished a start_failed -1 Invalid");
    pass(0);
    assert_int_equal(try_start(a, "n", false, NULL), 0);
    assert_int_equal(executor->ops->stop(executor, a, OUTCOME_DELETED, "Stopped", NULL), 0);
    pass(0);
    expect("finished a deleted -1 Stopped");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_runs_whole_life),
        TEST(an_event_before_the_creates_answer),
        TEST(a_fast_run_is_started_and_then_finished),
        TEST(a_create_that_was_cut_is_recognised_on_its_retry),
        TEST(an_event_of_somebody_elses_object),
        TEST(a_name_that_is_somebody_elses),
        TEST(an_address_that_is_used_again),
        TEST(a_taken_name_that_is_free_again),
        TEST(retry_after_is_honoured_and_delays_are_told_once_a_second),
        TEST(the_last_try_is_at_the_start_deadline),
        TEST(a_final_refusal_is_told_at_once),
        TEST(a_create_in_doubt_is_looked_for_before_giving_up),
        TEST(a_create_that_lands_after_giving_up_is_removed),
        TEST(a_look_that_stays_unanswered_ends),
        TEST(a_relist_during_the_create_does_not_end_it),
        TEST(past_the_fence_nothing_is_sent),
        TEST(a_fence_drops_what_was_not_sent),
        TEST(a_fence_leaves_running_work_alone),
        TEST(bad_starts_are_refused),
        TEST(a_run_that_never_existed_is_forgotten),
    };
    return cmocka_run_group_tests_name("kube_executor_create", tests, NULL, NULL);
}
