/* Module socket: a line asked and a line answered over a Unix socket (loop/socket.h).
 *   socket.serve(path, function(line, uid) … return answer end) -> server | nil, message
 *       the function runs as a task, so it may wait; what it returns is the answer   server:close()
 *   socket.ask(path, line, seconds) -> answer | nil, message, "notfound" | "denied" | "timeout" | "failed"
 * A server lives until it is closed. */
#include "loop/socket.h"

#include "bind/task.h"

#include <lauxlib.h>

static const char type_name[] = "socket.server";

struct server {
    struct socket_server *socket; /* NULL: closed */
    lua_State *L;                 /* the main state */
    int self, handler;            /* in the registry */
};

/* A question, for the length of a callback. */
struct asked {
    uint64_t call;
    uid_t user;
    const char *line;
    size_t len;
};

/* Serving */

static int handled(lua_State *L, int status, lua_KContext call) {
    (void)status;
    const struct server *server = lua_touserdata(L, 1);
    size_t len = 0;
    const char *answer = lua_tolstring(L, -1, &len);
    if (server->socket)
        socket_answer(server->socket, (uint64_t)call, answer ? answer : "", len);
    return 0;
}

/* Runs inside the task: server, handler, struct asked. */
static int handle(lua_State *L) {
    const struct asked asked = *(const struct asked *)lua_touserdata(L, 3);
    lua_settop(L, 2);
    lua_pushlstring(L, asked.line, asked.len);
    lua_pushinteger(L, (lua_Integer)asked.user);
    lua_callk(L, 2, 1, (lua_KContext)asked.call, handled);
    return handled(L, LUA_OK, (lua_KContext)asked.call);
}

static void on_ask(void *ctx, uint64_t call, uid_t user, const char *line, size_t len) {
    struct server *server = ctx;
    struct asked asked = {call, user, line, len};
    lua_pushcfunction(server->L, handle);
    lua_rawgeti(server->L, LUA_REGISTRYINDEX, server->self);
    lua_rawgeti(server->L, LUA_REGISTRYINDEX, server->handler);
    lua_pushlightuserdata(server->L, &asked);
    task_start(server->L, 3);
}

static lua_State *main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

static int l_serve(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    struct server *server = lua_newuserdatauv(L, sizeof *server, 0);
    *server = (struct server){.L = main_state(L), .self = LUA_NOREF, .handler = LUA_NOREF};
    luaL_setmetatable(L, type_name);
    struct err err = {0};
    if (socket_server_new(host_of(L)->loop, path, on_ask, server, &server->socket, &err)) {
        lua_pushnil(L);
        lua_pushstring(L, err.message);
        return 2;
    }
    lua_pushvalue(L, 3);
    server->self = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, 2);
    server->handler = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

static int l_close(lua_State *L) {
    struct server *server = luaL_checkudata(L, 1, type_name);
    socket_server_free(server->socket);
    server->socket = NULL;
    luaL_unref(L, LUA_REGISTRYINDEX, server->self);
    luaL_unref(L, LUA_REGISTRYINDEX, server->handler);
    server->self = server->handler = LUA_NOREF;
    return 0;
}

/* Asking */

struct answer {
    const char *line;
    size_t len;
    const struct err *err;
};

/* Runs inside the task, where running out of memory is an ordinary error. */
static int push_answer(lua_State *L, int status, lua_KContext ctx) {
    (void)status, (void)ctx;
    const struct answer *answer = lua_touserdata(L, -1);
    if (!answer->err) {
        lua_pushlstring(L, answer->line, answer->len);
        return 1;
    }
    int code = answer->err->code;
    lua_pushnil(L);
    lua_pushstring(L, answer->err->message);
    lua_pushstring(L, code == ERR_NOTFOUND  ? "notfound"
                      : code == ERR_DENIED  ? "denied"
                      : code == ERR_TIMEOUT ? "timeout"
                                            : "failed");
    return 3;
}

static void on_answer(void *ctx, const char *line, size_t len, const struct err *err) {
    struct answer answer = {line, len, err};
    struct task_wait *wait = ctx;
    lua_pushlightuserdata(task_wait_state(wait), &answer); /* until the task's next wait */
    task_wait_resume(wait, 1);
}

static int l_ask(lua_State *L) {
    size_t len = 0;
    const char *path = luaL_checkstring(L, 1), *line = luaL_checklstring(L, 2, &len);
    lua_Number seconds = luaL_checknumber(L, 3);
    luaL_argcheck(L, seconds > 0 && seconds < 1e9, 3, "seconds from 0 to 1e9 expected");
    struct task_wait *wait = task_wait_new(L);
    struct err err = {0};
    if (socket_ask(host_of(L)->loop, path, line, len, (int64_t)(seconds * (lua_Number)NS_PER_S), on_answer,
                   wait, &err)) {
        task_wait_free(wait);
        lua_pushnil(L);
        lua_pushstring(L, err.message);
        lua_pushliteral(L, "failed");
        return 3;
    }
    return lua_yieldk(L, 0, 0, push_answer);
}

static const luaL_Reg methods[] = {{"close", l_close}, {NULL, NULL}};
static const luaL_Reg functions[] = {{"serve", l_serve}, {"ask", l_ask}, {NULL, NULL}};

int luaopen_ks_socket(lua_State *L);
int luaopen_ks_socket(lua_State *L) {
    if (luaL_newmetatable(L, type_name)) {
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, l_close);
        lua_setfield(L, -2, "__gc");
    }
    lua_pop(L, 1);
    luaL_newlib(L, functions);
    return 1;
}
