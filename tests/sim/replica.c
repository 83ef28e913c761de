#include "replica.h"

#include "base/buf.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "loop/virtual.h"

#include <lauxlib.h>
#include <lualib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

struct kube_client {
    struct replica *replica;
    struct kube_config *config;
};

struct kube_call {
    LIST_ENTRY(kube_call) link;
    int64_t id;
    struct replica *replica;
    struct kube_request request; /* its strings are gone */
};

struct replica {
    struct host host;
    struct replica_world *world;
    lua_State *L;
    struct virtual *clock;
    struct random_source random;
    uint64_t random_state;
    int id;
    bool dead;
    LIST_HEAD(, kube_call) calls;
};

static struct replica *starting; /* whose client is being made */
static int started;              /* how many ever were */

static _Noreturn void give_up(const char *what) {
    (void)fprintf(stderr, "the simulation cannot go on: %s\n", what);
    exit(EXIT_FAILURE);
}

/* --- the client, in the place of core/kube/client.c's --- */

int __wrap_kube_client_new(struct loop *loop, struct log *log, struct kube_config *config,
                           struct kube_client **out, struct err *err);
void __wrap_kube_client_free(struct kube_client *client);
const struct kube_config *__wrap_kube_client_config(const struct kube_client *client);
struct loop *__wrap_kube_client_loop(const struct kube_client *client);
int64_t __wrap_kube_client_skew(const struct kube_client *client);
int __wrap_kube_send(struct kube_client *client, const struct kube_request *request, struct kube_call **out,
                     struct err *err);
void __wrap_kube_cancel(struct kube_call *call);

int __wrap_kube_client_new(struct loop *loop, struct log *log, struct kube_config *config,
                           struct kube_client **out, struct err *err) {
    (void)loop, (void)log, (void)err;
    struct kube_client *client = calloc(1, sizeof *client);
    if (!client)
        give_up("out of memory");
    *client = (struct kube_client){starting, config};
    *out = client;
    return 0;
}

static void call_free(struct kube_call *call) {
    LIST_REMOVE(call, link);
    free(call);
}

void __wrap_kube_client_free(struct kube_client *client) {
    if (!client)
        return;
    while (!LIST_EMPTY(&client->replica->calls))
        call_free(LIST_FIRST(&client->replica->calls));
    kube_config_free(client->config);
    free(client);
}
const struct kube_config *__wrap_kube_client_config(const struct kube_client *client) {
    return client->config;
}
struct loop *__wrap_kube_client_loop(const struct kube_client *client) {
    return client->replica->host.loop;
}
int64_t __wrap_kube_client_skew(const struct kube_client *client) {
    (void)client;
    return 0;
}

int __wrap_kube_send(struct kube_client *client, const struct kube_request *request, struct kube_call **out,
                     struct err *err) {
    static int64_t ids;
    (void)err;
    struct replica *replica = client->replica;
    struct kube_call *call = calloc(1, sizeof *call);
    if (!call)
        give_up("out of memory");
    *call = (struct kube_call){.id = ++ids, .replica = replica, .request = *request};
    LIST_INSERT_HEAD(&replica->calls, call, link);
    if (out)
        *out = call;
    if (!replica->dead)
        replica->world->on_request(replica->world->ctx, replica, call->id, request);
    return 0;
}

void __wrap_kube_cancel(struct kube_call *call) {
    struct replica *replica = call->replica;
    if (!replica->dead)
        replica->world->on_cancel(replica->world->ctx, replica, call->id);
    call_free(call);
}

static struct kube_call *find_call(struct replica *replica, int64_t id) {
    struct kube_call *call;
    LIST_FOREACH(call, &replica->calls, link) {
        if (call->id == id)
            return call;
    }
    return NULL;
}

bool replica_leaves(struct replica *replica, int64_t id) {
    const struct kube_call *call = find_call(replica, id);
    if (!call)
        return false;
    const struct kube_request *request = &call->request;
    bool wanted = !request->wanted || request->wanted(request->ctx);
    return wanted &&
           (!request->not_after || clock_boottime(loop_clock(replica->host.loop)) < request->not_after);
}

void replica_answer(struct replica *replica, int64_t id, const struct kube_reply *reply) {
    struct kube_call *call = find_call(replica, id);
    if (!call)
        return;
    kube_reply_cb done = call->request.done;
    void *ctx = call->request.ctx;
    call_free(call);
    done(ctx, reply);
}

void replica_data(struct replica *replica, int64_t id, const char *bytes, size_t len) {
    const struct kube_call *call = find_call(replica, id);
    if (call)
        call->request.data(call->request.ctx, bytes, len);
}

/* --- its life --- */

static int64_t read_now(void *ctx) {
    return ((struct replica *)ctx)->world->now;
}
static int64_t read_monotonic(void *ctx) {
    return ((struct replica *)ctx)->world->now - REPLICA_BOOT;
}

/* Sebastiano Vigna's splitmix64. */
static int fill_random(void *ctx, void *out, size_t len) {
    struct replica *replica = ctx;
    for (size_t i = 0; i < len; i++) {
        uint64_t z = replica->random_state += 0x9e3779b97f4a7c15U;
        z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9U;
        z = (z ^ (z >> 27)) * 0x94d049bb133111ebU;
        ((unsigned char *)out)[i] = (unsigned char)(z >> 56);
    }
    return 0;
}

/* --- modules: compiled once, for a life is short --- */

static struct module {
    char name[48];
    struct buf code;
} modules[128];

static struct module *module_of(const char *name) {
    struct module *at = modules;
    while (at < modules + sizeof modules / sizeof modules[0] - 1 && at->name[0] &&
           strcmp(at->name, name) != 0)
        at++;
    return at;
}

static int keep_code(lua_State *L, const void *code, size_t len, void *module) {
    (void)L;
    return buf_append(&((struct module *)module)->code, code, len);
}

/* package.searchers entry */
static int search_compiled(lua_State *L) {
    const char *name = luaL_checkstring(L, 1);
    struct module *module = module_of(name);
    if (!module->name[0]) {
        lua_pushfstring(L, "lua/%s.lua", luaL_gsub(L, name, ".", "/"));
        if (modules_load(L, NULL, lua_tostring(L, -1)))
            return 1;
        (void)snprintf(module->name, sizeof module->name, "%s", name);
        if (lua_dump(L, keep_code, module, 0))
            give_up("out of memory");
    } else if (luaL_loadbufferx(L, module->code.data, module->code.len, name, "b"))
        return lua_error(L);
    lua_pushvalue(L, 1);
    return 2;
}

static void install_modules(lua_State *L) {
    modules_install(L, NULL);
    if (luaL_loadstring(L, "table.insert(package.searchers, 2, ...)"))
        give_up(lua_tostring(L, -1));
    lua_pushcfunction(L, search_compiled);
    if (lua_pcall(L, 1, 0, 0))
        give_up(lua_tostring(L, -1));
}

static int l_tell(lua_State *L) {
    struct replica *replica = lua_touserdata(L, lua_upvalueindex(1));
    replica->world->on_tell(replica->world->ctx, replica, luaL_checkstring(L, 1));
    return 0;
}

static void begin(struct replica *replica, const char *script, const char *argument) {
    lua_State *L = replica->L = luaL_newstate();
    if (!L)
        give_up("out of memory");
    host_attach(L, &replica->host);
    luaL_openlibs(L);
    install_modules(L);
    lua_pushlightuserdata(L, replica);
    lua_pushcclosure(L, l_tell, 1);
    lua_setglobal(L, "tell");
    lua_createtable(L, 1, 0);
    lua_pushstring(L, argument);
    lua_rawseti(L, -2, 1);
    lua_setglobal(L, "arg");
    if (luaL_loadfilex(L, script, "t"))
        give_up(lua_tostring(L, -1));
    starting = replica;
    task_main(L);
}

struct replica *replica_start(struct replica_world *world, const char *script, const char *argument,
                              uint64_t seed) {
    struct replica *replica = calloc(1, sizeof *replica);
    struct err err = {0};
    if (!replica)
        give_up("out of memory");
    replica->world = world;
    replica->id = ++started;
    replica->random_state = seed;
    replica->random = (struct random_source){fill_random, replica};
    replica->host = (struct host){.log = world->log, .main_ref = LUA_NOREF};
    struct clock clock = {read_now, read_monotonic, read_monotonic, replica};
    if (loop_new(&clock, &replica->random, &replica->host.loop, &err) ||
        virtual_new(replica->host.loop, world->now, &replica->clock, &err))
        give_up(err.message);
    begin(replica, script, argument);
    replica_run(replica);
    return replica;
}

void replica_kill(struct replica *replica) {
    replica->dead = true;
    lua_close(
        replica->L); /* what its loop still holds is never called: as in main, that stays until the end */
}

void replica_terminate(struct replica *replica) {
    if (lua_getglobal(replica->L, "terminate") == LUA_TFUNCTION)
        task_start(replica->L, 0);
    else
        lua_pop(replica->L, 1);
}

int replica_next_id(void) {
    return started + 1;
}
int replica_id(const struct replica *replica) {
    return replica->id;
}
bool replica_ended(const struct replica *replica) {
    return replica->host.main_ref == LUA_NOREF;
}
int64_t replica_next(const struct replica *replica) {
    return virtual_next(replica->clock);
}

static void arrived(void *ctx) {
    loop_stop(ctx);
}

void replica_run(struct replica *replica) {
    struct err err = {0};
    if (virtual_run(replica->clock, replica->world->now, arrived, replica->host.loop, &err))
        give_up(err.message);
    loop_run(replica->host.loop);
}

void replica_thaw(struct replica *replica) {
    virtual_freeze(replica->clock, replica->world->now);
}
