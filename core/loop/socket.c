#include "loop/socket.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { READ_CHUNK = 64 << 10, BACKLOG = 1024 /* beyond it connect fails at once */ };

/* One end of a connection on which one line comes. */
struct line_pipe {
    uv_pipe_t pipe;
    uv_write_t write;
    struct timer *timer;
    struct buf in;
    size_t most; /* bytes of the line */
    char *out;   /* what is being written */
    bool given;  /* the line came, or something went wrong */
    /* line NULL: none will come */
    void (*came)(struct line_pipe *self, const char *line, size_t len, const struct err *err);
};

static void closed(uv_handle_t *handle) {
    struct line_pipe *self = handle->data;
    timer_free(self->timer);
    buf_free(&self->in);
    free(self->out);
    free(self); /* the first member of whatever it is part of */
}

static void line_pipe_close(struct line_pipe *self) {
    if (!uv_is_closing((uv_handle_t *)&self->pipe))
        uv_close((uv_handle_t *)&self->pipe, closed);
}

static void give(struct line_pipe *self, const char *line, size_t len, const struct err *err) {
    if (self->given)
        return;
    self->given = true;
    timer_stop(self->timer);
    (void)uv_read_stop((uv_stream_t *)&self->pipe);
    self->came(self, line, len, err);
}

static void fail(struct line_pipe *self, int code, const char *why) {
    struct err err = {0};
    (void)err_set(&err, code, "%s", why);
    give(self, NULL, 0, &err);
}

/* Also when the line came: then who sent it does not read what we write. */
static void timed_out(void *ctx) {
    struct line_pipe *self = ctx;
    self->given = false;
    fail(self, ERR_TIMEOUT, "no answer in time");
}

static int line_pipe_init(struct line_pipe *self, struct loop *loop, size_t most, struct err *err) {
    self->most = most;
    self->pipe.data = self;
    int rc = timer_new(loop, timed_out, self, &self->timer, err);
    if (!rc)
        (void)uv_pipe_init(loop_uv(loop), &self->pipe, 0); /* cannot fail on Unix */
    return rc;
}

static void offer_space(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    struct line_pipe *self = handle->data;
    *out = uv_buf_init(NULL, 0); /* then libuv reports UV_ENOBUFS */
    if (buf_reserve(&self->in, READ_CHUNK) == 0)
        *out = uv_buf_init(self->in.data + self->in.len, READ_CHUNK);
}

static void arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *space) {
    (void)space;
    struct line_pipe *self = stream->data;
    if (n < 0) {
        fail(self, ERR_CANCELED, "the other side went away");
        return;
    }
    const char *end = memchr(self->in.data + self->in.len, '\n', (size_t)n);
    self->in.len += (size_t)n;
    size_t len = end ? (size_t)(end - self->in.data) : self->in.len;
    if (len > self->most)
        fail(self, ERR_LIMIT, "the line is too long");
    else if (end)
        give(self, self->in.data, len, NULL);
}

static void line_pipe_read(struct line_pipe *self) {
    int rc = uv_read_start((uv_stream_t *)&self->pipe, offer_space, arrived);
    if (rc)
        fail(self, ERR_IO, uv_strerror(rc));
}

/* The line with its end. Negative: libuv's error. */
static int line_pipe_write(struct line_pipe *self, const char *line, size_t len, uv_write_cb done) {
    self->out = malloc(len + 1);
    if (!self->out)
        return UV_ENOMEM;
    if (len)
        memcpy(self->out, line, len);
    self->out[len] = '\n';
    uv_buf_t bytes = uv_buf_init(self->out, (unsigned)(len + 1));
    return uv_write(&self->write, (uv_stream_t *)&self->pipe, &bytes, 1, done);
}

static int check_path(const char *path, struct err *err) {
    if (strlen(path) < sizeof((struct sockaddr_un *)0)->sun_path)
        return 0;
    return err_set(err, ERR_INVALID, "%s: too long for a socket's path: choose a shorter --state-dir", path);
}

/* Serving */

struct call {
    struct line_pipe line; /* first */
    LIST_ENTRY(call) link;
    struct socket_server *server; /* NULL: it is gone */
    uint64_t id;
};

struct socket_server {
    uv_pipe_t listener;
    struct loop *loop;
    char *path;
    socket_ask_cb cb;
    void *ctx;
    LIST_HEAD(, call) calls;
    size_t count;
    bool waiting; /* a caller is in the kernel's queue, for whom there was no room */
    uint64_t last_id;
};

static void accept_next(struct socket_server *server);

static void call_end(struct call *call) {
    struct socket_server *server = call->server;
    call->server = NULL;
    line_pipe_close(&call->line);
    if (!server)
        return;
    LIST_REMOVE(call, link);
    server->count--;
    if (server->waiting)
        accept_next(server);
}

static uid_t user_of(const struct call *call) {
    uv_os_fd_t fd;
    struct ucred who = {.uid = (uid_t)-1};
    socklen_t len = sizeof who;
    if (!uv_fileno((const uv_handle_t *)&call->line.pipe, &fd))
        (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
    return who.uid;
}

static void asked(struct line_pipe *line, const char *text, size_t len, const struct err *err) {
    struct call *call = (struct call *)line;
    if (err)
        call_end(call);
    else
        call->server->cb(call->server->ctx, call->id, user_of(call), text, len);
}

static void accept_next(struct socket_server *server) {
    server->waiting = server->count >= SOCKET_CALLERS;
    struct call *call = server->waiting ? NULL : calloc(1, sizeof *call);
    if (!call)
        return;
    call->line.came = asked;
    if (line_pipe_init(&call->line, server->loop, SOCKET_ASK_MAX, NULL)) {
        free(call);
        return;
    }
    call->server = server;
    call->id = ++server->last_id;
    LIST_INSERT_HEAD(&server->calls, call, link);
    server->count++;
    if (uv_accept((uv_stream_t *)&server->listener, (uv_stream_t *)&call->line.pipe)) {
        call_end(call);
        return;
    }
    timer_start(call->line.timer, SOCKET_ASK_NS);
    line_pipe_read(&call->line);
}

static void called(uv_stream_t *listener, int status) {
    if (!status)
        accept_next(listener->data);
}

static void answered(uv_write_t *write, int status) {
    (void)status;
    struct call *call = write->handle->data;
    if (!uv_is_closing((uv_handle_t *)&call->line.pipe))
        call_end(call);
}

void socket_answer(struct socket_server *server, uint64_t id, const char *line, size_t len) {
    struct call *call = NULL;
    LIST_FOREACH(call, &server->calls, link) {
        if (call->id == id)
            break;
    }
    if (!call || call->line.out)
        return;
    timer_start(call->line.timer, SOCKET_ANSWER_NS);
    if (line_pipe_write(&call->line, line, len, answered))
        call_end(call);
}

static void listener_closed(uv_handle_t *handle) {
    struct socket_server *server = handle->data;
    free(server->path);
    free(server);
}

/* Libuv gives no mode, so the umask does: from its first moment the socket is the owner's. */
static int listen_at(struct socket_server *server) {
    (void)unlink(server->path);
    mode_t mask = umask(S_IXUSR | S_IRWXG | S_IRWXO);
    int rc = uv_pipe_bind(&server->listener, server->path);
    (void)umask(mask);
    return rc ? rc : uv_listen((uv_stream_t *)&server->listener, BACKLOG, called);
}

int socket_server_new(struct loop *loop, const char *path, socket_ask_cb cb, void *ctx,
                      struct socket_server **out, struct err *err) {
    int rc = check_path(path, err);
    if (rc)
        return rc;
    struct socket_server *server = calloc(1, sizeof *server);
    char *copy = strdup(path);
    if (!server || !copy) {
        free(server);
        free(copy);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *server = (struct socket_server){.loop = loop, .path = copy, .cb = cb, .ctx = ctx};
    (void)uv_pipe_init(loop_uv(loop), &server->listener, 0);
    server->listener.data = server;
    int failed = listen_at(server);
    if (failed) {
        rc = err_set(err, ERR_IO, "%s: %s", path, uv_strerror(failed));
        uv_close((uv_handle_t *)&server->listener, listener_closed);
        return rc;
    }
    *out = server;
    return 0;
}

void socket_server_free(struct socket_server *server) {
    if (!server)
        return;
    server->waiting = false;
    while (!LIST_EMPTY(&server->calls)) {
        struct call *call = LIST_FIRST(&server->calls);
        call->line.given = true;
        call_end(call);
    }
    (void)unlink(server->path);
    uv_close((uv_handle_t *)&server->listener, listener_closed);
}

/* Asking */

struct question {
    struct line_pipe line; /* first */
    uv_connect_t connect;
    char *path, *text;
    size_t len;
    socket_answer_cb cb;
    void *ctx;
};

static void answer_came(struct line_pipe *line, const char *text, size_t len, const struct err *err) {
    struct question *question = (struct question *)line;
    struct err with_path = err ? *err : (struct err){0};
    if (err)
        (void)err_prefix(&with_path, "%s", question->path);
    free(question->text);
    question->text = NULL;
    question->cb(question->ctx, text, len, err ? &with_path : NULL);
    free(question->path);
    question->path = NULL;
    line_pipe_close(line);
}

static void written(uv_write_t *write, int status) {
    if (status < 0 && status != UV_ECANCELED)
        fail(write->handle->data, ERR_CANCELED, "the other side went away");
}

static void connected(uv_connect_t *connect, int status) {
    struct question *question = connect->handle->data;
    if (question->line.given)
        return;
    if (!status)
        status = line_pipe_write(&question->line, question->text, question->len, written);
    if (!status)
        line_pipe_read(&question->line);
    else if (status == UV_ENOENT || status == UV_ECONNREFUSED)
        fail(&question->line, ERR_NOTFOUND, "no daemon listens here");
    else
        fail(&question->line, status == UV_EACCES ? ERR_DENIED : ERR_IO, uv_strerror(status));
}

int socket_ask(struct loop *loop, const char *path, const char *line, size_t len, int64_t timeout_ns,
               socket_answer_cb cb, void *ctx, struct err *err) {
    int rc = check_path(path, err);
    if (rc)
        return rc;
    struct question *question = calloc(1, sizeof *question);
    char *text = malloc(len + 1), *copy = strdup(path);
    if (!question || !text || !copy || line_pipe_init(&question->line, loop, SOCKET_ANSWER_MAX, err)) {
        free(question);
        free(text);
        free(copy);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    if (len)
        memcpy(text, line, len);
    question->line.came = answer_came;
    question->path = copy;
    question->text = text;
    question->len = len;
    question->cb = cb;
    question->ctx = ctx;
    timer_start(question->line.timer, timeout_ns);
    uv_pipe_connect(&question->connect, &question->line.pipe, path, connected);
    return 0;
}
