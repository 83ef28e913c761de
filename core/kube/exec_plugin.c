#include "kube/exec_plugin.h"

#include "base/buf.h"
#include "document/build.h"
#include "kube/object.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_NS (30 * NS_PER_S)
enum { OUTPUT_BYTES = 1 << 20, HANDLES = 3 };

struct exec_plugin {
    struct loop *loop;
    const struct kube_config *config;
    uv_process_t process;
    uv_pipe_t out, errors;
    struct timer *deadline;
    struct buf output, complaints;
    exec_plugin_cb done; /* NULL: cancelled */
    void *ctx;
    int open;    /* handles that libuv still knows */
    int running; /* the process, and the pipes that have not ended */
    int64_t exit_status;
    int signal;
    bool overdue;
};

static void released(uv_handle_t *handle) {
    struct exec_plugin *plugin = handle->data;
    if (--plugin->open > 0)
        return;
    buf_free(&plugin->output);
    buf_free(&plugin->complaints);
    free(plugin);
}

static void close_all(struct exec_plugin *plugin) {
    timer_free(plugin->deadline);
    if (plugin->process.loop) /* else libuv never saw it */
        uv_close((uv_handle_t *)&plugin->process, released);
    uv_close((uv_handle_t *)&plugin->out, released);
    uv_close((uv_handle_t *)&plugin->errors, released);
}

/* Its answer */

static int fail(const struct exec_plugin *plugin, struct err *err, const char *why) {
    const char *hint = plugin->config->exec_hint;
    size_t len = plugin->complaints.len;
    const char *text = len ? plugin->complaints.data : "";
    if (len > 300)
        text += len - 300;
    return err_set(err, ERR_DENIED, "%s: credential plugin %s: %s%s%s%s%s", plugin->config->source,
                   plugin->config->exec_argv[0], why, *text ? ": " : "", text, hint ? "; " : "",
                   hint ? hint : "");
}

static const char *status_text(const struct doc *doc, const char *key) {
    const char *text = doc_string(doc_path(doc_root(doc), "status", key, NULL), NULL);
    return text && *text ? text : NULL;
}

static int check_answer(const struct exec_plugin *plugin, const struct doc *doc,
                        const struct exec_credential *credential, struct err *err) {
    const char *version = doc_string(doc_get(doc_root(doc), "apiVersion"), NULL);
    if (!version || strcmp(version, plugin->config->exec_api_version) != 0)
        return fail(plugin, err, "it printed no ExecCredential of the apiVersion in the kubeconfig");
    if (!credential->token && !(credential->cert_pem && credential->key_pem))
        return fail(plugin, err, "its status holds neither a token nor a certificate with its key");
    return 0;
}

static void conclude(struct exec_plugin *plugin) {
    struct err err = {0};
    struct doc *doc = NULL;
    struct exec_credential credential = {0};
    char why[64];
    int rc = 0;
    if (plugin->overdue)
        rc = fail(plugin, &err, "it did not end within 30 s");
    else if (plugin->exit_status || plugin->signal) {
        (void)snprintf(why, sizeof why,
                       plugin->signal ? "it was ended by signal %d" : "it ended with exit code %d",
                       plugin->signal ? plugin->signal : (int)plugin->exit_status);
        rc = fail(plugin, &err, why);
    } else if (doc_parse_json(plugin->output.data ? plugin->output.data : "", plugin->output.len, &doc, NULL))
        rc = fail(plugin, &err, "it did not print JSON");
    if (!rc) {
        const char *expires = status_text(doc, "expirationTimestamp");
        credential =
            (struct exec_credential){status_text(doc, "token"), status_text(doc, "clientCertificateData"),
                                     status_text(doc, "clientKeyData"), expires ? kube_time(expires) : 0};
        rc = check_answer(plugin, doc, &credential, &err);
    }
    close_all(plugin); /* frees it on a later turn */
    plugin->done(plugin->ctx, rc ? NULL : &credential, rc ? &err : NULL);
    doc_free(doc);
}

static void one_ended(struct exec_plugin *plugin) {
    if (--plugin->running == 0 && plugin->done)
        conclude(plugin);
}

/* The process */

static void kill_it(struct exec_plugin *plugin) {
    if (plugin->process.pid > 0 && uv_is_active((uv_handle_t *)&plugin->process))
        (void)kill(-plugin->process.pid, SIGKILL); /* its children too: it leads a session of its own */
}

static void too_late(void *ctx) {
    struct exec_plugin *plugin = ctx;
    plugin->overdue = true;
    kill_it(plugin);
    conclude(plugin);
}

static void exited(uv_process_t *process, int64_t status, int signal) {
    struct exec_plugin *plugin = process->data;
    plugin->exit_status = status;
    plugin->signal = signal;
    one_ended(plugin);
}

static struct buf *buffer_of(void *pipe) {
    struct exec_plugin *plugin = ((uv_handle_t *)pipe)->data;
    return pipe == &plugin->out ? &plugin->output : &plugin->complaints;
}

static void give_room(uv_handle_t *handle, size_t suggested, uv_buf_t *room) {
    struct buf *into = buffer_of(handle);
    *room = (uv_buf_t){0};
    if (into->len < OUTPUT_BYTES && !buf_reserve(into, suggested))
        *room = uv_buf_init(into->data + into->len, (unsigned)suggested);
}

static void took(uv_stream_t *stream, ssize_t len, const uv_buf_t *room) {
    (void)room;
    struct buf *into = buffer_of(stream);
    if (len > 0) {
        into->len += (size_t)len;
        into->data[into->len] = '\0';
    } else if (len < 0) {
        (void)uv_read_stop(stream);
        one_ended(stream->data);
    }
}

/* KUBERNETES_EXEC_INFO, by which the plugin learns what is asked of it. */

static int put_text(struct doc *doc, const char *key, const char *text) {
    const struct doc_place at = {0};
    int rc = doc_put_key(doc, key, strlen(key), at);
    return rc ? rc : doc_put(doc, doc_new_string(doc, text, strlen(text), at));
}

static int put_open(struct doc *doc, const char *key) {
    const struct doc_place at = {0};
    int rc = key ? doc_put_key(doc, key, strlen(key), at) : 0;
    return rc ? rc : doc_open(doc, doc_new_node(doc, DOC_OBJECT, at));
}

static int put_flag(struct doc *doc, const char *key, bool value) {
    const struct doc_place at = {0};
    struct doc_node *node = doc_new_node(doc, DOC_BOOL, at);
    if (node)
        node->as.boolean = value;
    int rc = doc_put_key(doc, key, strlen(key), at);
    return rc ? rc : doc_put(doc, node);
}

static int put_cluster(struct doc *doc, const struct kube_config *config) {
    int rc = put_open(doc, "cluster");
    if (!rc)
        rc = put_text(doc, "server", config->server);
    if (!rc && config->tls_server_name)
        rc = put_text(doc, "tls-server-name", config->tls_server_name);
    if (!rc && config->proxy_url)
        rc = put_text(doc, "proxy-url", config->proxy_url);
    if (!rc)
        rc = put_flag(doc, "insecure-skip-tls-verify", config->insecure);
    return rc ? rc : doc_close(doc);
}

static int put_info(struct doc *doc, const struct kube_config *config) {
    int rc = put_open(doc, NULL);
    if (!rc)
        rc = put_text(doc, "apiVersion", config->exec_api_version);
    if (!rc)
        rc = put_text(doc, "kind", "ExecCredential");
    if (!rc)
        rc = put_open(doc, "spec");
    if (!rc)
        rc = put_flag(doc, "interactive", false);
    if (!rc && config->exec_cluster_info)
        rc = put_cluster(doc, config);
    if (!rc)
        rc = doc_close(doc);
    return rc ? rc : doc_close(doc);
}

static int write_info(const struct kube_config *config, struct buf *out) {
    struct doc *doc = doc_new();
    int rc = doc ? put_info(doc, config) : ERR_NOMEM;
    if (!rc) {
        doc_finish(doc);
        rc = buf_puts(out, "KUBERNETES_EXEC_INFO=");
    }
    if (!rc)
        rc = doc_write_json(doc_root(doc), 0, out, NULL);
    doc_free(doc);
    return rc;
}

static size_t count(char *const *list) {
    size_t n = 0;
    while (list && list[n])
        n++;
    return n;
}

/* Ours, with the kubeconfig's in front: getenv takes the first. The strings stay their owners'. */
static char **merge_environment(const struct kube_config *config, char *info) {
    size_t own = count(config->exec_env), inherited = count(environ);
    char **all = calloc(own + inherited + 2, sizeof *all);
    if (!all)
        return NULL;
    for (size_t i = 0; i < own; i++)
        all[i] = config->exec_env[i];
    all[own] = info;
    for (size_t i = 0; i < inherited; i++)
        all[own + 1 + i] = environ[i];
    return all;
}

static int spawn(struct exec_plugin *plugin, char **environment) {
    uv_stdio_container_t stdio[] = {
        {.flags = UV_IGNORE},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&plugin->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&plugin->errors}};
    uv_process_options_t options = {.exit_cb = exited,
                                    .file = plugin->config->exec_argv[0],
                                    .args = plugin->config->exec_argv,
                                    .env = environment,
                                    .stdio = stdio,
                                    .stdio_count = HANDLES,
                                    .flags = UV_PROCESS_DETACHED};
    plugin->open++; /* also when it fails */
    int rc = uv_spawn(loop_uv(plugin->loop), &plugin->process, &options);
    if (rc)
        return rc;
    plugin->running = HANDLES;
    (void)uv_read_start((uv_stream_t *)&plugin->out, give_room, took);
    (void)uv_read_start((uv_stream_t *)&plugin->errors, give_room, took);
    return 0;
}

static int launch(struct exec_plugin *plugin, struct err *err) {
    struct buf info = {0};
    char **environment = NULL;
    int rc = 0;
    if (write_info(plugin->config, &info) || !(environment = merge_environment(plugin->config, info.data)))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    int spawned = rc ? 0 : spawn(plugin, environment);
    if (spawned)
        rc = fail(plugin, err, uv_strerror(spawned));
    free(environment);
    buf_free(&info);
    return rc;
}

static void open_handles(struct exec_plugin *plugin) {
    uv_loop_t *uv = loop_uv(plugin->loop);
    (void)uv_pipe_init(uv, &plugin->out, 0); /* always 0 */
    (void)uv_pipe_init(uv, &plugin->errors, 0);
    plugin->process.data = plugin->out.data = plugin->errors.data = plugin;
    plugin->open = 2;
}

int exec_plugin_run(struct loop *loop, const struct kube_config *config, exec_plugin_cb done, void *ctx,
                    struct exec_plugin **out, struct err *err) {
    struct exec_plugin *plugin = calloc(1, sizeof *plugin);
    if (!plugin || timer_new_real(loop, too_late, plugin, &plugin->deadline, NULL)) {
        free(plugin);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    plugin->loop = loop;
    plugin->config = config;
    plugin->done = done;
    plugin->ctx = ctx;
    open_handles(plugin);
    int rc = launch(plugin, err);
    if (rc) {
        exec_plugin_cancel(plugin);
        return rc;
    }
    timer_start(plugin->deadline, DEADLINE_NS);
    *out = plugin;
    return 0;
}

void exec_plugin_cancel(struct exec_plugin *plugin) {
    plugin->done = NULL;
    kill_it(plugin);
    close_all(plugin);
}
