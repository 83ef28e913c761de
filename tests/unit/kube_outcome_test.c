/* Pods and Jobs as API servers show them, and what we make of them. */
#include "kube/outcome.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define META(more)                                                                                           \
    "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\",\"namespace\":\"n\",\"uid\":"      \
    "\"u\","                                                                                                 \
    "\"creationTimestamp\":\"2024-05-01T10:00:00Z\"" more "},"                                               \
    "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"i\"},{\"name\":\"aside\",\"image\":\"i\"}],"   \
    "\"restartPolicy\":\"Never\"},"
#define POD(status) META("") "\"status\":" status "}"
#define DELETED_POD(when, status)                                                                            \
    META(",\"deletionTimestamp\":\"" when "\",\"deletionGracePeriodSeconds\":30") "\"status\":" status "}"
#define ENDED(name, code, reason)                                                                            \
    "{\"name\":\"" name                                                                                      \
    "\",\"ready\":false,\"restartCount\":0,\"image\":\"i\",\"imageID\":\"\",\"started\":"                    \
    "false,\"state\":{\"terminated\":{\"exitCode\":" code ",\"reason\":\"" reason                            \
    "\",\"startedAt\":\"2024-05-01T10:00:05Z\",\"finishedAt\":\"2024-05-01T10:00:09Z\"}}}"
#define RUNS(name)                                                                                           \
    "{\"name\":\"" name                                                                                      \
    "\",\"restartCount\":0,\"state\":{\"running\":{\"startedAt\":\"2024-05-01T10:00:05Z\"}}}"
#define WAITS(name, reason, message)                                                                         \
    "{\"name\":\"" name "\",\"restartCount\":0,\"state\":{\"waiting\":{\"reason\":\"" reason                 \
    "\",\"message\":\"" message "\"}}}"
#define STARTED 1714557605
#define FINISHED 1714557609

static struct result judged;

static enum stage judge(const char *json) {
    struct kube_object pod = {0};
    struct err err = {0};
    if (kube_object_parse(json, strlen(json), &pod, &err))
        fail_msg("%s", err.message);
    enum stage stage = outcome_of_pod(&pod, &judged);
    kube_object_free(&pod);
    return stage;
}

static void gone(const char *json) {
    struct kube_object pod = {0};
    assert_int_equal(kube_object_parse(json, strlen(json), &pod, NULL), 0);
    outcome_of_gone(&pod, &judged);
    kube_object_free(&pod);
}

#define assert_end(expected, code, word)                                                                     \
    do {                                                                                                     \
        assert_string_equal(outcome_name(judged.outcome), outcome_name(expected));                           \
        assert_int_equal(judged.exit_code, code);                                                            \
        assert_string_equal(judged.reason, word);                                                            \
    } while (0)
#define assert_says(part)                                                                                    \
    do {                                                                                                     \
        if (!strstr(judged.message, part))                                                                   \
            fail_msg("\"%s\" does not say \"%s\"", judged.message, part);                                    \
    } while (0)

static void a_new_pod_is_pending_for_nothing_special(void **state) {
    (void)state;
    assert_int_equal(judge(POD("{\"phase\":\"Pending\"}")), STAGE_PENDING);
    assert_string_equal(judged.reason, "");
    assert_int_equal(judge(POD("{\"phase\":\"Pending\",\"containerStatuses\":["
                               "{\"name\":\"main\",\"restartCount\":0,\"state\":{\"waiting\":{\"reason\":"
                               "\"ContainerCreating\"}}}]}")),
                     STAGE_PENDING);
    assert_string_equal(judged.reason, "");
}

static void an_unschedulable_pod_has_the_schedulers_words(void **state) {
    (void)state;
    assert_int_equal(
        judge(POD(
            "{\"phase\":\"Pending\",\"conditions\":[{\"type\":\"PodScheduled\",\"status\":\"False\","
            "\"reason\":\"Unschedulable\",\"message\":\"0/3 nodes are available: 3 Insufficient cpu.\"}]}")),
        STAGE_PENDING);
    assert_end(OUTCOME_START_FAILED, -1, "Unschedulable");
    assert_says("3 Insufficient cpu");
}

static void an_image_that_cannot_be_pulled_is_pending_with_that_reason(void **state) {
    (void)state;
    static const char *const pods[] = {
        POD("{\"phase\":\"Pending\",\"containerStatuses\":[" WAITS("main", "ErrImagePull", "not found") "]}"),
        POD("{\"phase\":\"Pending\",\"containerStatuses\":[" WAITS("main", "ImagePullBackOff",
                                                                   "Back-off, not found") "]}"),
        POD("{\"phase\":\"Pending\",\"containerStatuses\":[" WAITS("main", "CreateContainerConfigError",
                                                                   "configmap not found") "]}"),
    };
    static const char *const reasons[] = {"ErrImagePull", "ImagePullBackOff", "CreateContainerConfigError"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(judge(pods[i]), STAGE_PENDING);
        assert_end(OUTCOME_START_FAILED, -1, reasons[i]);
        assert_says("container main: ");
        assert_says("not found");
    }
}

static void an_invalid_image_name_is_hopeless(void **state) {
    (void)state;
    assert_int_equal(judge(POD("{\"phase\":\"Pending\",\"containerStatuses\":[" WAITS(
                         "main", "InvalidImageName", "couldn't parse image name \\\"A:B:C\\\"") "]}")),
                     STAGE_HOPELESS);
    assert_end(OUTCOME_START_FAILED, -1, "InvalidImageName");
}

static void it_runs_when_its_first_container_does(void **state) {
    (void)state;
    assert_int_equal(
        judge(POD("{\"phase\":\"Running\",\"containerStatuses\":[" RUNS("aside") "," RUNS("main") "]}")),
        STAGE_RUNNING);
    assert_int_equal(judged.started, STARTED);
    /* The statuses are sorted by name; "aside" comes first and is not the first container. */
    assert_int_equal(judge(POD("{\"phase\":\"Running\",\"containerStatuses\":[" RUNS("aside") "," WAITS(
                         "main", "ErrImagePull", "x") "]}")),
                     STAGE_PENDING);
    assert_int_equal(
        judge(POD("{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\","
                  "\"restartCount\":2,\"state\":{\"waiting\":{\"reason\":\"CrashLoopBackOff\"}}}]}")),
        STAGE_RUNNING);
}

static void success(void **state) {
    (void)state;
    assert_int_equal(
        judge(POD("{\"phase\":\"Succeeded\",\"containerStatuses\":[" ENDED("main", "0", "Completed") "]}")),
        STAGE_OVER);
    assert_end(OUTCOME_SUCCEEDED, 0, "");
    assert_int_equal(judged.started, STARTED);
    assert_int_equal(judged.finished, FINISHED);
}

static void failure_has_the_first_containers_exit_code(void **state) {
    (void)state;
    assert_int_equal(judge(POD("{\"phase\":\"Failed\",\"containerStatuses\":[" ENDED(
                         "aside", "1", "Error") "," ENDED("main", "3", "Error") "]}")),
                     STAGE_OVER);
    assert_end(OUTCOME_FAILED, 3, "Error");
    assert_says("container main: exit code 3");
    assert_int_equal(judged.finished, FINISHED);
}

static void another_containers_failure_counts_when_the_first_did_well(void **state) {
    (void)state;
    (void)judge(POD("{\"phase\":\"Failed\",\"containerStatuses\":[" ENDED("aside", "7", "Error") "," ENDED(
        "main", "0", "Completed") "]}"));
    assert_end(OUTCOME_FAILED, 7, "Error");
    assert_says("container aside");
}

static void an_init_container_that_fails_is_to_blame(void **state) {
    (void)state;
    (void)judge(POD("{\"phase\":\"Failed\",\"initContainerStatuses\":[" ENDED(
        "setup", "5", "Error") "],"
                               "\"containerStatuses\":[" WAITS("main", "PodInitializing", "") "]}"));
    assert_end(OUTCOME_FAILED, 5, "Error");
    assert_says("container setup");
}

static void a_signal_is_named(void **state) {
    (void)state;
    (void)judge(POD("{\"phase\":\"Failed\",\"containerStatuses\":[" ENDED("main", "137", "OOMKilled") "]}"));
    assert_end(OUTCOME_FAILED, 137, "OOMKilled");
    assert_says("signal 9 (Killed)");
    (void)judge(POD("{\"phase\":\"Failed\",\"containerStatuses\":[" ENDED("main", "255", "Error") "]}"));
    assert_null(strstr(judged.message, "signal"));
}

static void a_termination_message_is_passed_on(void **state) {
    (void)state;
    (void)judge(
        POD("{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":"
            "{\"terminated\":{\"exitCode\":2,\"reason\":\"Error\",\"message\":\"disk full\","
            "\"startedAt\":\"2024-05-01T10:00:05Z\",\"finishedAt\":\"2024-05-01T10:00:09Z\"}}}]}"));
    assert_says("exit code 2: disk full");
}

static void a_command_that_cannot_be_started_never_ran(void **state) {
    (void)state;
    assert_int_equal(
        judge(POD(
            "{\"phase\":\"Failed\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":"
            "{\"terminated\":{\"exitCode\":128,\"reason\":\"StartError\",\"message\":\"exec: nope: not "
            "found\","
            "\"startedAt\":\"1970-01-01T00:00:00Z\",\"finishedAt\":\"2024-05-01T10:00:09Z\"}}}]}")),
        STAGE_OVER);
    assert_end(OUTCOME_START_FAILED, 128, "StartError");
    assert_int_equal(judged.started, 0);
    assert_says("nope: not found");
}

static void a_pod_that_the_kubelet_refuses_never_ran(void **state) {
    (void)state;
    (void)judge(
        POD("{\"phase\":\"Failed\",\"reason\":\"OutOfcpu\",\"message\":\"Pod was rejected: Node didn't have "
            "enough resource: cpu\"}"));
    assert_end(OUTCOME_START_FAILED, -1, "OutOfcpu");
    assert_says("enough resource");
}

static void past_its_active_deadline_is_a_timeout(void **state) {
    (void)state;
    (void)judge(POD(
        "{\"phase\":\"Failed\",\"reason\":\"DeadlineExceeded\",\"message\":\"Pod was active on the node "
        "longer than the specified deadline\",\"containerStatuses\":[" ENDED("main", "143", "Error") "]}"));
    assert_end(OUTCOME_TIMEOUT, 143, "DeadlineExceeded");
}

static void eviction_by_its_names(void **state) {
    (void)state;
    (void)judge(
        POD("{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"The node was low on resource: "
            "ephemeral-storage.\"}"));
    assert_end(OUTCOME_EVICTED, -1, "Evicted");
    assert_says("low on resource");
    (void)judge(
        POD("{\"phase\":\"Failed\",\"reason\":\"Preempting\",\"message\":\"Preempted in order to admit "
            "critical pod\"}"));
    assert_end(OUTCOME_EVICTED, -1, "Preempting");
    (void)judge(
        POD("{\"phase\":\"Failed\",\"reason\":\"Terminated\",\"message\":\"Pod was terminated in response to "
            "imminent node shutdown.\",\"containerStatuses\":[" ENDED("main", "143", "Error") "]}"));
    assert_end(OUTCOME_EVICTED, 143, "Terminated");
}

#define DISRUPTED(reason)                                                                                    \
    "\"conditions\":[{\"type\":\"DisruptionTarget\",\"status\":\"True\",\"reason\":\"" reason                \
    "\",\"message\":\"m\"}]"

static void deleting_a_running_pod_is_not_its_failure(void **state) {
    (void)state;
    /* Deleted at 10:00:08 with 30 s of grace; it ended at 10:00:09. */
    assert_int_equal(
        judge(DELETED_POD("2024-05-01T10:00:38Z", "{\"phase\":\"Failed\",\"containerStatuses\":[" ENDED(
                                                      "main", "143", "Error") "]}")),
        STAGE_OVER);
    assert_end(OUTCOME_DELETED, 143, "Deleted");
    (void)judge(DELETED_POD("2024-05-01T10:00:38Z", "{\"phase\":\"Succeeded\",\"containerStatuses\":[" ENDED(
                                                        "main", "0", "Completed") "]}"));
    assert_end(OUTCOME_DELETED, 0, "Deleted");
}

static void an_end_before_the_deletion_stands(void **state) {
    (void)state;
    (void)judge(DELETED_POD("2024-05-01T10:00:40Z", "{\"phase\":\"Succeeded\",\"containerStatuses\":[" ENDED(
                                                        "main", "0", "Completed") "]}"));
    assert_end(OUTCOME_SUCCEEDED, 0, "");
}

static void a_pod_that_is_gone_was_evicted_lost_or_deleted(void **state) {
    (void)state;
    gone(POD("{\"phase\":\"Running\",\"containerStatuses\":[" RUNS("main") "]}"));
    assert_end(OUTCOME_DELETED, -1, "Deleted");
    assert_int_equal(judged.started, STARTED);
    gone(POD("{\"phase\":\"Running\"," DISRUPTED("PreemptionByScheduler") "}"));
    assert_end(OUTCOME_EVICTED, -1, "PreemptionByScheduler");
    gone(POD("{\"phase\":\"Running\"," DISRUPTED("EvictionByEvictionAPI") "}")); /* kubectl drain */
    assert_end(OUTCOME_EVICTED, -1, "EvictionByEvictionAPI");
    gone(POD("{\"phase\":\"Running\"," DISRUPTED("DeletionByTaintManager") "}"));
    assert_end(OUTCOME_EVICTED, -1, "DeletionByTaintManager");
    gone(POD("{\"phase\":\"Failed\"," DISRUPTED("DeletionByPodGC") "}"));
    assert_end(OUTCOME_LOST, -1, "DeletionByPodGC");
    gone(POD("{\"phase\":\"Succeeded\",\"containerStatuses\":[" ENDED("main", "0", "Completed") "]}"));
    assert_end(OUTCOME_SUCCEEDED, 0, "");
}

/* The named one decides, whatever the others do or did. */
static void a_named_main_container_decides_alone(void **state) {
    (void)state;
#define NAMED(status)                                                                                        \
    META(",\"annotations\":{\"kube-scheduler/main-container\":\"aside\"}") "\"status\":" status "}"
    assert_int_equal(judge(NAMED("{\"phase\":\"Running\",\"containerStatuses\":[" RUNS("main") "," ENDED(
                         "aside", "3", "Error") "]}")),
                     STAGE_OVER);
    assert_end(OUTCOME_FAILED, 3, "Error");
    assert_int_equal(judged.finished, FINISHED);
    assert_int_equal(judge(NAMED("{\"phase\":\"Failed\",\"containerStatuses\":[" ENDED(
                         "main", "1", "Error") "," ENDED("aside", "0", "Completed") "]}")),
                     STAGE_OVER);
    assert_end(OUTCOME_SUCCEEDED, 0, "");
    assert_int_equal(judge(NAMED("{\"phase\":\"Running\",\"containerStatuses\":[" RUNS("aside") "," ENDED(
                         "main", "0", "Completed") "]}")),
                     STAGE_RUNNING);
}

static void a_lost_node(void **state) {
    (void)state;
    assert_int_equal(
        judge(POD("{\"phase\":\"Running\",\"reason\":\"NodeLost\",\"message\":\"Node w1 which was running "
                  "pod p is unresponsive\"}")),
        STAGE_OVER);
    assert_end(OUTCOME_LOST, -1, "NodeLost");
    assert_int_equal(judge(POD("{\"phase\":\"Unknown\"}")), STAGE_OVER);
    assert_end(OUTCOME_LOST, -1, "NodeLost");
}

#define JOB(status)                                                                                          \
    "{\"apiVersion\":\"batch/v1\",\"kind\":\"Job\",\"metadata\":{\"name\":\"j\",\"namespace\":\"n\"},"       \
    "\"status\":" status "}"

static enum stage judge_job(const char *json, const struct result *last_pod) {
    struct kube_object job = {0};
    assert_int_equal(kube_object_parse(json, strlen(json), &job, NULL), 0);
    enum stage stage = outcome_of_job(&job, last_pod, &judged);
    kube_object_free(&job);
    return stage;
}

static void a_job_says_itself_when_it_is_over(void **state) {
    (void)state;
    assert_int_equal(judge_job(JOB("{\"startTime\":\"2024-05-01T10:00:05Z\",\"active\":1}"), NULL),
                     STAGE_PENDING);
    assert_int_equal(
        judge_job(JOB("{\"startTime\":\"2024-05-01T10:00:05Z\",\"completionTime\":"
                      "\"2024-05-01T10:00:09Z\",\"succeeded\":1,\"conditions\":[{\"type\":\"Complete\","
                      "\"status\":\"True\"}]}"),
                  NULL),
        STAGE_OVER);
    assert_end(OUTCOME_SUCCEEDED, 0, "");
    assert_int_equal(judged.finished, FINISHED);
}

#define FAILED_JOB(reason)                                                                                   \
    JOB("{\"failed\":1,\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\",\"reason\":\"" reason        \
        "\",\"message\":\"Job has reached the limit\"}]}")

static void a_failed_job_has_its_last_pods_exit_code(void **state) {
    (void)state;
    struct result pod = {.outcome = OUTCOME_FAILED,
                         .exit_code = 4,
                         .reason = "Error",
                         .message = "container main: exit code 4"};
    assert_int_equal(judge_job(FAILED_JOB("BackoffLimitExceeded"), &pod), STAGE_OVER);
    assert_end(OUTCOME_FAILED, 4, "Error");
    assert_says("container main: exit code 4; Job has reached the limit");
    (void)judge_job(FAILED_JOB("BackoffLimitExceeded"), NULL);
    assert_end(OUTCOME_FAILED, -1, "BackoffLimitExceeded");
    pod.outcome = OUTCOME_EVICTED;
    (void)judge_job(FAILED_JOB("BackoffLimitExceeded"), &pod);
    assert_int_equal(judged.outcome, OUTCOME_EVICTED);
}

static void a_job_past_its_deadline_is_a_timeout(void **state) {
    (void)state;
    struct result pod = {.outcome = OUTCOME_DELETED, .exit_code = 143, .reason = "Deleted"};
    (void)judge_job(FAILED_JOB("DeadlineExceeded"), &pod);
    assert_end(OUTCOME_TIMEOUT, 143, "DeadlineExceeded");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_pod_is_pending_for_nothing_special),
        cmocka_unit_test(an_unschedulable_pod_has_the_schedulers_words),
        cmocka_unit_test(an_image_that_cannot_be_pulled_is_pending_with_that_reason),
        cmocka_unit_test(an_invalid_image_name_is_hopeless),
        cmocka_unit_test(it_runs_when_its_first_container_does),
        cmocka_unit_test(success),
        cmocka_unit_test(failure_has_the_first_containers_exit_code),
        cmocka_unit_test(another_containers_failure_counts_when_the_first_did_well),
        cmocka_unit_test(an_init_container_that_fails_is_to_blame),
        cmocka_unit_test(a_signal_is_named),
        cmocka_unit_test(a_termination_message_is_passed_on),
        cmocka_unit_test(a_command_that_cannot_be_started_never_ran),
        cmocka_unit_test(a_pod_that_the_kubelet_refuses_never_ran),
        cmocka_unit_test(past_its_active_deadline_is_a_timeout),
        cmocka_unit_test(eviction_by_its_names),
        cmocka_unit_test(deleting_a_running_pod_is_not_its_failure),
        cmocka_unit_test(an_end_before_the_deletion_stands),
        cmocka_unit_test(a_pod_that_is_gone_was_evicted_lost_or_deleted),
        cmocka_unit_test(a_named_main_container_decides_alone),
        cmocka_unit_test(a_lost_node),
        cmocka_unit_test(a_job_says_itself_when_it_is_over),
        cmocka_unit_test(a_failed_job_has_its_last_pods_exit_code),
        cmocka_unit_test(a_job_past_its_deadline_is_a_timeout),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
