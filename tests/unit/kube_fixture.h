/* A fake API server in a child process, a loop, and a client for it. Control paths: fake_control.py. */
#ifndef KS_TESTS_KUBE_FIXTURE_H
#define KS_TESTS_KUBE_FIXTURE_H

#include "base/buf.h"
#include "kube/client.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];     /* of this test's own */
    char kubeconfig[96]; /* in it, made by the server */
    pid_t server;
    int server_stdin, port;
    struct loop *loop;
    struct log *log;
    struct kube_client *client;
    struct timer *overdue;
    bool is_overdue;
    struct buf seen;   /* what the test's callbacks note */
    const char *until; /* the loop stops when that ends so */
};

static inline void fixture_overdue(void *ctx) {
    struct fixture *f = ctx;
    f->is_overdue = true;
    loop_stop(f->loop);
}

static inline void fixture_exec(const struct fixture *f, const int in[2], const int out[2],
                                const char *const *options) {
    const char *argv[16] = {"/usr/bin/python3", "tests/integration/fake_apiserver.py", "--kubeconfig",
                            f->kubeconfig};
    size_t argc = 4;
    while (*options)
        argv[argc++] = *options++;
    if (dup2(in[0], 0) < 0 || dup2(out[1], 1) < 0)
        _exit(126);
    (void)close(in[1]);
    (void)execv(argv[0], (char **)(uintptr_t)argv);
    _exit(127);
}

static inline void fixture_serve(struct fixture *f, const char *const *options) {
    int in[2], out[2];
    assert_int_equal(pipe2(in, O_CLOEXEC), 0);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    f->server = fork();
    assert_true(f->server >= 0);
    if (f->server == 0)
        fixture_exec(f, in, out, options);
    (void)close(in[0]);
    (void)close(out[1]);
    f->server_stdin = in[1];
    FILE *lines = fdopen(out[0], "r");
    assert_non_null(lines);
    assert_int_equal(fscanf(lines, "listening %d", &f->port), 1);
    (void)fclose(lines);
}

static inline const char *fixture_no_env(const char *name) {
    (void)name;
    return NULL;
}

static inline void fixture_connect(struct fixture *f, const char *context) {
    struct err err = {0};
    struct kube_config *config = NULL;
    const struct kube_config_request request = {
        .path = f->kubeconfig, .context = context, .getenv = fixture_no_env};
    if (kube_config_load(&request, &config, &err) ||
        kube_client_new(f->loop, f->log, config, &f->client, &err))
        fail_msg("%s", err.message);
}

/* options: of fake_apiserver.py, NULL-terminated. "--tls" stands for a folder of the test's own. */
static inline void fixture_open(struct fixture *f, const char *const *options) {
    struct err err = {0};
    memset(f, 0, sizeof *f);
    (void)signal(SIGPIPE, SIG_IGN);
    (void)setenv("no_proxy", "127.0.0.1", 1);
    (void)snprintf(f->folder, sizeof f->folder, "/tmp/kube-scheduler-test-XXXXXX");
    assert_non_null(mkdtemp(f->folder));
    (void)snprintf(f->kubeconfig, sizeof f->kubeconfig, "%s/kubeconfig", f->folder);
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    assert_int_equal(loop_new(&clock_system, &random_system, &f->loop, &err), 0);
    assert_int_equal(log_new(&clock_system, getenv("TEST_LOG") ? 2 : null, &f->log, &err), 0);
    assert_int_equal(timer_new(f->loop, fixture_overdue, f, &f->overdue, &err), 0);
    const char *all[8] = {0}, *tls[] = {"--tls", f->folder};
    size_t count = 0;
    for (; options && *options; options++) {
        all[count++] = *options;
        if (!strcmp(*options, "--tls"))
            all[count++] = tls[1];
    }
    fixture_serve(f, all);
    fixture_connect(f, NULL);
}

static inline void fixture_close(struct fixture *f) {
    kube_client_free(f->client);
    buf_free(&f->seen);
    timer_free(f->overdue);
    loop_free(f->loop);
    log_free(f->log);
    (void)close(f->server_stdin);
    (void)waitpid(f->server, NULL, 0);
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", f->folder);
    assert_int_equal(system(command), 0);
}

/* Runs the loop until somebody calls loop_stop; fails after 10 s. */
static inline void fixture_run(struct fixture *f) {
    f->is_overdue = false;
    timer_start(f->overdue, 10 * NS_PER_S);
    loop_run(f->loop);
    timer_stop(f->overdue);
    if (f->is_overdue)
        fail_msg("what the test waits for did not come within 10 s");
}

static inline void fixture_look(const struct fixture *f) {
    size_t len = f->until ? strlen(f->until) : 0;
    if (f->until && f->seen.len >= len && !strcmp(f->seen.data + f->seen.len - len, f->until))
        loop_stop(f->loop);
}

static inline void fixture_saw(struct fixture *f, const char *text) {
    assert_int_equal(buf_puts(&f->seen, text), 0);
    fixture_look(f);
}

/* Runs it until what was seen ends so. */
static inline void fixture_until(struct fixture *f, const char *end) {
    f->until = end;
    fixture_look(f);
    fixture_run(f);
    f->until = NULL;
}

/* Runs it for so long. */
static inline void fixture_pass(struct fixture *f, int64_t ms) {
    timer_start(f->overdue, ms * NS_PER_MS);
    loop_run(f->loop);
    timer_stop(f->overdue);
}

/* A blocking request over a connection of its own, in the clear; the answer, headers and all, is the
 * caller's. Servers with TLS have no such back door. */
static inline char *fixture_ask(const struct fixture *f, const char *method, const char *path,
                                const char *body) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)f->port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    struct buf text = {0};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof to), 0);
    assert_int_equal(
        buf_printf(&text,
                   "%s %s HTTP/1.1\r\nHost: test\r\nConnection: close\r\nAuthorization: Bearer "
                   "secret-token\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                   method, path, strlen(body), body),
        0);
    assert_int_equal(write(fd, text.data, text.len), (ssize_t)text.len);
    buf_clear(&text);
    for (ssize_t n = 1; n > 0;) {
        assert_int_equal(buf_reserve(&text, 65536), 0);
        n = read(fd, text.data + text.len, 65536);
        text.len += n > 0 ? (size_t)n : 0;
        text.data[text.len] = '\0';
    }
    (void)close(fd);
    assert_non_null(text.data);
    if (strncmp(text.data, "HTTP/1.1 20", 11))
        fail_msg("%s %s: %s", method, path, text.data);
    return text.data;
}

static inline void fixture_control(const struct fixture *f, const char *name, const char *json) {
    char path[128];
    (void)snprintf(path, sizeof path, "/_test/%s", name);
    free(fixture_ask(f, "POST", path, json));
}

static inline void fixture_fault(const struct fixture *f, const char *rule) {
    fixture_control(f, "fault", rule);
}

/* labels: JSON, "{}" */
static inline void fixture_make_pod(const struct fixture *f, const char *name, const char *labels) {
    char text[512];
    (void)snprintf(text, sizeof text,
                   "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"labels\":%s},"
                   "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"x\"}]}}",
                   name, labels);
    free(fixture_ask(f, "POST", "/api/v1/namespaces/default/pods", text));
}

static inline void fixture_delete_pod(const struct fixture *f, const char *name) {
    char path[128];
    (void)snprintf(path, sizeof path, "/api/v1/namespaces/default/pods/%s?gracePeriodSeconds=0", name);
    free(fixture_ask(f, "DELETE", path, ""));
}

/* Ended ones with exit code 0. */
static inline void fixture_set_phase(const struct fixture *f, const char *name, const char *phase) {
    char text[256];
    (void)snprintf(text, sizeof text, "{\"name\":\"%s\",\"phase\":\"%s\",\"exit_code\":0}", name, phase);
    fixture_control(f, "pod-phase", text);
}

/* How often needle occurs in what the server got so far (or in any other control's answer). */
static inline int fixture_count(const struct fixture *f, const char *control, const char *needle) {
    char path[256];
    (void)snprintf(path, sizeof path, "/_test/%s", control);
    char *text = fixture_ask(f, "GET", path, "");
    int count = 0;
    for (const char *at = text; (at = strstr(at, needle)); at += strlen(needle))
        count++;
    free(text);
    return count;
}

#endif
