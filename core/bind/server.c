/* Module server: answers HTTP requests (http/server.h has the limits).
 *   server.listen{address=, port=, handler=function(request) … return response end} -> server | nil, message
 *       request: {method=, path=, query={name=value}, headers={["lower-case"]=value}, body=, peer=}
 *       response: {status=, headers={Name=value}, body=}, or with stream=function(out) … end instead of a
 * body Handlers and streams run as tasks, so they may wait; a stream ends when its function returns. One that
 *       raises an error is answered with 500, some time.
 *   server:port()   server:close()
 *   out:write(text) -> true | nil, message   never waits; nil when the client is gone, or was too slow
 *   out:drain()     waits until all that was written is sent -> true | nil when the client is gone
 *   out:unsent()    bytes
 *   out:cut()       ends it so that the client sees that it is not whole
 * A server lives until it is closed. */
#include "http/server.h"

#include "bind/http.h"
#include "bind/task.h"
#include "bind/type.h"

static const char server_type[] = "http.server", exchange_type[] = "http.exchange";

struct server {
    struct http_server *http; /* NULL: closed */
    lua_State *L;             /* the main state */
    int self, handler;        /* in the registry */
};

/* A request and its answer. The task that answers holds it: one that nobody holds any more is over. */
struct exchange {
    struct http_call *call; /* NULL: over */
    struct task_wait *drain;
    bool answered;
};

/* A request, for the length of on_request. */
struct asked {
    struct http_call *call;
    const struct http_request *request;
    bool taken;
};

/* The request */

static void add_header(void *ctx, struct http_pair pair) {
    http_add_header(ctx, pair.name, pair.value);
}

static void add_argument(void *ctx, struct http_pair pair) {
    lua_State *L = ctx;
    lua_pushstring(L, pair.value);
    lua_setfield(L, -2, pair.name);
}

static void push_request(lua_State *L, const struct asked *asked) {
    const struct http_request *request = asked->request;
    lua_createtable(L, 0, 6);
    lua_pushstring(L, request->method);
    lua_setfield(L, -2, "method");
    lua_pushstring(L, request->path);
    lua_setfield(L, -2, "path");
    lua_pushstring(L, request->peer);
    lua_setfield(L, -2, "peer");
    lua_pushlstring(L, request->body, request->body_len);
    lua_setfield(L, -2, "body");
    lua_newtable(L);
    http_headers(asked->call, add_header, L);
    lua_setfield(L, -2, "headers");
    lua_newtable(L);
    http_arguments(asked->call, add_argument, L);
    lua_setfield(L, -2, "query");
}

static struct exchange *push_exchange(lua_State *L, struct asked *asked) {
    struct exchange *exchange = lua_newuserdatauv(L, sizeof *exchange, 0);
    *exchange = (struct exchange){.call = asked->call};
    luaL_setmetatable(L, exchange_type);
    http_own(asked->call, exchange);
    asked->taken = true;
    return exchange;
}

/* The response */

/* The response's headers as an array, which stays on the stack. */
static struct http_pair *read_headers(lua_State *L, int response, size_t *count) {
    *count = 0;
    if (lua_getfield(L, response, "headers") != LUA_TTABLE) {
        luaL_argcheck(L, lua_isnil(L, -1), response, "headers: a table expected");
        return NULL;
    }
    int headers = lua_gettop(L);
    size_t most = 0;
    for (lua_pushnil(L); lua_next(L, headers); lua_pop(L, 1))
        most++;
    struct http_pair *pairs = lua_newuserdatauv(L, (most + 1) * sizeof *pairs, 0);
    for (lua_pushnil(L); lua_next(L, headers); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TSTRING)
            luaL_error(L, "a response's headers: strings expected");
        pairs[(*count)++] = (struct http_pair){lua_tostring(L, -2), lua_tostring(L, -1)};
    }
    return pairs;
}

static unsigned read_status(lua_State *L, int response) {
    lua_getfield(L, response, "status");
    lua_Integer status = luaL_optinteger(L, -1, 200);
    if (status < 200 || status > 599)
        luaL_error(L, "a response's status is from 200 to 599, not %I", status);
    return (unsigned)status;
}

static int streamed(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    struct exchange *exchange = luaL_checkudata(L, 1, exchange_type);
    if (exchange->call)
        http_stream_end(exchange->call);
    return 0;
}

/* The stack: exchange, response. */
static int handled(lua_State *L, int lua_status, lua_KContext ctx) {
    (void)lua_status, (void)ctx;
    struct exchange *exchange = luaL_checkudata(L, 1, exchange_type);
    if (!exchange->call)
        return 0;
    luaL_checktype(L, 2, LUA_TTABLE);
    size_t count = 0, len = 0;
    struct http_pair *headers = read_headers(L, 2, &count);
    unsigned status = read_status(L, 2);
    bool streams = lua_getfield(L, 2, "stream") == LUA_TFUNCTION;
    lua_getfield(L, 2, "body");
    const char *body = luaL_optlstring(L, -1, "", &len);
    struct err err = {0};
    int rc = streams ? http_stream(exchange->call, status, headers, count, &err)
                     : http_respond(exchange->call, status, headers, count, body, len, &err);
    if (rc)
        return luaL_error(L, "a response: %s", err.message);
    exchange->answered = true;
    if (!streams)
        return 0;
    lua_getfield(L, 2, "stream");
    lua_pushvalue(L, 1);
    lua_callk(L, 1, 0, 0, streamed);
    return streamed(L, LUA_OK, 0);
}

/* Runs inside the task: handler, struct asked. */
static int handle(lua_State *L) {
    struct asked *asked = lua_touserdata(L, 2);
    lua_settop(L, 1);
    push_exchange(L, asked);
    lua_insert(L, 1);
    push_request(L, asked);
    lua_callk(L, 1, 1, 0, handled);
    return handled(L, LUA_OK, 0);
}

static void fail(struct http_call *call) {
    static const struct http_pair type = {"Content-Type", "text/plain; charset=utf-8"};
    static const char text[] = "an error in the scheduler; its log has more\n";
    (void)http_respond(call, 500, &type, 1, text, sizeof text - 1, NULL);
}

static void on_request(void *ctx, struct http_call *call, const struct http_request *request) {
    struct server *server = ctx;
    struct asked asked = {call, request, false};
    lua_pushcfunction(server->L, handle);
    lua_rawgeti(server->L, LUA_REGISTRYINDEX, server->handler);
    lua_pushlightuserdata(server->L, &asked);
    task_start(server->L, 2);
    if (!asked.taken)
        fail(call);
}

/* The exchange */

static void on_closed(void *owner) {
    struct exchange *exchange = owner;
    exchange->call = NULL;
    struct task_wait *wait = exchange->drain;
    exchange->drain = NULL;
    if (!wait)
        return;
    lua_pushnil(task_wait_state(wait));
    task_wait_resume(wait, 1);
}

static void on_drained(void *owner) {
    struct exchange *exchange = owner;
    struct task_wait *wait = exchange->drain;
    exchange->drain = NULL;
    if (!wait)
        return;
    lua_pushboolean(task_wait_state(wait), 1);
    task_wait_resume(wait, 1);
}

static int l_write(lua_State *L) {
    struct exchange *exchange = luaL_checkudata(L, 1, exchange_type);
    size_t len = 0;
    const char *text = luaL_checklstring(L, 2, &len);
    struct err err = {.message = "the client is gone"};
    if (exchange->call && !http_stream_write(exchange->call, text, len, &err)) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, err.message);
    return 2;
}

static int l_drain(lua_State *L) {
    struct exchange *exchange = luaL_checkudata(L, 1, exchange_type);
    if (!exchange->call)
        return 0;
    if (http_stream_unsent(exchange->call) == 0) {
        lua_pushboolean(L, 1);
        return 1;
    }
    if (exchange->drain)
        return luaL_error(L, "another task drains this stream already");
    exchange->drain = task_wait_new(L);
    return task_wait_yield(L, exchange->drain);
}

static int l_unsent(lua_State *L) {
    const struct exchange *exchange = luaL_checkudata(L, 1, exchange_type);
    lua_pushinteger(L, exchange->call ? (lua_Integer)http_stream_unsent(exchange->call) : 0);
    return 1;
}

static int l_cut(lua_State *L) {
    const struct exchange *exchange = luaL_checkudata(L, 1, exchange_type);
    if (exchange->call)
        http_stream_cut(exchange->call);
    return 0;
}

/* Its task has ended. When that was by an error, the client has waited for this. */
static int collect_exchange(lua_State *L) {
    struct exchange *exchange = luaL_checkudata(L, 1, exchange_type);
    if (!exchange->call)
        return 0;
    http_own(exchange->call, NULL);
    if (exchange->answered)
        http_stream_end(exchange->call);
    else
        fail(exchange->call);
    exchange->call = NULL;
    return 0;
}

/* The server */

static lua_State *main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

/* The table's fields stay on the stack, at 2 to 4. */
static int l_listen(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "address");
    lua_getfield(L, 1, "port");
    lua_getfield(L, 1, "handler");
    const char *address = luaL_checkstring(L, 2);
    lua_Integer port = luaL_checkinteger(L, 3);
    luaL_argcheck(L, port >= 0 && port <= 65535, 1, "port: 0 to 65535 expected");
    luaL_checktype(L, 4, LUA_TFUNCTION);
    struct server *server = lua_newuserdatauv(L, sizeof *server, 0);
    *server = (struct server){.L = main_state(L), .self = LUA_NOREF, .handler = LUA_NOREF};
    luaL_setmetatable(L, server_type);
    const struct http_handlers handlers = {on_request, on_closed, on_drained, server};
    struct err err = {0};
    if (http_server_new(host_of(L)->loop, address, (unsigned)port, &handlers, &server->http, &err)) {
        lua_pushnil(L);
        lua_pushstring(L, err.message);
        return 2;
    }
    lua_pushvalue(L, 5);
    server->self = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 4);
    server->handler = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

static int l_port(lua_State *L) {
    const struct server *server = luaL_checkudata(L, 1, server_type);
    lua_pushinteger(L, server->http ? (lua_Integer)http_server_port(server->http) : 0);
    return 1;
}

static int l_close(lua_State *L) {
    struct server *server = luaL_checkudata(L, 1, server_type);
    http_server_free(server->http);
    server->http = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, server->self);
    luaL_unref(L, LUA_REGISTRYINDEX, server->handler);
    server->self = server->handler = LUA_NOREF;
    return 0;
}

static const luaL_Reg server_methods[] = {{"port", l_port}, {"close", l_close}, {NULL, NULL}};
static const luaL_Reg exchange_methods[] = {
    {"write", l_write}, {"drain", l_drain}, {"unsent", l_unsent}, {"cut", l_cut}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"listen", l_listen}, {NULL, NULL}};

int luaopen_ks_server(lua_State *L);
int luaopen_ks_server(lua_State *L) {
    type_register(L, exchange_type, exchange_methods, collect_exchange);
    type_register(L, server_type, server_methods, l_close);
    luaL_newlib(L, functions);
    return 1;
}
