/* Calls to the fake API server: answers, faults, priorities, credentials. */
#include "kube_fixture.h"

static struct fixture fixture;

struct seen {
    int done, status, data;
    struct kube_reply reply;
    char body[8192];
    struct fixture *f;
    bool free_client;
    int left; /* calls to wait for */
    char order[64];
};

static void on_done(void *ctx, const struct kube_reply *reply) {
    struct seen *seen = ctx;
    seen->done++;
    seen->reply = *reply;
    seen->status = reply->status;
    (void)snprintf(seen->body, sizeof seen->body, "%s", reply->body);
    if (seen->free_client) {
        kube_client_free(seen->f->client);
        seen->f->client = NULL;
    }
    loop_stop(seen->f->loop);
}

static const char pods[] = "/api/v1/namespaces/default/pods";
static const char pod[] = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"a\"},"
                          "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"x\"}]}}";

static struct kube_request get(const char *path) {
    return (struct kube_request){.lane = KUBE_OTHER, .method = "GET", .path = path};
}

static struct kube_request create(void) {
    return (struct kube_request){
        .lane = KUBE_CREATE, .method = "POST", .path = pods, .body = pod, .body_len = sizeof pod - 1};
}

static struct seen call(struct kube_request request) {
    struct seen seen = {.f = &fixture};
    struct err err = {0};
    request.done = on_done;
    request.ctx = &seen;
    assert_int_equal(kube_send(fixture.client, &request, NULL, &err), 0);
    assert_int_equal(seen.done, 0);
    fixture_run(&fixture);
    assert_int_equal(seen.done, 1);
    return seen;
}

static int plain(void **state) {
    (void)state;
    fixture_open(&fixture, NULL);
    return 0;
}

static int with_tls(void **state) {
    (void)state;
    fixture_open(&fixture, (const char *const[]){"--tls", "--auth", "cert", NULL});
    return 0;
}

static int close_all(void **state) {
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void answers_and_their_reasons(void **state) {
    (void)state;
    struct seen seen = call(create());
    assert_int_equal(seen.status, 201);
    assert_true(seen.reply.sent);
    assert_non_null(strstr(seen.body, "\"name\""));
    assert_int_equal(seen.reply.retry_after, -1);
    seen = call(create());
    assert_int_equal(seen.status, 409);
    assert_string_equal(seen.reply.reason, "AlreadyExists");
    assert_non_null(strstr(seen.reply.message, "\"a\" already exists"));
    fixture_fault(&fixture, "{\"action\":\"answer\",\"status\":429,\"reason\":\"TooManyRequests\","
                            "\"message\":\"slow down\",\"headers\":{\"Retry-After\":3}}");
    seen = call(create());
    assert_int_equal(seen.status, 429);
    assert_int_equal(seen.reply.retry_after, 3);
    fixture_fault(&fixture, "{\"action\":\"answer\",\"status\":502,\"body\":\"<html>bad gateway\"}");
    seen = call(create());
    assert_int_equal(seen.status, 502);
    assert_string_equal(seen.reply.message, "HTTP 502: <html>bad gateway");
}

static void every_broken_answer_is_status_0_and_sent(void **state) {
    (void)state;
    static const char *const actions[] = {"close", "reset", "close-after-commit", "cut-body"};
    for (size_t i = 0; i < sizeof actions / sizeof actions[0]; i++) {
        char rule[128];
        (void)snprintf(rule, sizeof rule, "{\"action\":\"%s\",\"method\":\"POST\"}", actions[i]);
        fixture_fault(&fixture, rule);
        struct seen seen = call(create());
        assert_int_equal(seen.status, 0);
        assert_true(seen.reply.sent);
        assert_true(seen.reply.message[0]);
    }
    assert_int_equal(call(create()).status, 409); /* one of them was carried out */
}

static void a_stalled_answer_times_out(void **state) {
    (void)state;
    fixture_fault(&fixture, "{\"action\":\"stall\"}");
    struct kube_request request = create();
    request.timeout_ns = 100 * NS_PER_MS;
    struct seen seen = call(request);
    assert_int_equal(seen.status, 0);
    assert_true(seen.reply.sent);
}

static void past_its_time_it_is_not_sent(void **state) {
    (void)state;
    struct kube_request request = create();
    request.not_after = clock_boottime(&clock_system) - 1;
    struct seen seen = call(request);
    assert_int_equal(seen.status, 0);
    assert_false(seen.reply.sent);
    assert_int_equal(fixture_count(&fixture, "requests", "\"method\": \"POST\""), 0);
}

static void nor_is_its_answer_awaited(void **state) {
    (void)state;
    fixture_fault(&fixture, "{\"action\":\"stall\"}");
    struct kube_request request = create();
    request.not_after = clock_boottime(&clock_system) + 200 * NS_PER_MS;
    assert_int_equal(call(request).status, 0);
}

static void no_server_is_not_sent(void **state) {
    (void)state;
    (void)close(fixture.server_stdin);
    (void)waitpid(fixture.server, NULL, 0);
    struct seen seen = call(create());
    assert_int_equal(seen.status, 0);
    assert_false(seen.reply.sent);
    assert_non_null(strstr(seen.reply.message, "connect"));
}

static void the_token_goes_along_and_the_client_says_who_it_is(void **state) {
    (void)state;
    assert_int_equal(call(create()).status, 201);
    assert_int_equal(fixture_count(&fixture, "requests", "\"authorization\": \"Bearer secret-token\""), 1);
    assert_int_equal(fixture_count(&fixture, "requests", "\"user-agent\": \"kube-scheduler/" KS_VERSION "\""),
                     1);
    assert_int_equal(fixture_count(&fixture, "requests", "\"content-type\": \"application/json\""), 1);
}

/* Queue */

static void on_ordered(void *ctx, const struct kube_reply *reply) {
    struct seen *seen = ctx;
    assert_int_equal(reply->status, 200);
    if (--seen->left == 0)
        loop_stop(seen->f->loop);
}

static void send_many(struct seen *seen, int count, enum kube_lane lane, const char *path) {
    for (int i = 0; i < count; i++) {
        struct kube_request request = {
            .lane = lane, .method = "GET", .path = path, .done = on_ordered, .ctx = seen};
        assert_int_equal(kube_send(fixture.client, &request, NULL, NULL), 0);
        seen->left++;
    }
}

static void at_most_100_fly_and_creates_go_first(void **state) {
    (void)state;
    struct seen seen = {.f = &fixture};
    fixture_fault(&fixture, "{\"action\":\"hold\",\"times\":0,\"path\":\"first\"}");
    send_many(&seen, 120, KUBE_OTHER, "/version?first");
    fixture_pass(&fixture, 400);
    assert_int_equal(fixture_count(&fixture, "requests", "version?first"), 100);
    send_many(&seen, 1, KUBE_LEASE, "/version?lease");
    fixture_pass(&fixture, 200);
    assert_int_equal(fixture_count(&fixture, "requests", "version?lease"), 1);
    send_many(&seen, 1, KUBE_DELETE, "/version?delete");
    send_many(&seen, 1, KUBE_CREATE, "/version?create");
    free(fixture_ask(&fixture, "DELETE", "/_test/fault", ""));
    free(fixture_ask(&fixture, "POST", "/_test/release", ""));
    fixture_run(&fixture);
    char *text = fixture_ask(&fixture, "GET", "/_test/requests", "");
    const char *created = strstr(text, "version?create"), *deleted = strstr(text, "version?delete");
    assert_non_null(created);
    assert_non_null(deleted);
    assert_true(created < deleted);
    assert_non_null(strstr(deleted, "version?first")); /* some of the queue went after it */
    free(text);
}

static void creates_keep_to_their_rate(void **state) {
    (void)state;
    kube_client_set_rate(fixture.client, 0.1, 2);
    struct seen seen = {.f = &fixture};
    send_many(&seen, 3, KUBE_CREATE, "/version?create");
    send_many(&seen, 1, KUBE_OTHER, "/version?other");
    fixture_pass(&fixture, 500);
    assert_int_equal(fixture_count(&fixture, "requests", "version?create"), 2);
    assert_int_equal(fixture_count(&fixture, "requests", "version?other"), 1);
}

static bool not_wanted(void *ctx) {
    (void)ctx;
    return false;
}

static void fenced_requests_never_leave(void **state) {
    (void)state;
    struct kube_request request = create();
    request.wanted = not_wanted;
    struct seen seen = call(request);
    assert_int_equal(seen.status, 0);
    assert_false(seen.reply.sent);
    assert_int_equal(fixture_count(&fixture, "requests", "\"method\": \"POST\""), 0);
}

static void cancelled_calls_say_nothing(void **state) {
    (void)state;
    struct seen seen = {.f = &fixture};
    struct kube_call *queued, *flying;
    struct kube_request request = create();
    request.done = on_done;
    request.ctx = &seen;
    fixture_fault(&fixture, "{\"action\":\"hold\",\"method\":\"POST\"}");
    assert_int_equal(kube_send(fixture.client, &request, &flying, NULL), 0);
    fixture_pass(&fixture, 100);
    assert_int_equal(kube_send(fixture.client, &request, &queued, NULL), 0);
    kube_cancel(queued);
    kube_cancel(flying);
    fixture_control(&fixture, "release", "{}");
    fixture_pass(&fixture, 100);
    assert_int_equal(seen.done, 0);
    assert_int_equal(fixture_count(&fixture, "requests", "\"method\": \"POST\""), 1);
}

static void freed_from_a_callback(void **state) {
    (void)state;
    struct seen seen = {.f = &fixture, .free_client = true};
    for (int i = 0; i < 3; i++) {
        struct kube_request request = get("/version");
        request.wanted = i == 0 ? not_wanted : NULL;
        request.done = on_done;
        request.ctx = &seen;
        assert_int_equal(kube_send(fixture.client, &request, NULL, NULL), 0);
    }
    fixture_run(&fixture);
    fixture_pass(&fixture, 50);
    assert_int_equal(seen.done, 1);
}

/* Clock */

static void skew_by_the_date_of_answers(void **state) {
    (void)state;
    (void)call(get("/version"));
    assert_int_equal(kube_client_skew(fixture.client), 0);
    fixture_control(&fixture, "clock-skew", "{\"seconds\":60}");
    (void)call(get("/version"));
    assert_in_range(kube_client_skew(fixture.client), 58, 60);
    fixture_control(&fixture, "clock-skew", "{\"seconds\":-60}");
    (void)call(get("/version"));
    assert_in_range(-kube_client_skew(fixture.client), 58, 61);
    fixture_control(&fixture, "clock-skew", "{\"seconds\":0}");
    (void)call(get("/version"));
    assert_int_equal(kube_client_skew(fixture.client), 0);
}

/* Credentials */

static void write_file(const char *name, const char *text) {
    char path[128], fresh[140];
    (void)snprintf(path, sizeof path, "%s/%s", fixture.folder, name);
    (void)snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *file = fopen(fresh, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(rename(fresh, path), 0);
}

/* A kubeconfig with this user, in flow style; the client is connected anew. */
static void connect_as(const char *user) {
    struct buf text = {0};
    assert_int_equal(
        buf_printf(&text,
                   "current-context: c\nclusters: [{name: k, cluster: {server: 'http://127.0.0.1:%d/'}}]\n"
                   "users: [{name: u, user: %s}]\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n",
                   fixture.port, user),
        0);
    write_file("kubeconfig", text.data);
    buf_free(&text);
    kube_client_free(fixture.client);
    fixture_connect(&fixture, NULL);
}

static void token_file_is_read_again_after_a_401(void **state) {
    (void)state;
    write_file("token", "secret-token\n");
    connect_as("{tokenFile: token}");
    assert_int_equal(call(get(pods)).status, 200);
    fixture_control(&fixture, "tokens", "[\"second\"]");
    assert_int_equal(call(get(pods)).status, 401); /* the file still says the old one */
    assert_int_equal(fixture_count(&fixture, "requests", "\"path\": \"/api/v1/namespaces/default/pods\""), 2);
    write_file("token", "second");
    assert_int_equal(call(get(pods)).status, 200);
}

static void token_file_is_looked_at_before_a_401(void **state) {
    (void)state;
    write_file("token", "secret-token");
    connect_as("{tokenFile: token}");
    assert_int_equal(call(get(pods)).status, 200);
    fixture_control(&fixture, "tokens", "[\"secret-token\", \"second\"]");
    write_file("token", "second");
    fixture_pass(&fixture, 1100);
    assert_int_equal(call(get(pods)).status, 200);
    assert_int_equal(fixture_count(&fixture, "requests", "Bearer second"), 1);
}

static void missing_token_file_is_named(void **state) {
    (void)state;
    write_file("token", "secret-token");
    connect_as("{tokenFile: token}");
    write_file("token", "\n");
    struct seen seen = call(get(pods));
    assert_int_equal(seen.status, 0);
    assert_false(seen.reply.sent);
    assert_non_null(strstr(seen.reply.message, "token: the token file is empty"));
}

static void fixed_token_is_not_tried_twice(void **state) {
    (void)state;
    connect_as("{token: wrong}");
    struct seen seen = call(get(pods));
    assert_int_equal(seen.status, 401);
    assert_string_equal(seen.reply.reason, "Unauthorized");
    assert_int_equal(fixture_count(&fixture, "requests", "\"path\": \"/api/v1/namespaces/default/pods\""), 1);
}

static void basic_auth(void **state) {
    (void)state;
    fixture_control(&fixture, "tokens", "[]");
    connect_as("{username: me, password: 'a:b'}");
    assert_int_equal(call(get(pods)).status, 200);
    assert_int_equal(fixture_count(&fixture, "requests", "\"authorization\": \"Basic bWU6YTpi\""), 1);
}

#define PLUGIN                                                                                               \
    "{exec: {apiVersion: client.authentication.k8s.io/v1, command: ./plugin, args: [x], env: [{name: A, "    \
    "value: b}], installHint: get it}}"
#define CREDENTIAL                                                                                           \
    "{\"apiVersion\":\"client.authentication.k8s.io/v1\",\"kind\":\"ExecCredential\",\"status\":"

static void write_plugin(const char *script) {
    char path[128], text[1024];
    (void)snprintf(text, sizeof text, "#!/bin/sh\ncd \"$(dirname \"$0\")\"\necho run >>runs\n%s\n", script);
    write_file("plugin", text);
    (void)snprintf(path, sizeof path, "%s/plugin", fixture.folder);
    assert_int_equal(chmod(path, 0755), 0);
}

static int plugin_runs(void) {
    char path[128];
    struct stat st;
    (void)snprintf(path, sizeof path, "%s/runs", fixture.folder);
    return stat(path, &st) ? 0 : (int)(st.st_size / 4);
}

static void plugin_gives_a_token_that_is_kept(void **state) {
    (void)state;
    write_plugin("[ \"$1$A\" = xb ] && [ \"$KUBERNETES_EXEC_INFO\" ] || exit 9\n"
                 "echo '" CREDENTIAL
                 "{\"token\":\"secret-token\",\"expirationTimestamp\":\"2100-01-01T00:00:00Z\"}}'");
    connect_as(PLUGIN);
    assert_int_equal(call(get(pods)).status, 200);
    assert_int_equal(call(get(pods)).status, 200);
    assert_int_equal(plugin_runs(), 1);
}

static void plugin_that_fails_is_quoted(void **state) {
    (void)state;
    write_plugin("echo 'who are you?' >&2; exit 3");
    connect_as(PLUGIN);
    struct seen seen = call(get(pods));
    assert_int_equal(seen.status, 0);
    assert_false(seen.reply.sent);
    assert_non_null(strstr(seen.reply.message, "plugin: it ended with exit code 3: who are you?"));
    assert_non_null(strstr(seen.reply.message, "get it"));
    (void)call(get(pods));
    assert_int_equal(plugin_runs(), 1); /* not again at once */
}

static void plugin_that_says_nothing_of_use(void **state) {
    (void)state;
    static const struct {
        const char *script, *message;
    } cases[] = {{"echo hello", "did not print JSON"},
                 {"echo '{}'", "no ExecCredential of the apiVersion"},
                 {"echo '" CREDENTIAL "{}}'", "neither a token nor a certificate"},
                 {"kill -9 $$", "ended by signal 9"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_plugin(cases[i].script);
        connect_as(PLUGIN);
        assert_non_null(strstr(call(get(pods)).reply.message, cases[i].message));
    }
}

static void client_goes_while_its_plugin_runs(void **state) {
    (void)state;
    write_plugin("sleep 60");
    connect_as(PLUGIN);
    struct seen seen = {.f = &fixture};
    struct kube_request request = get(pods);
    request.done = on_done;
    request.ctx = &seen;
    assert_int_equal(kube_send(fixture.client, &request, NULL, NULL), 0);
    for (int i = 0; i < 100 && plugin_runs() == 0; i++)
        fixture_pass(&fixture, 100);
    assert_int_equal(plugin_runs(), 1);
    kube_client_free(fixture.client);
    fixture.client = NULL;
    fixture_pass(&fixture, 50);
    assert_int_equal(seen.done, 0);
}

/* TLS and HTTP/2 */

static void client_certificate_over_http2(void **state) {
    (void)state;
    struct seen seen = call(create());
    assert_int_equal(seen.status, 201);
    seen = call(get("/_test/requests"));
    assert_non_null(strstr(seen.body, "\"protocol\": \"Http2\""));
}

static void rule(const char *json) {
    struct kube_request request = {
        .lane = KUBE_OTHER, .method = "POST", .path = "/_test/fault", .body = json, .body_len = strlen(json)};
    assert_int_equal(call(request).status, 200);
}

static void what_http2_refuses_unread_is_repeated_by_curl(void **state) {
    (void)state;
    rule("{\"action\":\"reset\",\"code\":7,\"method\":\"GET\",\"path\":\"pods\"}");
    assert_int_equal(call(get(pods)).status, 200);
    rule("{\"action\":\"goaway\",\"method\":\"GET\",\"path\":\"pods\"}");
    assert_int_equal(call(get(pods)).status, 200); /* answered on the dying connection */
    assert_int_equal(call(get(pods)).status, 200); /* and this on another */
    rule("{\"action\":\"reset\",\"code\":2,\"method\":\"POST\",\"path\":\"pods\"}");
    struct seen seen = call(create());
    assert_int_equal(seen.status, 0);
    assert_true(seen.reply.sent);
    assert_int_equal(call(create()).status, 201);
}

/* A server that stands still, or a path to it that swallows everything, behind a proxy that keeps
 * acknowledging. */
static void after_silence_another_connection_is_tried(void **state) {
    (void)state;
    assert_int_equal(call(get(pods)).status, 200);
    rule("{\"action\":\"freeze\",\"method\":\"GET\",\"path\":\"pods\"}");
    struct kube_request request = get(pods);
    request.timeout_ns = 200 * NS_PER_MS;
    assert_int_equal(call(request).status, 0);
    request.timeout_ns = 5 * NS_PER_S;
    assert_int_equal(call(request).status, 200);
}

static void many_at_once_on_one_connection(void **state) {
    (void)state;
    struct seen seen = {.f = &fixture};
    send_many(&seen, 300, KUBE_OTHER, "/version");
    fixture_run(&fixture);
    struct seen list = call(get("/_test/requests"));
    assert_int_equal(list.status, 200);
}

static void escapes(void **state) {
    (void)state;
    struct buf out = {0};
    assert_int_equal(kube_escape(&out, "a-b_c.~=,/ \xc3\xa4%"), 0);
    assert_string_equal(out.data, "a-b_c.~%3D%2C%2F%20%C3%A4%25");
    buf_free(&out);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, plain, close_all)
#define TLS(name) cmocka_unit_test_setup_teardown(name, with_tls, close_all)
    const struct CMUnitTest tests[] = {
        CASE(answers_and_their_reasons),
        CASE(every_broken_answer_is_status_0_and_sent),
        CASE(a_stalled_answer_times_out),
        CASE(past_its_time_it_is_not_sent),
        CASE(nor_is_its_answer_awaited),
        CASE(no_server_is_not_sent),
        CASE(the_token_goes_along_and_the_client_says_who_it_is),
        CASE(at_most_100_fly_and_creates_go_first),
        CASE(creates_keep_to_their_rate),
        CASE(fenced_requests_never_leave),
        CASE(cancelled_calls_say_nothing),
        CASE(freed_from_a_callback),
        CASE(skew_by_the_date_of_answers),
        CASE(token_file_is_read_again_after_a_401),
        CASE(token_file_is_looked_at_before_a_401),
        CASE(missing_token_file_is_named),
        CASE(fixed_token_is_not_tried_twice),
        CASE(basic_auth),
        CASE(plugin_gives_a_token_that_is_kept),
        CASE(plugin_that_fails_is_quoted),
        CASE(plugin_that_says_nothing_of_use),
        CASE(client_goes_while_its_plugin_runs),
        TLS(client_certificate_over_http2),
        TLS(what_http2_refuses_unread_is_repeated_by_curl),
        TLS(after_silence_another_connection_is_tried),
        TLS(many_at_once_on_one_connection),
        cmocka_unit_test(escapes),
    };
    return cmocka_run_group_tests_name("kube_client", tests, NULL, NULL);
}
