#include "bind/store.h"

#include "bind/task.h"
#include "bind/type.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "store";
enum { MAX_PARAMS = 100 };

struct handle {
    struct store *store; /* NULL: closed */
    bool dying;          /* the whole Lua state is being closed: no task runs any more */
};

/* A task in exec. Its stack keeps the handle alive. */
struct waiter {
    struct handle *handle;
    struct task_wait *wait;
};

/* What a statement gave, on its way from the callback to the task that waits, for the length of one resume.
 */
struct answer {
    const struct store_value *values;
    size_t rows, columns;
    const struct err *err;
};

struct store *bind_check_store(lua_State *L, int index) {
    struct handle *handle = luaL_checkudata(L, index, type_name);
    if (!handle->store)
        luaL_argerror(L, index, "this store is closed");
    return handle->store;
}

static int l_open(lua_State *L) {
    const char *path = luaL_checkstring(L, 1), *schema = luaL_optstring(L, 2, "");
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    *handle = (struct handle){0};
    luaL_setmetatable(L, type_name);
    struct err err;
    if (!store_open(host_of(L)->loop, path, schema, &handle->store, &err))
        return 1;
    lua_pushnil(L);
    lua_pushstring(L, err.message);
    return 2;
}

static int l_close(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, type_name);
    struct store *store = handle->store;
    handle->store = NULL;
    store_close(store);
    return 0;
}

/* With tasks in exec only lua_close gets here: they are pinned, and so is what is on their stacks. */
static int l_gc(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, type_name);
    handle->dying = true;
    return l_close(L);
}

static void push_value(lua_State *L, const struct store_value *value) {
    if (value->type == STORE_INTEGER)
        lua_pushinteger(L, (lua_Integer)value->integer);
    else if (value->type == STORE_TEXT)
        lua_pushlstring(L, value->text, value->len);
    else
        lua_pushnil(L);
}

/* Runs inside the task, where running out of memory is an ordinary error. */
static int push_answer(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    const struct answer *answer = lua_touserdata(L, -1);
    if (answer->err) {
        lua_pushnil(L);
        lua_pushstring(L, answer->err->message);
        return 2;
    }
    lua_createtable(L, (int)answer->rows, 0);
    for (size_t r = 0; r < answer->rows; r++) {
        lua_createtable(L, (int)answer->columns, 0);
        for (size_t c = 0; c < answer->columns; c++) {
            push_value(L, &answer->values[r * answer->columns + c]);
            lua_rawseti(L, -2, (lua_Integer)c + 1);
        }
        lua_rawseti(L, -2, (lua_Integer)r + 1);
    }
    return 1;
}

static void answered(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                     const struct err *err) {
    struct answer answer = {values, rows, columns, err};
    struct waiter *waiter = ctx;
    struct task_wait *wait = waiter->wait;
    bool dying = waiter->handle->dying;
    free(waiter);
    if (dying) {
        task_wait_free(wait);
        return;
    }
    lua_pushlightuserdata(task_wait_state(wait), &answer);
    task_wait_resume(wait, 1);
}

static struct store_value to_value(lua_State *L, int index, int number) {
    struct store_value value = {.type = STORE_NULL};
    if (lua_type(L, index) == LUA_TSTRING) {
        value.type = STORE_TEXT;
        value.text = lua_tolstring(L, index, &value.len);
    } else if (lua_isinteger(L, index) || lua_isboolean(L, index)) {
        value.type = STORE_INTEGER;
        value.integer = lua_isboolean(L, index) ? lua_toboolean(L, index) : lua_tointeger(L, index);
    } else if (!lua_isnil(L, index))
        luaL_error(L, "parameter %d is a %s: strings, integers, booleans and nil can be stored", number,
                   luaL_typename(L, index));
    return value;
}

/* The values stay on the stack, so that their texts stay alive until they are copied. */
static size_t to_params(lua_State *L, int table, struct store_value *params) {
    if (lua_isnoneornil(L, table))
        return 0;
    luaL_checktype(L, table, LUA_TTABLE);
    lua_getfield(L, table, "n");
    lua_Integer count = luaL_optinteger(L, -1, (lua_Integer)lua_rawlen(L, table));
    luaL_argcheck(L, count >= 0 && count <= MAX_PARAMS, table, "at most 100 parameters expected");
    luaL_checkstack(L, (int)count + LUA_MINSTACK, "parameters");
    for (int i = 0; i < (int)count; i++) {
        lua_rawgeti(L, table, i + 1);
        params[i] = to_value(L, -1, i + 1);
    }
    return (size_t)count;
}

static int l_exec(lua_State *L) {
    struct store_value params[MAX_PARAMS];
    struct store *store = bind_check_store(L, 1);
    const char *sql = luaL_checkstring(L, 2);
    size_t count = to_params(L, 3, params);
    struct task_wait *wait = task_wait_new(L);
    struct waiter *waiter = malloc(sizeof *waiter);
    struct err err = {.message = "out of memory"};
    if (waiter)
        *waiter = (struct waiter){lua_touserdata(L, 1), wait};
    if (!waiter || store_exec(store, sql, params, count, answered, waiter, &err)) {
        free(waiter);
        task_wait_free(wait);
        lua_pushnil(L);
        lua_pushstring(L, err.message);
        return 2;
    }
    return lua_yieldk(L, 0, 0, push_answer);
}

static const luaL_Reg methods[] = {{"exec", l_exec}, {"close", l_close}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};

int luaopen_ks_store(lua_State *L) {
    type_register(L, type_name, methods, l_gc);
    luaL_getmetatable(L, type_name);
    lua_pushcfunction(L, l_close);
    lua_setfield(L, -2, "__close");
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
