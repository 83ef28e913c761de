/* Module process: child processes.
 *   process.spawn{argv = {…}, env = {NAME = value}?, cwd = ?, limits = {memory = bytes}?, on_stderr =
 * f(line)?}
 *       -> p | nil, message
 *   p:write(text) -> true | nil, message             queued, never waits
 *   p:read_line(seconds?) -> line | nil, "timeout" | "closed" | message     waits
 *   p:wait() -> exit code, signal (0: none), ended by the watchdog?         waits
 *   p:kill(signal?) -> true | nil, message           default 9
 *   p:watchdog(seconds | nil)                        SIGKILL then, unless set again
 *   p:pid()
 *   process.environ() -> this process's environment as a table
 * A child that nobody refers to lives until it ends by itself; all end with the state. */
#include "loop/process.h"

#include "bind/task.h"
#include "bind/type.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

#define TYPE "ks.process"

/* A task that waits for a line, or for the end. */
struct waiter {
    struct waiter *next;
    struct child *child;
    struct task_wait *wait;
    struct timer *timer; /* NULL: no timeout */
    bool for_line;
};

struct child {
    struct process *process;
    lua_State *L; /* the main state */
    int self;     /* pins the userdata while the process lives or a task waits for it */
    int on_stderr;
    struct waiter *waiters;
};

static struct child *check_child(lua_State *L) {
    return luaL_checkudata(L, 1, TYPE);
}

static int push_error(lua_State *L, const char *message) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    return 2;
}

/* Pushes what p:read_line gives; 0 when it has to wait. */
static int push_line(lua_State *L, struct process *process) {
    const char *line = NULL;
    size_t len = 0;
    int rc = process_read_line(process, &line, &len);
    if (rc == 0)
        return 0;
    if (rc < 0)
        return push_error(L, rc == ERR_CANCELED ? "closed" : "the line is too long");
    lua_pushlstring(L, line, len);
    return 1;
}

static int push_end(lua_State *L, struct process *process) {
    struct process_end end;
    if (!process_ended(process, &end))
        return 0;
    lua_pushinteger(L, end.code);
    lua_pushinteger(L, end.signum);
    lua_pushboolean(L, end.overdue);
    return 3;
}

/* The userdata is at index. */
static void pin(lua_State *L, struct child *child, int index) {
    if (child->self != LUA_NOREF)
        return;
    lua_pushvalue(L, index);
    child->self = luaL_ref(L, LUA_REGISTRYINDEX);
}

static void unpin_when_over(struct child *child) {
    struct process_end end;
    if (!process_ended(child->process, &end) || child->waiters)
        return;
    luaL_unref(child->L, LUA_REGISTRYINDEX, child->self);
    child->self = LUA_NOREF;
}

/* For a waiter that is in its child's list no more. */
static void resume(struct waiter *waiter, int nresults) {
    struct task_wait *wait = waiter->wait;
    timer_free(waiter->timer);
    free(waiter);
    task_wait_resume(wait, nresults);
}

static void timed_out(void *ctx) {
    struct waiter *waiter = ctx;
    struct child *child = waiter->child;
    struct waiter **at = &child->waiters;
    while (*at != waiter)
        at = &(*at)->next;
    *at = waiter->next;
    resume(waiter, push_error(task_wait_state(waiter->wait), "timeout"));
    unpin_when_over(child);
}

/* Resumes one waiter whose time has come; false when there is none. */
static bool serve_one(struct child *child) {
    for (struct waiter **at = &child->waiters; *at; at = &(*at)->next) {
        struct waiter *waiter = *at;
        lua_State *co = task_wait_state(waiter->wait);
        int nresults = waiter->for_line ? push_line(co, child->process) : push_end(co, child->process);
        if (nresults == 0)
            continue;
        *at = waiter->next;
        resume(waiter, nresults); /* runs Lua: the list may be another one now */
        return true;
    }
    return false;
}

static void changed(void *ctx) {
    struct child *child = ctx;
    while (serve_one(child))
        ;
    unpin_when_over(child);
}

static void error_line(void *ctx, const char *line, size_t len) {
    struct child *child = ctx;
    if (child->on_stderr == LUA_NOREF)
        return;
    lua_rawgeti(child->L, LUA_REGISTRYINDEX, child->on_stderr);
    lua_pushlstring(child->L, line, len);
    task_start(child->L, 1);
}

static int wait_for(lua_State *L, struct child *child, bool for_line, lua_Number seconds) {
    struct task_wait *wait = task_wait_new(L);
    struct waiter *waiter = calloc(1, sizeof *waiter);
    if (!waiter ||
        (seconds >= 0 && timer_new_real(host_of(L)->loop, timed_out, waiter, &waiter->timer, NULL))) {
        free(waiter);
        task_wait_free(wait);
        return luaL_error(L, "out of memory");
    }
    if (waiter->timer)
        timer_start(waiter->timer, (int64_t)(seconds * (lua_Number)NS_PER_S));
    waiter->child = child;
    waiter->wait = wait;
    waiter->for_line = for_line;
    waiter->next = child->waiters;
    child->waiters = waiter;
    pin(L, child, 1);
    return task_wait_yield(L, wait);
}

static int l_read_line(lua_State *L) {
    struct child *child = check_child(L);
    lua_Number seconds = luaL_optnumber(L, 2, -1);
    luaL_argcheck(L, seconds < 1e9, 2, "seconds up to 1e9 expected");
    int nresults = push_line(L, child->process);
    return nresults ? nresults : wait_for(L, child, true, seconds);
}

static int l_wait(lua_State *L) {
    struct child *child = check_child(L);
    int nresults = push_end(L, child->process);
    return nresults ? nresults : wait_for(L, child, false, -1);
}

static int done(lua_State *L, int rc, const struct err *err) {
    if (rc)
        return push_error(L, err->message);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_write(lua_State *L) {
    struct child *child = check_child(L);
    size_t len = 0;
    const char *text = luaL_checklstring(L, 2, &len);
    struct err err = {0};
    return done(L, process_write(child->process, text, len, &err), &err);
}

static int l_kill(lua_State *L) {
    struct child *child = check_child(L);
    struct err err = {0};
    return done(L, process_kill(child->process, (int)luaL_optinteger(L, 2, SIGKILL), &err), &err);
}

static int l_watchdog(lua_State *L) {
    struct child *child = check_child(L);
    lua_Number seconds = luaL_optnumber(L, 2, -1);
    luaL_argcheck(L, seconds < 1e9, 2, "seconds up to 1e9 expected");
    process_watchdog(child->process, seconds < 0 ? -1 : (int64_t)(seconds * (lua_Number)NS_PER_S));
    return 0;
}

static int l_pid(lua_State *L) {
    lua_pushinteger(L, process_pid(check_child(L)->process));
    return 1;
}

static int l_gc(lua_State *L) {
    struct child *child = check_child(L);
    while (child->waiters) { /* only when the whole state ends: a waiting task keeps us alive */
        struct waiter *waiter = child->waiters;
        child->waiters = waiter->next;
        timer_free(waiter->timer);
        task_wait_free(waiter->wait);
        free(waiter);
    }
    luaL_unref(L, LUA_REGISTRYINDEX, child->on_stderr);
    process_free(child->process);
    child->process = NULL;
    return 0;
}

/* A NULL-terminated array for count strings, in a userdata that stays on the stack. */
static char **string_array(lua_State *L, size_t count) {
    char **array = lua_newuserdatauv(L, (count + 1) * sizeof *array, 0);
    memset(array, 0, (count + 1) * sizeof *array);
    return array;
}

static char **check_argv(lua_State *L) {
    luaL_argcheck(L, lua_getfield(L, 1, "argv") == LUA_TTABLE, 1, "argv: a list of strings expected");
    lua_Integer count = luaL_len(L, -1);
    luaL_argcheck(L, count > 0 && count < 4096, 1, "argv: 1 to 4095 strings expected");
    char **argv = string_array(L, (size_t)count);
    for (lua_Integer i = 1; i <= count; i++) {
        luaL_argcheck(L, lua_rawgeti(L, -2, i) == LUA_TSTRING, 1, "argv: strings expected");
        argv[i - 1] = (char *)lua_tostring(L, -1); /* the table keeps it */
        lua_pop(L, 1);
    }
    return argv;
}

static size_t count_pairs(lua_State *L) {
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
        count++;
    return count;
}

static char **check_env(lua_State *L) {
    if (lua_getfield(L, 1, "env") == LUA_TNIL)
        return NULL;
    luaL_argcheck(L, lua_istable(L, -1), 1, "env: a table of NAME = value expected");
    size_t count = count_pairs(L), at = 0;
    lua_createtable(L, (int)count, 0); /* keeps the strings */
    char **env = string_array(L, count);
    for (lua_pushnil(L); lua_next(L, -4); lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_type(L, -1) == LUA_TSTRING, 1,
                      "env: names and values must be strings");
        env[at++] = (char *)lua_pushfstring(L, "%s=%s", lua_tostring(L, -2), lua_tostring(L, -1));
        lua_rawseti(L, -5, (lua_Integer)at);
    }
    return env;
}

static size_t check_memory(lua_State *L) {
    if (lua_getfield(L, 1, "limits") == LUA_TNIL)
        return 0;
    luaL_argcheck(L, lua_istable(L, -1), 1, "limits: a table expected");
    lua_getfield(L, -1, "memory");
    return (size_t)luaL_optinteger(L, -1, 0);
}

static int take_function(lua_State *L, const char *field) {
    int type = lua_getfield(L, 1, field);
    luaL_argcheck(L, type == LUA_TNIL || type == LUA_TFUNCTION, 1, "on_stderr: a function expected");
    if (type == LUA_TFUNCTION)
        return luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pop(L, 1);
    return LUA_NOREF;
}

static lua_State *main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

static int l_spawn(lua_State *L) {
    static const struct process_events events = {.changed = changed, .error_line = error_line};
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    struct process_config config = {.argv = check_argv(L), .env = check_env(L), .memory = check_memory(L)};
    lua_getfield(L, 1, "cwd");
    config.cwd = (char *)luaL_optstring(L, -1, NULL);
    int on_stderr = take_function(L, "on_stderr");
    struct child *child = lua_newuserdatauv(L, sizeof *child, 0);
    *child = (struct child){.L = main_state(L), .self = LUA_NOREF, .on_stderr = on_stderr};
    luaL_setmetatable(L, TYPE);
    struct err err = {0};
    if (process_spawn(host_of(L)->loop, &config, &events, child, &child->process, &err))
        return push_error(L, err.message);
    pin(L, child, -1);
    return 1;
}

static int l_environ(lua_State *L) {
    uv_env_item_t *items = NULL;
    int count = 0;
    if (uv_os_environ(&items, &count))
        return luaL_error(L, "out of memory");
    lua_createtable(L, 0, count);
    for (int i = 0; i < count; i++) {
        lua_pushstring(L, items[i].value);
        lua_setfield(L, -2, items[i].name);
    }
    uv_os_free_environ(items, count);
    return 1;
}

static const luaL_Reg functions[] = {{"spawn", l_spawn}, {"environ", l_environ}, {NULL, NULL}};

static const luaL_Reg methods[] = {{"write", l_write}, {"read_line", l_read_line}, {"wait", l_wait},
                                   {"kill", l_kill},   {"watchdog", l_watchdog},   {"pid", l_pid},
                                   {NULL, NULL}};

int luaopen_ks_process(lua_State *L);
int luaopen_ks_process(lua_State *L) {
    type_register(L, TYPE, methods, l_gc);
    luaL_newlib(L, functions);
    return 1;
}
