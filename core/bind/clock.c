/* Module clock: clock.now() unix seconds, clock.monotonic() seconds as a float for durations, RFC 3339 both
 * ways: clock.format(t) and clock.parse(text), and clock.virtual(t): time driven by hand. */
#include "base/rfc3339.h"
#include "bind/task.h"
#include "loop/virtual.h"

#include <lauxlib.h>

static int l_now(lua_State *L) {
    lua_pushinteger(L, clock_seconds(loop_clock(host_of(L)->loop)));
    return 1;
}

static int l_monotonic(lua_State *L) {
    lua_pushnumber(L, (lua_Number)clock_monotonic(loop_clock(host_of(L)->loop)) / (lua_Number)NS_PER_S);
    return 1;
}

/* clock.boottime() -> seconds that go on while the machine sleeps: what a lease is measured by. */
static int l_boottime(lua_State *L) {
    lua_pushnumber(L, (lua_Number)clock_boottime(loop_clock(host_of(L)->loop)) / (lua_Number)NS_PER_S);
    return 1;
}

static int l_format(lua_State *L) {
    lua_Integer t = luaL_checkinteger(L, 1);
    luaL_argcheck(L, t >= RFC3339_MIN && t <= RFC3339_MAX, 1, "a time in the years 1000 to 9999");
    char text[RFC3339_BYTES];
    rfc3339_format(t, text);
    lua_pushstring(L, text);
    return 1;
}

/* clock.parse("2026-11-24T08:00:00Z" or with an offset) -> unix seconds, or nil and what is wrong. */
static int l_parse(lua_State *L) {
    const char *text = luaL_checkstring(L, 1);
    int64_t t = 0;
    if (!rfc3339_parse(text, &t)) {
        lua_pushinteger(L, t);
        return 1;
    }
    lua_pushnil(L);
    lua_pushfstring(L, "'%s' is not a time: write 2026-11-24T08:00:00Z, or with an offset like +01:00", text);
    return 2;
}

/* The virtual clock */

static const char virtual_type[] = "clock.virtual";

static struct virtual *check_virtual(lua_State *L) {
    return *(struct virtual **)luaL_checkudata(L, 1, virtual_type);
}

/* clock.virtual(t): from now on clock.now() is t and stands still, and whatever is made afterwards and keeps
 * time (task.sleep, a registry) waits for the clock that this gives. Once in a program. */
static int l_virtual(lua_State *L) {
    lua_Integer t = luaL_checkinteger(L, 1);
    struct virtual **box = lua_newuserdatauv(L, sizeof(struct virtual *), 0);
    struct err err = {0};
    if (virtual_new(host_of(L)->loop, t * NS_PER_S, box, &err))
        return luaL_error(L, "%s", err.message);
    luaL_setmetatable(L, virtual_type);
    return 1;
}

static void arrived(void *ctx) {
    task_wait_resume(ctx, 0);
}

static int run_until(lua_State *L, struct virtual *clock, int64_t unix_ns) {
    struct task_wait *wait = task_wait_new(L);
    struct err err = {0};
    if (virtual_run(clock, unix_ns, arrived, wait, &err)) {
        task_wait_free(wait);
        return luaL_error(L, "%s", err.message);
    }
    return task_wait_yield(L, wait);
}

/* v:run_until(t): waits while all that is due up to t, itself included, happens in its order. */
static int l_run_until(lua_State *L) {
    struct virtual *clock = check_virtual(L);
    return run_until(L, clock, luaL_checkinteger(L, 2) * NS_PER_S);
}

/* v:advance(seconds): the same from now on; fractions are fine. */
static int l_advance(lua_State *L) {
    struct virtual *clock = check_virtual(L);
    lua_Number seconds = luaL_checknumber(L, 2);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 2, "seconds from 0 to 1e9 expected");
    return run_until(
        L, clock, clock_realtime(loop_clock(host_of(L)->loop)) + (int64_t)(seconds * (lua_Number)NS_PER_S));
}

/* v:set(t): steps the clock, also back; nothing between happens. */
static int l_set(lua_State *L) {
    virtual_step(check_virtual(L), luaL_checkinteger(L, 2) * NS_PER_S);
    return 0;
}

/* v:stop(): whoever waits in run_until or advance goes on now, with the clock where it is. */
static int l_stop(lua_State *L) {
    virtual_stop(check_virtual(L));
    return 0;
}

static const luaL_Reg virtual_methods[] = {
    {"run_until", l_run_until}, {"advance", l_advance}, {"set", l_set}, {"stop", l_stop}, {NULL, NULL}};
static const luaL_Reg functions[] = {
    {"now", l_now},       {"monotonic", l_monotonic}, {"boottime", l_boottime},
    {"format", l_format}, {"parse", l_parse},         {"virtual", l_virtual},
    {NULL, NULL}};

int luaopen_ks_clock(lua_State *L);
int luaopen_ks_clock(lua_State *L) {
    if (luaL_newmetatable(L, virtual_type)) {
        luaL_newlib(L, virtual_methods);
        lua_setfield(L, -2, "__index");
    }
    luaL_newlib(L, functions);
    return 1;
}
