#include "kube/config.h"

#include "base/buf.h"
#include "base/file.h"
#include "kube/kubeconfig.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAMESPACE_BYTES = 256 };

static int no_memory(struct err *err) {
    return err_set(err, ERR_NOMEM, "out of memory");
}

static void free_list(char **list) {
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

void kube_config_free(struct kube_config *config) {
    if (!config)
        return;
    char *texts[] = {config->server,           config->namespace_, config->ca_file,
                     config->ca_data,          config->cert_file,  config->cert_data,
                     config->key_file,         config->key_data,   config->token,
                     config->token_file,       config->username,   config->password,
                     config->exec_api_version, config->exec_hint,  config->tls_server_name,
                     config->proxy_url,        config->source};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    free_list(config->exec_argv);
    free_list(config->exec_env);
    free(config);
}

/* The first of names (NULL-terminated) that is a readable file in folder; *out stays NULL without one. */
static int find_file(const char *folder, const char *const *names, char **out, struct err *err) {
    for (; *names; names++) {
        struct buf path = {0};
        if (buf_printf(&path, "%s/%s", folder, *names))
            return no_memory(err);
        if (!access(path.data, R_OK)) {
            *out = path.data;
            return 0;
        }
        buf_free(&path);
    }
    return 0;
}

static int read_namespace(struct kube_config *config, const char *folder, struct err *err) {
    struct buf path = {0}, text = {0};
    int rc = 0;
    if (buf_printf(&path, "%s/namespace", folder))
        rc = no_memory(err);
    else if (!file_read(AT_FDCWD, path.data, NAMESPACE_BYTES, &text, NULL) && text.len > 0) {
        text.data[strcspn(text.data, " \r\n")] = '\0';
        config->namespace_ = strdup(text.data);
        rc = config->namespace_ ? 0 : no_memory(err);
    }
    buf_free(&path);
    buf_free(&text);
    return rc;
}

static int find_credentials(struct kube_config *config, const char *folder, struct err *err) {
    static const char *const ca[] = {"ca.crt", "ca.pem", NULL}, *const token[] = {"token", NULL};
    static const struct {
        const char *cert[2], *key[2];
    } pairs[] = {{{"tls.crt", NULL}, {"tls.key", NULL}},
                 {{"client.crt", NULL}, {"client.key", NULL}},
                 {{"cert.pem", NULL}, {"key.pem", NULL}}};
    int rc = find_file(folder, ca, &config->ca_file, err);
    if (!rc)
        rc = find_file(folder, token, &config->token_file, err);
    for (size_t i = 0; !rc && !config->cert_file && i < sizeof pairs / sizeof pairs[0]; i++) {
        rc = find_file(folder, pairs[i].cert, &config->cert_file, err);
        if (!rc && config->cert_file)
            rc = find_file(folder, pairs[i].key, &config->key_file, err);
    }
    return rc;
}

static int check_credentials(const struct kube_config *config, const char *folder, struct err *err) {
    if (!config->ca_file)
        return err_set(err, ERR_INVALID, "%s: no readable ca.crt (or ca.pem) in it", folder);
    if (config->cert_file && !config->key_file)
        return err_set(err, ERR_INVALID, "%s: the certificate has no key beside it (tls.key)",
                       config->cert_file);
    if (!config->token_file && !config->cert_file)
        return err_set(err, ERR_INVALID, "%s: no readable token, and no tls.crt with tls.key in it", folder);
    return 0;
}

/* What kubelet tells every Pod about the API server. */
static int read_in_cluster(struct kube_config *config, const char *folder, const char *host, const char *port,
                           struct err *err) {
    struct buf server = {0};
    bool ipv6 = strchr(host, ':') != NULL;
    if (buf_printf(&server, ipv6 ? "https://[%s]:%s" : "https://%s:%s", host, port && *port ? port : "443"))
        return no_memory(err);
    config->server = server.data;
    config->source = strdup("in-cluster");
    int rc = config->source ? find_credentials(config, folder, err) : no_memory(err);
    if (!rc)
        rc = check_credentials(config, folder, err);
    return rc ? rc : read_namespace(config, folder, err);
}

static const char *service_account(const struct kube_config_request *request) {
    return request->service_account ? request->service_account
                                    : "/var/run/secrets/kubernetes.io/serviceaccount";
}

/* A Pod may run without a service account's token; then it is as good as not in a cluster. */
static bool has_token(const char *folder) {
    char path[4096];
    return snprintf(path, sizeof path, "%s/token", folder) < (int)sizeof path && !access(path, F_OK);
}

static int read_home(struct kube_config *config, const struct kube_config_request *request, struct err *err) {
    const char *home = request->getenv("HOME");
    char path[4096];
    if (!home || snprintf(path, sizeof path, "%s/.kube/config", home) >= (int)sizeof path ||
        access(path, F_OK))
        return err_set(err, ERR_NOTFOUND,
                       "no cluster is configured: no --kube-config-path, no KUBECONFIG, not in a Pod with a "
                       "service account, no ~/.kube/config");
    return kubeconfig_read(config, path, false, request->context, err);
}

static int read_source(struct kube_config *config, const struct kube_config_request *request,
                       struct err *err) {
    const char *files = request->path ? request->path : request->getenv("KUBECONFIG");
    if (files && *files)
        return kubeconfig_read(config, files, !request->path, request->context, err);
    const char *host = request->getenv("KUBERNETES_SERVICE_HOST"), *certs = request->getenv("CERTS_PATH");
    if (certs && *certs && !(host && *host))
        return err_set(err, ERR_INVALID,
                       "CERTS_PATH is set, but not KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT");
    const char *folder = certs && *certs ? certs : service_account(request);
    if (!host || !*host || (folder != certs && !has_token(folder)))
        return read_home(config, request, err);
    if (request->context)
        return err_set(err, ERR_INVALID, "context \"%s\": there is no kubeconfig file, only this Pod's %s",
                       request->context, folder);
    return read_in_cluster(config, folder, host, request->getenv("KUBERNETES_SERVICE_PORT"), err);
}

int kube_config_load(const struct kube_config_request *request, struct kube_config **out, struct err *err) {
    struct kube_config *config = calloc(1, sizeof *config);
    if (!config)
        return no_memory(err);
    int rc = read_source(config, request, err);
    if (!rc && !config->namespace_ && !(config->namespace_ = strdup("default")))
        rc = no_memory(err);
    if (rc) {
        kube_config_free(config);
        return rc;
    }
    *out = config;
    return 0;
}
