/* What the watches tell of a run that exists: how it starts and ends, its output, a Job's Pods. */
#include "executor_fixture.h"

static void a_pods_node_is_told_once_before_it_starts(void **state) {
    (void)state;
    begin_accepted(false);
    tell(KUBE_POD, WATCH_OBJECT, on_node("node-1", POD("a", PENDING)));
    expect("placed a on node-1");
    tell(KUBE_POD, WATCH_OBJECT, on_node("node-1", POD("a", RUNNING)));
    expect("started a +5");
}

static void the_node_of_a_pod_that_is_seen_no_more_is_told(void **state) {
    (void)state;
    begin_accepted(false);
    tell(KUBE_POD, WATCH_DELETED, on_node("node-1", POD("a", RUNNING)));
    expect("placed a on node-1; started a +5");
    output_ends(0);
    pass(0);
    expect("finished a deleted -1 Deleted");
}

static void each_pod_of_a_job_tells_its_node(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_POD, WATCH_OBJECT, on_node("node-1", POD_OF("a", "a-1", FAILED("1"))));
    expect("placed a on node-1; started a +5");
    tell(KUBE_POD, WATCH_OBJECT, on_node("node-2", POD_OF("a", "a-2", PENDING)));
    expect("placed a on node-2");
    output_ends(0);
}

static void the_watch_selects_this_instance(void **state) {
    (void)state;
    assert_string_equal(watches[0].selector,
                        "app.kubernetes.io/managed-by=kube-scheduler,kube-scheduler/instance=main");
}

static void deleted_while_the_watch_was_away(void **state) {
    (void)state;
    begin_running();
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    assert_true(logs[0].finish);
    output_ends(0);
    pass(0);
    expect("finished a deleted -1 Deleted");
}

static void events_that_come_twice_or_late_change_nothing(void **state) {
    (void)state;
    begin_running();
    for (int i = 0; i < 2; i++) {
        tell(KUBE_POD, WATCH_OBJECT, POD("a", RUNNING));
        tell(KUBE_POD, WATCH_OBJECT, POD("a", PENDING));
    }
    assert_int_equal(log_count, 1);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", FAILED("3")));
    tell(KUBE_POD, WATCH_OBJECT, POD("a", RUNNING));
    tell(KUBE_POD, WATCH_OBJECT, POD("a", FAILED("3")));
    output_ends(0);
    pass(0);
    expect("finished a failed 3 Error");
    tell(KUBE_POD, WATCH_DELETED, POD("a", FAILED("3")));
    tell(KUBE_POD, WATCH_OBJECT, POD("a", RUNNING));
    pass(60);
    expect("");
    assert_int_equal(open_calls(), 0);
}

static void deleted_by_somebody(void **state) {
    (void)state;
    begin_running();
    tell(KUBE_POD, WATCH_DELETED, POD("a", RUNNING));
    output_ends(0);
    pass(0);
    expect("finished a deleted -1 Deleted");
    (void)executor->ops->discard(executor, a, NULL);
    pass(0);
    expect("gone a"); /* without a request */
    assert_int_equal(sent, 1);
}

static void a_deleted_pod_that_stays_is_lost(void **state) {
    (void)state;
    begin_running();
    tell(
        KUBE_POD, WATCH_OBJECT,
        object("Pod", "a",
               "\"deletionTimestamp\":\"2024-05-01T10:00:30Z\",\"deletionGracePeriodSeconds\":30," LABELS(""),
               RUNNING));
    pass(89);
    expect("");
    pass(2);
    expect("finished a lost -1 NodeLost");
}

static void output_is_awaited_for_ten_seconds(void **state) {
    (void)state;
    begin_running();
    tell(KUBE_POD, WATCH_OBJECT, POD("a", SUCCEEDED));
    pass(9.9);
    expect("");
    pass(0.2);
    expect("finished a succeeded 0 ");
}

static void the_main_containers_end_is_the_runs(void **state) {
    (void)state;
    begin_running();
    tell(KUBE_POD, WATCH_OBJECT, WITH_MAIN(POD("a", LINGERS("3"))));
    output_ends(0);
    output_ends(1);
    pass(0);
    expect("finished a failed 3 Error");
    pass(0);
    name_is_kept(PODS "/a"); /* the others are ended, and the name stays */
    answer("DELETE", PODS "/a", 200, "", "{}");
    tell(KUBE_POD, WATCH_OBJECT, HELD_POD("0", LINGERS("3")));
    assert_int_equal(open_calls(), 0);
    (void)executor->ops->discard(executor, a, NULL);
    pass(0);
    name_is_freed(PODS "/a");
    tell(KUBE_POD, WATCH_DELETED, HELD_POD("0", LINGERS("3")));
    expect("gone a");
}

static void the_main_containers_end_is_a_jobs_too(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_POD, WATCH_OBJECT, WITH_MAIN(POD_OF("a", "a-x", LINGERS("0"))));
    output_ends(0);
    output_ends(1);
    pass(0);
    expect("started a +5; finished a succeeded 0 ");
    pass(0);
    name_is_kept(JOBS "/a");
    (void)call_of("DELETE", JOBS "/a");
}

/* Nothing lingers: the Job stays, as history. */
static void a_job_that_ends_with_its_main_container_is_kept(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_POD, WATCH_OBJECT, WITH_MAIN(POD_OF("a", "a-x", SUCCEEDED)));
    output_ends(0);
    pass(0);
    expect("started a +5; finished a succeeded 0 ");
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_COMPLETE));
    pass(1);
    assert_int_equal(open_calls(), 0);
}

static void jobs_have_their_pods_output_and_exit_code(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", "{\"active\":1}"));
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", RUNNING));
    expect("started a +5");
    assert_string_equal(logs[0].pod, "a-x");
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_FAILED)); /* ahead of the Pod's own end */
    expect("");
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", FAILED("4")));
    output_ends(0);
    pass(0);
    expect("finished a failed 4 Error");
}

static void a_failed_job_ends_with_its_last_pod(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_POD, WATCH_OBJECT,
         object("Pod", "a-x", "\"deletionTimestamp\":\"2024-05-01T10:00:30Z\"," LABELS(",\"job-name\":\"a\""),
                RUNNING));
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_FAILED));
    pass(89);
    expect("started a +5");
    pass(2);
    expect("finished a lost -1 NodeLost");
}

static void a_job_that_is_over_before_its_pod_is_seen(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_COMPLETE));
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", RUNNING));
    pass(0);
    expect("started a +5");
    output_ends(0);
    pass(0);
    expect("");
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", SUCCEEDED));
    pass(0);
    expect("finished a succeeded 0 ");
}

static void a_job_whose_pods_are_never_seen(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_COMPLETE));
    pass(9);
    expect("");
    pass(1);
    expect("started a +5; finished a succeeded 0 ");
}

static void a_retried_jobs_pods_are_all_followed(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", FAILED("4")));
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-y", RUNNING));
    output_ends(0);
    expect("started a +5");
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-y", SUCCEEDED));
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_COMPLETE));
    pass(0);
    expect(""); /* the second Pod's output is not complete */
    output_ends(1);
    pass(0);
    expect("finished a succeeded 0 ");
}

static void tell_pod(int number, bool over) {
    char name[16];
    (void)snprintf(name, sizeof name, "a-%d", number);
    tell(KUBE_POD, WATCH_OBJECT,
         object("Pod", name, LABELS(",\"job-name\":\"a\""), over ? SUCCEEDED : RUNNING));
}

static void those_beyond_fifty_logs_wait_and_are_read_at_their_end(void **state) {
    (void)state;
    begin_accepted(true);
    for (int i = 0; i < 53; i++)
        tell_pod(i, false);
    assert_int_equal(log_count, 50);
    tell_pod(52, true);
    assert_int_equal(log_count, 51);
    assert_string_equal(logs[50].pod, "a-52");
    assert_true(logs[50].finish);
    output_ends(50);
    assert_int_equal(log_count, 51); /* it took nobody's place */
    output_ends(7);
    assert_int_equal(log_count, 52);
    assert_string_equal(logs[51].pod, "a-50");
    assert_false(logs[51].finish);
    forget_heard();
}

static void a_removed_job_ends_with_its_last_pod(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", RUNNING));
    forget_heard();
    stop_now();
    name_is_kept(JOBS "/a");
    assert_non_null(
        strstr(call_of("DELETE", JOBS "/a")->body, "\"Foreground\"")); /* its Pods go although it stays */
    answer("DELETE", JOBS "/a", 200, "", "{}");
    tell(KUBE_JOB, WATCH_OBJECT, HELD_JOB("\"foregroundDeletion\",", "{\"active\":1}"));
    pass(20);
    expect("");
    tell(KUBE_JOB, WATCH_OBJECT, HELD_JOB("", "{\"active\":1}"));
    expect("");
    tell(KUBE_POD, WATCH_DELETED, POD_OF("a", "a-x", RUNNING));
    output_ends(0);
    pass(0);
    expect("finished a timeout -1 Timeout");
}

static void a_jobs_pod_that_vanished_while_the_watch_was_away(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", RUNNING));
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_FAILED));
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    output_ends(0);
    pass(0);
    expect("started a +5; finished a deleted -1 Deleted");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_pods_node_is_told_once_before_it_starts),
        TEST(the_node_of_a_pod_that_is_seen_no_more_is_told),
        TEST(each_pod_of_a_job_tells_its_node),
        TEST(the_watch_selects_this_instance),
        TEST(deleted_while_the_watch_was_away),
        TEST(events_that_come_twice_or_late_change_nothing),
        TEST(deleted_by_somebody),
        TEST(a_deleted_pod_that_stays_is_lost),
        TEST(output_is_awaited_for_ten_seconds),
        TEST(the_main_containers_end_is_the_runs),
        TEST(the_main_containers_end_is_a_jobs_too),
        TEST(a_job_that_ends_with_its_main_container_is_kept),
        TEST(jobs_have_their_pods_output_and_exit_code),
        TEST(a_failed_job_ends_with_its_last_pod),
        TEST(a_job_that_is_over_before_its_pod_is_seen),
        TEST(a_job_whose_pods_are_never_seen),
        TEST(a_retried_jobs_pods_are_all_followed),
        TEST(those_beyond_fifty_logs_wait_and_are_read_at_their_end),
        TEST(a_removed_job_ends_with_its_last_pod),
        TEST(a_jobs_pod_that_vanished_while_the_watch_was_away),
    };
    return cmocka_run_group_tests_name("kube_executor_watch", tests, NULL, NULL);
}
