#include "kube/credentials.h"

#include "base/buf.h"
#include "base/file.h"
#include "kube/exec_plugin.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { TOKEN_BYTES = 256 << 10 };
#define FILE_LOOK_NS NS_PER_S           /* how often a token file's stat is asked for */
#define PLUGIN_PAUSE_NS (10 * NS_PER_S) /* between a plugin's failure and the next try */
enum { EARLY_S = 10 };                  /* a credential is renewed so long before it expires */

struct credentials {
    struct loop *loop;
    struct log *log;
    const struct kube_config *config;
    void (*changed)(void *ctx);
    void *ctx;
    unsigned generation;
    char *token, *cert_pem, *key_pem;
    /* token file */
    struct stat seen;
    int64_t next_look; /* monotonic ns */
    /* plugin */
    struct exec_plugin *plugin;
    bool valid;
    int64_t expires;  /* unix seconds; 0: when the server says 401 */
    int64_t next_try; /* monotonic ns */
    struct err failure;
};

static int replace(char **at, const char *text) {
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return ERR_NOMEM;
    free(*at);
    *at = copy;
    return 0;
}

static int64_t now(const struct credentials *credentials) {
    return clock_monotonic(loop_clock(credentials->loop));
}

int credentials_new(struct loop *loop, struct log *log, const struct kube_config *config,
                    void (*changed)(void *ctx), void *ctx, struct credentials **out, struct err *err) {
    struct credentials *credentials = calloc(1, sizeof *credentials);
    if (!credentials || replace(&credentials->token, config->token)) {
        free(credentials);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    credentials->loop = loop;
    credentials->log = log;
    credentials->config = config;
    credentials->changed = changed;
    credentials->ctx = ctx;
    *out = credentials;
    return 0;
}

void credentials_free(struct credentials *credentials) {
    if (!credentials)
        return;
    if (credentials->plugin)
        exec_plugin_cancel(credentials->plugin);
    free(credentials->token);
    free(credentials->cert_pem);
    free(credentials->key_pem);
    free(credentials);
}

/* Token file. A mounted Secret is replaced by a rename, so the inode tells as well. */

static bool file_changed(struct credentials *credentials) {
    struct stat st;
    if (stat(credentials->config->token_file, &st))
        return false; /* between two versions: the old token holds */
    const struct stat *seen = &credentials->seen;
    bool same = st.st_ino == seen->st_ino && st.st_size == seen->st_size &&
                st.st_mtim.tv_sec == seen->st_mtim.tv_sec && st.st_mtim.tv_nsec == seen->st_mtim.tv_nsec;
    credentials->seen = st;
    return !same;
}

static int read_token(struct credentials *credentials, struct err *err) {
    struct buf text = {0};
    const char *path = credentials->config->token_file;
    int rc = file_read(AT_FDCWD, path, TOKEN_BYTES, &text, err);
    if (!rc) {
        while (text.len > 0 && strchr(" \r\n\t", text.data[text.len - 1]))
            text.data[--text.len] = '\0';
        if (text.len == 0)
            rc = err_set(err, ERR_INVALID, "%s: the token file is empty", path);
        else if (!credentials->token || strcmp(credentials->token, text.data) != 0) {
            rc = replace(&credentials->token, text.data);
            credentials->generation++;
        }
    }
    buf_free(&text);
    return rc;
}

static int look_at_file(struct credentials *credentials, struct err *err) {
    if (credentials->token && now(credentials) < credentials->next_look)
        return 0;
    credentials->next_look = now(credentials) + FILE_LOOK_NS;
    if (credentials->token && !file_changed(credentials))
        return 0;
    int rc = read_token(credentials, err);
    if (!rc || !credentials->token)
        return rc;
    credentials->seen = (struct stat){0}; /* again next time; until then the old token holds */
    return 0;
}

/* Plugin */

static int take(struct credentials *credentials, const struct exec_credential *credential) {
    if (replace(&credentials->token, credential->token) ||
        replace(&credentials->cert_pem, credential->cert_pem) ||
        replace(&credentials->key_pem, credential->key_pem))
        return ERR_NOMEM;
    credentials->expires = credential->expires;
    credentials->generation++;
    return 0;
}

static void plugin_done(void *ctx, const struct exec_credential *credential, const struct err *err) {
    struct credentials *credentials = ctx;
    credentials->plugin = NULL;
    credentials->valid = credential && !take(credentials, credential);
    credentials->next_try = now(credentials) + PLUGIN_PAUSE_NS;
    if (!credentials->valid) {
        if (err)
            credentials->failure = *err;
        else
            err_set(&credentials->failure, ERR_NOMEM, "out of memory");
        log_event(credentials->log, LOG_ERROR, "no credentials for the API server", "error",
                  credentials->failure.message, NULL);
    }
    credentials->changed(credentials->ctx);
}

static bool is_fresh(const struct credentials *credentials) {
    return credentials->valid && (!credentials->expires || clock_seconds(loop_clock(credentials->loop)) <
                                                               credentials->expires - EARLY_S);
}

static int ask_plugin(struct credentials *credentials, struct err *err) {
    if (credentials->plugin)
        return CREDENTIALS_WAIT;
    bool just_asked = now(credentials) < credentials->next_try;
    if (is_fresh(credentials) || (credentials->valid && just_asked)) /* one that expires at once, too */
        return 0;
    if (credentials->failure.code && just_asked) {
        if (err)
            *err = credentials->failure;
        return credentials->failure.code;
    }
    credentials->failure.code = 0;
    int rc = exec_plugin_run(credentials->loop, credentials->config, plugin_done, credentials,
                             &credentials->plugin, err);
    if (!rc)
        return CREDENTIALS_WAIT;
    if (err)
        credentials->failure = *err;
    credentials->next_try = now(credentials) + PLUGIN_PAUSE_NS;
    return rc;
}

int credentials_state(struct credentials *credentials, struct err *err) {
    if (credentials->config->exec_argv)
        return ask_plugin(credentials, err);
    return credentials->config->token_file ? look_at_file(credentials, err) : 0;
}

const char *credentials_token(const struct credentials *credentials) {
    return credentials->token;
}
const char *credentials_cert_pem(const struct credentials *credentials) {
    return credentials->cert_pem;
}
const char *credentials_key_pem(const struct credentials *credentials) {
    return credentials->key_pem;
}
unsigned credentials_generation(const struct credentials *credentials) {
    return credentials->generation;
}

bool credentials_refused(struct credentials *credentials, unsigned generation) {
    if (generation != credentials->generation)
        return true; /* somebody else's 401 has renewed them already */
    if (credentials->config->exec_argv) {
        /* A plugin that has just spoken says the same again. */
        bool worth = now(credentials) >= credentials->next_try;
        credentials->valid = credentials->valid && !worth;
        return worth;
    }
    return credentials->config->token_file && !read_token(credentials, NULL) &&
           generation != credentials->generation;
}
