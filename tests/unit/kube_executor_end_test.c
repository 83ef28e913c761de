/* What is done to an object that exists: ended when its time is over or its owner wants it, marked as
 * reported, deleted. */
#include "executor_fixture.h"

static void what_cannot_be_pulled_ends_at_its_pending_timeout(void **state) {
    (void)state;
    begin_accepted(false);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", NO_IMAGE));
    pass(119);
    assert_int_equal(open_calls(), 0);
    pass(2);
    assert_non_null(
        strstr(call_of("PATCH", PODS "/a")->body,
               "\"annotations\":{\"kube-scheduler/outcome\":\"start_failed\",\"kube-scheduler/"
               "reason\":\"ImagePullBackOff\",\"kube-scheduler/message\":\"container main: not found\"}"));
    name_is_kept(PODS "/a");
    answer("DELETE", PODS "/a", 500, "etcd", NULL);
    expect("");
    pass(0.3);
    answer("DELETE", PODS "/a", 200, "", "{}");
    expect("finished a start_failed -1 ImagePullBackOff"); /* at once: its Pod may need long to go */
    tell(KUBE_POD, WATCH_OBJECT, HELD_POD("0", NO_IMAGE));
    pass(0);
    assert_int_equal(open_calls(), 0); /* its name stays */
    (void)executor->ops->discard(executor, a, NULL);
    pass(0);
    name_is_freed(PODS "/a");
    expect("");
    tell(KUBE_POD, WATCH_DELETED, HELD_POD("0", NO_IMAGE));
    expect("gone a");
}

static void what_waits_for_nothing_special_is_a_pending_timeout(void **state) {
    (void)state;
    begin_accepted(false);
    pass(121);
    answer("PATCH", PODS "/a", 404, "NotFound", NULL);
    pass(0);
    expect("finished a start_failed -1 PendingTimeout");
}

static void the_pending_timeout_ends_with_the_start(void **state) {
    (void)state;
    begin_running();
    pass(1000);
    assert_int_equal(open_calls(), 0);
}

static void an_invalid_image_name_ends_at_once(void **state) {
    (void)state;
    begin_accepted(false);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", BAD_IMAGE));
    name_is_kept(PODS "/a");
    answer("DELETE", PODS "/a", 200, "", "{}");
    expect("finished a start_failed -1 InvalidImageName");
}

static void a_stopped_run_ends_as_told_when_it_is_gone(void **state) {
    (void)state;
    begin_running();
    stop_now();
    answer("PATCH", PODS "/a", 500, "etcd", NULL);
    pass(0.3); /* tried again */
    name_is_kept(PODS "/a");
    answer("DELETE", PODS "/a", 200, "", "{}");
    tell(KUBE_POD, WATCH_OBJECT, HELD_POD("30", RUNNING));
    pass(1);
    expect("");
    tell(KUBE_POD, WATCH_OBJECT, HELD_POD("0", RUNNING)); /* the kubelet is through; only the name is left */
    output_ends(0);
    pass(0);
    expect("finished a timeout -1 Timeout");
    pass(10);
    assert_int_equal(open_calls(), 0);
}

/* The same without the name: the work must end. */
static void a_stopped_run_that_cannot_be_held_is_deleted(void **state) {
    (void)state;
    begin_running();
    stop_now();
    answer("PATCH", PODS "/a", 422, "Invalid", NULL);
    answer("DELETE", PODS "/a", 200, "", "{}");
    tell(KUBE_POD, WATCH_DELETED, POD("a", RUNNING));
    output_ends(0);
    pass(0);
    expect("finished a timeout -1 Timeout");
    (void)executor->ops->discard(executor, a, NULL);
    pass(0);
    expect("gone a");
}

static void a_run_that_succeeded_before_it_was_stopped_has_succeeded(void **state) {
    (void)state;
    begin_running();
    stop_now();
    tell(KUBE_POD, WATCH_OBJECT, POD("a", SUCCEEDED));
    output_ends(0);
    pass(0);
    expect("finished a succeeded 0 ");
}

static void a_stop_before_the_create_is_sent(void **state) {
    (void)state;
    begin(false);
    answer("POST", PODS, 429, "busy", NULL);
    forget_heard();
    stop_now();
    expect("finished a timeout -1 Timeout");
    pass(10);
    assert_int_equal(sent, 1);
}

static void a_stop_while_the_create_waits_to_be_sent(void **state) {
    (void)state;
    begin(false);
    stop_now();
    answer("POST", PODS, 201, "", POD("a", PENDING)); /* no longer wanted */
    expect("finished a timeout -1 Timeout");
}

static void a_stop_during_the_create_ends_what_it_made(void **state) {
    (void)state;
    begin(false);
    struct kube_call *call = call_of("POST", PODS);
    call->request.wanted = NULL; /* it has left already */
    stop_now();
    answer("POST", PODS, 201, "", POD("a", PENDING));
    expect("accepted a");
    name_is_kept(PODS "/a");
    answer("DELETE", PODS "/a", 404, "NotFound", NULL);
    pass(0);
    expect("finished a timeout -1 Timeout");
}

static void reports_and_discards_are_tried_until_they_succeed(void **state) {
    (void)state;
    begin_finished();
    (void)executor->ops->report(executor, a, NULL);
    (void)executor->ops->discard(executor, a, NULL);
    pass(0);
    answer("PATCH", PODS "/a", 500, "etcd", NULL);
    pass(0.3);
    answer("PATCH", PODS "/a", 200, "", "{}");
    answer("DELETE", PODS "/a", 429, "busy", NULL);
    pass(0.3);
    answer("DELETE", PODS "/a", 404, "NotFound", NULL);
    expect("reported a; gone a");
}

static void another_object_of_that_name_is_not_deleted(void **state) {
    (void)state;
    begin_finished();
    (void)executor->ops->discard(executor, a, NULL);
    pass(0);
    answer("DELETE", PODS "/a", 409,
           "Operation cannot be fulfilled on Pod \"a\": the UID in the precondition (uid-a) does not match "
           "the UID in record (x)",
           NULL);
    expect("gone a");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(what_cannot_be_pulled_ends_at_its_pending_timeout),
        TEST(what_waits_for_nothing_special_is_a_pending_timeout),
        TEST(the_pending_timeout_ends_with_the_start),
        TEST(an_invalid_image_name_ends_at_once),
        TEST(a_stopped_run_ends_as_told_when_it_is_gone),
        TEST(a_stopped_run_that_cannot_be_held_is_deleted),
        TEST(a_run_that_succeeded_before_it_was_stopped_has_succeeded),
        TEST(a_stop_before_the_create_is_sent),
        TEST(a_stop_while_the_create_waits_to_be_sent),
        TEST(a_stop_during_the_create_ends_what_it_made),
        TEST(reports_and_discards_are_tried_until_they_succeed),
        TEST(another_object_of_that_name_is_not_deleted),
    };
    return cmocka_run_group_tests_name("kube_executor_end", tests, NULL, NULL);
}
