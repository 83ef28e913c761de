/* Runs that an earlier daemon left, in every state. */
#include "executor_fixture.h"

static void open_with(const char *jobs[], size_t job_count, const char *pods[], size_t pod_count) {
    tell(KUBE_JOB, WATCH_RELIST, NULL);
    for (size_t i = 0; i < job_count; i++)
        tell(KUBE_JOB, WATCH_OBJECT, jobs[i]);
    assert_int_equal(watch_count, 1); /* Pods are listed when the Jobs are known */
    tell(KUBE_JOB, WATCH_SYNCED, NULL);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    for (size_t i = 0; i < pod_count; i++)
        tell(KUBE_POD, WATCH_OBJECT, pods[i]);
    tell(KUBE_POD, WATCH_SYNCED, NULL);
}

static void earlier_runs_are_adopted_and_carried_on(void **state) {
    (void)state;
    char running[JSON_MAX];
    (void)snprintf(running, sizeof running, "%s", POD("a", RUNNING));
    since_start = 60 * NS_PER_S;
    open_with(NULL, 0, (const char *[]){running}, 1);
    expect("adopted a started; ready");
    assert_int_equal(logs[0].since, NOW + 60); /* what an earlier daemon printed is not printed again */
    tell(KUBE_POD, WATCH_OBJECT, POD("a", FAILED("2")));
    output_ends(0);
    pass(0);
    expect("finished a failed 2 Error"); /* `started` belonged to the earlier daemon */
    assert_int_equal(executor->ops->report(executor, adopted_owners[0], NULL), 0);
}

static void an_adopted_pending_run_has_its_timeout_from_its_creation(void **state) {
    (void)state;
    char pending[JSON_MAX];
    (void)snprintf(pending, sizeof pending, "%s", POD("a", NO_IMAGE));
    since_start = 200 * NS_PER_S;
    open_with(NULL, 0, (const char *[]){pending}, 1);
    expect("adopted a; ready");
    pass(99);
    assert_int_equal(open_calls(), 0);
    pass(2);
    (void)call_of("PATCH", PODS "/a");
}

#define ENDED_AS(outcome)                                                                                    \
    "\"kube-scheduler/outcome\":\"" outcome "\",\"kube-scheduler/reason\":\"Why\","                          \
    "\"kube-scheduler/message\":\"so\","

/* "a" as a daemon left it that was ending it. */
static const char *left_ending(const char *metadata, const char *status) {
    return annotated(ENDED_AS("timeout"), object("Pod", "a", metadata, status));
}

static void an_earlier_daemons_stop_is_told_as_such(void **state) {
    (void)state;
    const char *pod = left_ending(HELD("") "\"deletionGracePeriodSeconds\":0," LABELS(""), RUNNING);
    open_with(NULL, 0, (const char *[]){pod}, 1);
    expect("adopted a started timeout -1; ready");
    (void)executor->ops->discard(executor, adopted_owners[0], NULL);
    pass(0);
    name_is_freed(PODS "/a");
}

static void what_succeeded_before_an_earlier_daemons_stop_has_succeeded(void **state) {
    (void)state;
    const char *pod = left_ending(HELD("") "\"deletionGracePeriodSeconds\":0," LABELS(""), SUCCEEDED);
    open_with(NULL, 0, (const char *[]){pod}, 1);
    expect("adopted a started succeeded 0; ready");
}

static void an_earlier_daemons_stop_is_awaited(void **state) {
    (void)state;
    const char *pod = left_ending(HELD("") "\"deletionGracePeriodSeconds\":30," LABELS(""), RUNNING);
    open_with(NULL, 0, (const char *[]){pod}, 1);
    expect("adopted a started; ready");
    assert_int_equal(open_calls(), 0); /* it is deleted already */
    tell(KUBE_POD, WATCH_OBJECT, HELD_POD("0", RUNNING));
    output_ends(0);
    pass(0);
    expect("finished a timeout -1 Why");
}

static void an_earlier_daemons_stop_is_completed(void **state) {
    (void)state;
    const char *pod = left_ending("\"finalizers\":[\"kube-scheduler/name\"]," LABELS(""), PENDING);
    open_with(NULL, 0, (const char *[]){pod}, 1);
    expect("adopted a; ready");
    answer("DELETE", PODS "/a", 200, "", "{}");
    expect("finished a timeout -1 Why");
}

static void an_earlier_job_is_judged_by_its_last_pod(void **state) {
    (void)state;
    char job[JSON_MAX], first[JSON_MAX], last[JSON_MAX];
    (void)snprintf(job, sizeof job, "%s", JOB("a", JOB_FAILED));
    (void)snprintf(first, sizeof first, "%s", POD_OF("a", "a-x", FAILED("8")));
    (void)snprintf(last, sizeof last, "%s", POD_OF("a", "a-y", FAILED("9")));
    *(strstr(last, "finishedAt") + strlen("finishedAt\":\"2024-05-01T10:")) = '3'; /* half an hour later */
    open_with((const char *[]){job}, 1, (const char *[]){first, last}, 2);
    expect("adopted a started"); /* `ready` waits for its last lines */
    tell(KUBE_POD, WATCH_OBJECT, POD("late", PENDING));
    assert_int_equal(logs[0].tail, 50);
    assert_int_equal(logs[0].since, 0);
    logs[0].events->line(logs[0].ctx, "bye", 3);
    output_ends(0);
    output_ends(1);
    pass(0);
    expect("a/main: bye; finished a failed 9 Error; adopted late; ready");
    (void)executor->ops->discard(executor, adopted_owners[0], NULL);
    pass(0);
    (void)call_of("DELETE", JOBS "/a");
}

static void an_earlier_active_jobs_pod_is_followed(void **state) {
    (void)state;
    char job[JSON_MAX], pod[JSON_MAX];
    (void)snprintf(job, sizeof job, "%s", JOB("a", "{\"active\":1}"));
    (void)snprintf(pod, sizeof pod, "%s", POD_OF("a", "a-x", RUNNING));
    open_with((const char *[]){job}, 1, (const char *[]){pod}, 1);
    expect("adopted a started; ready");
    assert_int_equal(log_count, 1);
    assert_string_equal(logs[0].pod, "a-x");
}

static void what_was_reported_and_what_nobody_wants(void **state) {
    (void)state;
    char reported[JSON_MAX], unwanted[JSON_MAX];
    (void)snprintf(unwanted, sizeof unwanted, "%s", POD("b", RUNNING));
    (void)snprintf(
        reported, sizeof reported,
        "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"n\",\"name\":\"a\",\"labels\":{"
        "\"kube-scheduler/instance\":\"main\"},\"annotations\":{\"kube-scheduler/job-name\":\"job\","
        "\"kube-scheduler/slot\":\"" SLOT "\",\"kube-scheduler/attempt\":\"1\","
        "\"kube-scheduler/reported\":\"true\"}},\"status\":%s}",
        SUCCEEDED);
    leave_alone = "b";
    open_with(NULL, 0, (const char *[]){reported}, 1);
    expect("adopted a started succeeded 0 reported; ready");
    tell(KUBE_POD, WATCH_OBJECT, unwanted);
    tell(KUBE_POD, WATCH_OBJECT, POD("b", SUCCEEDED)); /* asked once */
    expect("adopted b started");
    assert_int_equal(log_count, 0);
}

static void a_run_that_shows_up_later_is_adopted_too(void **state) {
    (void)state;
    get_ready();
    tell(KUBE_POD, WATCH_OBJECT, POD("a", PENDING));
    tell(KUBE_POD, WATCH_OBJECT, POD("a", RUNNING));
    expect("adopted a; started a +5");
}

static void what_vanishes_while_opening_is_not_adopted(void **state) {
    (void)state;
    char pod[JSON_MAX];
    (void)snprintf(pod, sizeof pod, "%s", POD("a", RUNNING));
    tell(KUBE_JOB, WATCH_RELIST, NULL);
    tell(KUBE_JOB, WATCH_SYNCED, NULL);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_OBJECT, pod);
    tell(KUBE_POD, WATCH_RELIST, NULL); /* the list broke off and starts anew */
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    expect("ready");
}

static void a_jobs_pod_that_vanishes_while_opening_still_counts(void **state) {
    (void)state;
    tell(KUBE_JOB, WATCH_RELIST, NULL);
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_FAILED));
    tell(KUBE_JOB, WATCH_SYNCED, NULL);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", FAILED("9")));
    tell(KUBE_POD, WATCH_DELETED, POD_OF("a", "a-x", FAILED("9")));
    expect("");
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    output_ends(0);
    pass(0);
    expect("adopted a started; finished a failed 9 Error; ready");
}

static void an_adopted_run_has_its_node(void **state) {
    (void)state;
    tell(KUBE_JOB, WATCH_RELIST, NULL);
    tell(KUBE_JOB, WATCH_SYNCED, NULL);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_OBJECT,
         on_node("node-1", annotated("\"kube-scheduler/reported\":\"true\",", POD("a", SUCCEEDED))));
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    expect("adopted a started succeeded 0 reported on node-1; ready");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(an_adopted_run_has_its_node),
        TEST(earlier_runs_are_adopted_and_carried_on),
        TEST(an_adopted_pending_run_has_its_timeout_from_its_creation),
        TEST(an_earlier_daemons_stop_is_told_as_such),
        TEST(what_succeeded_before_an_earlier_daemons_stop_has_succeeded),
        TEST(an_earlier_daemons_stop_is_awaited),
        TEST(an_earlier_daemons_stop_is_completed),
        TEST(an_earlier_job_is_judged_by_its_last_pod),
        TEST(an_earlier_active_jobs_pod_is_followed),
        TEST(what_was_reported_and_what_nobody_wants),
        TEST(a_run_that_shows_up_later_is_adopted_too),
        TEST(what_vanishes_while_opening_is_not_adopted),
        TEST(a_jobs_pod_that_vanishes_while_opening_still_counts),
    };
    return cmocka_run_group_tests_name("kube_executor_adopt", tests, NULL, NULL);
}
