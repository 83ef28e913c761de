/* DESIGN decision 3, row by row. */
#include "kube/answer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

static struct kube_reply reply(int status, const char *reason, const char *message) {
    struct kube_reply out = {.status = status, .retry_after = -1, .sent = true};
    (void)strncpy(out.reason, reason, sizeof out.reason - 1);
    (void)strncpy(out.message, message, sizeof out.message - 1);
    return out;
}

static const struct {
    int status;
    const char *reason, *message;
    enum answer answer;
} rows[] = {
    {201, "", "", ANSWER_DONE},
    {409, "AlreadyExists", "pods \"a-1\" already exists", ANSWER_CHECK},
    {409, "Conflict",
     "Operation cannot be fulfilled on resourcequotas \"q\": the object has been modified; please apply your "
     "changes to the latest version and try again",
     ANSWER_RETRY},
    {403, "Forbidden",
     "pods \"a-1\" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2",
     ANSWER_RETRY},
    {403, "Forbidden",
     "pods \"a-1\" is forbidden: unable to create new content in namespace n because it is being terminated",
     ANSWER_RETRY},
    {403, "Forbidden",
     "pods is forbidden: User \"system:serviceaccount:n:s\" cannot create resource \"pods\" in API group "
     "\"\" in "
     "the namespace \"n\"",
     ANSWER_FINAL},
    {403, "Forbidden", "admission webhook \"w.example.com\" denied the request: no team label", ANSWER_FINAL},
    {404, "NotFound", "namespaces \"n\" not found", ANSWER_RETRY},
    {401, "Unauthorized", "Unauthorized", ANSWER_RETRY},
    {408, "Timeout", "", ANSWER_RETRY},
    {429, "TooManyRequests", "too many requests", ANSWER_RETRY},
    {500, "InternalError", "failed calling webhook", ANSWER_RETRY},
    {503, "ServiceUnavailable", "", ANSWER_RETRY},
    {504, "Timeout", "request did not complete within requested timeout", ANSWER_RETRY},
    {0, "", "connection reset by peer", ANSWER_RETRY},
    {400, "BadRequest", "", ANSWER_FINAL},
    {413, "RequestEntityTooLarge", "", ANSWER_FINAL},
    {422, "Invalid", "spec.containers[0].image: Required value", ANSWER_FINAL},
};

static void every_row_of_the_decision(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct kube_reply given = reply(rows[i].status, rows[i].reason, rows[i].message);
        if (answer_to_create(&given) != rows[i].answer)
            fail_msg("row %zu: %d %s: %d", i, rows[i].status, rows[i].message, answer_to_create(&given));
    }
}

static void doubt_is_what_may_have_been_executed(void **state) {
    (void)state;
    struct kube_reply cut = reply(0, "", "reset"), unsent = cut, timeout = reply(504, "", ""),
                      refused = reply(429, "", "");
    unsent.sent = false;
    assert_true(answer_in_doubt(&cut));
    assert_true(answer_in_doubt(&timeout));
    assert_false(answer_in_doubt(&unsent));
    assert_false(answer_in_doubt(&refused));
}

static const struct identity run = {"main", "report", 1700000000, 2};
static struct kube_object ours(void) {
    return (struct kube_object){.kind = KUBE_POD,
                                .namespace_ = "n",
                                .name = "report-1",
                                .managed_by = "kube-scheduler",
                                .instance = "main",
                                .job = "report",
                                .slot = "2023-11-14T22:13:20Z",
                                .attempt = "2"};
}

static void ours_is_the_same_instance_job_slot_and_attempt(void **state) {
    (void)state;
    struct kube_object object = ours();
    assert_true(answer_is_ours(&run, &object));
    object.instance = "other";
    assert_false(answer_is_ours(&run, &object));
    object = ours();
    object.job = "report2";
    assert_false(answer_is_ours(&run, &object));
    object = ours();
    object.slot = "2023-11-14T22:13:21Z";
    assert_false(answer_is_ours(&run, &object));
    object = ours();
    object.attempt = "1";
    assert_false(answer_is_ours(&run, &object));
    object = (struct kube_object){.namespace_ = "n", .name = "report-1"};
    assert_false(answer_is_ours(&run, &object));
}

static void a_taken_name_says_whose_it_is(void **state) {
    (void)state;
    struct kube_object object = ours();
    struct result result;
    object.instance = "other";
    answer_name_taken(&object, &result);
    assert_int_equal(result.outcome, OUTCOME_START_FAILED);
    assert_int_equal(result.exit_code, -1);
    assert_string_equal(result.reason, "NameTaken");
    assert_non_null(strstr(result.message, "Pod n/report-1"));
    assert_non_null(strstr(result.message, "instance other"));
    object = (struct kube_object){.kind = KUBE_JOB, .namespace_ = "n", .name = "x", .managed_by = "Helm"};
    answer_name_taken(&object, &result);
    assert_non_null(strstr(result.message, "made by Helm"));
}

static void a_failed_start_has_the_servers_words(void **state) {
    (void)state;
    struct kube_reply given = reply(422, "Invalid", "spec.containers: Required value");
    struct result result;
    answer_start_failed(&given, &result);
    assert_int_equal(result.outcome, OUTCOME_START_FAILED);
    assert_string_equal(result.reason, "Invalid");
    assert_string_equal(result.message, "spec.containers: Required value");
    given = reply(0, "", "connection refused");
    answer_start_failed(&given, &result);
    assert_string_equal(result.reason, "NoAnswer");
    given = reply(418, "", "");
    answer_start_failed(&given, &result);
    assert_string_equal(result.reason, "HTTP418");
}

static int fill_with(void *ctx, void *out, size_t len) {
    memset(out, *(const int *)ctx, len);
    return 0;
}

static void back_off_doubles_up_to_ten_seconds_with_full_jitter(void **state) {
    (void)state;
    int most = 0xff, least = 0;
    struct random_source high = {fill_with, &most}, low = {fill_with, &least};
    assert_int_equal(answer_backoff(&high, 1, -1), NS_PER_S / 4);
    assert_int_equal(answer_backoff(&high, 2, -1), NS_PER_S / 2);
    assert_int_equal(answer_backoff(&high, 6, -1), 8 * NS_PER_S);
    assert_int_equal(answer_backoff(&high, 7, -1), 10 * NS_PER_S);
    assert_int_equal(answer_backoff(&high, 4000000000U, -1), 10 * NS_PER_S);
    assert_int_equal(answer_backoff(&low, 7, -1), 0);
}

static void retry_after_is_the_least(void **state) {
    (void)state;
    int most = 0xff, least = 0;
    struct random_source high = {fill_with, &most}, low = {fill_with, &least};
    assert_int_equal(answer_backoff(&low, 1, 3), 3 * NS_PER_S);
    assert_int_equal(answer_backoff(&high, 1, 3), 3 * NS_PER_S + NS_PER_S / 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_of_the_decision),
        cmocka_unit_test(doubt_is_what_may_have_been_executed),
        cmocka_unit_test(ours_is_the_same_instance_job_slot_and_attempt),
        cmocka_unit_test(a_taken_name_says_whose_it_is),
        cmocka_unit_test(a_failed_start_has_the_servers_words),
        cmocka_unit_test(back_off_doubles_up_to_ten_seconds_with_full_jitter),
        cmocka_unit_test(retry_after_is_the_least),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
