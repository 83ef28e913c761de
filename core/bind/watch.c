/* Module watch: watch.folder(path, function(name or nil)) -> watcher, closed by watcher:close(); or nil,
 * message. The function is called as a task for each change of something directly in the folder, until the
 * watcher is closed: loop/watch.h says how far to rely on that. */
#include "loop/watch.h"

#include "bind/task.h"
#include "bind/type.h"

#include <lauxlib.h>

static const char *const type_name = "watch.folder";

struct watcher {
    lua_State *L; /* the main state */
    struct folder_watch *watch;
    int function, self; /* in the registry: it lives until it is closed */
};

static void on_change(void *ctx, const char *name) {
    struct watcher *watcher = ctx;
    lua_rawgeti(watcher->L, LUA_REGISTRYINDEX, watcher->function);
    lua_pushstring(watcher->L, name);
    task_start(watcher->L, 1);
}

static int l_close(lua_State *L) {
    struct watcher *watcher = luaL_checkudata(L, 1, type_name);
    folder_watch_free(watcher->watch);
    watcher->watch = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, watcher->function);
    luaL_unref(L, LUA_REGISTRYINDEX, watcher->self);
    watcher->function = watcher->self = LUA_NOREF;
    return 0;
}

static int l_folder(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    struct watcher *watcher = lua_newuserdatauv(L, sizeof *watcher, 0);
    *watcher = (struct watcher){.function = LUA_NOREF, .self = LUA_NOREF};
    luaL_setmetatable(L, type_name);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    watcher->L = lua_tothread(L, -1);
    lua_pop(L, 1);
    struct err err = {0};
    if (folder_watch_new(host_of(L)->loop, path, on_change, watcher, &watcher->watch, &err)) {
        lua_pushnil(L);
        lua_pushstring(L, err.message);
        return 2;
    }
    lua_pushvalue(L, 2);
    watcher->function = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 3);
    watcher->self = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

static const luaL_Reg methods[] = {{"close", l_close}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"folder", l_folder}, {NULL, NULL}};

int luaopen_ks_watch(lua_State *L);
int luaopen_ks_watch(lua_State *L) {
    type_register(L, type_name, methods, l_close);
    luaL_newlib(L, functions);
    return 1;
}
