#include "bind/modules.h"

#include "base/buf.h"
#include "bind/bundled.h"
#include "bind/http.h"
#include "bind/kube.h"
#include "bind/lua_call.h"
#include "bind/store.h"
#include "bind/task.h"

#include <errno.h>
#include <lauxlib.h>
#include <lua-cjson.h>
#include <lualib.h>
#include <string.h>
#include <unistd.h>

int luaopen_ks_clock(lua_State *L);
int luaopen_ks_cron(lua_State *L);
int luaopen_ks_editline(lua_State *L);
int luaopen_ks_executor(lua_State *L);
int luaopen_ks_crypto(lua_State *L);
int luaopen_ks_names(lua_State *L);
int luaopen_ks_registry(lua_State *L);
int luaopen_ks_json(lua_State *L);
int luaopen_ks_log(lua_State *L);
int luaopen_ks_process(lua_State *L);
int luaopen_ks_server(lua_State *L);
int luaopen_ks_socket(lua_State *L);
int luaopen_ks_sys(lua_State *L);
int luaopen_ks_watch(lua_State *L);
int luaopen_ks_yaml(lua_State *L);

static const luaL_Reg modules[] = {
    {"clock", luaopen_ks_clock},       {"cron", luaopen_ks_cron},         {"crypto", luaopen_ks_crypto},
    {"editline", luaopen_ks_editline}, {"executor", luaopen_ks_executor}, {"http", luaopen_ks_http},
    {"json", luaopen_ks_json},         {"kube", luaopen_ks_kube},         {"log", luaopen_ks_log},
    {"names", luaopen_ks_names},       {"registry", luaopen_ks_registry}, {"server", luaopen_ks_server},
    {"socket", luaopen_ks_socket},     {"store", luaopen_ks_store},       {"process", luaopen_ks_process},
    {"sys", luaopen_ks_sys},           {"task", luaopen_ks_task},         {"watch", luaopen_ks_watch},
    {"yaml", luaopen_ks_yaml},         {"cjson", luaopen_cjson},          {NULL, NULL},
};

static int load_embedded(lua_State *L, const char *file) {
    const struct embedded *found = bundled_find(file);
    if (!found) {
        lua_pushfstring(L, "no bundled file '%s'", file);
        return LUA_ERRFILE;
    }
    lua_pushfstring(L, "@%s", file);
    int rc = luaL_loadbufferx(L, found->begin, (size_t)(found->end - found->begin), lua_tostring(L, -1), "t");
    lua_remove(L, -2);
    return rc;
}

int modules_load(lua_State *L, const char *lua_path, const char *file) {
    if (lua_path) {
        lua_pushfstring(L, "%s/%s", lua_path, file);
        const char *path = lua_tostring(L, -1);
        if (!access(path, F_OK)) {
            int rc = luaL_loadfilex(L, path, "t");
            lua_remove(L, -2);
            return rc == LUA_ERRFILE ? LUA_ERRSYNTAX : rc; /* there, but unreadable: say so */
        }
        lua_pop(L, 1);
    }
    return load_embedded(L, file);
}

/* package.searchers entry: NAME with dots is lua/NAME.lua with slashes. */
static int search_bundled(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    const char *lua_path = lua_tostring(L, lua_upvalueindex(1));
    luaL_gsub(L, name, ".", "/");
    lua_pushfstring(L, "lua/%s.lua", lua_tostring(L, -1));
    int rc = modules_load(L, lua_path, lua_tostring(L, -1));
    if (rc == LUA_ERRFILE)
        return 1; /* the message: require tells it with those of the other searchers */
    if (rc != LUA_OK)
        return lua_error(L);
    lua_pushvalue(L, -2);
    return 2;
}

void modules_install(lua_State *L, const char *lua_path) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
    luaL_setfuncs(L, modules, 0);
    bundled_push_opener(L, lua_path);
    lua_setfield(L, -2, "bundled");
    lua_pop(L, 1);
    lua_getglobal(L, LUA_LOADLIBNAME);
    lua_getfield(L, -1, "searchers");
    for (lua_Integer i = luaL_len(L, -1); i >= 2; i--) { /* ours is the second, behind preload */
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -2, i + 1);
    }
    lua_pushstring(L, lua_path);
    lua_pushcclosure(L, search_bundled, 1);
    lua_rawseti(L, -2, 2);
    lua_pop(L, 2);
}
