/* Module json. Like cjson, but exact: what is parsed from an array is written as one, also when it is empty;
 * integers keep all 64 bits; equal values give equal bytes.
 *   json.parse(text) -> value | nil, {line=, column=, message=}
 *   json.encode(value [, {indent=true}]) -> text, keys sorted
 *   json.null; json.array(t) and json.object(t) mark t and return it; json.is_array(t)
 *   json.copy(value) -> a deep copy, marks and positions kept
 *   json.merge(base, patch) -> a new value, merged as RFC 7386 says: null removes, lists are replaced
 * Positions of parsed tables: module yaml. */
#include "bind/document.h"

#include <lauxlib.h>

static int l_parse(lua_State *L) {
    return document_parse(L, doc_parse_json);
}

static int l_encode(lua_State *L) {
    int flags = 0;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_getfield(L, 2, "indent");
        flags = lua_toboolean(L, -1) ? DOC_INDENT : 0;
    }
    return document_encode(L, doc_write_json, flags);
}

static int mark(lua_State *L, enum document_shape shape) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    document_mark(L, 1, shape);
    return 1;
}

static int l_array(lua_State *L) {
    return mark(L, SHAPE_ARRAY);
}

static int l_object(lua_State *L) {
    return mark(L, SHAPE_OBJECT);
}

static int l_is_array(lua_State *L) {
    luaL_checkany(L, 1);
    lua_pushboolean(L, lua_istable(L, 1) && document_is_array(L, 1));
    return 1;
}

static void check_level(lua_State *L, int level) {
    luaL_checkstack(L, 10, "json");
    if (level > DOC_MAX_DEPTH)
        luaL_error(L, "nested more than %d levels deep, or inside itself", DOC_MAX_DEPTH);
}

static void push_copy(lua_State *L, int index, int level) {
    check_level(L, level);
    if (!lua_istable(L, index)) {
        lua_pushvalue(L, index);
        return;
    }
    lua_newtable(L);
    int copy = lua_gettop(L);
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        lua_pushvalue(L, -2);
        push_copy(L, copy + 2, level + 1);
        lua_rawset(L, copy);
    }
    document_share_sources(L, copy, index);
}

static int l_copy(lua_State *L) {
    luaL_checkany(L, 1);
    push_copy(L, 1, 0);
    return 1;
}

static bool is_object(lua_State *L, int index) {
    return lua_istable(L, index) && !document_is_array(L, index);
}

/* Pushes the object that target has under the key at `key`, a new one when it has none. */
static void push_member_object(lua_State *L, int target, int key) {
    lua_pushvalue(L, key);
    lua_rawget(L, target);
    if (is_object(L, lua_gettop(L)))
        return;
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushvalue(L, key);
    lua_pushvalue(L, -2);
    lua_rawset(L, target);
}

static void apply(lua_State *L, int target, int patch, int level);

static void apply_member(lua_State *L, int target, int key, int value, int level) {
    if (is_object(L, value)) {
        push_member_object(L, target, key);
        apply(L, lua_gettop(L), value, level + 1);
        lua_pop(L, 1);
        return;
    }
    lua_pushvalue(L, key);
    if (document_is_null(L, value))
        lua_pushnil(L);
    else
        push_copy(L, value, level + 1);
    lua_rawset(L, target);
}

/* Changes target, which is ours, as the object patch says. */
static void apply(lua_State *L, int target, int patch, int level) {
    check_level(L, level);
    for (lua_pushnil(L); lua_next(L, patch); lua_pop(L, 1)) {
        int value = lua_gettop(L);
        apply_member(L, target, value - 1, value, level);
    }
    document_add_sources(L, target, patch);
}

static int l_merge(lua_State *L) {
    luaL_checkany(L, 2);
    if (!is_object(L, 2)) {
        push_copy(L, 2, 0);
        return 1;
    }
    if (is_object(L, 1))
        push_copy(L, 1, 0);
    else
        lua_newtable(L);
    apply(L, lua_gettop(L), 2, 0);
    return 1;
}

static const luaL_Reg functions[] = {
    {"parse", l_parse},       {"encode", l_encode}, {"array", l_array}, {"object", l_object},
    {"is_array", l_is_array}, {"copy", l_copy},     {"merge", l_merge}, {NULL, NULL}};

int luaopen_ks_json(lua_State *L);
int luaopen_ks_json(lua_State *L) {
    document_register(L);
    luaL_newlib(L, functions);
    lua_pushlightuserdata(L, NULL);
    lua_setfield(L, -2, "null");
    return 1;
}
