#include "kube/client.h"

#include "base/buf.h"
#include "document/document.h"
#include "kube/credentials.h"
#include "kube/pace.h"
#include "loop/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

enum { LANES = KUBE_LOG + 1, MAX_LOGS = 50 };
#define DEFAULT_TIMEOUT_NS (60 * NS_PER_S)

/* Connections are shared by lanes that may hold each other up. */
enum pool { POOL_LEASE, POOL_SHARED, POOL_WATCH, POOL_LOG, POOLS };

struct kube_call {
    TAILQ_ENTRY(kube_call) link; /* in its lane's queue, or among those in flight */
    struct kube_client *client;
    struct fetch *fetch;         /* NULL: queued */
    struct kube_request request; /* its strings are our copies */
    char *method, *path, *content_type;
    struct buf body;
    int64_t left_at;      /* unix ns at which it left the queue */
    int64_t left_mono;    /* the same on the monotonic clock */
    unsigned credentials; /* their generation */
    bool repeated;
};

TAILQ_HEAD(calls, kube_call);

struct kube_client {
    struct loop *loop;
    struct kube_config *config;
    struct credentials *credentials;
    struct fetch_pool *pools[POOLS];
    struct calls queues[LANES], flying;
    size_t in_flight[LANES];
    struct pace pace;   /* of the shared pool */
    struct timer *turn; /* looks at the queues on the next turn of the loop */
    int64_t skew;
};

static enum pool pool_of(enum kube_lane lane) {
    switch (lane) {
    case KUBE_LEASE:
        return POOL_LEASE;
    case KUBE_WATCH:
        return POOL_WATCH;
    case KUBE_LOG_END:
    case KUBE_LOG:
        return POOL_LOG;
    case KUBE_CREATE:
    case KUBE_DELETE:
    case KUBE_OTHER:
        break;
    }
    return POOL_SHARED;
}

static void look_soon(void *ctx) {
    const struct kube_client *client = ctx;
    timer_start(client->turn, 0);
}

static void free_call(struct kube_call *call) {
    free(call->method);
    free(call->path);
    free(call->content_type);
    buf_free(&call->body);
    free(call);
}

/* Takes the call from wherever it is; it can be answered, queued again or freed then. */
static void detach(struct kube_call *call) {
    struct kube_client *client = call->client;
    if (!call->fetch) {
        TAILQ_REMOVE(&client->queues[call->request.lane], call, link);
        return;
    }
    TAILQ_REMOVE(&client->flying, call, link);
    client->in_flight[call->request.lane]--;
    call->fetch = NULL;
    look_soon(client); /* there is room now */
}

/* Answers */

static void copy_text(char *out, size_t size, const char *text) {
    (void)snprintf(out, size, "%.*s", (int)size - 1, text ? text : "");
}

/* Kubernetes explains itself in a Status object; a proxy in between in some text. */
static void explain(struct kube_reply *reply) {
    struct doc *doc = NULL;
    (void)doc_parse_json(reply->body, reply->len, &doc, NULL);
    const struct doc_node *root = doc_root(doc);
    const char *kind = doc_string(doc_get(root, "kind"), NULL);
    if (kind && !strcmp(kind, "Status")) {
        copy_text(reply->reason, sizeof reply->reason, doc_string(doc_get(root, "reason"), NULL));
        copy_text(reply->message, sizeof reply->message, doc_string(doc_get(root, "message"), NULL));
        if (reply->retry_after < 0)
            reply->retry_after = doc_integer(doc_path(root, "details", "retryAfterSeconds", NULL), -1);
    }
    if (!reply->message[0])
        (void)snprintf(reply->message, sizeof reply->message, "HTTP %d%s%.200s", reply->status,
                       reply->len ? ": " : "", reply->body);
    doc_free(doc);
}

/* The last thing that happens to a call, and to be the last thing that its function does: the callback may
 * free the client. */
static void answer(struct kube_call *call, struct kube_reply *reply) {
    if (reply->status >= 400)
        explain(reply);
    call->request.done(call->request.ctx, reply);
    free_call(call);
}

static void answer_unsent(struct kube_call *call, const char *why) {
    struct kube_reply reply = {.body = "", .retry_after = -1};
    copy_text(reply.message, sizeof reply.message, why);
    answer(call, &reply);
}

/* Date has whole seconds. Seen at once, it says how the clocks differ; seen late, it still bounds that. */
static void note_skew(struct kube_client *client, const struct kube_call *call, int64_t date) {
    int64_t asked = call->left_at / NS_PER_S, answered = clock_seconds(loop_clock(client->loop));
    if (date > answered)
        client->skew = date - answered;
    else
        client->skew = date + 1 < asked ? date + 1 - asked : 0;
}

static void note_pace(struct kube_client *client, const struct kube_call *call,
                      const struct fetch_result *result) {
    if (pool_of(call->request.lane) != POOL_SHARED || call->request.data)
        return;
    bool busy = !result->code && result->status == 429;
    bool well = !result->code && result->status < 500 && !busy;
    pace_answered(&client->pace, call->left_mono, clock_monotonic(loop_clock(client->loop)), busy, well);
}

static bool worth_repeating(struct kube_call *call, const struct fetch_result *result) {
    if (result->code || result->status != 401 || call->repeated)
        return false;
    call->repeated = true;
    return credentials_refused(call->client->credentials, call->credentials);
}

static void streamed(void *ctx, const char *bytes, size_t len) {
    struct kube_call *call = ctx;
    call->request.data(call->request.ctx, bytes, len);
}

static void fetched(void *ctx, const struct fetch_result *result) {
    struct kube_call *call = ctx;
    struct kube_client *client = call->client;
    detach(call);
    if (!result->code && result->date && !call->request.data) /* a stream's Date is as old as the stream */
        note_skew(client, call, result->date);
    note_pace(client, call, result);
    if (worth_repeating(call, result)) {
        TAILQ_INSERT_HEAD(&client->queues[call->request.lane], call, link);
        return;
    }
    struct kube_reply reply = {.status = result->code ? 0 : result->status,
                               .body = result->body,
                               .len = result->body_len,
                               .retry_after = result->retry_after,
                               .sent = result->sent};
    copy_text(reply.message, sizeof reply.message, result->error);
    answer(call, &reply);
}

/* Sending */

static void set_tls(const struct kube_client *client, struct fetch_tls *tls) {
    const struct kube_config *config = client->config;
    *tls = (struct fetch_tls){.ca_file = config->ca_file,
                              .ca_pem = config->ca_data,
                              .cert_file = config->cert_file,
                              .cert_pem = config->cert_data,
                              .key_file = config->key_file,
                              .key_pem = config->key_data,
                              .server_name = config->tls_server_name,
                              .insecure = config->insecure};
    if (credentials_cert_pem(client->credentials)) {
        tls->cert_file = tls->key_file = NULL;
        tls->cert_pem = credentials_cert_pem(client->credentials);
        tls->key_pem = credentials_key_pem(client->credentials);
    }
}

/* Authorization, Accept, Content-Type: as many of them as apply. */
struct headers {
    struct buf authorization, content_type;
    const char *lines[4];
};

static int make_headers(const struct kube_call *call, struct headers *headers) {
    const char *token = credentials_token(call->client->credentials);
    size_t count = 0;
    headers->lines[count++] = "Accept: application/json";
    if (token) {
        if (buf_printf(&headers->authorization, "Authorization: Bearer %s", token))
            return ERR_NOMEM;
        headers->lines[count++] = headers->authorization.data;
    }
    if (call->body.len > 0) {
        const char *type = call->content_type ? call->content_type : "application/json";
        if (buf_printf(&headers->content_type, "Content-Type: %s", type))
            return ERR_NOMEM;
        headers->lines[count++] = headers->content_type.data;
    }
    return 0;
}

/* INT64_MAX: without an end. */
static int64_t time_left(const struct kube_call *call) {
    int64_t not_after = call->request.not_after;
    return not_after ? not_after - clock_boottime(loop_clock(call->client->loop)) : INT64_MAX;
}

static int64_t timeout_of(const struct kube_call *call) {
    int64_t timeout = call->request.timeout_ns, left = time_left(call);
    return left != INT64_MAX && (!timeout || left < timeout) ? left : timeout;
}

static int start_fetch(struct kube_call *call, const char *url, const struct headers *headers,
                       struct err *err) {
    struct kube_client *client = call->client;
    const struct kube_request *request = &call->request;
    struct fetch_tls tls;
    set_tls(client, &tls);
    const struct fetch_request fetch = {.method = call->method,
                                        .url = url,
                                        .headers = headers->lines,
                                        .body = call->body.data,
                                        .body_len = call->body.len,
                                        .username = client->config->username,
                                        .password = client->config->password,
                                        .proxy = client->config->proxy_url,
                                        .tls = &tls,
                                        .timeout_ns = timeout_of(call),
                                        .silence_ns = request->silence_ns,
                                        .data = request->data ? streamed : NULL,
                                        .done = fetched,
                                        .ctx = call};
    return fetch_start(client->pools[pool_of(request->lane)], &fetch, &call->fetch, err);
}

static int submit(struct kube_call *call, struct err *err) {
    struct kube_client *client = call->client;
    struct buf url = {0};
    struct headers headers = {0};
    int rc = buf_printf(&url, "%s%s", client->config->server, call->path) || make_headers(call, &headers)
                 ? err_set(err, ERR_NOMEM, "out of memory")
                 : start_fetch(call, url.data, &headers, err);
    buf_free(&url);
    buf_free(&headers.authorization);
    buf_free(&headers.content_type);
    if (rc)
        return rc;
    call->credentials = credentials_generation(client->credentials);
    call->left_at = clock_realtime(loop_clock(client->loop));
    call->left_mono = clock_monotonic(loop_clock(client->loop));
    if (call->request.lane == KUBE_CREATE)
        pace_take(&client->pace);
    TAILQ_INSERT_TAIL(&client->flying, call, link);
    client->in_flight[call->request.lane]++;
    return 0;
}

static bool has_room(const struct kube_client *client, enum kube_lane lane) {
    const size_t *flying = client->in_flight;
    if (pool_of(lane) == POOL_SHARED)
        return flying[KUBE_CREATE] + flying[KUBE_DELETE] + flying[KUBE_OTHER] < client->pace.window;
    return pool_of(lane) != POOL_LOG || flying[lane] < MAX_LOGS;
}

/* Whether a call of that lane must wait for --kube-qps; then we look again when it may go. */
static bool paced(struct kube_client *client, enum kube_lane lane) {
    int64_t wait =
        lane == KUBE_CREATE ? pace_wait(&client->pace, clock_monotonic(loop_clock(client->loop))) : 0;
    if (wait > 0)
        timer_start(client->turn, wait);
    return wait > 0;
}

static struct kube_call *next_call(struct kube_client *client) {
    for (enum kube_lane lane = KUBE_LEASE; lane <= KUBE_LOG; lane++)
        if (!TAILQ_EMPTY(&client->queues[lane]) && has_room(client, lane) && !paced(client, lane))
            return TAILQ_FIRST(&client->queues[lane]);
    return NULL;
}

static const char *why_dropped(const struct kube_call *call) {
    if (time_left(call) <= 0)
        return "its time was over before it could be sent";
    if (call->request.wanted && !call->request.wanted(call->request.ctx))
        return "it was not wanted any more";
    return NULL;
}

/* Sends what may go. One call at most is answered in a turn, as the last thing: see answer. */
static void look(void *ctx) {
    struct kube_client *client = ctx;
    struct kube_call *call;
    while ((call = next_call(client))) {
        struct err err = {0};
        int state = credentials_state(client->credentials, &err);
        if (state == CREDENTIALS_WAIT)
            return;
        detach(call);
        const char *dropped = why_dropped(call);
        if (!state && !dropped && !submit(call, &err))
            continue;
        look_soon(client);
        answer_unsent(call, dropped ? dropped : err.message);
        return;
    }
}

static bool copy_request(struct kube_call *call, const struct kube_request *request) {
    call->request = *request;
    call->method = strdup(request->method);
    call->path = strdup(request->path);
    call->content_type = request->content_type ? strdup(request->content_type) : NULL;
    if (!request->timeout_ns && !request->data)
        call->request.timeout_ns = DEFAULT_TIMEOUT_NS;
    return call->method && call->path && (call->content_type || !request->content_type) &&
           !buf_append(&call->body, request->body, request->body_len);
}

int kube_send(struct kube_client *client, const struct kube_request *request, struct kube_call **out,
              struct err *err) {
    struct kube_call *call = calloc(1, sizeof *call);
    if (!call)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (!copy_request(call, request)) {
        free_call(call);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    call->client = client;
    TAILQ_INSERT_TAIL(&client->queues[request->lane], call, link);
    look_soon(client);
    if (out)
        *out = call;
    return 0;
}

void kube_cancel(struct kube_call *call) {
    struct fetch *fetch = call->fetch;
    detach(call);
    if (fetch)
        fetch_cancel(fetch);
    free_call(call);
}

static void cancel_all(struct calls *calls) {
    for (struct kube_call *call = TAILQ_FIRST(calls), *next; call; call = next) {
        next = TAILQ_NEXT(call, link);
        kube_cancel(call);
    }
}

/* Life */

int kube_client_new(struct loop *loop, struct log *log, struct kube_config *config, struct kube_client **out,
                    struct err *err) {
    struct kube_client *client = calloc(1, sizeof *client);
    if (!client) {
        kube_config_free(config);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    client->loop = loop;
    client->config = config;
    kube_client_set_rate(client, 0, 0);
    for (size_t i = 0; i < LANES; i++)
        TAILQ_INIT(&client->queues[i]);
    TAILQ_INIT(&client->flying);
    const struct fetch_pool_options options = {.multiplex = true};
    int rc = timer_new_real(loop, look, client, &client->turn, err);
    if (!rc)
        rc = credentials_new(loop, log, config, look_soon, client, &client->credentials, err);
    for (size_t i = 0; !rc && i < POOLS; i++)
        rc = fetch_pool_new(loop, &options, &client->pools[i], err);
    if (rc) {
        kube_client_free(client);
        return rc;
    }
    *out = client;
    return 0;
}

void kube_client_free(struct kube_client *client) {
    if (!client)
        return;
    cancel_all(&client->flying);
    for (size_t i = 0; i < LANES; i++)
        cancel_all(&client->queues[i]);
    for (size_t i = 0; i < POOLS; i++)
        fetch_pool_free(client->pools[i]);
    credentials_free(client->credentials);
    timer_free(client->turn);
    kube_config_free(client->config);
    free(client);
}

void kube_client_set_rate(struct kube_client *client, double qps, double burst) {
    pace_start(&client->pace, qps, burst, clock_monotonic(loop_clock(client->loop)));
}

struct loop *kube_client_loop(const struct kube_client *client) {
    return client->loop;
}

const struct kube_config *kube_client_config(const struct kube_client *client) {
    return client->config;
}

int64_t kube_client_skew(const struct kube_client *client) {
    return client->skew;
}

int kube_escape(struct buf *out, const char *text) {
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    for (; *text; text++)
        if (strchr(plain, *text) ? buf_append(out, text, 1) : buf_printf(out, "%%%02X", (unsigned char)*text))
            return ERR_NOMEM;
    return 0;
}
