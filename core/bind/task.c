#include "bind/task.h"

#include "loop/log.h"

#include <lauxlib.h>
#include <stdlib.h>

struct task_wait {
    lua_State *co;
    int ref; /* keeps co from the collector */
};

struct task_wait *task_wait_new(lua_State *L) {
    if (!lua_isyieldable(L))
        luaL_error(L, "this call waits: use it inside task.spawn(function() … end)");
    struct task_wait *wait = malloc(sizeof *wait);
    if (!wait)
        luaL_error(L, "out of memory");
    else {
        wait->co = L;
        lua_pushthread(L);
        wait->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    }
    return wait;
}

int task_wait_yield(lua_State *L, struct task_wait *wait) {
    (void)wait;
    return lua_yield(L, 0);
}

lua_State *task_wait_state(struct task_wait *wait) {
    return wait->co;
}

static bool is_main(lua_State *co) {
    struct host *host = host_of(co);
    if (host->main_ref == LUA_NOREF)
        return false;
    lua_rawgeti(co, LUA_REGISTRYINDEX, host->main_ref);
    bool same = lua_tothread(co, -1) == co;
    lua_pop(co, 1);
    return same;
}

static int exit_code(lua_State *co, int nresults) {
    if (nresults == 0 || lua_isnil(co, -nresults))
        return 0;
    return lua_isinteger(co, -nresults) ? (int)lua_tointeger(co, -nresults) : !lua_toboolean(co, -nresults);
}

static void end_main(lua_State *co, int code) {
    struct host *host = host_of(co);
    host->exit_code = code;
    luaL_unref(co, LUA_REGISTRYINDEX, host->main_ref);
    host->main_ref = LUA_NOREF;
    loop_stop(host->loop);
}

/* Coroutines that ended well are used again: making one costs more than most event handlers do. Pushes it. */
static lua_State *take_coroutine(lua_State *L) {
    struct host *host = host_of(L);
    if (host->spare_count == 0)
        return lua_newthread(L);
    int ref = host->spare[--host->spare_count];
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    return lua_tothread(L, -1);
}

static void keep_coroutine(lua_State *co) {
    struct host *host = host_of(co);
    lua_settop(co, 0);
    if (host->spare_count == HOST_SPARE_COROUTINES)
        return;
    lua_pushthread(co);
    host->spare[host->spare_count++] = luaL_ref(co, LUA_REGISTRYINDEX);
}

/* Starts or continues co, which somebody keeps from the collector until this returns. */
static void step(lua_State *co, int nargs) {
    struct err err = {0};
    int nresults = 0;
    int rc = lua_resume_protected(co, nargs, &nresults, &err);
    if (rc == LUA_YIELD) {
        lua_pop(co, nresults);
        return;
    }
    if (rc < 0)
        log_event(host_of(co)->log, LOG_ERROR, "a task failed", "error", err.message, NULL);
    if (is_main(co))
        end_main(co, rc < 0 ? EXIT_FAILURE : exit_code(co, nresults));
    else if (rc == LUA_OK)
        keep_coroutine(co);
}

void task_wait_resume(struct task_wait *wait, int nresults) {
    lua_State *co = wait->co;
    int ref = wait->ref;
    free(wait);
    step(co, nresults);
    luaL_unref(co, LUA_REGISTRYINDEX, ref);
}

void task_wait_free(struct task_wait *wait) {
    if (!wait)
        return;
    luaL_unref(wait->co, LUA_REGISTRYINDEX, wait->ref);
    free(wait);
}

void task_wait_fail(struct task_wait *wait, const char *message) {
    lua_State *co = wait->co;
    lua_pushnil(co);
    lua_pushstring(co, message);
    task_wait_resume(wait, 2);
}

void task_start(lua_State *L, int nargs) {
    lua_State *co = take_coroutine(L);
    lua_insert(L, -(nargs + 2)); /* below the function, to stay until the first step is over */
    lua_xmove(L, co, nargs + 1);
    step(co, nargs);
    lua_pop(L, 1);
}

void task_main(lua_State *L) {
    lua_State *co = lua_newthread(L);
    host_of(L)->main_ref = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushthread(co); /* end_main gives up the reference while co still runs its last step */
    lua_xmove(co, L, 1);
    lua_insert(L, -2);
    lua_xmove(L, co, 1);
    step(co, 0);
    lua_pop(L, 1);
}

static int l_spawn(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    task_start(L, lua_gettop(L) - 1);
    return 0;
}

struct sleeper {
    struct task_wait *wait;
    struct timer *timer;
};

static void wake(void *ctx) {
    struct sleeper *sleeper = ctx;
    struct task_wait *wait = sleeper->wait;
    timer_free(sleeper->timer);
    free(sleeper);
    task_wait_resume(wait, 0);
}

/* task.sleep(seconds) of the loop's clock: fractions are fine. */
static int l_sleep(lua_State *L) {
    lua_Number seconds = luaL_checknumber(L, 1);
    luaL_argcheck(L, seconds >= 0 && seconds < 1e9, 1, "seconds from 0 to 1e9 expected");
    struct task_wait *wait = task_wait_new(L);
    struct sleeper *sleeper = calloc(1, sizeof *sleeper);
    if (!sleeper || timer_new(host_of(L)->loop, wake, sleeper, &sleeper->timer, NULL)) {
        free(sleeper);
        task_wait_free(wait);
        return luaL_error(L, "out of memory");
    }
    sleeper->wait = wait;
    timer_start(sleeper->timer, (int64_t)(seconds * (lua_Number)NS_PER_S));
    return task_wait_yield(L, wait);
}

/* task.budget(seconds): the longest that one event handler may compute before it is ended. 0: no limit. */
static int l_budget(lua_State *L) {
    lua_Number seconds = luaL_checknumber(L, 1);
    host_of(L)->budget_ns = (int64_t)(seconds * (lua_Number)NS_PER_S);
    return 0;
}

/* What task.await's resume function holds. The values wait in a table until the next turn of the loop, so
 * that resume may be called at once, from inside the function that await calls. */
struct awaiter {
    struct task_wait *wait;
    struct timer *timer;
    int values; /* a table in the registry */
};

static void deliver(void *ctx) {
    struct awaiter *awaiter = ctx;
    struct task_wait *wait = awaiter->wait;
    lua_State *co = task_wait_state(wait);
    timer_free(awaiter->timer);
    lua_rawgeti(co, LUA_REGISTRYINDEX, awaiter->values);
    luaL_unref(co, LUA_REGISTRYINDEX, awaiter->values);
    *awaiter = (struct awaiter){0};
    lua_getfield(co, -1, "n");
    int count = (int)lua_tointeger(co, -1);
    lua_pop(co, 1);
    for (int i = 1; i <= count; i++)
        lua_rawgeti(co, -i, i);
    task_wait_resume(wait, count);
}

static int awaiter_resume(lua_State *L) {
    struct awaiter *awaiter = lua_touserdata(L, lua_upvalueindex(1));
    if (!awaiter->timer || awaiter->values != LUA_NOREF)
        return 0; /* only the first call counts */
    int count = lua_gettop(L);
    luaL_argcheck(L, count <= 16, 17, "at most 16 values");
    lua_createtable(L, count, 1);
    lua_insert(L, 1);
    lua_pushinteger(L, count);
    lua_setfield(L, 1, "n");
    for (int i = count; i >= 1; i--)
        lua_rawseti(L, 1, i);
    awaiter->values = luaL_ref(L, LUA_REGISTRYINDEX);
    timer_start(awaiter->timer, 0);
    return 0;
}

/* task.await(function(resume) … end): calls the function, then waits until somebody calls resume(…);
 * returns its arguments. */
static int l_await(lua_State *L) {
    luaL_checktype(L, 1, LUA_TFUNCTION);
    lua_settop(L, 1);
    struct awaiter *awaiter = lua_newuserdatauv(L, sizeof *awaiter, 0);
    *awaiter = (struct awaiter){.values = LUA_NOREF};
    lua_pushcclosure(L, awaiter_resume, 1);
    struct task_wait *wait = task_wait_new(L);
    if (timer_new_real(host_of(L)->loop, deliver, awaiter, &awaiter->timer, NULL)) {
        task_wait_free(wait);
        return luaL_error(L, "out of memory");
    }
    awaiter->wait = wait;
    lua_pushvalue(L, 1);
    lua_pushvalue(L, 2);
    task_start(L, 1); /* the closure stays at 2, where it keeps the awaiter alive */
    return task_wait_yield(L, wait);
}

static const luaL_Reg functions[] = {
    {"spawn", l_spawn}, {"sleep", l_sleep}, {"budget", l_budget}, {"await", l_await}, {NULL, NULL}};

int luaopen_ks_task(lua_State *L) {
    luaL_newlib(L, functions);
    return 1;
}
