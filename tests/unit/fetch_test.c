/* HTTP transfers against a scripted server on the same loop. */
#include "base/buf.h"
#include "loop/fetch.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum ending { KEEP, CLOSE, RESET };

/* What the server does with the n-th request it sees; the last entry repeats. */
struct reply {
    const char *text;
    enum ending ending;
};

struct peer {
    uv_tcp_t tcp; /* first */
    struct server *server;
    struct buf in;
};

struct server {
    uv_tcp_t tcp;
    const struct reply *replies;
    size_t at;
    const char *greeting; /* said first, as a mail server does: then a request is a line; or NULL */
    int requests, connections;
    char last[4096];
    int port;
};

static void free_peer(uv_handle_t *handle) {
    struct peer *peer = (struct peer *)handle;
    buf_free(&peer->in);
    free(peer);
}

static void wrote(uv_write_t *write, int status) {
    (void)status;
    free(write);
}

static void say(struct peer *peer, const char *text) {
    uv_write_t *write = malloc(sizeof *write);
    uv_buf_t bytes = uv_buf_init((char *)(uintptr_t)text, (unsigned)strlen(text));
    assert_int_equal(uv_write(write, (uv_stream_t *)&peer->tcp, &bytes, 1, wrote), 0);
}

static void give(struct peer *peer) {
    struct server *server = peer->server;
    const struct reply *reply = &server->replies[server->at];
    if (reply[1].text)
        server->at++;
    server->requests++;
    (void)snprintf(server->last, sizeof server->last, "%s", peer->in.data);
    buf_clear(&peer->in);
    say(peer, reply->text);
    if (reply->ending == CLOSE)
        uv_close((uv_handle_t *)&peer->tcp, free_peer);
    else if (reply->ending == RESET)
        (void)uv_tcp_close_reset(&peer->tcp, free_peer);
}

static size_t body_expected(const char *head) {
    const char *at = strstr(head, "Content-Length: ");
    return at ? (size_t)strtoul(at + 16, NULL, 10) : 0;
}

static void got(uv_stream_t *stream, ssize_t len, const uv_buf_t *bytes) {
    struct peer *peer = (struct peer *)stream;
    if (len > 0)
        assert_int_equal(buf_append(&peer->in, bytes->base, (size_t)len), 0);
    free(bytes->base);
    if (len < 0) {
        uv_close((uv_handle_t *)stream, free_peer);
        return;
    }
    if (peer->server->greeting) {
        if (peer->in.len > 0 && peer->in.data[peer->in.len - 1] == '\n')
            give(peer);
        return;
    }
    const char *end = peer->in.data ? strstr(peer->in.data, "\r\n\r\n") : NULL;
    if (end && strlen(end + 4) >= body_expected(peer->in.data))
        give(peer);
}

static void allocate(uv_handle_t *handle, size_t suggested, uv_buf_t *bytes) {
    (void)handle;
    *bytes = uv_buf_init(malloc(suggested), (unsigned)suggested);
}

static void connected(uv_stream_t *stream, int status) {
    assert_int_equal(status, 0);
    struct server *server = (struct server *)stream;
    struct peer *peer = calloc(1, sizeof *peer);
    assert_non_null(peer);
    peer->server = server;
    server->connections++;
    assert_int_equal(uv_tcp_init(stream->loop, &peer->tcp), 0);
    uv_unref((uv_handle_t *)&peer->tcp);
    assert_int_equal(uv_accept(stream, (uv_stream_t *)&peer->tcp), 0);
    assert_int_equal(uv_read_start((uv_stream_t *)&peer->tcp, allocate, got), 0);
    if (server->greeting)
        say(peer, server->greeting);
}

/* The client's side of a test: a pool and what its callbacks saw. */
struct fixture {
    struct loop *loop;
    struct server server;
    struct fetch_pool *pool;
    struct fetch *fetch;
    struct buf data, headers;
    struct fetch_result result;
    char error[512], body[4096];
    int done;
    bool cancel_in_data, free_in_done;
};

static void serve(struct fixture *f, const struct reply *replies) {
    f->server.replies = replies;
    f->server.at = 0;
}

static int set_up(void **state) {
    static struct fixture fixture;
    struct fixture *f = &fixture;
    memset(f, 0, sizeof *f);
    *state = f;
    struct err err = {0};
    assert_int_equal(loop_new(&clock_system, &random_system, &f->loop, &err), 0);
    assert_int_equal(fetch_pool_new(f->loop, &(struct fetch_pool_options){0}, &f->pool, &err), 0);
    struct sockaddr_in address;
    int len = sizeof address;
    assert_int_equal(uv_tcp_init(loop_uv(f->loop), &f->server.tcp), 0);
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &address), 0);
    assert_int_equal(uv_tcp_bind(&f->server.tcp, (const struct sockaddr *)&address, 0), 0);
    assert_int_equal(uv_listen((uv_stream_t *)&f->server.tcp, 8, connected), 0);
    assert_int_equal(uv_tcp_getsockname(&f->server.tcp, (struct sockaddr *)&address, &len), 0);
    f->server.port = ntohs(address.sin_port);
    uv_unref((uv_handle_t *)&f->server.tcp);
    return 0;
}

static void close_handle(uv_handle_t *handle, void *ctx) {
    const struct server *server = ctx;
    if (!uv_is_closing(handle) && handle->type == UV_TCP)
        uv_close(handle, handle == (const uv_handle_t *)&server->tcp ? NULL : free_peer);
}

static int tear_down(void **state) {
    struct fixture *f = *state;
    fetch_pool_free(f->pool);
    uv_walk(loop_uv(f->loop), close_handle, &f->server);
    loop_free(f->loop);
    buf_free(&f->data);
    buf_free(&f->headers);
    return 0;
}

static void on_data(void *ctx, const char *bytes, size_t len) {
    struct fixture *f = ctx;
    assert_int_equal(buf_append(&f->data, bytes, len), 0);
    if (f->cancel_in_data)
        fetch_cancel(f->fetch);
}

static void on_done(void *ctx, const struct fetch_result *result) {
    struct fixture *f = ctx;
    f->done++;
    f->result = *result;
    (void)snprintf(f->error, sizeof f->error, "%s", result->error);
    (void)snprintf(f->body, sizeof f->body, "%s", result->body);
    struct fetch_header header = {0};
    while (fetch_next_header(f->fetch, &header))
        assert_int_equal(buf_printf(&f->headers, "%s=%s;", header.name, header.value), 0);
    if (f->free_in_done) {
        fetch_pool_free(f->pool);
        f->pool = NULL;
    }
}

static void start(struct fixture *f, struct fetch_request request) {
    char url[64];
    (void)snprintf(url, sizeof url, "http://127.0.0.1:%d/path", f->server.port);
    if (!request.url)
        request.url = url;
    if (!request.method)
        request.method = "GET";
    request.done = on_done;
    request.ctx = f;
    struct err err = {0};
    assert_int_equal(fetch_start(f->pool, &request, &f->fetch, &err), 0);
    assert_int_equal(f->done, 0); /* no callback from inside */
}

static void run(struct fixture *f, struct fetch_request request) {
    f->done = 0;
    start(f, request);
    loop_run(f->loop);
    if (!f->cancel_in_data)
        assert_int_equal(f->done, 1);
}

#define OK_HELLO "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"

static void answer_with_body_and_headers(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{"HTTP/1.1 429 Slow\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
                                     "Retry-After: 7\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 2\r\n\r\nno",
                                     KEEP},
                                    {0}});
    const char *headers[] = {"X-Empty:", "X-Text: a b", NULL};
    run(f, (struct fetch_request){.headers = headers});
    assert_int_equal(f->result.code, 0);
    assert_int_equal(f->result.status, 429);
    assert_string_equal(f->body, "no");
    assert_int_equal(f->result.retry_after, 7);
    assert_int_equal(f->result.date, 784887151);
    assert_non_null(strstr(f->headers.data, "X-A=1;X-A=2;"));
    assert_non_null(strstr(f->server.last, "GET /path HTTP/1.1\r\n"));
    assert_non_null(strstr(f->server.last, "X-Empty:\r\n"));
    assert_non_null(strstr(f->server.last, "X-Text: a b\r\n"));
    assert_non_null(strstr(f->server.last, "User-Agent: kube-scheduler/" KS_VERSION "\r\n"));
}

static void retry_after_as_a_date_counts_from_the_servers_clock(void **state) {
    struct fixture *f = *state;
    serve(f,
          (const struct reply[]){{"HTTP/1.1 503 No\r\nDate: Tue, 15 Nov 1994 08:12:31 GMT\r\n"
                                  "Retry-After: Tue, 15 Nov 1994 08:13:01 GMT\r\nContent-Length: 0\r\n\r\n",
                                  KEEP},
                                 {0}});
    run(f, (struct fetch_request){0});
    assert_int_equal(f->result.retry_after, 30);
}

static void body_goes_out_whole(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{OK_HELLO, KEEP}, {0}});
    run(f, (struct fetch_request){.method = "PATCH", .body = "{\"a\":1}", .body_len = 7});
    assert_non_null(strstr(f->server.last, "PATCH /path"));
    assert_non_null(strstr(f->server.last, "\r\n\r\n{\"a\":1}"));
    assert_null(strstr(f->server.last, "Expect"));
    assert_null(strstr(f->server.last, "Content-Type"));
}

static void two_requests_share_a_connection(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{OK_HELLO, KEEP}, {0}});
    run(f, (struct fetch_request){0});
    run(f, (struct fetch_request){0});
    assert_int_equal(f->server.requests, 2);
    assert_int_equal(f->server.connections, 1);
}

static void success_streams_and_the_rest_is_collected(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{OK_HELLO, KEEP}, {0}});
    run(f, (struct fetch_request){.data = on_data});
    assert_string_equal(f->data.data, "hello");
    assert_string_equal(f->body, "");
    serve(f, (const struct reply[]){{"HTTP/1.1 410 Gone\r\nContent-Length: 3\r\n\r\nold", KEEP}, {0}});
    run(f, (struct fetch_request){.data = on_data});
    assert_string_equal(f->data.data, "hello");
    assert_string_equal(f->body, "old");
}

static void long_answer_is_refused(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{OK_HELLO, KEEP}, {0}});
    run(f, (struct fetch_request){.max_body = 5});
    assert_int_equal(f->result.code, 0);
    run(f, (struct fetch_request){.max_body = 4});
    assert_int_equal(f->result.code, ERR_LIMIT);
    assert_string_equal(f->error, "the answer is too long");
}

static void answer_that_breaks_off_is_an_error(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel", CLOSE}, {0}});
    run(f, (struct fetch_request){.data = on_data});
    assert_int_equal(f->result.code, ERR_IO);
    assert_int_equal(f->result.status, 200);
    assert_string_equal(f->data.data, "hel");
    assert_true(f->result.sent);
}

static void reset_after_the_request_counts_as_sent(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{"", RESET}, {0}});
    run(f, (struct fetch_request){0});
    assert_int_equal(f->result.code, ERR_IO);
    assert_int_equal(f->result.status, 0);
    assert_true(f->result.sent);
}

static void refused_connection_is_not_sent(void **state) {
    struct fixture *f = *state;
    run(f, (struct fetch_request){.url = "http://127.0.0.1:1/"});
    assert_int_equal(f->result.code, ERR_IO);
    assert_false(f->result.sent);
    assert_non_null(strstr(f->error, "127.0.0.1"));
}

/* The server takes a request on a kept connection and dies: it may have acted, so a second POST is ours to
 * decide. */
static void post_is_never_repeated_behind_our_back(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{OK_HELLO, KEEP}, {"", CLOSE}, {OK_HELLO, KEEP}, {0}});
    run(f, (struct fetch_request){0});
    run(f, (struct fetch_request){.method = "POST", .body = "x", .body_len = 1});
    assert_int_equal(f->server.requests, 2);
    assert_int_equal(f->result.code, ERR_IO);
    assert_true(f->result.sent);
    assert_string_equal(f->error, "the connection broke after the request was sent");
}

static void timeouts_end_a_stalled_answer(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhel", KEEP}, {0}});
    run(f, (struct fetch_request){.data = on_data, .silence_ns = 30 * NS_PER_MS});
    assert_int_equal(f->result.code, ERR_TIMEOUT);
    assert_string_equal(f->error, "the server fell silent");
    assert_string_equal(f->data.data, "hel");
    run(f, (struct fetch_request){.timeout_ns = 30 * NS_PER_MS});
    assert_int_equal(f->result.code, ERR_TIMEOUT);
}

static void cancelled_from_its_own_data_callback(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{OK_HELLO, KEEP}, {0}});
    f->cancel_in_data = true;
    run(f, (struct fetch_request){.data = on_data, .silence_ns = NS_PER_S});
    assert_string_equal(f->data.data, "hello");
    assert_int_equal(f->done, 0);
}

static void pool_may_be_freed_from_done(void **state) {
    struct fixture *f = *state;
    serve(f, (const struct reply[]){{OK_HELLO, KEEP}, {0}});
    start(f, (struct fetch_request){.silence_ns = NS_PER_S}); /* goes down with the pool */
    f->free_in_done = true;
    run(f, (struct fetch_request){0});
    assert_string_equal(f->body, "hello");
}

static void bad_requests_are_named(void **state) {
    struct fixture *f = *state;
    struct err err = {0};
    struct fetch *fetch;
    const char *headers[] = {"X-Evil: a\r\nX-More: b", NULL};
    struct fetch_request request = {
        .method = "GET", .url = "http://127.0.0.1/", .headers = headers, .done = on_done};
    assert_int_equal(fetch_start(f->pool, &request, &fetch, &err), ERR_INVALID);
    assert_string_equal(err.message, "HTTP header \"X-Evil\": expected \"Name: value\" without a line break");
    run(f, (struct fetch_request){.url = "file:///etc/passwd"});
    assert_int_equal(f->result.code, ERR_IO);
    assert_string_equal(f->body, "");
}

/* With TLS, sent and refused: tests/integration/alert_routes_test.py. */
static void mail_is_not_sent_in_the_clear(void **state) {
    struct fixture *f = *state;
    f->server.greeting = "220 test\r\n";
    serve(f, (const struct reply[]){{"250-test\r\n250 AUTH PLAIN\r\n", KEEP}, {"221 bye\r\n", CLOSE}, {0}});
    char url[64];
    (void)snprintf(url, sizeof url, "smtp://127.0.0.1:%d/me", f->server.port);
    const char *to[] = {"ops@example.org", NULL};
    struct fetch_mail mail = {.from = "ks@example.org", .to = to};
    run(f, (struct fetch_request){.url = url, .mail = &mail, .body = "Subject: x\r\n\r\n", .body_len = 14});
    assert_int_equal(f->result.code, ERR_IO);
    assert_non_null(strstr(f->error, "STARTTLS"));
    assert_int_equal(f->server.requests, 1);
    assert_string_equal(f->server.last, "EHLO me\r\n");
}

static void addresses_that_would_end_their_line_are_refused(void **state) {
    struct fixture *f = *state;
    const char *const evil[] = {"", "a b@example.org", "a@example.org>\r\nRSET", NULL};
    for (size_t i = 0; evil[i]; i++) {
        const char *to[] = {"ops@example.org", evil[i], NULL}, *good[] = {"ops@example.org", NULL};
        struct fetch_mail mails[] = {{.from = evil[i], .to = good}, {.from = "ks@example.org", .to = to}};
        for (size_t which = 0; which < 2; which++) {
            struct fetch_request request = {
                .method = "GET", .url = "smtp://127.0.0.1/", .mail = &mails[which], .done = on_done};
            struct err err = {0};
            struct fetch *fetch;
            assert_int_equal(fetch_start(f->pool, &request, &fetch, &err), ERR_INVALID);
            assert_non_null(strstr(err.message, which ? "recipient" : "sender"));
        }
    }
}

int main(void) {
    (void)signal(SIGPIPE, SIG_IGN);
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(answer_with_body_and_headers),
        CASE(retry_after_as_a_date_counts_from_the_servers_clock),
        CASE(body_goes_out_whole),
        CASE(two_requests_share_a_connection),
        CASE(success_streams_and_the_rest_is_collected),
        CASE(long_answer_is_refused),
        CASE(answer_that_breaks_off_is_an_error),
        CASE(reset_after_the_request_counts_as_sent),
        CASE(refused_connection_is_not_sent),
        CASE(post_is_never_repeated_behind_our_back),
        CASE(timeouts_end_a_stalled_answer),
        CASE(cancelled_from_its_own_data_callback),
        CASE(pool_may_be_freed_from_done),
        CASE(bad_requests_are_named),
        CASE(mail_is_not_sent_in_the_clear),
        CASE(addresses_that_would_end_their_line_are_refused),
    };
    return cmocka_run_group_tests_name("fetch", tests, NULL, NULL);
}
