#include "executor_fixture.h"

/* --- time --- */

int64_t since_start;

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

void pass(double seconds) {
    int64_t until = since_start + (int64_t)(seconds * 1e9);
    while (fire_one(until))
        ;
    since_start = until;
}

/* --- the API server --- */

static struct kube_call calls[64];
size_t sent;

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

size_t open_calls(void) {
    size_t count = 0;
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        count += calls[i].taken;
    return count;
}

/* The call that must be under way. */
struct kube_call *call_of(const char *method, const char *path) {
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++)
        if (calls[i].taken && !strcmp(calls[i].method, method) && !strcmp(calls[i].path, path))
            return &calls[i];
    fail_msg("no %s %s is under way", method, path);
    return NULL;
}

void answer_with(const char *method, const char *path, struct kube_reply reply) {
    struct kube_call *call = call_of(method, path);
    if (call->request.wanted && !call->request.wanted(call->request.ctx))
        reply = (struct kube_reply){.retry_after = -1, .message = "dropped"};
    call->taken = false;
    if (!reply.body)
        reply.body = "";
    reply.len = strlen(reply.body);
    call->request.done(call->request.ctx, &reply);
}

void answer(const char *method, const char *path, int status, const char *reason, const char *body) {
    struct kube_reply reply = {.status = status, .body = body, .retry_after = -1, .sent = true};
    (void)snprintf(reply.reason, sizeof reply.reason, "%s", reason);
    (void)snprintf(reply.message, sizeof reply.message, "%s", reason);
    answer_with(method, path, reply);
}

/* --- the watches --- */

struct watch watches[8];
size_t watch_count;

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

void tell(enum kube_kind kind, enum watch_event event, const char *json) {
    struct kube_object object = {0};
    struct err err = {0};
    if (json && kube_object_parse(json, strlen(json), &object, &err))
        fail_msg("%s: %s", err.message, json);
    const struct watch *watch = watch_of(kind);
    watch->cb(watch->ctx, event, json ? &object : NULL);
    kube_object_free(&object);
}

void refuse(enum kube_kind kind) {
    const struct watch *watch = watch_of(kind);
    watch->refused(watch->ctx, "forbidden");
}

/* --- objects --- */

static char json[JSON_MAX];

const char *object(const char *kind, const char *name, const char *metadata, const char *status) {
    (void)snprintf(json, sizeof json,
                   "{\"kind\":\"%s\",\"metadata\":{\"namespace\":\"n\",\"name\":\"%s\",\"uid\":\"uid-%s\","
                   "\"creationTimestamp\":\"" SLOT
                   "\",%s\"annotations\":{\"kube-scheduler/job-name\":\"job\","
                   "\"kube-scheduler/slot\":\"" SLOT "\",\"kube-scheduler/attempt\":\"1\"}},"
                   "\"spec\":{\"containers\":[{\"name\":\"main\"}]},\"status\":%s}",
                   kind, name, name, metadata, status);
    return json;
}

const char *annotated(const char *annotations, const char *plain) {
    static char text[sizeof json + 256];
    const char *split = strstr(plain, "\"kube-scheduler/job-name");
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(split - plain), plain, annotations, split);
    return text;
}

const char *on_node(const char *node, const char *plain) {
    static char text[JSON_MAX + 256];
    const char *split = strstr(plain, "\"containers\"");
    (void)snprintf(text, sizeof text, "%.*s\"nodeName\":\"%s\",%s", (int)(split - plain), plain, node, split);
    return text;
}

/* --- output --- */

struct pod_log logs[64];
size_t log_count;
static size_t logs_freed;

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

void output_ends(size_t log) {
    logs[log].events->done(logs[log].ctx, NULL);
}

/* --- the owner --- */

static struct buf heard;
const char *leave_alone;
char adopted_owners[8][32];
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

void expect_at(const char *wanted, int line) {
    const char *got = heard.data ? heard.data : "";
    if (strcmp(got, wanted) != 0)
        fail_msg("line %d: heard \"%s\" instead of \"%s\"", line, got, wanted);
    buf_clear(&heard);
}

void forget_heard(void) {
    buf_clear(&heard);
}

/* --- the executor --- */

static struct loop *loop;
struct executor *executor;
char a[] = "a";

int set_up(void **state) {
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

int tear_down(void **state) {
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

void get_ready(void) {
    tell(KUBE_JOB, WATCH_RELIST, NULL);
    tell(KUBE_JOB, WATCH_SYNCED, NULL);
    tell(KUBE_POD, WATCH_RELIST, NULL);
    tell(KUBE_POD, WATCH_SYNCED, NULL);
    expect("ready");
}

int try_start(char *name, const char *namespace_, bool is_job, struct err *err) {
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

void begin(bool is_job) {
    get_ready();
    assert_int_equal(try_start(a, "n", is_job, NULL), 0);
    expect(""); /* nothing from inside a call */
    pass(0);
}

void name_is_kept(const char *path) {
    struct kube_call *call = call_of("PATCH", path);
    assert_string_equal(call->request.content_type, "application/strategic-merge-patch+json");
    assert_non_null(strstr(call->body, "\"finalizers\":[\"kube-scheduler/name\"]"));
    answer("PATCH", path, 200, "", "{}");
}
void name_is_freed(const char *path) {
    struct kube_call *call = call_of("PATCH", path);
    assert_string_equal(call->body,
                        "{\"metadata\":{\"uid\":\"uid-a\",\"$deleteFromPrimitiveList/finalizers\":["
                        "\"kube-scheduler/name\"]}}");
    answer("PATCH", path, 200, "", "{}");
}

/* Run "a" exists. */
void begin_accepted(bool is_job) {
    begin(is_job);
    answer("POST", is_job ? JOBS : PODS, 201, "", is_job ? JOB("a", "{}") : POD("a", PENDING));
    expect("accepted a");
}

void begin_running(void) {
    begin_accepted(false);
    tell(KUBE_POD, WATCH_OBJECT, POD("a", RUNNING));
    expect("started a +5");
}

void begin_finished(void) {
    begin_running();
    tell(KUBE_POD, WATCH_OBJECT, POD("a", SUCCEEDED));
    output_ends(0);
    pass(0);
    expect("finished a succeeded 0 ");
}

void stop_now(void) {
    assert_int_equal(executor->ops->stop(executor, a, OUTCOME_TIMEOUT, "Timeout", NULL), 0);
    expect("");
    pass(0);
}
