/* Where the API server is and who we are: a kubeconfig file, or the service account of the Pod we run in.
 * Owner: kube_config_free. Errors name the file and what is missing. Thread: the loop's (loading reads files;
 * done at start only). */
#ifndef KS_KUBE_CONFIG_H
#define KS_KUBE_CONFIG_H

#include "base/err.h"

#include <stdbool.h>

struct kube_config {
    char *server;                /* https://host:port, no trailing slash; http:// is allowed for tests */
    char *namespace_;            /* of the context or service account; "default" when unsaid */
    char *ca_file, *ca_data;     /* PEM; at most one is set; neither: the system's */
    char *cert_file, *cert_data; /* client certificate, PEM */
    char *key_file, *key_data;
    char *token;                       /* a fixed bearer token */
    char *token_file;                  /* read again when it changes, and after a 401 */
    char *username, *password;         /* basic auth */
    char *tls_server_name, *proxy_url; /* or NULL */
    bool insecure;                     /* insecure-skip-tls-verify: the caller warns */
    char **exec_argv, **exec_env;      /* credential plugin: NULL-terminated; env as NAME=VALUE; or NULL */
    char *exec_api_version;
    char *exec_hint;        /* installHint: what to do when the plugin is missing; or NULL */
    bool exec_cluster_info; /* provideClusterInfo: the plugin is told about the server */
    char *source;           /* for messages: the file's path, or "in-cluster" */
};

struct kube_config_request {
    const char *path;    /* --kube-config-path; NULL: see below */
    const char *context; /* NULL: current-context */
    const char *(*getenv)(const char *name);
    const char *service_account; /* NULL: the usual folder; tests have their own */
};

/* The order: path; else $KUBECONFIG (a list with colons is merged as kubectl does, first wins); else in a
 * cluster (KUBERNETES_SERVICE_HOST and _PORT, with CERTS_PATH or
 * /var/run/secrets/kubernetes.io/serviceaccount); else ~/.kube/config when it exists. ERR_NOTFOUND when there
 * is none of them: no cluster is configured; any other error means that one is, and is wrong. A CERTS_PATH
 * folder holds ca.crt and either token or tls.crt with tls.key (also: client.crt, client.key; cert.pem,
 * key.pem; ca.pem), and may hold namespace. */
int kube_config_load(const struct kube_config_request *request, struct kube_config **out, struct err *err);
void kube_config_free(struct kube_config *config);

#endif
