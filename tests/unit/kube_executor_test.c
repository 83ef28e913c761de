/* The executor against a world made of fakes (linked in by --wrap, see the Makefile): what the API server
 * answers, what the watches tell, when containers end their output and how time goes by is said line by line,
 * and what the executor's owner hears is compared as text. */
#include "base/buf.h"
#include "kube/executor.h"
#include "kube/object.h"
#include "kube/pod_log.h"
#include "kube/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1714557600 }; /* 2024-05-01T10:00:00Z; also the slot of every run */
#define SLOT "2024-05-01T10:00:00Z"

/* --- time --- */

static int64_t since_start; /* ns */

static int64_t fake_realtime(void *ctx) {
    (void)ctx;
    return NOW * NS_PER_S + since_start;
}
static int64_t fake_monotonic(void *ctx) {
    (void)ctx;
    return NS_PER_S + since_start;
}
static int fake_random(void *ctx, void *out, size_t len) {
    (void)ctx;
    memset(out, 0xff, len); /* full jitter at its most */
    return 0;
}
static const struct clock test_clock = {fake_realtime, fake_monotonic, fake_monotonic, NULL};
static const struct random_source test_random = {fake_random, NULL};

struct timer {
    struct timer *next;
    timer_cb cb;
    void *ctx;
    int64_t due; /* INT64_MAX: stopped */
};
static struct timer *timers;

int __wrap_timer_new(struct loop *loop, timer_cb cb, void *ctx, struct timer **out, struct err *err);
void __wrap_timer_start(struct timer *timer, int64_t delay_ns);
void __wrap_timer_stop(struct timer *timer);
void __wrap_timer_free(struct timer *timer);

int __wrap_timer_new(struct loop *loop, timer_cb cb, void *ctx, struct timer **out, struct err *err) {
    (void)loop;
    (void)err;
    *out = calloc(1, sizeof **out);
    **out = (struct timer){timers, cb, ctx, INT64_MAX};
    timers = *out;
    return 0;
}
void __wrap_timer_start(struct timer *timer, int64_t delay_ns) {
    timer->due = since_start + (delay_ns > 0 ? delay_ns : 0);
}
void __wrap_timer_stop(struct timer *timer) {
    timer->due = INT64_MAX;
}
void __wrap_timer_free(struct timer *timer) {
    for (struct timer **at = &timers; timer && *at; at = &(*at)->next)
        if (*at == timer) {
            *at = timer->next;
            free(timer);
            return;
        }
}

static bool fire_one(int64_t until) {
    struct timer *first = NULL;
    for (struct timer *timer = timers; timer; timer = timer->next)
        if (timer->due <= until && (!first || timer->due < first->due))
            first = timer;
    if (!first)
        return false;
    if (first->due > since_start)
        since_start = first->due;
    first->due = INT64_MAX;
    first->cb(first->ctx);
    return true;
}

static void pass(double seconds) {
    int64_t until = since_start + (int64_t)(seconds * 1e9);
    while (fire_one(until))
        ;
    since_start = until;
}

/* --- the API server --- */

struct kube_call {
    char method[8], path[160];
    char body[512];
    struct kube_request request;
    bool taken; /* its slot in calls[] is in use */
};
static struct kube_call calls[64];
static size_t sent; /* all calls ever */

int __wrap_kube_send(struct kube_client *client, const struct kube_request *request, struct kube_call **out,
                     struct err *err);
void __wrap_kube_cancel(struct kube_call *call);

int __wrap_kube_send(struct kube_client *client, const struct kube_request *request, struct kube_call **out,
                     struct err *err) {
    (void)client;
    (void)err;
    struct kube_call *call = calls;
    while (call->taken)
        call++;
    *call = (struct kube_call){.request = *request, .taken = true};
    (void)snprintf(call->method, sizeof call->method, "%s", request->method);
    (void)snprintf(call->path, sizeof call->path, "%s", request->path);
    (void)snprintf(call->body, sizeof call->body, "%.*s", (int)request->body_len,
                   request->body ? (const char *)request->body : "");
    sent++;
    *out = call;
    return 0;
}
void __wrap_kube_cancel(struct kube_call *call) {
    call->taken = false;
}

static size_t open_calls(void) {
    size_t count = 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        count += calls[i].taken;
    return count;
}

/* The call that must be under way. */
static struct kube_call *call_of(const char *method, const char *path) {
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].taken && !strcmp(calls[i].method, method) && !strcmp(calls[i].path, path))
            return &calls[i];
    fail_msg("no %s %s is under way", method, path);
    return NULL;
}

static void answer_with(const char *method, const char *path, struct kube_reply reply) {
    struct kube_call *call = call_of(method, path);
    if (call->request.wanted && !call->request.wanted(call->request.ctx))
        reply = (struct kube_reply){.retry_after = -1, .message = "dropped"};
    call->taken = false;
    if (!reply.body)
        reply.body = "";
    reply.len = strlen(reply.body);
    call->request.done(call->request.ctx, &reply);
}

static void answer(const char *method, const char *path, int status, const char *reason, const char *body) {
    struct kube_reply reply = {.status = status, .body = body, .retry_after = -1, .sent = true};
    (void)snprintf(reply.reason, sizeof reply.reason, "%s", reason);
    (void)snprintf(reply.message, sizeof reply.message, "%s", reason);
    answer_with(method, path, reply);
}

/* --- the watches --- */

struct watch {
    enum kube_kind kind;
    char selector[128];
    watch_cb cb;
    void (*refused)(void *ctx, const char *why);
    void *ctx;
    bool open;
};
static struct watch watches[8];
static size_t watch_count;

int __wrap_watch_start(struct kube_client *client, struct log *log, const struct watch_options *options,
                       watch_cb cb, void *ctx, struct watch **out, struct err *err);
void __wrap_watch_free(struct watch *watch);

int __wrap_watch_start(struct kube_client *client, struct log *log, const struct watch_options *options,
                       watch_cb cb, void *ctx, struct watch **out, struct err *err) {
    (void)client;
    (void)log;
    (void)err;
    *out = &watches[watch_count++];
    **out = (struct watch){
        .kind = options->kind, .cb = cb, .refused = options->refused, .ctx = ctx, .open = true};
    (void)snprintf((*out)->selector, sizeof(*out)->selector, "%s", options->label_selector);
    return 0;
}
void __wrap_watch_free(struct watch *watch) {
    if (watch)
        watch->open = false;
}

static const struct watch *watch_of(enum kube_kind kind) {
    for (size_t i = 0; i < watch_count; i++)
        if (watches[i].kind == kind && watches[i].open)
            return &watches[i];
    fail_msg("there is no such watch");
    return NULL;
}

static void tell(enum kube_kind kind, enum watch_event event, const char *json) {
    struct kube_object object = {0};
    struct err err = {0};
    if (json && kube_object_parse(json, strlen(json), &object, &err))
        fail_msg("%s: %s", err.message, json);
    const struct watch *watch = watch_of(kind);
    watch->cb(watch->ctx, event, json ? &object : NULL);
    kube_object_free(&object);
}

static void refuse(enum kube_kind kind) {
    const struct watch *watch = watch_of(kind);
    watch->refused(watch->ctx, "forbidden");
}

/* Objects of instance "main". */
static char json[2048];

static const char *object(const char *kind, const char *name, const char *metadata, const char *status) {
    (void)snprintf(json, sizeof json,
                   "{\"kind\":\"%s\",\"metadata\":{\"namespace\":\"n\",\"name\":\"%s\",\"uid\":\"uid-%s\","
                   "\"creationTimestamp\":\"" SLOT
                   "\",%s\"annotations\":{\"kube-scheduler/job-name\":\"job\","
                   "\"kube-scheduler/slot\":\"" SLOT "\",\"kube-scheduler/attempt\":\"1\"}},"
                   "\"spec\":{\"containers\":[{\"name\":\"main\"}]},\"status\":%s}",
                   kind, name, name, metadata, status);
    return json;
}
#define LABELS(more)                                                                                         \
    "\"labels\":{\"app.kubernetes.io/managed-by\":\"kube-scheduler\",\"kube-scheduler/"                      \
    "instance\":\"main\"" more "},"
#define POD(name, status) object("Pod", name, LABELS(""), status)
#define JOB(name, status) object("Job", name, LABELS(""), status)
#define POD_OF(job, name, status) object("Pod", name, LABELS(",\"job-name\":\"" job "\""), status)

/* "a", ended by a scheduler: deleted, and kept by the finalizer. */
#define HELD(more)                                                                                           \
    "\"deletionTimestamp\":\"2024-05-01T10:00:30Z\",\"finalizers\":[" more "\"kube-scheduler/name\"],"
#define HELD_POD(grace, status)                                                                              \
    object("Pod", "a", HELD("") "\"deletionGracePeriodSeconds\":" grace "," LABELS(""), status)
#define HELD_JOB(finalizers, status) object("Job", "a", HELD(finalizers) LABELS(""), status)

static const char *annotated(const char *annotations, const char *plain) {
    static char text[sizeof json + 256];
    const char *split = strstr(plain, "\"kube-scheduler/job-name");
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(split - plain), plain, annotations, split);
    return text;
}
#define WITH_MAIN(plain) annotated("\"kube-scheduler/main-container\":\"main\",", plain)

#define PENDING "{\"phase\":\"Pending\"}"
#define RUNNING                                                                                              \
    "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":{"        \
    "\"running\":{\"startedAt\":\"2024-05-01T10:00:05Z\"}}}]}"
#define ENDED(phase, code)                                                                                   \
    "{\"phase\":\"" phase "\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":{"      \
    "\"terminated\":{\"exitCode\":" code ",\"reason\":\"Error\",\"startedAt\":\"2024-05-01T10:00:05Z\","     \
    "\"finishedAt\":\"2024-05-01T10:00:09Z\"}}}]}"
#define SUCCEEDED ENDED("Succeeded", "0")
#define FAILED(code) ENDED("Failed", code)
/* Its main container has ended, another goes on. */
#define LINGERS(code)                                                                                        \
    "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"terminated\":{"           \
    "\"exitCode\":" code ",\"reason\":\"Error\",\"startedAt\":\"2024-05-01T10:00:05Z\",\"finishedAt\":"      \
    "\"2024-05-01T10:00:09Z\"}}},{\"name\":\"side\",\"state\":{\"running\":{}}}]}"
#define NO_IMAGE                                                                                             \
    "{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":{"        \
    "\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"not found\"}}}]}"
#define BAD_IMAGE                                                                                            \
    "{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":{"        \
    "\"waiting\":{\"reason\":\"InvalidImageName\",\"message\":\"A:B:C\"}}}]}"
#define JOB_FAILED                                                                                           \
    "{\"failed\":1,\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\",\"reason\":"                     \
    "\"BackoffLimitExceeded\"}]}"
#define JOB_COMPLETE                                                                                         \
    "{\"startTime\":\"2024-05-01T10:00:05Z\",\"succeeded\":1,\"conditions\":[{\"type\":\"Complete\","        \
    "\"status\":\"True\"}]}"

/* --- output --- */

struct pod_log {
    char container[32], pod[64];
    int64_t since;
    int tail;
    const struct pod_log_events *events;
    void *ctx;
    bool finish;
};
static struct pod_log logs[64];
static size_t log_count, logs_freed;

int __wrap_pod_log_follow(struct kube_client *client, const char *namespace_, const char *pod,
                          const char *container, int64_t since, int tail, const struct pod_log_events *events,
                          void *ctx, struct pod_log **out, struct err *err);
void __wrap_pod_log_finish(struct pod_log *log);
void __wrap_pod_log_free(struct pod_log *log);
void __wrap_log_event(struct log *log, enum log_level level, const char *message, ...);

int __wrap_pod_log_follow(struct kube_client *client, const char *namespace_, const char *pod,
                          const char *container, int64_t since, int tail, const struct pod_log_events *events,
                          void *ctx, struct pod_log **out, struct err *err) {
    (void)client;
    (void)err;
    assert_string_equal(namespace_, "n");
    *out = &logs[log_count++];
    **out = (struct pod_log){.since = since, .tail = tail, .events = events, .ctx = ctx};
    (void)snprintf((*out)->container, sizeof(*out)->container, "%s", container);
    (void)snprintf((*out)->pod, sizeof(*out)->pod, "%s", pod);
    return 0;
}
void __wrap_pod_log_finish(struct pod_log *log) {
    log->finish = true;
}
void __wrap_pod_log_free(struct pod_log *log) {
    (void)log;
    logs_freed++;
}
void __wrap_log_event(struct log *log, enum log_level level, const char *message, ...) {
    (void)log;
    (void)level;
    (void)message;
}

static void output_ends(size_t log) {
    logs[log].events->done(logs[log].ctx, NULL);
}

/* --- the owner --- */

static struct buf heard;
static const char *leave_alone; /* the name that adopted() does not want */
static char adopted_owners[8][32];
static size_t adopted_count;

static void hear(const char *format, ...) {
    va_list args;
    char text[512];
    va_start(args, format);
    (void)vsnprintf(text, sizeof text, format, args);
    va_end(args);
    (void)buf_printf(&heard, "%s%s", heard.len ? "; " : "", text);
}
static void *on_adopted(void *ctx, const struct adopted_run *run) {
    (void)ctx;
    char end[64] = "";
    if (run->finished)
        (void)snprintf(end, sizeof end, " %s %d", outcome_name(run->result.outcome), run->result.exit_code);
    hear("adopted %s%s%s%s%s%s", run->name, run->started ? " started" : "", end,
         run->reported ? " reported" : "", run->node ? " on " : "", run->node ? run->node : "");
    assert_string_equal(run->job, "job");
    assert_int_equal(run->slot, NOW);
    assert_int_equal(run->attempt, 1);
    if (leave_alone && !strcmp(leave_alone, run->name))
        return NULL;
    char *owner = adopted_owners[adopted_count++];
    (void)snprintf(owner, sizeof adopted_owners[0], "%s", run->name);
    return owner;
}
static void on_ready(void *ctx) {
    (void)ctx;
    hear("ready");
}
static void on_accepted(void *ctx, void *owner) {
    (void)ctx;
    hear("accepted %s", (const char *)owner);
}
static void on_delayed(void *ctx, void *owner, const char *why) {
    (void)ctx;
    hear("delayed %s: %s", (const char *)owner, why);
}
static void on_started(void *ctx, void *owner, int64_t when) {
    (void)ctx;
    hear("started %s +%d", (const char *)owner, (int)(when - NOW));
}
static void on_line(void *ctx, void *owner, const char *container, const char *line, size_t len) {
    (void)ctx;
    hear("%s/%s: %.*s", (const char *)owner, container, (int)len, line);
}
static void on_finished(void *ctx, void *owner, const struct result *result) {
    (void)ctx;
    hear("finished %s %s %d %s", (const char *)owner, outcome_name(result->outcome), result->exit_code,
         result->reason);
}
static void on_reported(void *ctx, void *owner) {
    (void)ctx;
    hear("reported %s", (const char *)owner);
}
static void on_gone(void *ctx, void *owner) {
    (void)ctx;
    hear("gone %s", (const char *)owner);
}
static void on_trouble(void *ctx, const char *namespace_, const char *why) {
    (void)ctx;
    hear("trouble %s: %s", namespace_, why);
}
static void on_placed(void *ctx, void *owner, const char *node) {
    (void)ctx;
    hear("placed %s on %s", (const char *)owner, node);
}
static const struct executor_events events = {on_adopted, on_ready,   on_accepted, on_delayed,
                                              on_started, on_line,    on_finished, on_reported,
                                              on_gone,    on_trouble, on_placed};

static void expect_at(const char *wanted, int line) {
    const char *got = heard.data ? heard.data : "";
    if (strcmp(got, wanted) != 0)
        fail_msg("line %d: heard \"%s\" instead of \"%s\"", line, got, wanted);
    buf_clear(&heard);
}
#define expect(wanted) expect_at(wanted, __LINE__)

/* --- the executor --- */

static struct loop *loop;
static struct executor *executor;
static char a[] = "a"; /* the owner of run "a"; its name too */

static int set_up(void **state) {
    (void)state;
    static const char *const namespaces[] = {"n", NULL};
    since_start = 0;
    memset(calls, 0, sizeof calls);
    watch_count = log_count = logs_freed = adopted_count = sent = 0;
    leave_alone = NULL;
    if (loop_new(&test_clock, &test_random, &loop, NULL))
        return -1;
    struct kube_executor_config config = {
        .loop = loop, .instance = "main", .namespaces = namespaces, .adopted_pending_timeout = 300};
    if (kube_executor_new(&config, &executor, NULL))
        return -1;
    return executor->ops->open(executor, &events, NULL, NULL);
}

static int tear_down(void **state) {
    (void)state;
    if (executor)
        executor->ops->free(executor);
    loop_free(loop);
    buf_free(&heard);
    size_t open = open_calls();
    for (size_t i = 0; i < watch_count; i++)
        open += watches[i].open;
    return timers || open || logs_freed != log_count ? -1 : 0; /* all is given back */
}

static void get_ready(void) {
    tell(KUBE_JOB, WATCH_RELIST, NULL);
    tell(KUBE_JOB, WATCH_SYNCED, NULL);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    expect("ready");
}

static int try_start(char *name, const char *namespace_, bool is_job, struct err *err) {
    struct run_spec spec = {.namespace_ = namespace_,
                            .name = name,
                            .job = "job",
                            .manifest = "{\"a\": 1}",
                            .manifest_len = 8,
                            .is_job = is_job,
                            .slot = NOW,
                            .attempt = 1,
                            .start_deadline = NOW + 300,
                            .pending_timeout = 120};
    return executor->ops->start(executor, &spec, name, err);
}

static void begin(bool is_job) {
    get_ready();
    assert_int_equal(try_start(a, "n", is_job, NULL), 0);
    expect(""); /* nothing from inside a call */
    pass(0);
}

#define PODS "/api/v1/namespaces/n/pods"
#define JOBS "/apis/batch/v1/namespaces/n/jobs"

/* Run "a" is being ended: first its name and outcome are made to stay, then it is deleted. */
static void name_is_kept(const char *path) {
    struct kube_call *call = call_of("PATCH", path);
    assert_string_equal(call->request.content_type, "application/strategic-merge-patch+json");
    assert_non_null(strstr(call->body, "\"finalizers\":[\"kube-scheduler/name\"]"));
    answer("PATCH", path, 200, "", "{}");
}
static void name_is_freed(const char *path) {
    struct kube_call *call = call_of("PATCH", path);
    assert_string_equal(call->body,
                        "{\"metadata\":{\"uid\":\"uid-a\",\"$deleteFromPrimitiveList/finalizers\":["
                        "\"kube-scheduler/name\"]}}");
    answer("PATCH", path, 200, "", "{}");
}

/* Run "a" exists. */
static void begin_accepted(bool is_job) {
    begin(is_job);
    answer("POST", is_job ? JOBS : PODS, 201, "", is_job ? JOB("a", "{}") : POD("a", PENDING));
    expect("accepted a");
}

static void begin_running(void) {
    begin_accepted(false);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", RUNNING));
    expect("started a +5");
}

static void begin_finished(void) {
    begin_running();
    tell(KUBE_POD, WATCH_OBJECT, POD("a", SUCCEEDED));
    output_ends(0);
    pass(0);
    expect("finished a succeeded 0 ");
}

static const char *on_node(const char *node, const char *plain) {
    static char text[sizeof json + 256];
    const char *split = strstr(plain, "\"containers\"");
    (void)snprintf(text, sizeof text, "%.*s\"nodeName\":\"%s\",%s", (int)(split - plain), plain, node, split);
    return text;
}

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
    char other[sizeof json];
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
    buf_clear(&heard);
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
    expect("");
}

static void a_look_that_stays_unanswered_ends(void **state) {
    (void)state;
    run_into_the_deadline_in_doubt();
    for (int i = 0; i < 20 && open_calls(); i++) {
        answer("GET", PODS "/a", 0, "", NULL);
        buf_clear(&heard);
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

static void stop_now(void) {
    assert_int_equal(executor->ops->stop(executor, a, OUTCOME_TIMEOUT, "Timeout", NULL), 0);
    expect("");
    pass(0);
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
    buf_clear(&heard);
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
    buf_clear(&heard);
}

static void a_removed_job_ends_with_its_last_pod(void **state) {
    (void)state;
    begin_accepted(true);
    tell(KUBE_POD, WATCH_OBJECT, POD_OF("a", "a-x", RUNNING));
    buf_clear(&heard);
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
    buf_clear(&heard);
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
    char running[sizeof json];
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
    char pending[sizeof json];
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
    char job[sizeof json], first[sizeof json], last[sizeof json];
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
    char job[sizeof json], pod[sizeof json];
    (void)snprintf(job, sizeof job, "%s", JOB("a", "{\"active\":1}"));
    (void)snprintf(pod, sizeof pod, "%s", POD_OF("a", "a-x", RUNNING));
    open_with((const char *[]){job}, 1, (const char *[]){pod}, 1);
    expect("adopted a started; ready");
    assert_int_equal(log_count, 1);
    assert_string_equal(logs[0].pod, "a-x");
}

static void what_was_reported_and_what_nobody_wants(void **state) {
    (void)state;
    char reported[sizeof json], unwanted[sizeof json];
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
    char pod[sizeof json];
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

/* A namespace without a Role. */

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
    buf_clear(&heard);
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
    buf_clear(&heard);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    pass(10);
    assert_int_equal(sent, 1);
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

static void the_watch_selects_this_instance(void **state) {
    (void)state;
    assert_string_equal(watches[0].selector,
                        "app.kubernetes.io/managed-by=kube-scheduler,kube-scheduler/instance=main");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(a_pods_node_is_told_once_before_it_starts),
        TEST(the_node_of_a_pod_that_is_seen_no_more_is_told),
        TEST(each_pod_of_a_job_tells_its_node),
        TEST(an_adopted_run_has_its_node),
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
        TEST(deleted_while_the_watch_was_away),
        TEST(events_that_come_twice_or_late_change_nothing),
        TEST(deleted_by_somebody),
        TEST(a_deleted_pod_that_stays_is_lost),
        TEST(output_is_awaited_for_ten_seconds),
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
        TEST(past_the_fence_nothing_is_sent),
        TEST(a_fence_drops_what_was_not_sent),
        TEST(a_fence_leaves_running_work_alone),
        TEST(bad_starts_are_refused),
        TEST(reports_and_discards_are_tried_until_they_succeed),
        TEST(another_object_of_that_name_is_not_deleted),
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
        TEST(a_refused_namespace_starts_nothing_until_its_deadline),
        TEST(a_refused_namespace_is_taken_up_when_it_may_be_listed),
        TEST(what_an_earlier_daemon_made_in_a_refused_namespace_is_not_made_again),
        TEST(what_is_found_in_a_refused_namespace_is_adopted_when_all_is_known),
        TEST(a_role_that_goes_later_puts_off_what_comes_then),
        TEST(a_run_that_never_existed_is_forgotten),
        TEST(the_watch_selects_this_instance),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
