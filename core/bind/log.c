/* Module log: log.info(message, {name = value, …}) and its siblings. Values are shown as tostring shows
 * them; names are printed in alphabetical order, after job, run and slot. */
#include "bind/lua_call.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_FIELDS = 16 };

static int rank(const char *name) {
    static const char *const first[] = {"job", "run", "slot"};
    for (int i = 0; i < 3; i++)
        if (!strcmp(name, first[i]))
            return i;
    return 3;
}

static int by_name(const void *a, const void *b) {
    const struct log_field *left = a, *right = b;
    int difference = rank(left->name) - rank(right->name);
    return difference ? difference : strcmp(left->name, right->name);
}

/* Leaves the values' strings on the stack, where they live until the line is written. */
static size_t collect(lua_State *L, struct log_field *fields) {
    size_t count = 0;
    luaL_checkstack(L, 2 * MAX_FIELDS + 4, NULL);
    lua_pushnil(L);
    while (count < MAX_FIELDS && lua_next(L, 2)) {
        if (lua_type(L, -2) != LUA_TSTRING) {
            lua_pop(L, 1);
            continue;
        }
        struct log_field *field = &fields[count++];
        field->name = lua_tostring(L, -2);
        field->value = luaL_tolstring(L, -1, &field->value_len);
        lua_pushvalue(L, -3); /* the key again, for lua_next; below it stay key, value and string */
    }
    qsort(fields, count, sizeof *fields, by_name);
    return count;
}

static int write_event(lua_State *L, enum log_level level) {
    const char *message = luaL_checkstring(L, 1);
    struct log_field fields[MAX_FIELDS];
    size_t count = 0;
    if (!log_takes(host_of(L)->log, level))
        return 0;
    if (!lua_isnoneornil(L, 2)) {
        luaL_checktype(L, 2, LUA_TTABLE);
        lua_settop(L, 2);
        count = collect(L, fields);
    }
    log_fields(host_of(L)->log, level, message, fields, count);
    return 0;
}

static int l_debug(lua_State *L) {
    return write_event(L, LOG_DEBUG);
}
static int l_info(lua_State *L) {
    return write_event(L, LOG_INFO);
}
static int l_warning(lua_State *L) {
    return write_event(L, LOG_WARNING);
}
static int l_error(lua_State *L) {
    return write_event(L, LOG_ERROR);
}

/* log.format("text" | "json") */
static int l_format(lua_State *L) {
    static const char *const names[] = {"text", "json", NULL};
    log_set_format(host_of(L)->log, (enum log_format)luaL_checkoption(L, 1, NULL, names));
    return 0;
}

/* log.level("debug" | "info" | "warning" | "error"): the least that is printed. */
static int l_level(lua_State *L) {
    static const char *const names[] = {"debug", "info", "warning", "error", NULL};
    log_set_level(host_of(L)->log, (enum log_level)luaL_checkoption(L, 1, NULL, names));
    return 0;
}

static const luaL_Reg functions[] = {{"debug", l_debug}, {"info", l_info},     {"warning", l_warning},
                                     {"error", l_error}, {"format", l_format}, {"level", l_level},
                                     {NULL, NULL}};

int luaopen_ks_log(lua_State *L);
int luaopen_ks_log(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
