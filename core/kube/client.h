/* Typed calls to one API server over HTTP/2: credentials, pooled connections, our own queue in front, and
 * every answer as one struct. Asynchronous; callbacks on the loop's thread, never from inside kube_send.
 * DESIGN decision 4 is the source of the numbers.
 *
 * A call waits in its lane's queue for room and for credentials; its timeout begins when it leaves. A 401
 * makes the client read its token again, and if that gave another one, the call is repeated once, unseen.
 * Nothing else is repeated here: a connection that breaks, a GOAWAY, a timeout are answers with status 0, and
 * the caller decides (only curl repeats what the server refused unread). */
#ifndef KS_KUBE_CLIENT_H
#define KS_KUBE_CLIENT_H

#include "kube/config.h"
#include "loop/log.h"
#include "loop/loop.h"

#include <stddef.h>
#include <stdint.h>

/* Lanes in order of priority; LEASE, WATCH and LOG have connections of their own. At most 100 requests of
 * CREATE, DELETE and OTHER together are in flight, fewer while the server is busy or slow (pace.h), at most
 * 50 followed logs, and at most 50 last reads of logs (LOG_END, on the same connections). */
enum kube_lane { KUBE_LEASE, KUBE_CREATE, KUBE_DELETE, KUBE_OTHER, KUBE_WATCH, KUBE_LOG_END, KUBE_LOG };

struct kube_client;
struct kube_call;

/* Takes config, also when it fails. */
int kube_client_new(struct loop *loop, struct log *log, struct kube_config *config, struct kube_client **out,
                    struct err *err);
/* Cancels what is under way, without callbacks. Allowed from a callback; NULL is fine. */
void kube_client_free(struct kube_client *client);
/* At most so many creates a second, and burst (1 or more) at once after a rest. qps 0, and at first: no
 * limit. */
void kube_client_set_rate(struct kube_client *client, double qps, double burst);
const struct kube_config *kube_client_config(const struct kube_client *client);
struct loop *kube_client_loop(const struct kube_client *client);

/* Seconds that the API server's clock is certainly ahead of ours (behind: negative), by the Date of the last
 * answer, which was written at some moment between our question and its answer. 0: no difference to see, or
 * no answer yet. */
int64_t kube_client_skew(const struct kube_client *client);

struct kube_reply {
    int status;       /* HTTP; 0: no answer, or one that broke off (then message says why) */
    const char *body; /* NUL-terminated; lives during the callback */
    size_t len;
    char reason[64];     /* of the Status body: AlreadyExists, Conflict, NotFound, Expired, … or "" */
    char message[512];   /* of the Status body, or the transport's error */
    int64_t retry_after; /* seconds, -1: not said */
    bool sent;           /* the request may have reached the server; false: certainly not */
};
typedef void (*kube_reply_cb)(void *ctx, const struct kube_reply *reply);

struct kube_request {
    enum kube_lane lane;
    const char *method;       /* GET, POST, PUT, PATCH, DELETE */
    const char *path;         /* from / on, query included, escaped */
    const char *content_type; /* NULL: application/json when there is a body */
    const void *body;         /* copied */
    size_t body_len;
    int64_t timeout_ns; /* 0: 60 s, the API server's own limit */
    /* Asked right before the request leaves the queue; false: dropped, answered with status 0 and sent false.
     * NULL: always. This is the lease's fence. */
    bool (*wanted)(void *ctx);
    /* CLOCK_BOOTTIME in ns, 0: none. From then on the request is not sent, whether it waits in our queue or
     * for a connection, nor is an answer awaited: status 0. It is how a lease is never written late. */
    int64_t not_after;
    kube_reply_cb done;
    void *ctx;
    /* For a body that streams (watch, log): each piece as it comes, of a 2xx answer; done still ends it.
     * NULL: collected. */
    void (*data)(void *ctx, const char *bytes, size_t len);
    int64_t silence_ns; /* with data: give up when no byte came for so long; 0: never */
};

int kube_send(struct kube_client *client, const struct kube_request *request, struct kube_call **out,
              struct err *err);
void kube_cancel(struct kube_call *call); /* no callback follows; out pointers are dead after done */

/* Appends text percent-encoded for a query or a path segment. */
struct buf;
int kube_escape(struct buf *out, const char *text);

#endif
