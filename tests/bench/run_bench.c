/* What an active run takes: its records in the registry and in the Kubernetes executor, its Pod's, and its
 * log's (without the call that follows it: at most 50 are under way, the others wait). */
#include "base/err.h"
#include "cron/cron.h"
#include "kube/executor.h"
#include "kube/watch.h"
#include "loop/loop.h"
#include "registry/registry.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { RUNS = 10000 };

/* --- the API server: it accepts all, and its watches say what main tells them (linked in by --wrap) --- */

struct kube_call {
    struct kube_request request;
};
struct watch {
    watch_cb cb;
    void *ctx;
};
static struct kube_call *creates[RUNS];
static size_t create_count;
static struct watch watches[2]; /* Jobs, Pods */
static size_t watch_count;

int __wrap_kube_send(struct kube_client *client, const struct kube_request *request, struct kube_call **out,
                     struct err *err);
void __wrap_kube_cancel(struct kube_call *call);
struct loop *__wrap_kube_client_loop(const struct kube_client *client);
int __wrap_watch_start(struct kube_client *client, struct log *log, const struct watch_options *options,
                       watch_cb cb, void *ctx, struct watch **out, struct err *err);

static struct loop *loop;

int __wrap_kube_send(struct kube_client *client, const struct kube_request *request, struct kube_call **out,
                     struct err *err) {
    static struct kube_call log_call;
    (void)client;
    (void)err;
    *out = &log_call;
    if (request->lane != KUBE_CREATE)
        return 0;
    *out = malloc(sizeof **out);
    if (!*out)
        return ERR_NOMEM;
    (*out)->request = *request;
    creates[create_count++] = *out;
    return 0;
}
void __wrap_kube_cancel(struct kube_call *call) {
    (void)call;
}
struct loop *__wrap_kube_client_loop(const struct kube_client *client) {
    (void)client;
    return loop;
}
int __wrap_watch_start(struct kube_client *client, struct log *log, const struct watch_options *options,
                       watch_cb cb, void *ctx, struct watch **out, struct err *err) {
    (void)client;
    (void)log;
    (void)options;
    (void)err;
    *out = &watches[watch_count++];
    **out = (struct watch){cb, ctx};
    return 0;
}

static void answer_creates(void) {
    const struct kube_reply reply = {.status = 201, .body = "{}", .len = 2, .retry_after = -1, .sent = true};
    for (size_t i = 0; i < create_count; i++) {
        creates[i]->request.done(creates[i]->request.ctx, &reply);
        free(creates[i]);
    }
}

/* --- the daemon --- */

static struct registry *registry;
static name_text names[RUNS];
static size_t name_count;

static void on_ready(void *ctx) {
    (void)ctx;
    int64_t a_minute_ago = clock_seconds(loop_clock(loop)) - 60;
    (void)registry_begin(registry, a_minute_ago, NULL, 0, NULL);
}
static void on_slot(void *ctx, const struct run *run) {
    static const char manifest[] = "{\"kind\":\"Pod\"}";
    (void)ctx;
    if (name_count == RUNS || registry_start(registry, run->id, manifest, sizeof manifest - 1, false, NULL))
        return;
    memcpy(names[name_count++], run->name, sizeof run->name);
}
static void on_run(void *ctx, const struct run *run) {
    (void)ctx;
    (void)run;
}

static int set_up(struct err *err) {
    static const struct registry_events events = {.ready = on_ready, .slot = on_slot, .started = on_run};
    struct executor *executor;
    if (loop_new(&clock_system, &random_system, &loop, err))
        return err->code;
    const struct kube_executor_config kube = {.loop = loop, .instance = "bench"};
    if (kube_executor_new(&kube, &executor, err))
        return err->code;
    const struct registry_config config = {
        .instance = "bench", .clock = loop_clock(loop), .executor = executor, .events = &events};
    return registry_new(&config, &registry, err);
}

static int add_jobs(struct err *err) {
    static struct cron_schedule *schedule;
    const struct cron_options options = {0};
    struct cron_error error;
    if (cron_parse("* * * * *", 9, &options, &schedule, &error))
        return err_set(err, ERR_INVALID, "%s", error.message);
    int rc = 0;
    for (int i = 0; !rc && i < RUNS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "job-%06d", i);
        const struct job_spec spec = {.name = name,
                                      .namespace_ = "default",
                                      .schedules = &schedule,
                                      .schedule_count = 1,
                                      .catch_up = CATCH_UP_LATEST,
                                      .deadline = 300,
                                      .pending_timeout = 900};
        rc = registry_add(registry, &spec, err);
    }
    return rc;
}

/* Each job has one slot in the last minute. */
static int start_all(struct err *err) {
    if (registry_open(registry, err))
        return err->code;
    for (size_t i = 0; i < 2; i++) /* when the first answers, the second is opened */
        watches[i].cb(watches[i].ctx, WATCH_SYNCED, NULL);
    registry_step(registry);
    (void)uv_run(loop_uv(loop), UV_RUN_NOWAIT); /* the creates are sent */
    answer_creates();
    return 0;
}

static void tell_running(const char *name) {
    char json[1024];
    struct kube_object object;
    int len = snprintf(
        json, sizeof json,
        "{\"kind\":\"Pod\",\"metadata\":{\"namespace\":\"default\",\"name\":\"%s\",\"uid\":\"%036d\","
        "\"labels\":{\"kube-scheduler/instance\":\"bench\"}},\"spec\":{\"containers\":[{\"name\":\"main\"}]},"
        "\"status\":{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"running\":{"
        "\"startedAt\":\"2024-05-01T10:00:05Z\"}}}]}}",
        name, 0);
    if (!kube_object_parse(json, (size_t)len, &object, NULL)) {
        watches[1].cb(watches[1].ctx, WATCH_OBJECT, &object);
        kube_object_free(&object);
    }
}

static size_t used(void) {
    return mallinfo2().uordblks;
}

static void count_one(void *ctx, const struct run *run) {
    *(size_t *)ctx += run->state == RUN_STARTED;
}

static size_t count_started(void) {
    size_t count = 0;
    registry_each_run(registry, count_one, &count);
    return count;
}

int main(void) {
    struct err err = {0};
    if (set_up(&err) || add_jobs(&err))
        goto out;
    size_t before = used();
    if (start_all(&err))
        goto out;
    size_t accepted = used();
    for (size_t i = 0; i < RUNS; i++)
        tell_running(names[i]);
    if (count_started() != RUNS) {
        (void)err_set(&err, ERR_INVALID, "only %zu runs started", count_started());
        goto out;
    }
    printf("run_memory.pending %.0f bytes\n", (double)(accepted - before) / RUNS);
    printf("run_memory.running %.0f bytes\n", (double)(used() - before) / RUNS);
    return EXIT_SUCCESS;
out:
    fprintf(stderr, "%s\n", err.message);
    return EXIT_FAILURE;
}
