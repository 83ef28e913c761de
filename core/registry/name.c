#include "registry/name.h"

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void name_slug(const char *job, name_text out) {
    size_t len = 0;
    for (const char *at = job; *at && len < NAME_MAX_LENGTH; at++) {
        char c = *at;
        if (c >= 'A' && c <= 'Z')
            c = (char)(c - 'A' + 'a');
        bool keep = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
        if (keep)
            out[len++] = c;
        else if (len > 0 && out[len - 1] != '-')
            out[len++] = '-';
    }
    while (len > 0 && out[len - 1] == '-')
        len--;
    out[len] = '\0';
    if (len == 0)
        memcpy(out, "job", sizeof "job");
}

/* The first 8 hex digits of the SHA-256 of the parts, joined by '/'. */
static int short_hash(const char *const *parts, size_t count, char out[9], struct err *err) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    int ok = ctx && EVP_DigestInit_ex(ctx, EVP_sha256(), NULL);
    for (size_t i = 0; ok && i < count; i++)
        ok = (i == 0 || EVP_DigestUpdate(ctx, "/", 1)) && EVP_DigestUpdate(ctx, parts[i], strlen(parts[i]));
    ok = ok && EVP_DigestFinal_ex(ctx, digest, NULL);
    EVP_MD_CTX_free(ctx);
    if (!ok)
        return err_set(err, ERR_NOMEM, "SHA-256 failed");
    (void)snprintf(out, 9, "%02x%02x%02x%02x", digest[0], digest[1], digest[2], digest[3]);
    return 0;
}

/* slug, cut so that everything fits, then what follows it. */
static void join(const char *job, const char *rest, name_text out) {
    name_text slug;
    name_slug(job, slug);
    size_t room = NAME_MAX_LENGTH - strlen(rest), len = strlen(slug);
    if (len > room)
        len = room;
    while (len > 0 && slug[len - 1] == '-')
        len--;
    (void)snprintf(out, NAME_MAX_LENGTH + 1, "%.*s%s", (int)len, slug, rest);
}

int name_label(const char *job, name_text out, struct err *err) {
    name_slug(job, out);
    if (!strcmp(out, job))
        return 0;
    char hash[9], rest[16];
    if (short_hash(&job, 1, hash, err))
        return ERR_NOMEM;
    (void)snprintf(rest, sizeof rest, "-%s", hash);
    join(job, rest, out);
    return 0;
}

static int owner_hash(const struct name_owner *owner, char out[9], struct err *err) {
    const char *parts[] = {owner->instance, owner->namespace_, owner->job};
    return short_hash(parts, 3, out, err);
}

int name_make_origin(char kind, const char *id, name_origin out, struct err *err) {
    size_t len = strlen(id);
    if (len < 1 || len > NAME_REQUEST_MAX || strspn(id, "abcdefghijklmnopqrstuvwxyz0123456789") != len)
        return err_set(err, ERR_INVALID, "request id '%s': 1 to %d lower-case letters and digits expected",
                       id, NAME_REQUEST_MAX);
    (void)snprintf(out, sizeof(name_origin), "%c%s", kind, id);
    return 0;
}

int name_for_run(const struct name_owner *owner, const char *origin, int64_t slot, int attempt, name_text out,
                 struct err *err) {
    char hash[9], seconds[24], retry[16] = "", rest[NAME_MAX_LENGTH];
    if (owner_hash(owner, hash, err))
        return ERR_NOMEM;
    (void)snprintf(seconds, sizeof seconds, "%lld", (long long)slot);
    if (attempt > 0)
        (void)snprintf(retry, sizeof retry, "-r%d", attempt);
    if (origin[0] == 'm')
        (void)snprintf(rest, sizeof rest, "-%s-%s%s", hash, origin, retry);
    else
        (void)snprintf(rest, sizeof rest, "-%s-%s%s%s%s", hash, origin, origin[0] ? "-" : "", seconds, retry);
    join(owner->job, rest, out);
    return 0;
}

void name_read_origin(const struct name_owner *owner, const char *name, name_origin out) {
    char hash[9], mark[11];
    out[0] = '\0';
    if (owner_hash(owner, hash, NULL))
        return;
    (void)snprintf(mark, sizeof mark, "%s-", hash);
    const char *at = strstr(name, mark);
    if (!at || (at[9] != 'm' && at[9] != 'b'))
        return;
    size_t len = strcspn(at + 9, "-");
    if (len < sizeof(name_origin))
        (void)snprintf(out, sizeof(name_origin), "%.*s", (int)len, at + 9);
}
