#include "kube/kubeconfig.h"

#include "base/buf.h"
#include "base/file.h"
#include "document/document.h"

#include <fcntl.h>
#include <limits.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FILE_BYTES = 4 << 20 };

struct file {
    char *path;
    struct doc *doc;
};

struct files {
    struct file *items;
    size_t count;
};

/* A mapping in one of the files. */
struct section {
    const struct file *file;
    const struct doc_node *node;
};

static int no_memory(struct err *err) {
    err_set(err, ERR_NOMEM, "out of memory");
    return ERR_NOMEM; /* said here, for the analyzer */
}

static int complain(const struct file *file, const struct doc_node *at, struct err *err) {
    err_prefix(err, "%s:%u:%u", file->path, at->line, at->column);
    return ERR_INVALID;
}

/* Opening the files */

static int parse_file(struct file *file, const char *path, struct err *err) {
    struct buf text = {0};
    struct doc_error mistake = {0};
    int rc = file_read(AT_FDCWD, path, FILE_BYTES, &text, err);
    if (!rc && doc_parse_yaml(text.data ? text.data : "", text.len, &file->doc, &mistake))
        rc = err_set(err, ERR_INVALID, "%s:%u:%u: %s", path, mistake.line, mistake.column,
                     mistake.err.message);
    if (!rc && doc_kind(doc_root(file->doc)) != DOC_OBJECT)
        rc = err_set(err, ERR_INVALID,
                     "%s: not a kubeconfig: a mapping with clusters, users and contexts expected", path);
    buf_free(&text);
    return rc;
}

static int open_file(struct files *files, const char *path, bool optional, struct err *err) {
    if (!*path || (optional && access(path, F_OK)))
        return 0;
    struct file *longer = realloc(files->items, (files->count + 1) * sizeof *longer);
    if (!longer)
        return no_memory(err);
    files->items = longer;
    struct file *file = &longer[files->count];
    *file = (struct file){.path = strdup(path)};
    files->count++;
    if (!file->path)
        return no_memory(err);
    int rc = parse_file(file, path, err);
    return rc == ERR_NOTFOUND ? ERR_INVALID
                              : rc; /* it was named, so it is no question whether there is one */
}

static int open_files(struct files *files, const char *list, bool is_list, struct err *err) {
    char *copy = strdup(list), *rest = copy;
    if (!copy)
        return no_memory(err);
    int rc = 0;
    bool several = is_list && strchr(list, ':');
    while (!rc && rest) {
        const char *path = is_list ? strsep(&rest, ":") : rest;
        if (!is_list)
            rest = NULL;
        rc = open_file(files, path, several, err);
    }
    free(copy);
    if (rc || files->items)
        return rc;
    err_set(err, ERR_INVALID, "KUBECONFIG=%s: none of these files exists", list);
    return ERR_INVALID;
}

static void close_files(struct files *files) {
    for (size_t i = 0; i < files->count; i++) {
        doc_free(files->items[i].doc);
        free(files->items[i].path);
    }
    free(files->items);
}

/* Finding sections by name */

static bool is_named(const struct doc_node *item, const char *name) {
    const char *text = doc_string(doc_get(item, "name"), NULL);
    return text && !strcmp(text, name);
}

static bool find_section(const struct files *files, const char *list, const char *kind, const char *name,
                         struct section *out) {
    for (size_t i = 0; i < files->count; i++) {
        const struct doc_node *items = doc_get(doc_root(files->items[i].doc), list);
        for (size_t k = 0; k < doc_length(items); k++) {
            const struct doc_node *item = doc_item(items, k);
            if (!is_named(item, name))
                continue;
            const struct doc_node *inner = doc_get(item, kind);
            *out = (struct section){&files->items[i], inner ? inner : item};
            return true;
        }
    }
    return false;
}

static int unknown(const struct files *files, const char *list, const char *what, const char *name,
                   struct err *err) {
    struct buf names = {0};
    for (size_t i = 0; i < files->count; i++) {
        const struct doc_node *items = doc_get(doc_root(files->items[i].doc), list);
        for (size_t k = 0; k < doc_length(items) && names.len < 500; k++) {
            const char *text = doc_string(doc_get(doc_item(items, k), "name"), NULL);
            (void)buf_printf(&names, "%s%s", names.len ? ", " : "", text ? text : "?");
        }
    }
    int rc = err_set(err, ERR_INVALID, "there is no %s \"%s\"; there are: %s", what, name,
                     names.len ? names.data : "none");
    buf_free(&names);
    return rc;
}

static const char *current_context(const struct files *files) {
    for (size_t i = 0; i < files->count; i++) {
        const char *name = doc_string(doc_get(doc_root(files->items[i].doc), "current-context"), NULL);
        if (name && *name)
            return name;
    }
    return NULL;
}

/* Taking fields. An absent or empty one leaves *out NULL. */

static int take_text(const struct section *section, const char *key, char **out, struct err *err) {
    const struct doc_node *node = doc_get(section->node, key);
    size_t len = 0;
    if (doc_kind(node) == DOC_NULL)
        return 0;
    const char *text = doc_string(node, &len);
    if (!text || strlen(text) != len) {
        err_set(err, ERR_INVALID, "%s must be a string: put it in quotes", key);
        return complain(section->file, node, err);
    }
    if (len == 0)
        return 0;
    *out = strdup(text);
    return *out ? 0 : no_memory(err);
}

static int take_flag(const struct section *section, const char *key, bool *out, struct err *err) {
    const struct doc_node *node = doc_get(section->node, key);
    if (doc_kind(node) != DOC_NULL && doc_kind(node) != DOC_BOOL) {
        err_set(err, ERR_INVALID, "%s must be true or false", key);
        return complain(section->file, node, err);
    }
    *out = doc_bool(node, false);
    return 0;
}

/* Relative paths start where the file is, also when that is a link's place. */
static int resolve(const struct file *file, char **path, struct err *err) {
    const char *slash = strrchr(file->path, '/');
    struct buf full = {0};
    if (**path == '/' || !slash)
        return 0;
    if (buf_append(&full, file->path, (size_t)(slash - file->path) + 1) || buf_puts(&full, *path)) {
        buf_free(&full);
        return no_memory(err);
    }
    free(*path);
    *path = full.data;
    return 0;
}

static int take_file(const struct section *section, const char *key, char **out, struct err *err) {
    int rc = take_text(section, key, out, err);
    if (rc || !*out || (rc = resolve(section->file, out, err)))
        return rc;
    if (!access(*out, R_OK))
        return 0;
    err_set(err, ERR_INVALID, "%s: %s cannot be read: %m", key, *out);
    return complain(section->file, doc_get(section->node, key), err);
}

static char *decode_base64(const char *text) {
    size_t len = strlen(text);
    unsigned char *out = len < INT_MAX / 2 ? malloc(len + 1) : NULL;
    EVP_ENCODE_CTX *ctx = EVP_ENCODE_CTX_new();
    int used = 0, last = 0;
    if (ctx)
        EVP_DecodeInit(ctx);
    if (!out || !ctx || EVP_DecodeUpdate(ctx, out, &used, (const unsigned char *)text, (int)len) < 0 ||
        EVP_DecodeFinal(ctx, out + used, &last) < 0) {
        free(out);
        out = NULL;
    } else
        out[used + last] = '\0';
    EVP_ENCODE_CTX_free(ctx);
    return (char *)out;
}

static int take_pem(const struct section *section, const char *key, char **out, struct err *err) {
    char *base64 = NULL;
    int rc = take_text(section, key, &base64, err);
    if (rc || !base64)
        return rc;
    *out = decode_base64(base64);
    free(base64);
    if (*out && strstr(*out, "-----BEGIN"))
        return 0;
    err_set(err, ERR_INVALID, "%s is not PEM in base64 (base64 -w0 FILE makes it)", key);
    return complain(section->file, doc_get(section->node, key), err);
}

/* kubectl's rule: data wins over a file. */
static int take_pem_or_file(const struct section *section, const char *data_key, char **data,
                            const char *file_key, char **file, struct err *err) {
    int rc = take_pem(section, data_key, data, err);
    return rc || *data ? rc : take_file(section, file_key, file, err);
}

/* Cluster */

static int check_server(const struct section *cluster, char *server, struct err *err) {
    if (!server) {
        err_set(err, ERR_INVALID, "server is missing: write server: https://HOST:PORT");
        return complain(cluster->file, cluster->node, err);
    }
    if (strncmp(server, "https://", 8) != 0 && strncmp(server, "http://", 7) != 0) {
        err_set(err, ERR_INVALID, "server \"%s\": expected https://HOST:PORT", server);
        return complain(cluster->file, doc_get(cluster->node, "server"), err);
    }
    for (size_t len = strlen(server); server[len - 1] == '/'; len--)
        server[len - 1] = '\0';
    return 0;
}

static int read_cluster(struct kube_config *config, const struct section *cluster, struct err *err) {
    int rc = take_text(cluster, "server", &config->server, err);
    if (!rc)
        rc = check_server(cluster, config->server, err);
    if (!rc)
        rc = take_pem_or_file(cluster, "certificate-authority-data", &config->ca_data,
                              "certificate-authority", &config->ca_file, err);
    if (!rc)
        rc = take_flag(cluster, "insecure-skip-tls-verify", &config->insecure, err);
    if (!rc)
        rc = take_text(cluster, "tls-server-name", &config->tls_server_name, err);
    return rc ? rc : take_text(cluster, "proxy-url", &config->proxy_url, err);
}

/* Credential plugin */

static int take_list(const struct section *exec, const char *key, const char *first, char ***out,
                     char *(*make)(const struct doc_node *item), struct err *err) {
    const struct doc_node *items = doc_get(exec->node, key);
    size_t count = 0;
    char **list = calloc(doc_length(items) + 2, sizeof *list);
    *out = list;
    if (!list || (first && !(list[count++] = strdup(first))))
        return no_memory(err);
    for (size_t i = 0; i < doc_length(items); i++)
        if (!(list[count++] = make(doc_item(items, i)))) {
            err_set(err, ERR_INVALID, "%s[%zu]: unexpected value: strings go in quotes", key, i);
            return complain(exec->file, doc_item(items, i), err);
        }
    return 0;
}

static char *make_argument(const struct doc_node *item) {
    const char *text = doc_string(item, NULL);
    return text ? strdup(text) : NULL;
}

static char *make_variable(const struct doc_node *item) {
    const char *name = doc_string(doc_get(item, "name"), NULL),
               *value = doc_string(doc_get(item, "value"), NULL);
    struct buf out = {0};
    if (!name || !value || buf_printf(&out, "%s=%s", name, value))
        return NULL;
    return out.data;
}

static int check_exec(const struct section *exec, const struct kube_config *config, const char *command,
                      const char *mode, struct err *err) {
    const char *version = config->exec_api_version;
    if (!command)
        err_set(err, ERR_INVALID, "exec: command is missing");
    else if (!version || (strcmp(version, "client.authentication.k8s.io/v1") != 0 &&
                          strcmp(version, "client.authentication.k8s.io/v1beta1") != 0))
        err_set(err, ERR_INVALID,
                "exec: apiVersion must be client.authentication.k8s.io/v1 or v1beta1, not \"%s\"",
                version ? version : "");
    else if (mode && !strcmp(mode, "Always"))
        err_set(err, ERR_INVALID, "exec: interactiveMode Always needs a terminal, which a scheduler has not");
    else
        return 0;
    return complain(exec->file, exec->node, err);
}

static int read_exec(struct kube_config *config, const struct section *exec, struct err *err) {
    char *command = NULL, *mode = NULL;
    int rc = take_text(exec, "command", &command, err);
    if (!rc)
        rc = take_text(exec, "apiVersion", &config->exec_api_version, err);
    if (!rc)
        rc = take_text(exec, "interactiveMode", &mode, err);
    if (!rc)
        rc = check_exec(exec, config, command, mode, err);
    if (!rc && strchr(command, '/'))
        rc = resolve(exec->file, &command, err);
    if (!rc)
        rc = take_list(exec, "args", command, &config->exec_argv, make_argument, err);
    if (!rc)
        rc = take_list(exec, "env", NULL, &config->exec_env, make_variable, err);
    if (!rc)
        rc = take_text(exec, "installHint", &config->exec_hint, err);
    if (!rc)
        rc = take_flag(exec, "provideClusterInfo", &config->exec_cluster_info, err);
    free(command);
    free(mode);
    return rc;
}

/* User */

static int refuse_unsupported(const struct section *user, struct err *err) {
    static const struct {
        const char *key, *remedy;
    } fields[] = {{"auth-provider", "use an exec plugin, as kubectl since 1.26"},
                  {"as", "impersonation is not supported: use a user of its own"},
                  {"as-groups", "impersonation is not supported: use a user of its own"}};
    for (size_t i = 0; i < sizeof fields / sizeof fields[0]; i++) {
        const struct doc_node *node = doc_get(user->node, fields[i].key);
        if (doc_kind(node) == DOC_NULL)
            continue;
        err_set(err, ERR_INVALID, "%s: %s", fields[i].key, fields[i].remedy);
        return complain(user->file, node, err);
    }
    return 0;
}

static int read_user(struct kube_config *config, const struct section *user, struct err *err) {
    int rc = refuse_unsupported(user, err);
    if (!rc)
        rc = take_pem_or_file(user, "client-certificate-data", &config->cert_data, "client-certificate",
                              &config->cert_file, err);
    if (!rc)
        rc = take_pem_or_file(user, "client-key-data", &config->key_data, "client-key", &config->key_file,
                              err);
    if (!rc)
        rc = take_text(user, "token", &config->token, err);
    if (!rc)
        rc = take_file(user, "tokenFile", &config->token_file, err);
    if (!rc)
        rc = take_text(user, "username", &config->username, err);
    if (!rc)
        rc = take_text(user, "password", &config->password, err);
    const struct section exec = {user->file, doc_get(user->node, "exec")};
    if (!rc && doc_kind(exec.node) == DOC_OBJECT)
        rc = read_exec(config, &exec, err);
    bool cert = config->cert_data || config->cert_file, key = config->key_data || config->key_file;
    if (!rc && cert != key) {
        err_set(err, ERR_INVALID,
                cert ? "client-certificate is there, client-key is missing"
                     : "client-key is there, client-certificate is missing");
        return complain(user->file, user->node, err);
    }
    return rc;
}

static int find_named(const struct files *files, const struct section *context, const char *kind,
                      const char *list, struct section *out, struct err *err) {
    const struct doc_node *name = doc_get(context->node, kind);
    const char *text = doc_string(name, NULL);
    if (!text || !*text) {
        err_set(err, ERR_INVALID, "the context names no %s", kind);
        return complain(context->file, context->node, err);
    }
    if (find_section(files, list, kind, text, out))
        return 0;
    unknown(files, list, kind, text, err);
    return complain(context->file, name, err);
}

static int read_context(struct kube_config *config, const struct files *files, const char *name,
                        struct err *err) {
    struct section context, cluster, user;
    if (!name && !(name = current_context(files)))
        return err_set(err, ERR_INVALID, "%s: no current-context; set it, or name a context",
                       files->items[0].path);
    if (!find_section(files, "contexts", "context", name, &context)) {
        unknown(files, "contexts", "context", name, err);
        err_prefix(err, "%s", files->items[0].path);
        return ERR_INVALID;
    }
    if (!(config->source = strdup(context.file->path)))
        return no_memory(err);
    int rc = take_text(&context, "namespace", &config->namespace_, err);
    if (!rc)
        rc = find_named(files, &context, "cluster", "clusters", &cluster, err);
    if (!rc)
        rc = read_cluster(config, &cluster, err);
    const char *who = doc_string(doc_get(context.node, "user"), NULL);
    if (rc || !who || !*who) /* nobody: an open server, for tests */
        return rc;
    rc = find_named(files, &context, "user", "users", &user, err);
    return rc ? rc : read_user(config, &user, err);
}

int kubeconfig_read(struct kube_config *config, const char *list, bool is_list, const char *context,
                    struct err *err) {
    struct files files = {0};
    int rc = open_files(&files, list, is_list, err);
    if (!rc)
        rc = read_context(config, &files, context, err);
    close_files(&files);
    return rc;
}
