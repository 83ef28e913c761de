/* Module executor: executor.kubernetes(client, {instance=, namespaces=}), executor.processes(store,
 * {state_dir=, working_dir=}) (`local` is a word of Lua's own), executor.containers(store, {state_dir=,
 * socket=, instance=}), and executor.simulated{duration=}, which runs nothing. */
#include "bind/executor.h"

#include "bind/kube.h"
#include "bind/lua_call.h"
#include "bind/store.h"
#include "bind/type.h"
#include "docker/executor.h"
#include "kube/executor.h"
#include "local/executor.h"
#include "sim/executor.h"

#include <lauxlib.h>
#include <limits.h>
#include <unistd.h>

static const char type_name[] = "executor";
enum { USER_NEEDS = 1, USER_VALUES = USER_NEEDS }; /* keeps the client or store alive */
enum { MAX_NAMESPACES = 100 };

struct executor_value {
    struct executor *executor;
    bool kubernetes, simulated;
};

static struct executor_value *check(lua_State *L, int index) {
    struct executor_value *value = luaL_checkudata(L, index, type_name);
    if (!value->executor)
        luaL_argerror(L, index, "the executor is closed");
    return value;
}

struct executor *executor_check(lua_State *L, int index) {
    return check(L, index)->executor;
}

/* A value that keeps what stands at index 1 alive. */
static struct executor_value *new_value(lua_State *L) {
    struct executor_value *value = lua_newuserdatauv(L, sizeof *value, USER_VALUES);
    *value = (struct executor_value){0};
    luaL_setmetatable(L, type_name);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, USER_NEEDS);
    return value;
}

static const char *field(lua_State *L, const char *name) {
    lua_getfield(L, 2, name);
    const char *text = luaL_checkstring(L, -1);
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

/* Fills names from options.namespaces; false: all namespaces. */
static bool read_namespaces(lua_State *L, const char **names) {
    lua_getfield(L, 2, "namespaces");
    if (lua_isnil(L, -1)) {
        lua_pop(L, 1);
        return false;
    }
    lua_Integer count = luaL_len(L, -1);
    luaL_argcheck(L, count <= MAX_NAMESPACES, 2, "too many namespaces: watch all of them instead");
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, -1, i);
        names[i - 1] = luaL_checkstring(L, -1);
        lua_pop(L, 1);
    }
    names[count] = NULL;
    lua_pop(L, 1);
    return true;
}

static int l_kubernetes(lua_State *L) {
    const char *names[MAX_NAMESPACES + 1];
    luaL_checktype(L, 2, LUA_TTABLE);
    struct kube_executor_config config = {.client = kube_check_client(L, 1),
                                          .loop = host_of(L)->loop,
                                          .log = host_of(L)->log,
                                          .instance = field(L, "instance")};
    if (read_namespaces(L, names))
        config.namespaces = names;
    struct executor_value *value = new_value(L);
    value->kubernetes = true;
    struct err err = {0};
    if (kube_executor_new(&config, &value->executor, &err))
        return luaL_error(L, "%s", err.message);
    return 1;
}

static int l_processes(lua_State *L) {
    char program[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", program, sizeof program - 1);
    if (len < 0)
        return luaL_error(L, "/proc/self/exe cannot be read");
    program[len] = '\0';
    luaL_checktype(L, 2, LUA_TTABLE);
    struct local_executor_config config = {.loop = host_of(L)->loop,
                                           .log = host_of(L)->log,
                                           .store = bind_check_store(L, 1),
                                           .state_dir = field(L, "state_dir"),
                                           .program = program,
                                           .working_dir = field(L, "working_dir")};
    struct executor_value *value = new_value(L);
    struct err err = {0};
    if (local_executor_new(&config, &value->executor, &err))
        return luaL_error(L, "%s", err.message);
    return 1;
}

static int l_containers(lua_State *L) {
    luaL_checktype(L, 2, LUA_TTABLE);
    struct docker_executor_config config = {.loop = host_of(L)->loop,
                                            .log = host_of(L)->log,
                                            .store = bind_check_store(L, 1),
                                            .state_dir = field(L, "state_dir"),
                                            .socket = field(L, "socket"),
                                            .instance = field(L, "instance")};
    struct executor_value *value = new_value(L);
    struct err err = {0};
    if (docker_executor_new(&config, &value->executor, &err))
        return luaL_error(L, "%s", err.message);
    return 1;
}

static struct sim_job read_how(lua_State *L, int index) {
    lua_getfield(L, index, "duration");
    lua_getfield(L, index, "exit_code");
    lua_Integer duration = luaL_optinteger(L, -2, 60), code = luaL_optinteger(L, -1, 0);
    luaL_argcheck(L, duration >= 0 && duration < 1000000000, index,
                  "duration: seconds from 0 to 1e9 expected");
    luaL_argcheck(L, code >= 0 && code <= 255, index, "exit_code: 0 to 255 expected");
    lua_pop(L, 2);
    return (struct sim_job){.duration = duration, .exit_code = (int)code};
}

/* executor.simulated{duration = seconds, exit_code = 0}: how all runs go, unless e:say tells otherwise. */
static int l_simulated(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct sim_job how = read_how(L, 1);
    struct executor_value *value = new_value(L);
    value->simulated = true;
    struct err err = {0};
    if (sim_executor_new(host_of(L)->loop, &how, &value->executor, &err))
        return luaL_error(L, "%s", err.message);
    return 1;
}

/* e:say(job, {duration =, exit_code =}): how the job's runs go that start from now on. */
static int l_say(lua_State *L) {
    struct executor_value *value = check(L, 1);
    const char *job = luaL_checkstring(L, 2);
    luaL_checktype(L, 3, LUA_TTABLE);
    luaL_argcheck(L, value->simulated, 1, "a simulated executor expected");
    struct sim_job how = read_how(L, 3);
    if (sim_executor_say(value->executor, job, &how))
        return luaL_error(L, "out of memory");
    return 0;
}

/* e:fence_after(seconds of clock.boottime): no create is sent from then on; the lease is over. */
static int l_fence_after(lua_State *L) {
    struct executor_value *value = check(L, 1);
    if (value->kubernetes)
        kube_executor_set_fence(value->executor, (int64_t)(luaL_checknumber(L, 2) * (lua_Number)NS_PER_S));
    return 0;
}

static int l_gc(lua_State *L) {
    struct executor_value *value = luaL_checkudata(L, 1, type_name);
    if (value->executor)
        value->executor->ops->free(value->executor);
    value->executor = NULL;
    return 0;
}

static const luaL_Reg methods[] = {{"fence_after", l_fence_after}, {"say", l_say}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"kubernetes", l_kubernetes},
                                     {"processes", l_processes},
                                     {"containers", l_containers},
                                     {"simulated", l_simulated},
                                     {NULL, NULL}};

int luaopen_ks_executor(lua_State *L);
int luaopen_ks_executor(lua_State *L) {
    type_register(L, type_name, methods, l_gc);
    luaL_newlib(L, functions);
    return 1;
}
