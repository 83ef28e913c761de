#include "bind/kube.h"

#include "base/buf.h"
#include "bind/kube_stream.h"
#include "bind/task.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <sys/queue.h>

static const char type_name[] = "kube.client";

/* A task in request. Its stack keeps the handle alive. */
struct waiter {
    LIST_ENTRY(waiter) link;
    struct task_wait *wait;
};

struct handle {
    struct kube_client *client; /* NULL: closed */
    LIST_HEAD(, waiter) waiters;
};

struct kube_client *kube_check_client(lua_State *L, int index) {
    struct handle *handle = luaL_checkudata(L, index, type_name);
    if (!handle->client)
        luaL_argerror(L, index, "this client is closed");
    return handle->client;
}

/* With tasks in request only lua_close gets here: they are pinned, and so is what is on their stacks. */
static int l_gc(lua_State *L) {
    struct handle *handle = luaL_checkudata(L, 1, type_name);
    kube_client_free(handle->client);
    handle->client = NULL;
    while (!LIST_EMPTY(&handle->waiters)) {
        struct waiter *waiter = LIST_FIRST(&handle->waiters);
        LIST_REMOVE(waiter, link);
        task_wait_free(waiter->wait);
        free(waiter);
    }
    return 0;
}

/* Connecting */

static const char *from_environment(const char *name) {
    return getenv(name);
}

static const char *text_field(lua_State *L, int table, const char *name) {
    lua_getfield(L, table, name);
    if (!lua_isnil(L, -1) && lua_type(L, -1) != LUA_TSTRING)
        luaL_error(L, "kube: %s must be a string, got %s", name, luaL_typename(L, -1));
    return lua_tostring(L, -1);
}

static int push_failure(lua_State *L, const struct err *err) {
    lua_pushnil(L);
    lua_pushstring(L, err->message);
    lua_pushstring(L, err->code == ERR_NOTFOUND ? "notfound" : "failed");
    return 3;
}

static void warn_insecure(struct log *log, const struct kube_config *config) {
    if (config->insecure)
        log_event(log, LOG_WARNING, "insecure-skip-tls-verify: anyone in between can pose as the API server",
                  "server", config->server, "source", config->source, NULL);
}

/* -1: the field is not there. */
static double rate_field(lua_State *L, int table, const char *name, double least) {
    lua_getfield(L, table, name);
    if (lua_isnil(L, -1))
        return -1;
    lua_Number value = luaL_checknumber(L, lua_gettop(L));
    if (!(value >= least && value <= 1e6))
        luaL_error(L, "kube: %s must be from %d to 1e6", name, (int)least);
    return value;
}

static int l_connect(lua_State *L) {
    struct kube_config_request request = {.getenv = from_environment};
    double qps = 0, burst = -1;
    lua_settop(L, 1);
    if (!lua_isnil(L, 1)) {
        luaL_checktype(L, 1, LUA_TTABLE);
        request.path = text_field(L, 1, "path");
        request.context = text_field(L, 1, "context");
        qps = rate_field(L, 1, "qps", 0);
        burst = rate_field(L, 1, "burst", 1);
    }
    struct handle *handle = lua_newuserdatauv(L, sizeof *handle, 0);
    *handle = (struct handle){0};
    luaL_setmetatable(L, type_name);
    struct host *host = host_of(L);
    struct kube_config *config = NULL;
    struct err err = {0};
    if (kube_config_load(&request, &config, &err))
        return push_failure(L, &err);
    warn_insecure(host->log, config);
    if (kube_client_new(host->loop, host->log, config, &handle->client, &err)) {
        err.code = ERR_IO; /* a configuration was found */
        return push_failure(L, &err);
    }
    if (qps > 0)
        kube_client_set_rate(handle->client, qps, burst >= 1 ? burst : qps > 1 ? qps : 1);
    return 1;
}

/* Requests */

/* Runs inside the task, where running out of memory is an ordinary error. */
static int push_reply(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    const struct kube_reply *reply = lua_touserdata(L, -1);
    lua_createtable(L, 0, 4);
    lua_pushinteger(L, reply->status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, reply->len ? reply->body : "", reply->len);
    lua_setfield(L, -2, "body");
    lua_pushstring(L, reply->reason);
    lua_setfield(L, -2, "reason");
    lua_pushstring(L, reply->message);
    lua_setfield(L, -2, "message");
    return 1;
}

static void replied(void *ctx, const struct kube_reply *reply) {
    struct waiter *waiter = ctx;
    struct task_wait *wait = waiter->wait;
    LIST_REMOVE(waiter, link);
    free(waiter);
    lua_pushlightuserdata(task_wait_state(wait), (void *)reply); /* until the task's next wait */
    task_wait_resume(wait, 1);
}

static enum kube_lane lane_field(lua_State *L, int table) {
    static const char *const names[] = {"lease", "create", "delete", "other", NULL};
    static const enum kube_lane lanes[] = {KUBE_LEASE, KUBE_CREATE, KUBE_DELETE, KUBE_OTHER};
    lua_getfield(L, table, "lane");
    return lanes[luaL_checkoption(L, lua_gettop(L), "other", names)];
}

/* Nanoseconds; 0: the field is not there. */
static int64_t seconds_field(lua_State *L, int table, const char *name) {
    lua_getfield(L, table, name);
    if (lua_isnil(L, -1))
        return 0;
    lua_Number seconds = luaL_checknumber(L, lua_gettop(L));
    if (!(seconds >= 0.001 && seconds < 1e9))
        luaL_error(L, "kube: %s must be from 0.001 to 1e9 seconds", name);
    return (int64_t)(seconds * (lua_Number)NS_PER_S);
}

/* What the request points to stays on the stack. */
static void read_request(lua_State *L, struct kube_request *request) {
    static const char *const methods[] = {"GET", "POST", "PUT", "PATCH", "DELETE", NULL};
    lua_settop(L, 4);
    request->method = methods[luaL_checkoption(L, 2, NULL, methods)];
    request->path = luaL_checkstring(L, 3);
    luaL_argcheck(L, request->path[0] == '/', 3, "a path that begins with / expected");
    request->lane = KUBE_OTHER;
    if (lua_isnil(L, 4))
        return;
    luaL_checktype(L, 4, LUA_TTABLE);
    request->lane = lane_field(L, 4);
    request->timeout_ns = seconds_field(L, 4, "timeout");
    request->not_after = seconds_field(L, 4, "not_after");
    request->content_type = text_field(L, 4, "content_type");
    (void)text_field(L, 4, "body");
    request->body = lua_tolstring(L, -1, &request->body_len);
}

static int l_request(lua_State *L) {
    struct kube_request request = {.done = replied};
    struct kube_client *client = kube_check_client(L, 1);
    struct handle *handle = lua_touserdata(L, 1);
    read_request(L, &request);
    struct task_wait *wait = task_wait_new(L);
    struct waiter *waiter = request.ctx = malloc(sizeof *waiter);
    struct err err = {.message = "out of memory"};
    if (!waiter || kube_send(client, &request, NULL, &err)) {
        free(waiter);
        task_wait_free(wait);
        return luaL_error(L, "kube: %s", err.message);
    }
    waiter->wait = wait;
    LIST_INSERT_HEAD(&handle->waiters, waiter, link);
    return lua_yieldk(L, 0, 0, push_reply);
}

static int l_namespace(lua_State *L) {
    lua_pushstring(L, kube_client_config(kube_check_client(L, 1))->namespace_);
    return 1;
}

static int l_server(lua_State *L) {
    lua_pushstring(L, kube_client_config(kube_check_client(L, 1))->server);
    return 1;
}

static int l_skew(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)kube_client_skew(kube_check_client(L, 1)));
    return 1;
}

static int l_escape(lua_State *L) {
    const char *text = luaL_checkstring(L, 1);
    struct buf escaped = {0};
    if (kube_escape(&escaped, text)) {
        buf_free(&escaped);
        return luaL_error(L, "out of memory");
    }
    lua_pushlstring(L, escaped.len ? escaped.data : "", escaped.len);
    buf_free(&escaped);
    return 1;
}

static const luaL_Reg methods[] = {{"request", l_request}, {"namespace", l_namespace}, {"server", l_server},
                                   {"skew", l_skew},       {"escape", l_escape},       {NULL, NULL}};
static const luaL_Reg functions[] = {{"connect", l_connect}, {NULL, NULL}};

int luaopen_ks_kube(lua_State *L) {
    lua_getglobal(L, "require");
    lua_pushliteral(L, "kube.calls");
    lua_call(L, 1, 1); /* the table of the calls on objects; ours join them */
    luaL_setfuncs(L, methods, 0);
    kube_stream_add_methods(L);
    luaL_newmetatable(L, type_name);
    lua_insert(L, -2);
    lua_setfield(L, -2, "__index");
    lua_pushcfunction(L, l_gc);
    lua_setfield(L, -2, "__gc");
    luaL_newlib(L, functions);
    return 1;
}
