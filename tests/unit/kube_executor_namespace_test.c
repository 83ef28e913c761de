/* A namespace without a Role: nothing is started in it, and nothing adopted, until it can be listed. */
#include "executor_fixture.h"

#define UNKNOWN "the Jobs in namespace n cannot be listed: forbidden"

static void begin_refused(void) {
    refuse(KUBE_JOB);
    refuse(KUBE_POD);
    expect("trouble n: " UNKNOWN "; ready"); /* told once, and nobody waits for it */
}

static void begin_put_off(void) {
    begin_refused();
    assert_int_equal(try_start(a, "n", false, NULL), 0);
    pass(0);
    expect("delayed a: " UNKNOWN);
    assert_int_equal(sent, 0);
}

static void the_role_appears(const char *pod) {
    tell(KUBE_JOB, WATCH_RELIST, NULL);
    tell(KUBE_JOB, WATCH_SYNCED, NULL);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    if (pod)
        tell(KUBE_POD, WATCH_OBJECT, pod);
    expect(pod ? "accepted a" : "");
    tell(KUBE_POD, WATCH_SYNCED, NULL);
}

static void a_refused_namespace_starts_nothing_until_its_deadline(void **state) {
    (void)state;
    begin_put_off();
    pass(299);
    assert_int_equal(sent, 0);
    forget_heard();
    pass(2);
    expect("finished a start_failed -1 NamespaceRefused");
}

static void a_refused_namespace_is_taken_up_when_it_may_be_listed(void **state) {
    (void)state;
    begin_put_off();
    the_role_appears(NULL);
    pass(10);
    answer("POST", PODS, 201, "", POD("a", PENDING));
    expect("accepted a");
}

static void what_an_earlier_daemon_made_in_a_refused_namespace_is_not_made_again(void **state) {
    (void)state;
    begin_put_off();
    the_role_appears(POD("a", PENDING));
    pass(20);
    assert_int_equal(sent, 0);
}

static void what_is_found_in_a_refused_namespace_is_adopted_when_all_is_known(void **state) {
    (void)state;
    begin_refused();
    tell(KUBE_JOB, WATCH_RELIST, NULL);
    tell(KUBE_JOB, WATCH_OBJECT, JOB("a", JOB_FAILED));
    tell(KUBE_JOB, WATCH_SYNCED, NULL);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", FAILED("7")));
    expect("");
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    expect("adopted a started failed 7");
}

static void a_role_that_goes_later_puts_off_what_comes_then(void **state) {
    (void)state;
    get_ready();
    refuse(KUBE_POD);
    expect("trouble n: the Pods in namespace n cannot be listed: forbidden");
    assert_int_equal(try_start(a, "n", false, NULL), 0);
    pass(0);
    assert_int_equal(sent, 0);
    forget_heard();
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    pass(10);
    assert_int_equal(sent, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_refused_namespace_starts_nothing_until_its_deadline),
        TEST(a_refused_namespace_is_taken_up_when_it_may_be_listed),
        TEST(what_an_earlier_daemon_made_in_a_refused_namespace_is_not_made_again),
        TEST(what_is_found_in_a_refused_namespace_is_adopted_when_all_is_known),
        TEST(a_role_that_goes_later_puts_off_what_comes_then),
    };
    return cmocka_run_group_tests_name("kube_executor_namespace", tests, NULL, NULL);
}
