/* Lets a test drive the Kubernetes executor by lines on stdin and read its events as lines on stdout:
 *
 *     start KIND NAMESPACE NAME JOB SLOT DEADLINE PENDING MANIFEST     KIND: pod or job; seconds; JSON to the
 * end stop NAME | report NAME | discard NAME | fence
 *
 * The cluster is the one of $KUBECONFIG; arguments: INSTANCE [NAMESPACE...]. Ends with stdin. */
#include "kube/executor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

enum { MAX_RUNS = 5000, MAX_LINE = 8192 };

static char *names[MAX_RUNS]; /* the owners */
static size_t name_count;
static struct executor *executor;
static struct loop *loop;
static char line[MAX_LINE];
static size_t line_len;

static void *owner_of(const char *name) {
    for (size_t i = 0; i < name_count; i++)
        if (!strcmp(names[i], name))
            return names[i];
    names[name_count] = strdup(name);
    return names[name_count++];
}

static void *on_adopted(void *ctx, const struct adopted_run *run) {
    (void)ctx;
    printf("adopted %s started=%d finished=%d reported=%d", run->name, run->started, run->finished,
           run->reported);
    if (run->finished)
        printf(" %s %d %s", outcome_name(run->result.outcome), run->result.exit_code, run->result.reason);
    printf("\n");
    return owner_of(run->name);
}
static void on_ready(void *ctx) {
    (void)ctx;
    printf("ready\n");
}
static void on_accepted(void *ctx, void *owner) {
    (void)ctx;
    printf("accepted %s\n", (char *)owner);
}
static void on_delayed(void *ctx, void *owner, const char *why) {
    (void)ctx;
    printf("delayed %s %s\n", (char *)owner, why);
}
static void on_started(void *ctx, void *owner, int64_t when) {
    (void)ctx;
    printf("started %s %lld\n", (char *)owner, (long long)when);
}
static void on_line(void *ctx, void *owner, const char *container, const char *text, size_t len) {
    (void)ctx;
    printf("line %s %s %.*s\n", (char *)owner, container, (int)len, text);
}
static void on_finished(void *ctx, void *owner, const struct result *result) {
    (void)ctx;
    printf("finished %s %s %d %s: %s\n", (char *)owner, outcome_name(result->outcome), result->exit_code,
           result->reason, result->message);
}
static void on_reported(void *ctx, void *owner) {
    (void)ctx;
    printf("reported %s\n", (char *)owner);
}
static void on_trouble(void *ctx, const char *namespace_, const char *why) {
    (void)ctx;
    printf("trouble %s %s\n", namespace_, why);
}
static void on_placed(void *ctx, void *owner, const char *node) {
    (void)ctx;
    printf("placed %s %s\n", (char *)owner, node);
}
static void on_gone(void *ctx, void *owner) {
    (void)ctx;
    printf("gone %s\n", (char *)owner);
}

static int start(char *rest, struct err *err) {
    char *word[7];
    for (size_t i = 0; i < 7; i++)
        if (!(word[i] = strsep(&rest, " ")) || !rest)
            return err_set(err, ERR_INVALID, "start needs seven words and a manifest");
    int64_t now = clock_seconds(loop_clock(loop));
    struct run_spec spec = {.namespace_ = word[1],
                            .name = word[2],
                            .job = word[3],
                            .manifest = rest,
                            .manifest_len = strlen(rest),
                            .is_job = !strcmp(word[0], "job"),
                            .slot = strtoll(word[4], NULL, 10),
                            .attempt = 1,
                            .start_deadline = now + strtoll(word[5], NULL, 10),
                            .pending_timeout = strtoll(word[6], NULL, 10)};
    return executor->ops->start(executor, &spec, owner_of(word[2]), err);
}

static void command(char *rest) {
    struct err err = {0};
    const char *verb = strsep(&rest, " ");
    if (!strcmp(verb, "start"))
        (void)start(rest, &err);
    else if (!strcmp(verb, "stop"))
        (void)executor->ops->stop(executor, owner_of(rest), OUTCOME_TIMEOUT, "Timeout", &err);
    else if (!strcmp(verb, "report"))
        (void)executor->ops->report(executor, owner_of(rest), &err);
    else if (!strcmp(verb, "discard"))
        (void)executor->ops->discard(executor, owner_of(rest), &err);
    else if (!strcmp(verb, "fence"))
        executor->ops->fence(executor);
    if (err.code)
        printf("refused %s\n", err.message);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)handle;
    (void)suggested;
    *out = uv_buf_init(line + line_len, (unsigned)(sizeof line - line_len));
}

static void came(uv_stream_t *stream, ssize_t count, const uv_buf_t *bytes) {
    (void)stream;
    (void)bytes;
    if (count <= 0) {
        loop_stop(loop);
        return;
    }
    line_len += (size_t)count;
    for (char *end; (end = memchr(line, '\n', line_len));) {
        *end = '\0';
        command(line);
        line_len -= (size_t)(end + 1 - line);
        memmove(line, end + 1, line_len);
    }
}

static const char *environment(const char *name) {
    return getenv(name);
}

int main(int argc, char **argv) {
    struct err err = {0};
    struct log *log = NULL;
    struct kube_config *config = NULL;
    struct kube_client *client = NULL;
    uv_pipe_t in;
    static const struct executor_events events = {on_adopted, on_ready,   on_accepted, on_delayed,
                                                  on_started, on_line,    on_finished, on_reported,
                                                  on_gone,    on_trouble, on_placed};
    struct kube_config_request request = {.getenv = environment};
    (void)setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc < 2 || loop_new(&clock_system, &random_system, &loop, &err) ||
        log_new(&clock_system, 2, &log, &err) || kube_config_load(&request, &config, &err) ||
        kube_client_new(loop, log, config, &client, &err))
        goto out;
    struct kube_executor_config executor_config = {.client = client,
                                                   .loop = loop,
                                                   .log = log,
                                                   .instance = argv[1],
                                                   .namespaces =
                                                       argc > 2 ? (const char *const *)argv + 2 : NULL};
    if (kube_executor_new(&executor_config, &executor, &err) ||
        executor->ops->open(executor, &events, NULL, &err))
        goto out;
    (void)uv_pipe_init(loop_uv(loop), &in, 0);
    (void)uv_pipe_open(&in, 0);
    (void)uv_read_start((uv_stream_t *)&in, allocate, came);
    loop_run(loop);
    uv_close((uv_handle_t *)&in, NULL);
out:
    if (err.code)
        fprintf(stderr, "%s\n", err.message);
    if (executor)
        executor->ops->free(executor);
    kube_client_free(client);
    loop_free(loop);
    log_free(log);
    for (size_t i = 0; i < name_count; i++)
        free(names[i]);
    return err.code ? 1 : 0;
}
