/* Objects picked from JSON: which fields, from which shapes, wherever the text is cut. */
#include "base/buf.h"
#include "kube/object_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define METADATA                                                                                             \
    "\"metadata\":{\"name\":\"pi-1\",\"namespace\":\"jobs\",\"uid\":\"u-1\",\"resourceVersion\":\"42\","     \
    "\"managedFields\":[{\"fieldsV1\":{\"f:metadata\":{\"f:name\":{}},\"name\":\"not this\"}}],"             \
    "\"creationTimestamp\":\"2024-02-29T12:00:00Z\",\"deletionTimestamp\":\"2024-02-29T12:01:00+01:00\","    \
    "\"deletionGracePeriodSeconds\":30,\"ownerReferences\":[{\"name\":\"nor this\",\"uid\":\"u-2\"}],"       \
    "\"labels\":{\"app.kubernetes.io/managed-by\":\"kube-scheduler\",\"kube-scheduler/instance\":\"blue\","  \
    "\"kube-scheduler/job\":\"slug\",\"job-name\":\"owner\"},"                                               \
    "\"annotations\":{\"kube-scheduler/job-name\":\"reports: \\u00e4\",\"kube-scheduler/slot\":\"S\","       \
    "\"kube-scheduler/attempt\":\"2\",\"kube-scheduler/trigger\":\"retry\",\"kube-scheduler/"                \
    "reported\":\"true\"}}"

static const char pod_text[] =
    "{\"kind\":\"Pod\",\"apiVersion\":\"v1\"," METADATA
    ",\"spec\":{\"containers\":[{\"name\":\"x\",\"env\":[{\"name\":\"phase\"}]}],\"nodeName\":\"n-1\"},"
    "\"status\":{\"phase\":\"Failed\",\"reason\":\"Evicted\",\"message\":\"low on memory\","
    "\"conditions\":[{\"type\":\"Ready\",\"status\":\"False\",\"message\":\"other\"},"
    "{\"type\":\"PodScheduled\",\"status\":\"False\",\"reason\":\"Unschedulable\",\"message\":\"0/3 nodes\"},"
    "{\"type\":\"DisruptionTarget\",\"status\":\"True\",\"reason\":\"PreemptionByScheduler\"}],"
    "\"initContainerStatuses\":[{\"name\":\"setup\",\"state\":{\"terminated\":{\"exitCode\":0,"
    "\"reason\":\"Completed\"}}}],"
    "\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":3,\"ready\":false,"
    "\"lastState\":{\"terminated\":{\"exitCode\":99}},"
    "\"state\":{\"terminated\":{\"exitCode\":137,\"signal\":9,\"reason\":\"OOMKilled\",\"message\":\"m\","
    "\"startedAt\":\"2024-02-29T12:00:05Z\",\"finishedAt\":\"2024-02-29T12:00:09.5Z\"}}},"
    "{\"name\":\"side\",\"state\":{\"running\":{\"startedAt\":\"2024-02-29T12:00:06Z\"}}},"
    "{\"name\":\"late\",\"state\":{\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"no image\"}}},"
    "{\"name\":\"none\",\"state\":{}}]}}";

static void check_metadata(const struct kube_object *o) {
    assert_string_equal(o->name, "pi-1");
    assert_string_equal(o->namespace_, "jobs");
    assert_string_equal(o->uid, "u-1");
    assert_string_equal(o->resource_version, "42");
    assert_int_equal(o->created, 1709208000);
    assert_int_equal(o->deletion, 1709208000 + 60 - 3600);
    assert_int_equal(o->grace, 30);
    assert_string_equal(o->managed_by, "kube-scheduler");
    assert_string_equal(o->instance, "blue");
    assert_string_equal(o->job_slug, "slug");
    assert_string_equal(o->owner_job, "owner");
    assert_string_equal(o->job, "reports: \xc3\xa4");
    assert_string_equal(o->slot, "S");
    assert_string_equal(o->attempt, "2");
    assert_string_equal(o->trigger, "retry");
    assert_string_equal(o->reported, "true");
}

static void check_pod(const struct kube_object *o) {
    check_metadata(o);
    assert_int_equal(o->kind, KUBE_POD);
    assert_string_equal(o->phase, "Failed");
    assert_string_equal(o->reason, "Evicted");
    assert_string_equal(o->message, "low on memory");
    assert_string_equal(o->node, "n-1");
    assert_string_equal(o->unschedulable, "0/3 nodes");
    assert_string_equal(o->disruption, "PreemptionByScheduler");
    assert_int_equal(o->container_count, 5);
    const struct kube_container *c = o->containers;
    assert_true(c[0].init);
    assert_string_equal(c[0].reason, "Completed");
    assert_false(c[1].init);
    assert_string_equal(c[1].name, "main");
    assert_int_equal(c[1].state, CONTAINER_TERMINATED);
    assert_int_equal(c[1].exit_code, 137);
    assert_int_equal(c[1].signal, 9);
    assert_string_equal(c[1].reason, "OOMKilled");
    assert_string_equal(c[1].message, "m");
    assert_int_equal(c[1].started, 1709208005);
    assert_int_equal(c[1].finished, 1709208009);
    assert_int_equal(c[1].restarts, 3);
    assert_int_equal(c[2].state, CONTAINER_RUNNING);
    assert_int_equal(c[2].started, 1709208006);
    assert_int_equal(c[3].state, CONTAINER_WAITING);
    assert_string_equal(c[3].reason, "ImagePullBackOff");
    assert_int_equal(c[4].state, CONTAINER_WAITING);
    assert_null(c[4].reason);
}

static void pod(void **state) {
    (void)state;
    struct kube_object o;
    struct err err = {0};
    assert_int_equal(kube_object_parse(pod_text, sizeof pod_text - 1, &o, &err), 0);
    check_pod(&o);
    kube_object_free(&o);
}

static void job(void **state) {
    (void)state;
    static const char text[] =
        "{" METADATA ",\"status\":{\"conditions\":[{\"type\":\"Suspended\",\"status\":\"False\"},"
        "{\"type\":\"Complete\",\"status\":\"False\"},{\"type\":\"Failed\",\"status\":\"True\","
        "\"reason\":\"DeadlineExceeded\",\"message\":\"too long\"}],\"startTime\":\"2024-02-29T12:00:00Z\","
        "\"completionTime\":\"2024-02-29T12:00:01Z\",\"active\":1,\"succeeded\":2,\"failed\":3},"
        "\"kind\":\"Job\"}";
    struct kube_object o;
    struct err err = {0};
    assert_int_equal(kube_object_parse(text, sizeof text - 1, &o, &err), 0);
    check_metadata(&o);
    assert_int_equal(o.kind, KUBE_JOB);
    assert_false(o.complete);
    assert_true(o.failed);
    assert_string_equal(o.condition_reason, "DeadlineExceeded");
    assert_string_equal(o.condition_message, "too long");
    assert_int_equal(o.completion_time - o.start_time, 1);
    assert_int_equal(o.active, 1);
    assert_int_equal(o.succeeded_pods, 2);
    assert_int_equal(o.failed_pods, 3);
    kube_object_free(&o);
}

static void what_is_no_pod_or_job(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "{}",
                                        "[]",
                                        "7",
                                        "null",
                                        "\"Pod\"",
                                        "{\"kind\":\"Pod\"",
                                        "{\"kind\":\"Pod\"}x",
                                        "{\"kind\":\"ConfigMap\",\"metadata\":{\"name\":\"a\"}}",
                                        "{\"kind\":\"Pod\",}",
                                        "<html>"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct kube_object o;
        struct err err = {0};
        assert_int_equal(kube_object_parse(texts[i], strlen(texts[i]), &o, &err), ERR_INVALID);
        assert_true(err.message[0]);
    }
}

/* Values of unexpected types are passed over, and so is a container too many. */
static void strange_but_valid(void **state) {
    (void)state;
    struct buf text = {0};
    assert_int_equal(
        buf_puts(&text, "{\"kind\":\"Pod\",\"metadata\":{\"name\":7,\"labels\":[\"a\",{\"job-name\":1}],"
                        "\"annotations\":null,\"uid\":{\"uid\":\"x\"},\"generation\":1e3},"
                        "\"status\":{\"conditions\":{\"type\":\"Failed\"},\"phase\":[\"Running\"],"
                        "\"active\":99999999999,\"containerStatuses\":[3"),
        0);
    for (int i = 0; i < KUBE_MAX_CONTAINERS + 2; i++)
        assert_int_equal(buf_printf(&text, ",{\"name\":\"c%d\",\"state\":{\"running\":{}}}", i), 0);
    assert_int_equal(
        buf_puts(&text, "]},\"metadata\":{\"namespace\":\"a\"},\"metadata\":{\"namespace\":\"b\"}}"), 0);
    struct kube_object o;
    struct err err = {0};
    assert_int_equal(kube_object_parse(text.data, text.len, &o, &err), 0);
    assert_null(o.name);
    assert_null(o.uid);
    assert_null(o.owner_job);
    assert_null(o.phase);
    assert_int_equal(o.active, 0);
    assert_string_equal(o.namespace_, "b");
    assert_int_equal(o.container_count, KUBE_MAX_CONTAINERS);
    assert_string_equal(o.containers[KUBE_MAX_CONTAINERS - 1].name, "c15");
    kube_object_free(&o);
    buf_free(&text);
}

/* Streams */

struct seen {
    int count, code;
    char types[256], names[256], message[64];
    bool pods, stop;
    struct object_reader *reader;
};

static void on_event(void *ctx, struct object_event *event) {
    struct seen *seen = ctx;
    seen->count++;
    seen->code += event->code;
    strncat(seen->types, event->type, 16);
    strcat(seen->types, " ");
    strncat(seen->names, event->object.name ? event->object.name : "-", 16);
    strcat(seen->names, " ");
    strncat(seen->message, event->message, sizeof seen->message - 1 - strlen(seen->message));
    if (seen->pods)
        check_pod(&event->object);
    if (seen->stop)
        object_reader_stop(seen->reader);
}

static int feed(enum object_shape shape, const char *text, size_t step, struct seen *seen, struct err *err) {
    assert_int_equal(object_reader_new(shape, KUBE_JOB, on_event, seen, &seen->reader, err), 0);
    int rc = 0;
    for (size_t at = 0, len = strlen(text); !rc && at < len; at += step)
        rc = object_reader_feed(seen->reader, text + at, step < len - at ? step : len - at, err);
    return rc ? rc : object_reader_end(seen->reader, err);
}

static void events_at_every_cut(void **state) {
    (void)state;
    struct buf text = {0};
    assert_int_equal(buf_printf(&text,
                                "{\"type\":\"ADDED\",\"object\":%s}\n{\"object\":%s,\"type\":\"DELETED\"}\n",
                                pod_text, pod_text),
                     0);
    for (size_t step = 1; step < 40; step++) {
        struct seen seen = {.pods = true};
        struct err err = {0};
        assert_int_equal(feed(SHAPE_EVENTS, text.data, step, &seen, &err), 0);
        assert_string_equal(seen.types, "ADDED DELETED ");
        object_reader_free(seen.reader);
    }
    buf_free(&text);
}

static void error_event_has_a_code_and_leaves_nothing_behind(void **state) {
    (void)state;
    struct seen seen = {0};
    struct err err = {0};
    assert_int_equal(
        feed(SHAPE_EVENTS,
             "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"code\":410,\"message\":\"too old\","
             "\"reason\":\"Expired\"}}\n{\"type\":\"BOOKMARK\",\"object\":{\"metadata\":{}}}",
             7, &seen, &err),
        0);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.code, 410);
    assert_string_equal(seen.message, "too old");
    assert_string_equal(seen.types, "ERROR BOOKMARK ");
    object_reader_free(seen.reader);
}

static void list_gives_items_and_its_own_metadata(void **state) {
    (void)state;
    struct seen seen = {0};
    struct err err = {0};
    assert_int_equal(
        feed(SHAPE_LIST,
             "{\"kind\":\"PodList\",\"metadata\":{\"resourceVersion\":\"100\",\"continue\":\"next\"},"
             "\"items\":[{\"metadata\":{\"name\":\"a\",\"resourceVersion\":\"7\"}},"
             "{\"metadata\":{\"name\":\"b\"}}]}",
             1, &seen, &err),
        0);
    assert_string_equal(seen.names, "a b ");
    assert_string_equal(object_reader_version(seen.reader), "100");
    assert_string_equal(object_reader_continue(seen.reader), "next");
    object_reader_free(seen.reader);
    seen = (struct seen){0};
    assert_int_equal(feed(SHAPE_LIST, "{\"items\":null,\"metadata\":{}}", 1, &seen, &err), 0);
    assert_int_equal(seen.count, 0);
    assert_string_equal(object_reader_version(seen.reader), "");
    object_reader_free(seen.reader);
}

static void a_cut_or_spoilt_stream_is_told(void **state) {
    (void)state;
    static const char *const texts[] = {
        "{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":\"a\"}}}\n{\"type\":",
        "{\"type\":\"ADDED\",\"object\":{}}\n{\"kind\":\"Status\",]\n",
        "{\"type\":\"ADDED\",\"object\":{}}\nhello"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct seen seen = {0};
        struct err err = {0};
        assert_int_equal(feed(SHAPE_EVENTS, texts[i], 5, &seen, &err), ERR_INVALID);
        assert_int_equal(seen.count, 1); /* what was complete counts */
        object_reader_free(seen.reader);
    }
}

static void stopped_by_its_owner(void **state) {
    (void)state;
    struct seen seen = {.stop = true};
    struct err err = {0};
    assert_int_equal(feed(SHAPE_EVENTS, "{\"type\":\"A\"}{\"type\":\"B\"}", 100, &seen, &err), ERR_CANCELED);
    assert_int_equal(seen.count, 1);
    object_reader_free(seen.reader);
}

static void times(void **state) {
    (void)state;
    assert_int_equal(kube_time("2024-02-29T12:00:00Z"), 1709208000);
    assert_int_equal(kube_time("null"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pod),
        cmocka_unit_test(job),
        cmocka_unit_test(what_is_no_pod_or_job),
        cmocka_unit_test(strange_but_valid),
        cmocka_unit_test(events_at_every_cut),
        cmocka_unit_test(error_event_has_a_code_and_leaves_nothing_behind),
        cmocka_unit_test(list_gives_items_and_its_own_metadata),
        cmocka_unit_test(a_cut_or_spoilt_stream_is_told),
        cmocka_unit_test(stopped_by_its_owner),
        cmocka_unit_test(times),
    };
    return cmocka_run_group_tests_name("kube_object", tests, NULL, NULL);
}
