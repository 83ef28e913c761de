#include "bind/lua_call.h"

#include <lauxlib.h>
#include <string.h>

enum { INSTRUCTIONS_BETWEEN_LOOKS = 100000 }; /* a look at the clock costs 25 ns; this is about 1 ms of Lua */

void host_attach(lua_State *L, struct host *host) {
    *(struct host **)lua_getextraspace(L) = host;
}

struct host *host_of(lua_State *L) {
    return *(struct host **)lua_getextraspace(L);
}

static void over_budget(lua_State *L, lua_Debug *ar) {
    (void)ar;
    struct host *host = host_of(L);
    if (!host->deadline || clock_monotonic(loop_clock(host->loop)) < host->deadline)
        return;
    luaL_error(L, "ran longer than its budget of %d ms", (int)(host->budget_ns / NS_PER_MS));
}

static int64_t budget_begin(lua_State *L) {
    struct host *host = host_of(L);
    int64_t before = host->deadline;
    if (host->budget_ns > 0 && !before) {
        host->deadline = clock_monotonic(loop_clock(host->loop)) + host->budget_ns;
        lua_sethook(L, over_budget, LUA_MASKCOUNT, INSTRUCTIONS_BETWEEN_LOOKS);
    }
    return before;
}

static void budget_end(lua_State *L, int64_t before) {
    host_of(L)->deadline = before;
    if (!before)
        lua_sethook(L, NULL, 0, 0);
}

/* Messages may be any value; tables with __tostring included. */
static void describe(lua_State *L, lua_State *failed, int value, struct err *err) {
    const char *text = luaL_tolstring(L, value, NULL);
    luaL_traceback(L, failed, text, 0);
    (void)err_set(err, ERR_SCRIPT, "%s", lua_tostring(L, -1));
    lua_pop(L, 2);
}

static int with_traceback(lua_State *L) {
    const char *text = luaL_tolstring(L, 1, NULL);
    luaL_traceback(L, L, text, 1);
    return 1;
}

int lua_call_protected(lua_State *L, int nargs, int nresults, struct err *err) {
    int base = lua_gettop(L) - nargs; /* the function's place */
    lua_pushcfunction(L, with_traceback);
    lua_insert(L, base);
    int64_t before = budget_begin(L);
    int rc = lua_pcall(L, nargs, nresults, base);
    budget_end(L, before);
    lua_remove(L, base);
    if (rc == LUA_OK)
        return 0;
    const char *text = lua_tostring(L, -1);
    (void)err_set(err, rc == LUA_ERRMEM ? ERR_NOMEM : ERR_SCRIPT, "%s",
                  text ? text : "error without a message");
    lua_settop(L, base - 1);
    return rc == LUA_ERRMEM ? ERR_NOMEM : ERR_SCRIPT;
}

int lua_resume_protected(lua_State *co, int nargs, int *nresults, struct err *err) {
    int64_t before = budget_begin(co);
    int rc = lua_resume(co, NULL, nargs, nresults);
    budget_end(co, before);
    if (rc == LUA_OK || rc == LUA_YIELD)
        return rc;
    describe(co, co, -1, err);
    (void)lua_resetthread(co); /* runs pending to-be-closed variables */
    return rc == LUA_ERRMEM ? ERR_NOMEM : ERR_SCRIPT;
}
