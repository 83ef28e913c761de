/* What server.c (connections, the loop) and call.c (requests, answers) share. */
#ifndef KS_HTTP_INTERNAL_H
#define KS_HTTP_INTERNAL_H

#include "base/buf.h"
#include "http/server.h"

#include <microhttpd.h>
#include <netinet/in.h>
#include <stdbool.h>

struct connection {
    struct connection *previous, *next;
    struct MHD_Connection *mhd;
    int64_t since; /* monotonic ns: accepted, or the last answer sent */
    bool busy;     /* a whole request is here and its answer is not sent yet */
};

struct http_server {
    struct loop *loop;
    struct http_handlers handlers;
    struct MHD_Daemon *mhd;
    uv_poll_t *poll;       /* closed by uv, which frees it */
    struct timer *timer;   /* libmicrohttpd's next turn */
    struct timer *sweeper; /* ends connections whose request does not arrive */
    struct connection *connections;
    struct http_call *calls;
    unsigned port;
    bool turning; /* inside libmicrohttpd, which must not be stopped now */
    bool closing;
};

/* The next turn of the loop goes through libmicrohttpd: after anything that it does not see itself. */
void server_kick(struct http_server *server);

/* libmicrohttpd's callbacks for requests; cls is the server. */
enum MHD_Result call_access(void *cls, struct MHD_Connection *mhd, const char *url, const char *method,
                            const char *version, const char *data, size_t *len, void **slot);
void call_completed(void *cls, struct MHD_Connection *mhd, void **slot, enum MHD_RequestTerminationCode code);
/* All calls end: those that sleep are woken, which libmicrohttpd wants before it stops. */
void call_end_all(struct http_server *server);

/* A listening socket; the port it got is in *port. */
int listen_on(const char *address, unsigned *port, int *fd, struct err *err);
/* The address without its port. */
void address_text(const struct sockaddr *address, char *out, size_t size);

#endif
