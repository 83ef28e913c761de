/* One request: its body arrives, it is handed up, its answer goes out whole or as a stream. */
#include "http/internal.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 16 * 1024 }; /* bytes that a stream gives libmicrohttpd at once, at most */

struct http_call {
    struct http_server *server;
    struct http_call *previous, *next;
    struct MHD_Connection *mhd;
    struct connection *connection;
    struct MHD_Response *response; /* waits to be queued */
    unsigned status;
    struct buf body;   /* of the request */
    struct buf unsent; /* of a stream */
    void *owner;
    bool asked;     /* on_request has been called */
    bool suspended; /* sleeps inside libmicrohttpd */
    bool streams, ended, cut;
};

static void unlink_call(struct http_call *call) {
    if (call->previous)
        call->previous->next = call->next;
    else
        call->server->calls = call->next;
    if (call->next)
        call->next->previous = call->previous;
}

static struct connection *connection_of(struct MHD_Connection *mhd) {
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
    return info ? info->socket_context : NULL;
}

static struct http_call *call_new(struct http_server *server, struct MHD_Connection *mhd) {
    struct connection *connection = connection_of(mhd);
    struct http_call *call = connection ? calloc(1, sizeof *call) : NULL;
    if (!call)
        return NULL;
    *call = (struct http_call){.server = server, .mhd = mhd, .connection = connection, .next = server->calls};
    if (call->next)
        call->next->previous = call;
    server->calls = call;
    return call;
}

static void sleep_call(struct http_call *call) {
    MHD_suspend_connection(call->mhd);
    call->suspended = true;
}

static void wake_call(struct http_call *call) {
    if (!call->suspended)
        return;
    call->suspended = false;
    MHD_resume_connection(call->mhd);
    server_kick(call->server);
}

static struct MHD_Response *response_of(const void *body, size_t len) {
    void *copy = malloc(len + 1);
    if (!copy)
        return NULL;
    memcpy(copy, body, len);
    struct MHD_Response *response = MHD_create_response_from_buffer(len, copy, MHD_RESPMEM_MUST_FREE);
    if (!response)
        free(copy);
    return response;
}

/* Receiving */

static enum MHD_Result refuse(struct MHD_Connection *mhd, unsigned status, const char *text) {
    struct MHD_Response *response = response_of(text, strlen(text));
    if (!response)
        return MHD_NO;
    (void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
    enum MHD_Result result = MHD_queue_response(mhd, status, response);
    MHD_destroy_response(response);
    return result;
}

/* A body that says that it is too long is not read at all. */
static bool too_long(struct MHD_Connection *mhd) {
    const char *length = MHD_lookup_connection_value(mhd, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return length && strtoull(length, NULL, 10) > HTTP_MAX_BODY;
}

static enum MHD_Result begin(struct http_server *server, struct MHD_Connection *mhd, void **slot) {
    struct http_call *call = call_new(server, mhd);
    if (!call)
        return MHD_NO;
    *slot = call;
    if (!too_long(mhd))
        return MHD_YES;
    return refuse(mhd, MHD_HTTP_CONTENT_TOO_LARGE,
                  "{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"code\":413,"
                  "\"reason\":\"RequestEntityTooLarge\",\"message\":\"a body has at most 1 MiB\"}\n");
}

static enum MHD_Result receive(struct http_call *call, const char *data, size_t *len) {
    if (call->body.len + *len > HTTP_MAX_BODY || buf_append(&call->body, data, *len))
        return MHD_NO;
    *len = 0;
    return MHD_YES;
}

static void ask(struct http_call *call, const char *url, const char *method) {
    char peer[INET6_ADDRSTRLEN] = "";
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(call->mhd, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info)
        address_text(info->client_addr, peer, sizeof peer);
    call->asked = call->connection->busy = true;
    const struct http_request request = {.method = method,
                                         .path = url,
                                         .peer = peer,
                                         .body = call->body.data ? call->body.data : "",
                                         .body_len = call->body.len};
    call->server->handlers.on_request(call->server->handlers.ctx, call, &request);
    buf_free(&call->body);
}

enum MHD_Result call_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                            const char *version, const char *data, size_t *len, void **slot) {
    (void)version;
    struct http_call *call = *slot;
    if (((struct http_server *)cls)->closing)
        return MHD_NO;
    if (!call)
        return begin(cls, mhd, slot);
    if (*len)
        return receive(call, data, len);
    if (!call->asked)
        ask(call, url, method);
    if (call->response) {
        enum MHD_Result result = MHD_queue_response(mhd, call->status, call->response);
        MHD_destroy_response(call->response);
        call->response = NULL;
        return result;
    }
    sleep_call(call);
    return MHD_YES;
}

void call_completed(void *cls, struct MHD_Connection *mhd, void **slot,
                    enum MHD_RequestTerminationCode code) {
    (void)mhd, (void)code;
    struct http_server *server = cls;
    struct http_call *call = *slot;
    if (!call)
        return;
    *slot = NULL;
    call->connection->busy = false;
    call->connection->since = clock_monotonic(loop_clock(server->loop));
    unlink_call(call);
    if (call->owner)
        server->handlers.on_closed(call->owner);
    if (call->response)
        MHD_destroy_response(call->response);
    buf_free(&call->body);
    buf_free(&call->unsent);
    free(call);
}

void call_end_all(struct http_server *server) {
    for (struct http_call *call = server->calls; call; call = call->next) {
        call->cut = true;
        if (call->suspended)
            MHD_resume_connection(call->mhd);
        call->suspended = false;
    }
}

/* Reading the request */

struct visitor {
    http_pair_cb cb;
    void *ctx;
};

static enum MHD_Result visit(void *cls, enum MHD_ValueKind kind, const char *name, const char *value) {
    (void)kind;
    const struct visitor *visitor = cls;
    visitor->cb(visitor->ctx, (struct http_pair){name, value ? value : ""});
    return MHD_YES;
}

void http_headers(struct http_call *call, http_pair_cb cb, void *ctx) {
    struct visitor visitor = {cb, ctx};
    (void)MHD_get_connection_values(call->mhd, MHD_HEADER_KIND, visit, &visitor);
}

void http_arguments(struct http_call *call, http_pair_cb cb, void *ctx) {
    struct visitor visitor = {cb, ctx};
    (void)MHD_get_connection_values(call->mhd, MHD_GET_ARGUMENT_KIND, visit, &visitor);
}

void http_own(struct http_call *call, void *owner) {
    call->owner = owner;
}

/* Answering */

static int give(struct http_call *call, unsigned status, struct MHD_Response *response,
                const struct http_pair *headers, size_t count, struct err *err) {
    if (!response)
        return err_set(err, ERR_NOMEM, "out of memory");
    for (size_t i = 0; i < count; i++) {
        if (MHD_add_response_header(response, headers[i].name, headers[i].value) == MHD_YES)
            continue;
        MHD_destroy_response(response);
        return err_set(err, ERR_INVALID, "header %s cannot be sent", headers[i].name);
    }
    call->status = status;
    call->response = response;
    wake_call(call);
    return 0;
}

int http_respond(struct http_call *call, unsigned status, const struct http_pair *headers, size_t count,
                 const void *body, size_t len, struct err *err) {
    return give(call, status, response_of(body, len), headers, count, err);
}

static ssize_t read_stream(void *cls, uint64_t position, char *out, size_t most) {
    (void)position;
    struct http_call *call = cls;
    if (call->cut)
        return MHD_CONTENT_READER_END_WITH_ERROR;
    size_t len = call->unsent.len < most ? call->unsent.len : most;
    if (len == 0 && call->ended)
        return MHD_CONTENT_READER_END_OF_STREAM;
    if (len == 0) {
        sleep_call(call); /* to answer 0 without sleeping would spin */
        return 0;
    }
    memcpy(out, call->unsent.data, len);
    buf_consume(&call->unsent, len);
    if (call->unsent.len == 0 && call->owner)
        call->server->handlers.on_drained(call->owner);
    return (ssize_t)len;
}

int http_stream(struct http_call *call, unsigned status, const struct http_pair *headers, size_t count,
                struct err *err) {
    call->streams = true;
    return give(call, status,
                MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, PIECE, read_stream, call, NULL), headers,
                count, err);
}

int http_stream_write(struct http_call *call, const void *data, size_t len, struct err *err) {
    int rc = call->unsent.len + len > HTTP_MAX_UNSENT ? ERR_LIMIT : buf_append(&call->unsent, data, len);
    if (rc)
        http_stream_cut(call);
    else
        wake_call(call);
    return rc ? err_set(err, rc, "the client is too slow: its stream is cut") : 0;
}

size_t http_stream_unsent(const struct http_call *call) {
    return call->unsent.len;
}

void http_stream_end(struct http_call *call) {
    call->ended = true;
    wake_call(call);
}

void http_stream_cut(struct http_call *call) {
    call->cut = true;
    wake_call(call);
}
