/* HTTP transfers on the loop: libcurl's multi interface driven by libuv. A pool keeps connections; a fetch is
 * one request and its answer. Callbacks run on the loop's thread, on a later turn than fetch_start, and never
 * inside libcurl, so they may start, cancel and free whatever they like, the pool included.
 *
 * http:// (HTTP/1.1) and https:// (HTTP/2 where the server has it), and mail by SMTP; redirects are answers
 * like others, proxies come from the request or from the environment as curl reads it. A dead peer is noticed
 * after 20 s by the kernel (TCP_USER_TIMEOUT, and keep-alive probes on an idle connection). A request whose
 * body began to leave is never repeated; one that the server refused unread (GOAWAY, REFUSED_STREAM), or
 * without a body, may be repeated by curl when a kept connection turns out dead. Times are nanoseconds of the
 * monotonic clock. */
#ifndef KS_LOOP_FETCH_H
#define KS_LOOP_FETCH_H

#include "loop/loop.h"

#include <stddef.h>

enum { FETCH_MAX_BODY = 16 << 20 };      /* bytes of a collected answer, unless the request says otherwise */
#define FETCH_CONNECT_NS (10 * NS_PER_S) /* name look-up, TCP and TLS together */

struct fetch_pool;
struct fetch;

struct fetch_pool_options {
    const char *user_agent; /* NULL: kube-scheduler/VERSION */
    long max_connections;   /* open at once; more requests wait for one. 0: no limit */
    bool multiplex;         /* prefer waiting for an HTTP/2 connection over opening another */
};

int fetch_pool_new(struct loop *loop, const struct fetch_pool_options *options, struct fetch_pool **out,
                   struct err *err);
void fetch_pool_free(struct fetch_pool *pool); /* cancels what is under way; NULL is fine */

/* PEM files, read when a connection is made, or PEM texts. */
struct fetch_tls {
    const char *ca_file, *ca_pem; /* who signs the server's certificate; neither: the system's authorities */
    const char *cert_file, *cert_pem;
    const char *key_file, *key_pem;
    const char *server_name; /* expected and asked for instead of the URL's host; or NULL */
    bool insecure;           /* any certificate will do */
};

/* A mail instead of HTTP. The URL is smtp://HOST:PORT/NAME (STARTTLS, or nothing is sent) or smtps://…, NAME
 * what we call ourselves; the body is the whole message, its lines ended by CR LF; method, headers and proxy
 * do not count. It is sent when one recipient is taken. On a refusal the result's error ends with the
 * server's code. */
struct fetch_mail {
    const char *from;
    const char *const *to; /* NULL-terminated */
};

struct fetch_result {
    int code;          /* 0: an answer came, whatever its status; else ERR_IO, ERR_TIMEOUT, ERR_LIMIT, … */
    const char *error; /* what went wrong, "" when nothing did */
    int status;        /* of the answer; 0: none came. With a code: the answer broke off */
    const char *body;  /* NUL-terminated */
    size_t body_len;
    int64_t retry_after; /* seconds; -1: not said */
    int64_t date;        /* unix seconds by the server's clock; 0: not said */
    bool sent;           /* the request, or a part of it, was handed to a connection */
};

/* Everything is copied; zero means "not wanted" or the default. */
struct fetch_request {
    const char *method, *url;
    const char *unix_socket;    /* its path: who is asked instead of the URL's host; or NULL */
    const char *const *headers; /* "Name: value" lines, NULL-terminated; or NULL */
    const void *body;
    size_t body_len;
    const char *username, *password; /* basic auth */
    const char *proxy;               /* NULL: by the environment */
    const struct fetch_tls *tls;
    const struct fetch_mail *mail; /* NULL: HTTP */
    int64_t timeout_ns;            /* for the whole transfer; 0: none */
    int64_t silence_ns;            /* without a byte of the answer; 0: none */
    int64_t connect_ns;            /* 0: FETCH_CONNECT_NS */
    size_t max_body;               /* 0: FETCH_MAX_BODY */
    /* Pieces of the body of an answer with a 2xx status, as they come. NULL, or another status: the body is
     * collected for done. */
    void (*data)(void *ctx, const char *bytes, size_t len);
    void (*done)(void *ctx, const struct fetch_result *result); /* last; the fetch is gone after it */
    void *ctx;
};

int fetch_start(struct fetch_pool *pool, const struct fetch_request *request, struct fetch **out,
                struct err *err);
void fetch_cancel(struct fetch *fetch); /* before done only; no callback follows */

/* The answer's header fields, one by one, during data and done. Start with a zeroed struct; false: no more.
 */
struct fetch_header {
    const char *name, *value;
    void *position;
};
bool fetch_next_header(const struct fetch *fetch, struct fetch_header *header);

#endif
