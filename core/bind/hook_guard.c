#include "bind/hook_guard.h"

#include "loop/clock.h"

#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INSTRUCTIONS_BETWEEN_LOOKS = 1000 };

static void *allocate(void *ctx, void *block, size_t old, size_t size) {
    struct hook_guard *guard = ctx;
    size_t had = block ? old : 0; /* without a block, old is a type tag */
    if (size == 0) {
        free(block);
        guard->used -= had;
        return NULL;
    }
    if (size > had && (guard->used >= guard->limit || size - had > guard->limit - guard->used))
        return NULL;
    void *moved = realloc(block, size);
    if (moved)
        guard->used = guard->used - had + size;
    return moved;
}

static struct hook_guard *guard_of(lua_State *L) {
    return *(struct hook_guard **)lua_getextraspace(L);
}

lua_State *hook_guard_new_state(struct hook_guard *guard) {
    *guard = (struct hook_guard){.limit = HOOK_MEMORY + HOOK_MEMORY_OF_RUNNER};
    lua_State *L = lua_newstate(allocate, guard);
    if (L)
        *(struct hook_guard **)lua_getextraspace(L) = guard; /* coroutines inherit it */
    return L;
}

/* Pushes "FILE:LINE: " of the innermost line that is the operator's: what our own wrappers do, he asked for.
 */
static void push_place(lua_State *L) {
    static const char own[] = "@lua/hooks/";
    lua_Debug ar;
    for (int level = 0; lua_getstack(L, level, &ar); level++) {
        lua_getinfo(L, "Sl", &ar);
        if (ar.currentline > 0 && strncmp(ar.source, own, sizeof own - 1) != 0) {
            lua_pushfstring(L, "%s:%d: ", ar.short_src, ar.currentline);
            return;
        }
    }
    lua_pushliteral(L, "");
}

/* Once over the deadline it is called for every instruction, so that a loop around pcall ends too. Coroutines
 * inherit the hook of their maker, perhaps from a time when that was over its deadline. */
static void look(lua_State *L, lua_Debug *ar) {
    const struct hook_guard *guard = guard_of(L);
    if (clock_monotonic(&clock_system) < guard->deadline) {
        if (ar->event == LUA_HOOKLINE)
            lua_sethook(L, look, LUA_MASKCOUNT, INSTRUCTIONS_BETWEEN_LOOKS);
        return;
    }
    lua_sethook(L, look, LUA_MASKLINE | LUA_MASKCOUNT, 1);
    push_place(L);
    lua_pushfstring(L, "ran longer than its deadline of %d ms", (int)(guard->budget_ns / NS_PER_MS));
    lua_concat(L, 2);
    (void)lua_error(L);
}

static int resume_guarded(lua_State *L, lua_State *co, int nargs, int *nresults) {
    struct hook_guard *guard = guard_of(L);
    lua_sethook(co, look, LUA_MASKCOUNT, INSTRUCTIONS_BETWEEN_LOOKS);
    guard->limit = HOOK_MEMORY;
    int rc = lua_resume(co, L, nargs, nresults);
    guard->limit = HOOK_MEMORY + HOOK_MEMORY_OF_RUNNER;
    guard->deadline = 0;
    return rc;
}

/* Only text: asking another value for its text would run operators' code. */
static void push_failure(lua_State *L, lua_State *co) {
    char other[64];
    (void)snprintf(other, sizeof other, "the error value is a %s, not a text", luaL_typename(co, -1));
    luaL_traceback(L, co, lua_type(co, -1) == LUA_TSTRING ? lua_tostring(co, -1) : other, 0);
}

static int l_resume(lua_State *L) {
    lua_State *co = lua_tothread(L, 1);
    luaL_argcheck(L, co, 1, "coroutine expected");
    struct hook_guard *guard = guard_of(L);
    guard->budget_ns = (int64_t)(luaL_checknumber(L, 2) * (lua_Number)NS_PER_S);
    int nargs = lua_gettop(L) - 2, nresults = 0;
    luaL_argcheck(L, lua_checkstack(co, nargs), 3, "too many arguments");
    lua_xmove(L, co, nargs);
    int64_t started = clock_monotonic(&clock_system);
    guard->deadline = started + guard->budget_ns;
    int rc = resume_guarded(L, co, nargs, &nresults);
    lua_pushstring(L, rc == LUA_OK ? "done" : rc == LUA_YIELD ? "waits" : "failed");
    lua_pushnumber(L, (lua_Number)(clock_monotonic(&clock_system) - started) / (lua_Number)NS_PER_S);
    if (rc != LUA_OK && rc != LUA_YIELD) {
        push_failure(L, co);
        return 3;
    }
    luaL_checkstack(L, nresults, "too many results");
    lua_xmove(co, L, nresults);
    return 2 + nresults;
}

static int l_memory(lua_State *L) {
    (void)lua_gc(L, LUA_GCCOLLECT);
    lua_pushinteger(L, (lua_Integer)guard_of(L)->used);
    return 1;
}

static const luaL_Reg functions[] = {{"resume", l_resume}, {"memory", l_memory}, {NULL, NULL}};

int luaopen_ks_hook_guard(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
