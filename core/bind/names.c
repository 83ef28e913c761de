/* Module names: what runs and labels are called (registry/name.h).
 *   names.slug(job)   names.label(job)   names.slot{instance=, namespace=, job=, slot=, attempt=}
 *   names.request{instance=, namespace=, job=, request=} */
#include "registry/name.h"

#include <lauxlib.h>
#include <lua.h>

static int l_slug(lua_State *L) {
    name_text out;
    name_slug(luaL_checkstring(L, 1), out);
    lua_pushstring(L, out);
    return 1;
}

static int l_label(lua_State *L) {
    name_text out;
    struct err err = {0};
    if (name_label(luaL_checkstring(L, 1), out, &err))
        return luaL_error(L, "%s", err.message);
    lua_pushstring(L, out);
    return 1;
}

static const char *field(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    return luaL_checkstring(L, -1);
}

static struct name_owner owner(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    return (struct name_owner){field(L, "instance"), field(L, "namespace"), field(L, "job")};
}

static int l_slot(lua_State *L) {
    struct name_owner who = owner(L);
    name_text out;
    struct err err = {0};
    lua_getfield(L, 1, "slot");
    lua_getfield(L, 1, "attempt");
    if (name_for_run(&who, "", luaL_checkinteger(L, -2), (int)luaL_optinteger(L, -1, 0), out, &err))
        return luaL_error(L, "%s", err.message);
    lua_pushstring(L, out);
    return 1;
}

static int l_request(lua_State *L) {
    struct name_owner who = owner(L);
    name_text out;
    name_origin origin;
    struct err err = {0};
    if (name_make_origin('m', field(L, "request"), origin, &err) ||
        name_for_run(&who, origin, 0, 0, out, &err))
        return luaL_error(L, "%s", err.message);
    lua_pushstring(L, out);
    return 1;
}

static const luaL_Reg functions[] = {
    {"slug", l_slug}, {"label", l_label}, {"slot", l_slot}, {"request", l_request}, {NULL, NULL}};

int luaopen_ks_names(lua_State *L);
int luaopen_ks_names(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
