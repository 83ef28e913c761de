/* The simulation of faults: tests/sim/README.md. Daemons as they are, but in one process, on virtual time and
 * with an API server made of Lua tables: tests/sim/world.lua, which this program gives module `sim`. */
#include "replica.h"

#include "bind/modules.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char type_name[] = "replica";

struct simulation {
    struct replica_world world; /* first */
    lua_State *L;
    struct host host;
    struct clock clock; /* the log's: the world's time */
};

static struct simulation *simulation_of(lua_State *L) {
    return lua_touserdata(L, lua_upvalueindex(1));
}

static struct replica *check(lua_State *L) {
    struct replica **box = luaL_checkudata(L, 1, type_name);
    luaL_argcheck(L, *box, 1, "a living daemon expected");
    return *box;
}

/* Calls the world's handler, whose arguments are above it. */
static void call(struct simulation *sim, int nargs) {
    if (!lua_pcall(sim->L, nargs, 0, 0))
        return;
    (void)fprintf(stderr, "the simulation fails: %s\n", lua_tostring(sim->L, -1));
    exit(EXIT_FAILURE);
}

static void push_handler(struct simulation *sim, const char *name, const struct replica *replica) {
    lua_getfield(sim->L, LUA_REGISTRYINDEX, "sim");
    lua_getfield(sim->L, -1, name);
    lua_remove(sim->L, -2);
    lua_pushinteger(sim->L, replica_id(replica));
}

static void set_text(lua_State *L, const char *name, const char *text) {
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}
static void set_number(lua_State *L, const char *name, int64_t number) {
    lua_pushinteger(L, number);
    lua_setfield(L, -2, name);
}

static void on_request(void *ctx, struct replica *replica, int64_t id, const struct kube_request *request) {
    static const char *const lanes[] = {"lease", "create", "delete", "other", "watch", "log", "log"};
    struct simulation *sim = ctx;
    lua_State *L = sim->L;
    push_handler(sim, "on_request", replica);
    lua_createtable(L, 0, 10);
    set_number(L, "id", id);
    set_text(L, "method", request->method);
    set_text(L, "path", request->path);
    set_text(L, "lane", lanes[request->lane]);
    set_text(L, "content_type", request->content_type);
    bool plain = !request->timeout_ns && !request->data; /* kube/client.h: then it is 60 s */
    set_number(L, "timeout", plain ? 60 * NS_PER_S : request->timeout_ns);
    set_number(L, "not_after", request->not_after ? request->not_after + REPLICA_BOOT : 0);
    set_number(L, "silence", request->silence_ns);
    lua_pushboolean(L, request->data != NULL);
    lua_setfield(L, -2, "streams");
    lua_pushlstring(L, request->body_len ? request->body : "", request->body_len);
    lua_setfield(L, -2, "body");
    call(sim, 2);
}

static void on_cancel(void *ctx, struct replica *replica, int64_t id) {
    struct simulation *sim = ctx;
    push_handler(sim, "on_cancel", replica);
    lua_pushinteger(sim->L, id);
    call(sim, 2);
}

static void on_tell(void *ctx, struct replica *replica, const char *text) {
    struct simulation *sim = ctx;
    push_handler(sim, "on_tell", replica);
    lua_pushstring(sim->L, text);
    call(sim, 2);
}

/* sim.start(program, argument, seed, now) -> daemon */
static int l_start(lua_State *L) {
    struct simulation *sim = simulation_of(L);
    sim->world.now = luaL_checkinteger(L, 4);
    struct replica **box = lua_newuserdatauv(L, sizeof *box, 0);
    luaL_setmetatable(L, type_name);
    *box = replica_start(&sim->world, luaL_checkstring(L, 1), luaL_checkstring(L, 2),
                         (uint64_t)luaL_checkinteger(L, 3));
    return 1;
}

/* The id that the next daemon will have. */
static int l_next_id(lua_State *L) {
    lua_pushinteger(L, replica_next_id());
    return 1;
}

static int l_kill(lua_State *L) {
    replica_kill(check(L));
    *(struct replica **)lua_touserdata(L, 1) = NULL;
    return 0;
}

static int l_terminate(lua_State *L) {
    replica_terminate(check(L));
    return 0;
}

static int l_next(lua_State *L) {
    lua_pushinteger(L, replica_next(check(L)));
    return 1;
}

static int l_ended(lua_State *L) {
    lua_pushboolean(L, replica_ended(check(L)));
    return 1;
}

static int l_run(lua_State *L) {
    struct replica *replica = check(L);
    simulation_of(L)->world.now = luaL_checkinteger(L, 2);
    replica_run(replica);
    return 0;
}

static int l_thaw(lua_State *L) {
    struct replica *replica = check(L);
    simulation_of(L)->world.now = luaL_checkinteger(L, 2);
    replica_thaw(replica);
    return 0;
}

static int l_leaves(lua_State *L) {
    lua_pushboolean(L, replica_leaves(check(L), luaL_checkinteger(L, 2)));
    return 1;
}

/* d:answer(call, status, body, reason, message, retry_after, sent) */
static int l_answer(lua_State *L) {
    struct replica *replica = check(L);
    struct kube_reply reply = {.status = (int)luaL_checkinteger(L, 3),
                               .retry_after = luaL_optinteger(L, 7, -1),
                               .sent = lua_toboolean(L, 8)};
    reply.body = luaL_optlstring(L, 4, "", &reply.len);
    (void)snprintf(reply.reason, sizeof reply.reason, "%s", luaL_optstring(L, 5, ""));
    (void)snprintf(reply.message, sizeof reply.message, "%s", luaL_optstring(L, 6, ""));
    replica_answer(replica, luaL_checkinteger(L, 2), &reply);
    return 0;
}

static int l_data(lua_State *L) {
    size_t len = 0;
    const char *bytes = luaL_checklstring(L, 3, &len);
    replica_data(check(L), luaL_checkinteger(L, 2), bytes, len);
    return 0;
}

/* sim.fork() -> 0 in the child, the child's id in the parent; sim.wait() -> an ended child's id, its exit
 * code, or that of the signal that killed it, negative; sim.exit(code): at once. */
static int l_fork(lua_State *L) {
    (void)fflush(stdout);
    lua_pushinteger(L, fork());
    return 1;
}
static int l_wait(lua_State *L) {
    int status = 0;
    lua_pushinteger(L, waitpid(-1, &status, 0));
    lua_pushinteger(L, WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status));
    return 2;
}
static int l_exit(lua_State *L) {
    int code = (int)luaL_checkinteger(L, 1);
    log_free(simulation_of(L)->world.log);
    (void)fflush(stdout);
    _exit(code);
}

static int64_t read_now(void *ctx) {
    return ((const struct simulation *)ctx)->world.now;
}

/* sim.log(): from now on daemons' logs are written, to /dev/null or with KS_LOG to stderr. */
static int l_log(lua_State *L) {
    struct simulation *sim = simulation_of(L);
    bool wanted = getenv("KS_LOG");
    int fd = wanted ? STDERR_FILENO : open("/dev/null", O_WRONLY | O_CLOEXEC);
    sim->clock = (struct clock){read_now, read_now, read_now, sim};
    if (log_new(&sim->clock, fd, &sim->world.log, NULL))
        return luaL_error(L, "no log");
    log_set_level(sim->world.log, wanted ? LOG_INFO : LOG_ERROR);
    return 0;
}

static const luaL_Reg methods[] = {
    {"kill", l_kill}, {"terminate", l_terminate}, {"next", l_next},     {"ended", l_ended}, {"run", l_run},
    {"thaw", l_thaw}, {"leaves", l_leaves},       {"answer", l_answer}, {"data", l_data},   {NULL, NULL}};
static const luaL_Reg functions[] = {{"start", l_start}, {"next_id", l_next_id}, {"fork", l_fork},
                                     {"wait", l_wait},   {"exit", l_exit},       {"log", l_log},
                                     {NULL, NULL}};

static void open_module(lua_State *L, struct simulation *sim) {
    luaL_newmetatable(L, type_name);
    lua_newtable(L);
    lua_pushlightuserdata(L, sim);
    luaL_setfuncs(L, methods, 1);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
    lua_newtable(L);
    lua_pushlightuserdata(L, sim);
    luaL_setfuncs(L, functions, 1);
    lua_pushvalue(L, -1);
    lua_setfield(L, LUA_REGISTRYINDEX, "sim");
    lua_setglobal(L, "sim");
}

static int trace(lua_State *L) {
    luaL_traceback(L, L, lua_tostring(L, 1), 1);
    return 1;
}

int main(void) {
    static struct simulation sim = {.host = {.main_ref = LUA_NOREF}};
    lua_State *L = luaL_newstate();
    if (!L || loop_new(&clock_system, &random_system, &sim.host.loop, NULL))
        return EXIT_FAILURE;
    sim.L = L;
    sim.world = (struct replica_world){
        .on_request = on_request, .on_cancel = on_cancel, .on_tell = on_tell, .ctx = &sim};
    host_attach(L, &sim.host);
    luaL_openlibs(L);
    modules_install(L, NULL);
    open_module(L, &sim);
    lua_pushcfunction(L, trace);
    if (luaL_loadfilex(L, "tests/sim/main.lua", "t") || lua_pcall(L, 0, 1, 1)) {
        (void)fprintf(stderr, "%s\n", lua_tostring(L, -1));
        return EXIT_FAILURE;
    }
    return (int)lua_tointeger(L, -1);
}
