#include "local/command.h"

#include "base/buf.h"
#include "document/document.h"

#include <stdlib.h>
#include <string.h>

static const char *const inherited[] = {"PATH", "HOME", "LANG", "TZ", "USER", "TMPDIR"};
static const char default_path[] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

int strings_add(struct strings *list, char *text) {
    if (text && list->count + 1 >= list->capacity) {
        size_t capacity = list->capacity ? list->capacity * 2 : 8;
        char **items = realloc(list->items, capacity * sizeof *items);
        if (!items) {
            free(text);
            return ERR_NOMEM;
        }
        list->items = items;
        list->capacity = capacity;
    }
    if (!text)
        return ERR_NOMEM;
    list->items[list->count++] = text;
    list->items[list->count] = NULL;
    return 0;
}

void strings_free(struct strings *list) {
    for (size_t i = 0; i < list->count; i++)
        free(list->items[i]);
    free(list->items);
    *list = (struct strings){0};
}

void command_free(struct command *command) {
    strings_free(&command->argv);
    strings_free(&command->env);
    free(command->cwd);
    free(command->container);
    free(command->ignored);
    *command = (struct command){0};
}

static int no_memory(struct err *err) {
    return err_set(err, ERR_NOMEM, "out of memory");
}

/* The value of "NAME=value" with that name, or NULL. */
static char **env_find(const struct strings *env, const char *name, size_t len) {
    for (size_t i = 0; i < env->count; i++)
        if (!strncmp(env->items[i], name, len) && env->items[i][len] == '=')
            return &env->items[i];
    return NULL;
}

static int env_set(struct strings *env, const char *name, const char *value) {
    struct buf text = {0};
    if (buf_printf(&text, "%s=%s", name, value)) {
        buf_free(&text);
        return ERR_NOMEM;
    }
    char **there = env_find(env, name, strlen(name));
    if (!there)
        return strings_add(env, buf_take(&text));
    free(*there);
    *there = buf_take(&text);
    return 0;
}

/* $(NAME) becomes the container's variable, $$ becomes $, and what is neither stays: the rules of
 * https://kubernetes.io/docs/tasks/inject-data-application/define-interdependent-environment-variables/ */
static int expand(const char *text, const struct strings *env, struct buf *out) {
    int rc = 0;
    while (*text && !rc) {
        const char *close = text[0] == '$' && text[1] == '(' ? strchr(text, ')') : NULL;
        char **variable = close ? env_find(env, text + 2, (size_t)(close - text) - 2) : NULL;
        if (variable) {
            rc = buf_puts(out, strchr(*variable, '=') + 1);
            text = close + 1;
        } else if (close) {
            rc = buf_append(out, text, (size_t)(close - text) + 1);
            text = close + 1;
        } else {
            rc = buf_append(out, text, 1);
            text += text[0] == '$' && text[1] == '$' ? 2 : 1;
        }
    }
    return rc ? rc : buf_reserve(out, 0);
}

static char *expanded(const char *text, const struct strings *env) {
    struct buf out = {0};
    if (expand(text, env, &out)) {
        buf_free(&out);
        return NULL;
    }
    return buf_take(&out);
}

/* A string that the system can take: without NUL. */
static const char *plain_string(const struct doc_node *node) {
    size_t len = 0;
    const char *text = doc_string(node, &len);
    return text && strlen(text) == len ? text : NULL;
}

static int add_words(struct command *command, const struct doc_node *list, const char *key,
                     const struct strings *env, struct err *err) {
    if (list && list->kind != DOC_ARRAY && list->kind != DOC_NULL)
        return err_set(err, ERR_INVALID,
                       "template: '%s' must be a list of strings, such as [\"sh\", \"-c\", \"…\"]", key);
    for (size_t i = 0; i < doc_length(list); i++) {
        const char *word = plain_string(doc_item(list, i));
        if (!word)
            return err_set(err, ERR_INVALID, "template: %s[%zu] must be a string: put it in quotes", key, i);
        if (strings_add(&command->argv, expanded(word, env)))
            return no_memory(err);
    }
    return 0;
}

static int ignore(struct buf *ignored, const char *kind, const char *name, const char *why) {
    return buf_printf(ignored, "%s%s%s%s%s", ignored->len ? ", " : "", kind, *kind && *name ? " " : "", name,
                      why);
}

static int read_variable(const struct doc_node *entry, struct strings *env, struct buf *ignored,
                         struct err *err) {
    const char *name = plain_string(doc_get(entry, "name"));
    if (!name || !*name || strchr(name, '='))
        return err_set(err, ERR_INVALID, "template: every entry of 'env' needs a name, without '='");
    if (doc_get(entry, "valueFrom"))
        return ignore(ignored, "env", name, " (valueFrom)") ? no_memory(err) : 0;
    const struct doc_node *value = doc_get(entry, "value");
    const char *text = doc_kind(value) == DOC_NULL ? "" : plain_string(value);
    if (!text)
        return err_set(err, ERR_INVALID, "template: the value of env %s must be a string: put it in quotes",
                       name);
    char *full = expanded(text, env);
    int rc = full ? env_set(env, name, full) : ERR_NOMEM;
    free(full);
    return rc ? no_memory(err) : 0;
}

static int read_env(const struct doc_node *list, struct strings *env, struct buf *ignored, struct err *err) {
    int rc = 0;
    for (size_t i = 0; i < doc_length(list) && !rc; i++)
        rc = read_variable(doc_item(list, i), env, ignored, err);
    return rc;
}

/* What the daemon has, then what the container adds or replaces. */
static int merge_env(struct strings *env, const struct strings *own) {
    int rc = 0;
    for (size_t i = 0; i < sizeof inherited / sizeof inherited[0] && !rc; i++) {
        const char *value = getenv(inherited[i]);
        if (!value && i == 0)
            value = default_path;
        if (value)
            rc = env_set(env, inherited[i], value);
    }
    for (size_t i = 0; i < own->count && !rc; i++) {
        const char *equals = strchr(own->items[i], '=');
        char *name = strndup(own->items[i], (size_t)(equals - own->items[i]));
        rc = name ? env_set(env, name, equals + 1) : ERR_NOMEM;
        free(name);
    }
    return rc;
}

static bool one_of(const char *name, const char *const *names) {
    while (*names && strcmp(name, *names) != 0)
        names++;
    return *names;
}

static int ignore_keys(const struct doc_node *object, const char *const *known, struct buf *ignored) {
    int rc = 0;
    for (size_t i = 0; i < doc_length(object) && !rc; i++) {
        const struct doc_member *member = doc_member_at(object, i);
        if (!one_of(member->key, known))
            rc = ignore(ignored, "", member->key, "");
    }
    return rc;
}

static int list_ignored(const struct doc_node *pod, const struct doc_node *containers, struct buf *ignored) {
    static const char *const in_pod[] = {"containers", "restartPolicy", "activeDeadlineSeconds",
                                         "terminationGracePeriodSeconds", NULL};
    static const char *const in_container[] = {"name", "command", "args", "env", "workingDir", NULL};
    int rc = ignore_keys(doc_item(containers, 0), in_container, ignored);
    if (!rc)
        rc = ignore_keys(pod, in_pod, ignored);
    for (size_t i = 1; i < doc_length(containers) && !rc; i++) {
        const char *name = doc_string(doc_get(doc_item(containers, i), "name"), NULL);
        rc = ignore(ignored, "container", name ? name : "", "");
    }
    return rc;
}

/* The shorter of the Job's deadline and its pod's. */
static int64_t deadline_of(const struct doc_node *spec, const struct doc_node *pod) {
    int64_t outer = doc_integer(doc_get(spec, "activeDeadlineSeconds"), 0);
    int64_t inner = doc_integer(doc_get(pod, "activeDeadlineSeconds"), 0);
    return outer > 0 && (inner <= 0 || outer < inner) ? outer : inner > 0 ? inner : 0;
}

static int copy_string(const struct doc_node *node, char **out) {
    const char *text = plain_string(node);
    if (!text || !*text)
        return 0;
    *out = strdup(text);
    return *out ? 0 : ERR_NOMEM;
}

static int read_container(const struct doc_node *container, struct command *command, struct buf *ignored,
                          struct err *err) {
    struct strings own = {0};
    const struct doc_node *words = doc_get(container, "command");
    int rc = read_env(doc_get(container, "env"), &own, ignored, err);
    if (!rc)
        rc = add_words(command, words, "command", &own, err);
    if (!rc && command->argv.count == 0)
        rc = err_set(
            err, ERR_INVALID,
            "the template has no command, and what the image would run is unknown without a cluster: set "
            "'command' in the template's first container");
    if (!rc)
        rc = add_words(command, doc_get(container, "args"), "args", &own, err);
    if (!rc &&
        (merge_env(&command->env, &own) || copy_string(doc_get(container, "workingDir"), &command->cwd) ||
         copy_string(doc_get(container, "name"), &command->container)))
        rc = no_memory(err);
    strings_free(&own);
    return rc;
}

static int read_pod(const struct doc_node *pod, struct command *command, struct err *err) {
    struct buf ignored = {0};
    const struct doc_node *containers = doc_get(pod, "containers");
    command->grace = doc_integer(doc_get(pod, "terminationGracePeriodSeconds"), COMMAND_GRACE);
    int rc = read_container(doc_item(containers, 0), command, &ignored, err);
    if (!rc && list_ignored(pod, containers, &ignored))
        rc = no_memory(err);
    if (!rc && !command->container && !(command->container = strdup("main")))
        rc = no_memory(err);
    if (!rc && ignored.len && !(command->ignored = buf_take(&ignored)))
        rc = no_memory(err);
    buf_free(&ignored);
    return rc;
}

int command_read(const char *manifest, size_t len, bool is_job, struct command *command, struct err *err) {
    struct doc *doc = NULL;
    struct doc_error error = {0};
    *command = (struct command){0};
    int rc = doc_parse_json(manifest, len, &doc, &error);
    if (rc)
        return err_set(err, rc, "manifest, line %u: %s", error.line, error.err.message);
    const struct doc_node *spec = doc_get(doc_root(doc), "spec");
    const struct doc_node *pod = is_job ? doc_path(spec, "template", "spec", NULL) : spec;
    command->deadline = deadline_of(spec, pod);
    rc = read_pod(pod, command, err);
    doc_free(doc);
    return rc;
}
