/* Where the cluster's address and our credentials come from, and what is said when something is wrong. */
#include "base/buf.h"
#include "base/file.h"
#include "kube/config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PEM "-----BEGIN CERTIFICATE-----\nMTIz\n-----END CERTIFICATE-----\n"
#define PEM_BASE64 "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCk1USXoKLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo="

static char folder[64];
static struct { const char *name, *value; } environment[8];

static const char *fake_getenv(const char *name) {
    for (size_t i = 0; i < sizeof environment / sizeof environment[0] && environment[i].name; i++)
        if (!strcmp(environment[i].name, name))
            return environment[i].value;
    return NULL;
}

static void set_env(const char *name, const char *value) {
    size_t i = 0;
    while (environment[i].name)
        i++;
    environment[i].name = name;
    environment[i].value = value;
}

static int set_up(void **state) {
    (void)state;
    memset(environment, 0, sizeof environment);
    (void)snprintf(folder, sizeof folder, "/tmp/kube-scheduler-test-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state) {
    (void)state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -rf %s", folder);
    return system(command);
}

/* The full path of a file in the test's folder; one of a few, in turn. */
static const char *at(const char *name) {
    static char paths[8][256];
    static size_t turn;
    char *path = paths[turn++ % 8];
    (void)snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static void put(const char *name, const char *text) {
    struct err err = {0};
    char parent[256];
    (void)snprintf(parent, sizeof parent, "%s", at(name));
    *strrchr(parent, '/') = '\0';
    assert_int_equal(dir_make(parent, &err), 0);
    assert_int_equal(file_replace(AT_FDCWD, at(name), text, strlen(text), &err), 0);
}

static int load(const char *path, const char *context, struct kube_config **out, struct err *err) {
    const struct kube_config_request request = {
        .path = path, .context = context, .getenv = fake_getenv, .service_account = at("account")};
    return kube_config_load(&request, out, err);
}

static struct kube_config *good(const char *path, const char *context) {
    struct kube_config *config = NULL;
    struct err err = {0};
    if (load(path, context, &config, &err))
        fail_msg("%s", err.message);
    return config;
}

/* The message when a kubeconfig with this text is refused, without the folder in front. */
static const char *refusal(const char *text) {
    static struct err err;
    struct kube_config *config = NULL;
    put("kubeconfig", text);
    err = (struct err){0};
    assert_int_equal(load(at("kubeconfig"), NULL, &config, &err), ERR_INVALID);
    assert_null(config);
    return strncmp(err.message, folder, strlen(folder)) ? err.message : err.message + strlen(folder) + 1;
}

#define FRAME(cluster, user)                                                                                 \
    "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u, namespace: jobs}}]\n"           \
    "clusters: [{name: k, cluster: " cluster "}]\nusers: [{name: u, user: " user "}]\n"
#define SERVER "server: 'https://h:6443'"

static void every_field(void **state) {
    (void)state;
    put("sub/ca.pem", "x");
    put("sub/me.key", "x");
    put("sub/token", "x");
    put("sub/config",
        FRAME("{server: 'https://h:6443//', certificate-authority: ca.pem, tls-server-name: api.example, "
              "proxy-url: 'http://p:1', insecure-skip-tls-verify: true}",
              "{client-certificate-data: " PEM_BASE64 ", client-key: me.key, token: t, tokenFile: token, "
              "username: n, password: p}"));
    struct kube_config *config = good(at("sub/config"), NULL);
    assert_string_equal(config->server, "https://h:6443");
    assert_string_equal(config->namespace_, "jobs");
    assert_string_equal(config->ca_file, at("sub/ca.pem"));
    assert_string_equal(config->tls_server_name, "api.example");
    assert_string_equal(config->proxy_url, "http://p:1");
    assert_true(config->insecure);
    assert_string_equal(config->cert_data, PEM);
    assert_null(config->cert_file);
    assert_string_equal(config->key_file, at("sub/me.key"));
    assert_string_equal(config->token, "t");
    assert_string_equal(config->token_file, at("sub/token"));
    assert_string_equal(config->username, "n");
    assert_string_equal(config->password, "p");
    assert_null(config->exec_argv);
    assert_string_equal(config->source, at("sub/config"));
    kube_config_free(config);
}

static void data_wins_over_files_and_nobody_is_fine(void **state) {
    (void)state;
    put("kubeconfig",
        "current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\nclusters: [{name: k, "
        "cluster: {" SERVER ", certificate-authority: nowhere, certificate-authority-data: " PEM_BASE64
        "}}]\n");
    struct kube_config *config = good(at("kubeconfig"), NULL);
    assert_string_equal(config->ca_data, PEM);
    assert_null(config->ca_file);
    assert_null(config->token);
    assert_string_equal(config->namespace_, "default");
    kube_config_free(config);
}

static void contexts_by_name(void **state) {
    (void)state;
    put("kubeconfig",
        "current-context: a\ncontexts:\n- {name: a, context: {cluster: a}}\n- {name: b, context: "
        "{cluster: b}}\nclusters:\n- {name: a, cluster: {server: 'https://a'}}\n- {name: b, cluster: "
        "{server: 'https://b'}}\n");
    struct kube_config *config = good(at("kubeconfig"), "b");
    assert_string_equal(config->server, "https://b");
    kube_config_free(config);
    struct err err = {0};
    assert_int_equal(load(at("kubeconfig"), "x", &config, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "there is no context \"x\"; there are: a, b"));
}

static void plugin(void **state) {
    (void)state;
    put("kubeconfig",
        FRAME("{" SERVER "}", "{exec: {apiVersion: client.authentication.k8s.io/v1beta1, command: bin/login, "
                              "args: [a, b], env: [{name: X, value: '1'}], installHint: get it, "
                              "provideClusterInfo: true, interactiveMode: Never}}"));
    struct kube_config *config = good(at("kubeconfig"), NULL);
    assert_string_equal(config->exec_argv[0], at("bin/login"));
    assert_string_equal(config->exec_argv[1], "a");
    assert_string_equal(config->exec_argv[2], "b");
    assert_null(config->exec_argv[3]);
    assert_string_equal(config->exec_env[0], "X=1");
    assert_null(config->exec_env[1]);
    assert_string_equal(config->exec_hint, "get it");
    assert_true(config->exec_cluster_info);
    kube_config_free(config);
}

static void mistakes_are_told_with_their_place(void **state) {
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"clusters: [", "kubeconfig:"},
        {"[]", "kubeconfig: not a kubeconfig"},
        {"{}", "kubeconfig: no current-context"},
        {FRAME("{}", "{}"), "kubeconfig:3:31: server is missing"},
        {FRAME("{server: 'h:6443'}", "{}"), "kubeconfig:3:40: server \"h:6443\": expected https://HOST:PORT"},
        {FRAME("{server: 7}", "{}"), "kubeconfig:3:40: server must be a string"},
        {FRAME("{" SERVER ", insecure-skip-tls-verify: 'yes'}", "{}"), "must be true or false"},
        {FRAME("{" SERVER ", certificate-authority: nowhere}", "{}"), "certificate-authority: "},
        {FRAME("{" SERVER ", certificate-authority-data: '%%%'}", "{}"), "-data is not PEM in base64"},
        {FRAME("{" SERVER ", certificate-authority-data: aGVsbG8=}", "{}"), "-data is not PEM in base64"},
        {FRAME("{" SERVER "}", "{client-certificate-data: " PEM_BASE64 "}"), "client-key is missing"},
        {FRAME("{" SERVER "}", "{client-key-data: " PEM_BASE64 "}"), "client-certificate is missing"},
        {FRAME("{" SERVER "}", "{tokenFile: nowhere}"), "tokenFile: "},
        {FRAME("{" SERVER "}", "{auth-provider: {name: gcp}}"), "auth-provider: use an exec plugin"},
        {FRAME("{" SERVER "}", "{as: root}"), "as: impersonation is not supported"},
        {FRAME("{" SERVER "}", "{exec: {apiVersion: client.authentication.k8s.io/v1}}"),
         "command is missing"},
        {FRAME("{" SERVER "}", "{exec: {apiVersion: v1, command: x}}"), "apiVersion must be"},
        {FRAME("{" SERVER "}",
               "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, args: [1]}}"),
         "args[0]"},
        {FRAME("{" SERVER "}", "{exec: {apiVersion: client.authentication.k8s.io/v1, command: x, "
                               "interactiveMode: Always}}"),
         "needs a terminal"},
        {"current-context: c\ncontexts: [{name: c, context: {cluster: k}}]\n",
         "kubeconfig:2:41: there is no cluster \"k\"; there are: none"},
        {"current-context: c\ncontexts: [{name: c, context: {}}]\n", "the context names no cluster"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *message = refusal(cases[i].text);
        if (!strstr(message, cases[i].message))
            fail_msg("\"%s\" does not hold \"%s\"", message, cases[i].message);
    }
}

static void no_secret_in_a_message(void **state) {
    (void)state;
    assert_null(strstr(refusal(FRAME("{" SERVER "}", "{token: [sesame]}")), "sesame"));
    assert_null(strstr(refusal(FRAME("{" SERVER "}", "{client-key-data: sesame}")), "sesame"));
}

static void several_files_are_merged_and_the_first_wins(void **state) {
    (void)state;
    static char list[512];
    put("a", "current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\n");
    put("b",
        "current-context: d\nclusters: [{name: k, cluster: {server: 'https://b'}}]\nusers: [{name: u, user: "
        "{token: b}}]\n");
    put("c", "clusters: [{name: k, cluster: {server: 'https://c'}}]\n");
    (void)snprintf(list, sizeof list, "%s:%s::%s:%s", at("nowhere"), at("a"), at("b"), at("c"));
    set_env("KUBECONFIG", list);
    struct kube_config *config = good(NULL, NULL);
    assert_string_equal(config->server, "https://b");
    assert_string_equal(config->token, "b");
    kube_config_free(config);
}

static void a_file_that_was_named_must_be_there(void **state) {
    (void)state;
    struct kube_config *config = NULL;
    struct err err = {0};
    assert_int_equal(load(at("nowhere"), NULL, &config, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, at("nowhere")));
    set_env("KUBECONFIG", at("nowhere"));
    assert_int_equal(load(NULL, NULL, &config, &err), ERR_INVALID);
}

static void in_a_pod(void **state) {
    (void)state;
    set_env("KUBERNETES_SERVICE_HOST", "fd00::1");
    set_env("KUBERNETES_SERVICE_PORT", "443");
    put("account/token", "t");
    put("account/ca.crt", "x");
    put("account/namespace", "team-a\n");
    struct kube_config *config = good(NULL, NULL);
    assert_string_equal(config->server, "https://[fd00::1]:443");
    assert_string_equal(config->token_file, at("account/token"));
    assert_string_equal(config->ca_file, at("account/ca.crt"));
    assert_string_equal(config->namespace_, "team-a");
    assert_string_equal(config->source, "in-cluster");
    kube_config_free(config);
    struct err err = {0};
    assert_int_equal(load(NULL, "blue", &config, &err), ERR_INVALID);
}

static void certs_path(void **state) {
    (void)state;
    struct kube_config *config = NULL;
    struct err err = {0};
    static char certs[256];
    (void)snprintf(certs, sizeof certs, "%s", at("certs"));
    set_env("CERTS_PATH", certs);
    assert_int_equal(load(NULL, NULL, &config, &err), ERR_INVALID); /* whose, without a host? */
    set_env("KUBERNETES_SERVICE_HOST", "10.0.0.1");
    put("certs/ca.pem", "x");
    assert_int_equal(load(NULL, NULL, &config, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "no readable token"));
    put("certs/client.crt", "x");
    assert_int_equal(load(NULL, NULL, &config, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "no key beside it"));
    put("certs/client.key", "x");
    config = good(NULL, NULL);
    assert_string_equal(config->server, "https://10.0.0.1:443");
    assert_string_equal(config->ca_file, at("certs/ca.pem"));
    assert_string_equal(config->cert_file, at("certs/client.crt"));
    assert_string_equal(config->key_file, at("certs/client.key"));
    assert_null(config->token_file);
    kube_config_free(config);
}

static void home_is_the_last_resort_and_nothing_is_not_an_error_of_the_user(void **state) {
    (void)state;
    struct kube_config *config = NULL;
    struct err err = {0};
    set_env("KUBERNETES_SERVICE_HOST", "10.0.0.1"); /* in a Pod without a service account */
    assert_int_equal(load(NULL, NULL, &config, &err), ERR_NOTFOUND);
    set_env("HOME", folder);
    assert_int_equal(load(NULL, NULL, &config, &err), ERR_NOTFOUND);
    put(".kube/config", FRAME("{" SERVER "}", "{}"));
    config = good(NULL, NULL);
    assert_string_equal(config->server, "https://h:6443");
    kube_config_free(config);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(every_field),
        CASE(data_wins_over_files_and_nobody_is_fine),
        CASE(contexts_by_name),
        CASE(plugin),
        CASE(mistakes_are_told_with_their_place),
        CASE(no_secret_in_a_message),
        CASE(several_files_are_merged_and_the_first_wins),
        CASE(a_file_that_was_named_must_be_there),
        CASE(in_a_pod),
        CASE(certs_path),
        CASE(home_is_the_last_resort_and_nothing_is_not_an_error_of_the_user),
    };
    return cmocka_run_group_tests_name("kube_config", tests, NULL, NULL);
}
