/* Module bundled: the files that are part of the binary.
 *   bundled.read(path) -> its text, or that of the same path below --lua-path; nil when the binary has no
 * such file bundled.names(folder) -> what is directly in "scripts", say, sorted as the build had it */
#include "bind/bundled.h"

#include "base/file.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <stdbool.h>
#include <string.h>

enum { REPLACEMENT_MAX = 1 << 22 }; /* bytes */

const struct embedded *bundled_find(const char *path) {
    const struct embedded *at = embedded_files;
    while (at->path && strcmp(at->path, path) != 0)
        at++;
    return at->path ? at : NULL;
}

/* Pushes the file that replaces the bundled one; false when there is none. */
static bool push_replacement(lua_State *L, const char *lua_path, const char *path) {
    struct buf text = {0};
    struct err err = {0};
    const char *full = lua_pushfstring(L, "%s/%s", lua_path, path);
    int rc = file_read(AT_FDCWD, full, REPLACEMENT_MAX, &text, &err);
    if (!rc)
        lua_pushlstring(L, text.data ? text.data : "", text.len);
    buf_free(&text);
    return !rc;
}

static int l_read(lua_State *L) {
    const char *path = luaL_checkstring(L, 1), *lua_path = lua_tostring(L, lua_upvalueindex(1));
    const struct embedded *found = bundled_find(path);
    if (!found)
        return 0;
    if (!lua_path || !push_replacement(L, lua_path, path))
        lua_pushlstring(L, found->begin, (size_t)(found->end - found->begin));
    return 1;
}

static int l_names(lua_State *L) {
    size_t len;
    const char *folder = luaL_checklstring(L, 1, &len);
    lua_newtable(L);
    for (const struct embedded *at = embedded_files; at->path; at++) {
        if (strncmp(at->path, folder, len) != 0 || at->path[len] != '/' || strchr(at->path + len + 1, '/'))
            continue;
        lua_pushstring(L, at->path + len + 1);
        lua_rawseti(L, -2, luaL_len(L, -2) + 1);
    }
    return 1;
}

static const luaL_Reg functions[] = {{"read", l_read}, {"names", l_names}, {NULL, NULL}};

static int open_bundled(lua_State *L) {
    luaL_newlibtable(L, functions);
    lua_pushvalue(L, lua_upvalueindex(1));
    luaL_setfuncs(L, functions, 1);
    return 1;
}

void bundled_push_opener(lua_State *L, const char *lua_path) {
    lua_pushstring(L, lua_path);
    lua_pushcclosure(L, open_bundled, 1);
}
