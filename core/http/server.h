/* A small HTTP/1.1 server on the loop: libmicrohttpd, whose epoll descriptor the loop watches. It never
 * blocks and never spins: a request whose answer comes later, and a stream with nothing to send, sleep.
 * Limits: HTTP_MAX_… below. A longer header gets 431, a longer body 413 (a chunked one ends the connection),
 * a request that has not arrived in HTTP_RECEIVE_S ends it, and so does a client that reads nothing for
 * HTTP_IDLE_S. At HTTP_MAX_CONNECTIONS new clients wait in the kernel's queue. Thread: the loop's. */
#ifndef KS_HTTP_SERVER_H
#define KS_HTTP_SERVER_H

#include "base/err.h"
#include "loop/loop.h"

#include <stddef.h>

enum {
    HTTP_MAX_CONNECTIONS = 256,
    HTTP_MAX_HEADER = 32 * 1024, /* bytes: request line, header and what parsing them takes */
    HTTP_MAX_BODY = 1024 * 1024, /* bytes: a schedule.yml in a ConfigMap is no longer */
    HTTP_MAX_UNSENT = 4 << 20,   /* bytes of a stream; a client that is further behind loses it */
    HTTP_RECEIVE_S = 20,         /* seconds from the first byte, or the last answer, to a whole request */
    HTTP_IDLE_S = 30             /* seconds without a byte either way */
};

struct http_server;
struct http_call; /* a request and its answer; the server's, gone when on_closed has been called */

struct http_pair {
    const char *name, *value;
};

struct http_request {
    const char *method, *path; /* path: decoded, without the query; starts with / */
    const char *peer;          /* the client's address, without its port */
    const char *body;          /* NUL-terminated, never NULL */
    size_t body_len;
};

struct http_handlers {
    /* A whole request has arrived; it is valid until this returns. It is to be answered once, now or later,
     * by http_respond or http_stream. */
    void (*on_request)(void *ctx, struct http_call *call, const struct http_request *request);
    /* The call is over, also when it was never answered: nothing may use it any more. owner: http_own's. */
    void (*on_closed)(void *owner);
    /* Everything that was written to the stream has been sent. */
    void (*on_drained)(void *owner);
    void *ctx;
};

/* address: numeric, IPv4 or IPv6. port: 0 for any that is free. */
int http_server_new(struct loop *loop, const char *address, unsigned port,
                    const struct http_handlers *handlers, struct http_server **out, struct err *err);
/* Ends all calls, also from inside a handler: what is left of it then ends with that turn. NULL is fine. */
void http_server_free(struct http_server *server);
unsigned http_server_port(const struct http_server *server);

/* The request's header fields, or arguments of its query, decoded; during on_request. An argument without a
 * value has "". */
typedef void (*http_pair_cb)(void *ctx, struct http_pair pair);
void http_headers(struct http_call *call, http_pair_cb cb, void *ctx);
void http_arguments(struct http_call *call, http_pair_cb cb, void *ctx);

/* on_closed and on_drained get owner; without one they are not called. */
void http_own(struct http_call *call, void *owner);

/* headers: count pairs. The body is copied. */
int http_respond(struct http_call *call, unsigned status, const struct http_pair *headers, size_t count,
                 const void *body, size_t len, struct err *err);

/* An answer in pieces, until http_stream_end. write: ERR_LIMIT when the client is too far behind: the stream
 * is cut then. */
int http_stream(struct http_call *call, unsigned status, const struct http_pair *headers, size_t count,
                struct err *err);
int http_stream_write(struct http_call *call, const void *data, size_t len, struct err *err);
size_t http_stream_unsent(const struct http_call *call);
void http_stream_end(struct http_call *call);
void http_stream_cut(struct http_call *call); /* ends it so that the client sees that it is not whole */

#endif
