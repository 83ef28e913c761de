#include "http/server.h"

#include "http/internal.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SWEEP_S = 2 };

static int64_t now(const struct http_server *server) {
    return clock_monotonic(loop_clock(server->loop));
}

/* One turn of libmicrohttpd; then the timer is set to when it wants the next. */
static void turn(struct http_server *server) {
    if (server->closing)
        return;
    server->turning = true;
    (void)MHD_run(server->mhd);
    server->turning = false;
    if (server->closing)
        return http_server_free(server);
    MHD_UNSIGNED_LONG_LONG ms = 0;
    if (MHD_get_timeout(server->mhd, &ms) == MHD_YES)
        timer_start(server->timer, (int64_t)ms * NS_PER_MS);
}

static void on_timer(void *ctx) {
    turn(ctx);
}

static void on_readable(uv_poll_t *poll, int status, int events) {
    (void)status, (void)events;
    turn(poll->data);
}

void server_kick(struct http_server *server) {
    timer_start(server->timer, 0);
}

/* Connections */

static void connected(struct http_server *server, struct MHD_Connection *mhd, void **slot) {
    struct connection *connection = calloc(1, sizeof *connection);
    if (!connection)
        return; /* its request is refused: call.c finds no connection */
    connection->mhd = mhd;
    connection->since = now(server);
    connection->next = server->connections;
    if (connection->next)
        connection->next->previous = connection;
    server->connections = connection;
    *slot = connection;
}

static void disconnected(struct http_server *server, struct connection *connection) {
    if (!connection)
        return;
    if (connection->previous)
        connection->previous->next = connection->next;
    else
        server->connections = connection->next;
    if (connection->next)
        connection->next->previous = connection->previous;
    free(connection);
}

static void on_connection(void *cls, struct MHD_Connection *mhd, void **slot,
                          enum MHD_ConnectionNotificationCode code) {
    if (code == MHD_CONNECTION_NOTIFY_STARTED)
        connected(cls, mhd, slot);
    else
        disconnected(cls, *slot);
}

/* libmicrohttpd ends who is silent; who sends a byte now and then is ended here. */
static void sweep(void *ctx) {
    struct http_server *server = ctx;
    int64_t oldest = now(server) - (int64_t)HTTP_RECEIVE_S * NS_PER_S;
    for (struct connection *each = server->connections; each; each = each->next) {
        if (each->busy || each->since > oldest)
            continue;
        const union MHD_ConnectionInfo *info =
            MHD_get_connection_info(each->mhd, MHD_CONNECTION_INFO_CONNECTION_FD);
        if (info)
            (void)shutdown(info->connect_fd, SHUT_RDWR); /* which libmicrohttpd sees as the client's end */
    }
    timer_start(server->sweeper, (int64_t)SWEEP_S * NS_PER_S);
}

/* Beginning and end */

static int start_mhd(struct http_server *server, int fd, struct err *err) {
    server->mhd = MHD_start_daemon(MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME, 0, NULL, NULL, call_access,
                                   server, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_NOTIFY_COMPLETED,
                                   call_completed, server, MHD_OPTION_NOTIFY_CONNECTION, on_connection,
                                   server, MHD_OPTION_CONNECTION_LIMIT, (unsigned)HTTP_MAX_CONNECTIONS,
                                   MHD_OPTION_CONNECTION_MEMORY_LIMIT, (size_t)HTTP_MAX_HEADER,
                                   MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HTTP_IDLE_S, MHD_OPTION_END);
    if (server->mhd)
        return 0;
    (void)close(fd);
    return err_set(err, ERR_IO, "the HTTP server cannot be started");
}

static int watch(struct http_server *server, struct err *err) {
    const union MHD_DaemonInfo *info = MHD_get_daemon_info(server->mhd, MHD_DAEMON_INFO_EPOLL_FD);
    uv_poll_t *poll = calloc(1, sizeof *poll);
    if (!info || !poll) {
        free(poll);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    int rc = uv_poll_init(loop_uv(server->loop), poll, info->epoll_fd);
    if (rc) {
        free(poll);
        return err_set(err, ERR_IO, "the HTTP server: %s", uv_strerror(rc));
    }
    server->poll = poll;
    poll->data = server;
    rc = uv_poll_start(poll, UV_READABLE, on_readable);
    return rc ? err_set(err, ERR_IO, "the HTTP server: %s", uv_strerror(rc)) : 0;
}

int http_server_new(struct loop *loop, const char *address, unsigned port,
                    const struct http_handlers *handlers, struct http_server **out, struct err *err) {
    struct http_server *server = calloc(1, sizeof *server);
    if (!server)
        return err_set(err, ERR_NOMEM, "out of memory");
    *server = (struct http_server){.loop = loop, .handlers = *handlers, .port = port};
    int fd = -1, rc = listen_on(address, &server->port, &fd, err);
    if (!rc)
        rc = start_mhd(server, fd, err);
    if (!rc)
        rc = watch(server, err);
    if (!rc)
        rc = timer_new_real(loop, on_timer, server, &server->timer, err);
    if (!rc)
        rc = timer_new_real(loop, sweep, server, &server->sweeper, err);
    if (rc) {
        http_server_free(server);
        return rc;
    }
    timer_start(server->sweeper, (int64_t)SWEEP_S * NS_PER_S);
    *out = server;
    return 0;
}

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

void http_server_free(struct http_server *server) {
    if (!server)
        return;
    server->closing = true;
    if (server->turning)
        return;
    if (server->poll) {
        (void)uv_poll_stop(server->poll);
        uv_close((uv_handle_t *)server->poll, free_handle);
    }
    call_end_all(server);
    if (server->mhd)
        MHD_stop_daemon(server->mhd);
    timer_free(server->timer);
    timer_free(server->sweeper);
    free(server);
}

unsigned http_server_port(const struct http_server *server) {
    return server->port;
}
