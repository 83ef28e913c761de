/* Runs a credential plugin (client.authentication.k8s.io/v1 and v1beta1) as a child process, for at most 30
 * s, and reads the ExecCredential it prints. Private to credentials.c. Thread: the loop's. */
#ifndef KS_KUBE_EXEC_PLUGIN_H
#define KS_KUBE_EXEC_PLUGIN_H

#include "kube/config.h"
#include "loop/loop.h"

struct exec_plugin;

struct exec_credential {                    /* strings live during the callback */
    const char *token, *cert_pem, *key_pem; /* NULL where the plugin gave none */
    int64_t expires;                        /* unix seconds; 0: unsaid */
};

/* done: once, on a later turn; one of credential and err is NULL. The plugin is gone after it. */
typedef void (*exec_plugin_cb)(void *ctx, const struct exec_credential *credential, const struct err *err);

int exec_plugin_run(struct loop *loop, const struct kube_config *config, exec_plugin_cb done, void *ctx,
                    struct exec_plugin **out, struct err *err);
void exec_plugin_cancel(struct exec_plugin *plugin); /* before done: kills it, no callback follows */

#endif
