/* Module crypto: digests, base64 and UUIDs, for alerts, hooks and request ids. */
#include "base/file.h"
#include "bind/digest.h"
#include "bind/lua_call.h"
#include "bind/work.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_MAX = 256 << 20 };
enum { TEXT_MAX = 64 << 20 }; /* OpenSSL's base64 counts in int; nothing here is near this */

static int push_hex(lua_State *L, const unsigned char *bytes, size_t len) {
    static const char digits[] = "0123456789abcdef";
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < len; i++) {
        luaL_addchar(&out, digits[bytes[i] >> 4]);
        luaL_addchar(&out, digits[bytes[i] & 15]);
    }
    luaL_pushresult(&out);
    return 1;
}

static int digest(lua_State *L, const EVP_MD *method) {
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (!EVP_Digest(text, len, sum, &size, method, NULL))
        return luaL_error(L, "OpenSSL refused the digest");
    return push_hex(L, sum, size);
}

/* crypto.sha256(text) -> 64 lower-case hex digits */
static int l_sha256(lua_State *L) {
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    char hex[DIGEST_HEX];
    if (digest_sha256(text, len, hex))
        return luaL_error(L, "OpenSSL refused the digest");
    lua_pushstring(L, hex);
    return 1;
}

struct file_digest {
    struct work work;
    char *path;
    struct err err;
    char hex[DIGEST_HEX];
};

static void digest_file(struct work *work) {
    struct file_digest *file = (struct file_digest *)work;
    struct buf text = {0};
    if (file_read(AT_FDCWD, file->path, FILE_MAX, &text, &file->err))
        return;
    if (digest_sha256(text.data, text.len, file->hex))
        (void)err_set(&file->err, ERR_NOMEM, "out of memory");
    buf_free(&text);
}

static int file_digested(lua_State *L, struct work *work) {
    const struct file_digest *file = (struct file_digest *)work;
    if (file->err.code) {
        lua_pushnil(L);
        lua_pushstring(L, file->err.message);
        return 2;
    }
    lua_pushstring(L, file->hex);
    return 1;
}

static void release_file(struct work *work) {
    free(((struct file_digest *)work)->path);
}

/* crypto.sha256_file(path) -> the same of a file, or nil, message; the task waits */
static int l_sha256_file(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    struct file_digest *file = work_new(L, sizeof *file);
    file->work.run = digest_file;
    file->work.finish = file_digested;
    file->work.release = release_file;
    file->path = strdup(path);
    return file->path ? work_do(L, &file->work) : luaL_error(L, "out of memory");
}

/* crypto.sha1(text) -> 40 lower-case hex digits; for services that ask for it, not for security */
static int l_sha1(lua_State *L) {
    return digest(L, EVP_sha1());
}

/* crypto.hmac_sha256(key, text) -> 32 raw bytes */
static int l_hmac_sha256(lua_State *L) {
    size_t key_len = 0, len = 0;
    const char *key = luaL_checklstring(L, 1, &key_len);
    const char *text = luaL_checklstring(L, 2, &len);
    luaL_argcheck(L, key_len <= TEXT_MAX, 1, "key too long");
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, len, sum, &size))
        return luaL_error(L, "OpenSSL refused the HMAC");
    lua_pushlstring(L, (const char *)sum, size);
    return 1;
}

/* crypto.base64(bytes) -> text with padding, on one line */
static int l_base64(lua_State *L) {
    size_t len = 0;
    const char *bytes = luaL_checklstring(L, 1, &len);
    luaL_argcheck(L, len <= TEXT_MAX, 1, "text too long");
    luaL_Buffer out;
    char *room = luaL_buffinitsize(L, &out, (len + 2) / 3 * 4 + 1);
    int size = EVP_EncodeBlock((unsigned char *)room, (const unsigned char *)bytes, (int)len);
    luaL_pushresultsize(&out, (size_t)size);
    return 1;
}

/* How many of the last two characters are padding. */
static size_t padding(const char *text, size_t len) {
    if (len < 4 || text[len - 1] != '=')
        return 0;
    return text[len - 2] == '=' ? 2 : 1;
}

/* crypto.base64_decode(text) -> bytes | nil, error. Standard alphabet, padded, no white space. */
static int l_base64_decode(lua_State *L) {
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    luaL_argcheck(L, len <= TEXT_MAX, 1, "text too long");
    size_t pad = padding(text, len);
    int size = -1;
    luaL_Buffer out;
    char *room = luaL_buffinitsize(L, &out, len / 4 * 3 + 1);
    /* EVP_DecodeBlock takes '=' anywhere for a zero, and white space around the text for nothing */
    if (len % 4 == 0 && !memchr(text, '=', len - pad) && strcspn(text, " \t\r\n") == len)
        size = EVP_DecodeBlock((unsigned char *)room, (const unsigned char *)text, (int)len);
    if (size < 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "not base64");
        return 2;
    }
    luaL_pushresultsize(&out, (size_t)size - pad);
    return 1;
}

/* crypto.uuid() -> a random (version 4) UUID of RFC 4122, 36 characters */
static int l_uuid(lua_State *L) {
    const struct random_source *random = loop_random(host_of(L)->loop);
    unsigned char b[16];
    if (random->fill(random->ctx, b, sizeof b))
        return luaL_error(L, "no random bytes to be had");
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    push_hex(L, b, sizeof b);
    const char *hex = lua_tostring(L, -1);
    luaL_Buffer out;
    luaL_buffinit(L, &out);
    for (size_t i = 0; i < 32; i++) {
        if (i == 8 || i == 12 || i == 16 || i == 20)
            luaL_addchar(&out, '-');
        luaL_addchar(&out, hex[i]);
    }
    luaL_pushresult(&out);
    return 1;
}

static const luaL_Reg functions[] = {{"sha256", l_sha256}, {"sha256_file", l_sha256_file},
                                     {"sha1", l_sha1},     {"hmac_sha256", l_hmac_sha256},
                                     {"base64", l_base64}, {"base64_decode", l_base64_decode},
                                     {"uuid", l_uuid},     {NULL, NULL}};

int luaopen_ks_crypto(lua_State *L);
int luaopen_ks_crypto(lua_State *L) {
    work_register(L);
    luaL_newlib(L, functions);
    return 1;
}
