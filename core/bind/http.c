#include "bind/http.h"

#include "base/buf.h"
#include "bind/task.h"
#include "loop/fetch.h"

#include <ctype.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_CONNECTIONS = 64, DEFAULT_TIMEOUT_S = 30, MAX_HEADERS = 128 };
static const char POOL[] = "ks.http"; /* metatable; its address is the registry key of this state's pool */

/* One pool for a Lua state, opened by the first request. */
struct http {
    struct fetch_pool *pool;
    struct exchange *all;
};

struct exchange {
    struct http *http;
    struct exchange *previous, *next;
    struct fetch *fetch;
    struct task_wait *wait;
};

const char *http_code_name(int code) {
    static const char *const names[] = {"ok",      "nomem",    "invalid", "io",    "notfound", "exists",
                                        "timeout", "canceled", "denied",  "limit", "script"};
    size_t at = code > 0 ? sizeof names : (size_t)-code;
    return at < sizeof names / sizeof names[0] ? names[at] : "unknown";
}

static void unlink_exchange(struct exchange *exchange) {
    if (exchange->previous)
        exchange->previous->next = exchange->next;
    else
        exchange->http->all = exchange->next;
    if (exchange->next)
        exchange->next->previous = exchange->previous;
    free(exchange);
}

static int close_http(lua_State *L) {
    struct http *http = luaL_checkudata(L, 1, POOL);
    for (struct exchange *exchange = http->all, *next; exchange; exchange = next) {
        next = exchange->next;
        fetch_cancel(exchange->fetch);
        task_wait_free(exchange->wait);
        free(exchange);
    }
    http->all = NULL;
    fetch_pool_free(http->pool);
    http->pool = NULL;
    return 0;
}

static void push_lower(lua_State *L, const char *text) {
    luaL_Buffer buffer;
    luaL_buffinit(L, &buffer);
    for (; *text; text++)
        luaL_addchar(&buffer, (char)tolower((unsigned char)*text));
    luaL_pushresult(&buffer);
}

void http_add_header(lua_State *L, const char *name, const char *value) {
    push_lower(L, name);
    lua_pushvalue(L, -1);
    if (lua_rawget(L, -3) == LUA_TSTRING)
        lua_pushfstring(L, "%s, %s", lua_tostring(L, -1), value);
    else
        lua_pushstring(L, value);
    lua_replace(L, -2);
    lua_rawset(L, -3);
}

static void push_headers(lua_State *L, const struct fetch *fetch) {
    lua_newtable(L);
    struct fetch_header header = {0};
    while (fetch_next_header(fetch, &header))
        http_add_header(L, header.name, header.value);
}

struct outcome_args {
    const struct fetch_result *result;
    const struct fetch *fetch;
};

static int push_answer(lua_State *L) {
    const struct outcome_args *args = lua_touserdata(L, 1);
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, args->result->status);
    lua_setfield(L, -2, "status");
    lua_pushlstring(L, args->result->body, args->result->body_len);
    lua_setfield(L, -2, "body");
    push_headers(L, args->fetch);
    lua_setfield(L, -2, "headers");
    return 1;
}

static int push_failure(lua_State *L, const char *message, int code) {
    lua_pushnil(L);
    lua_pushstring(L, message);
    lua_pushstring(L, http_code_name(code));
    return 3;
}

static void answered(void *ctx, const struct fetch_result *result) {
    struct exchange *exchange = ctx;
    struct task_wait *wait = exchange->wait;
    lua_State *co = task_wait_state(wait);
    int count;
    if (result->code)
        count = push_failure(co, result->error, result->code);
    else {
        struct outcome_args args = {result, exchange->fetch};
        struct err err = {0};
        lua_pushcfunction(co, push_answer);
        lua_pushlightuserdata(co, &args);
        count = lua_call_protected(co, 1, 1, &err) ? push_failure(co, err.message, err.code) : 1;
    }
    unlink_exchange(exchange);
    task_wait_resume(wait, count);
}

/* Reading the argument table, at 1. What the request points to stays on the stack. */

static const char *text_field(lua_State *L, const char *name) {
    lua_getfield(L, 1, name);
    if (!lua_isnil(L, -1) && !lua_isstring(L, -1))
        luaL_error(L, "http.request: %s must be a string, got %s", name, luaL_typename(L, -1));
    return lua_tostring(L, -1);
}

static lua_Number number_field(lua_State *L, const char *name, lua_Number otherwise) {
    lua_getfield(L, 1, name);
    lua_Number value = luaL_optnumber(L, -1, otherwise);
    if (!(value > 0 && value < 1e9))
        luaL_error(L, "http.request: %s must be from 0 to 1e9", name);
    lua_pop(L, 1);
    return value;
}

static void append_line(lua_State *L, int lines, const char *name, int value) {
    const char *text = lua_tostring(L, value);
    if (!text)
        luaL_error(L, "http.request: header %s must be a string, or a list of strings", name);
    lua_Integer count = luaL_len(L, lines);
    if (count == MAX_HEADERS)
        luaL_error(L, "http.request: more than %d headers", MAX_HEADERS);
    lua_pushfstring(L, "%s: %s", name, text);
    lua_rawseti(L, lines, count + 1);
}

/* Leaves a list of "Name: value" lines on the stack. */
static void header_lines(lua_State *L) {
    lua_getfield(L, 1, "headers");
    int headers = lua_gettop(L);
    lua_newtable(L);
    int lines = lua_gettop(L);
    if (!lua_isnil(L, headers))
        luaL_checktype(L, headers, LUA_TTABLE);
    for (lua_pushnil(L); lua_istable(L, headers) && lua_next(L, headers); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            luaL_error(L, "http.request: headers must be {Name = value}");
        const char *name = lua_tostring(L, -2);
        if (!lua_istable(L, -1)) {
            append_line(L, lines, name, lua_gettop(L));
            continue;
        }
        for (lua_Integer i = 1, n = luaL_len(L, -1); i <= n; i++) {
            lua_geti(L, -1, i);
            append_line(L, lines, name, lua_gettop(L));
            lua_pop(L, 1);
        }
    }
    lua_settop(L, lines);
}

static const char **line_array(lua_State *L, int lines) {
    size_t count = (size_t)luaL_len(L, lines);
    const char **array = lua_newuserdatauv(L, (count + 1) * sizeof *array, 0);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, lines, (lua_Integer)i + 1);
        array[i] = lua_tostring(L, -1); /* the table keeps it */
        lua_pop(L, 1);
    }
    array[count] = NULL;
    return array;
}

/* mail_from and mail_to, a list: then the URL is one of SMTP. */
static const struct fetch_mail *read_mail(lua_State *L, struct fetch_mail *mail) {
    mail->from = text_field(L, "mail_from");
    if (!mail->from)
        return NULL;
    lua_getfield(L, 1, "mail_to");
    luaL_checktype(L, -1, LUA_TTABLE);
    for (lua_Integer i = 1, n = luaL_len(L, -1); i <= n; i++) {
        if (lua_geti(L, -1, i) != LUA_TSTRING)
            luaL_error(L, "http.request: mail_to must be a list of strings");
        lua_pop(L, 1);
    }
    mail->to = line_array(L, lua_gettop(L));
    return mail;
}

struct request_parts {
    struct fetch_tls tls;
    struct fetch_mail mail;
};

static void read_request(lua_State *L, struct fetch_request *request, struct request_parts *parts) {
    struct fetch_tls *tls = &parts->tls;
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    if (!(request->url = text_field(L, "url")))
        luaL_error(L, "http.request: url is missing");
    (void)text_field(L, "body");
    request->body = lua_tolstring(L, -1, &request->body_len);
    request->method = text_field(L, "method");
    if (!request->method)
        request->method = request->body ? "POST" : "GET";
    request->proxy = text_field(L, "proxy");
    tls->ca_file = text_field(L, "ca_file");
    lua_getfield(L, 1, "insecure");
    tls->insecure = lua_toboolean(L, -1);
    request->tls = tls;
    request->username = text_field(L, "username");
    request->password = text_field(L, "password");
    request->mail = read_mail(L, &parts->mail);
    request->timeout_ns = (int64_t)(number_field(L, "timeout", DEFAULT_TIMEOUT_S) * (lua_Number)NS_PER_S);
    request->max_body = (size_t)number_field(L, "max_body", FETCH_MAX_BODY);
    header_lines(L);
    request->headers = line_array(L, lua_gettop(L));
}

static struct http *http_of(lua_State *L) {
    if (lua_rawgetp(L, LUA_REGISTRYINDEX, POOL) != LUA_TUSERDATA)
        luaL_error(L, "http: the module is closed");
    struct http *http = lua_touserdata(L, -1);
    lua_pop(L, 1);
    const struct fetch_pool_options options = {.max_connections = MAX_CONNECTIONS};
    struct err err = {0};
    if (!http->pool && fetch_pool_new(host_of(L)->loop, &options, &http->pool, &err))
        luaL_error(L, "http: %s", err.message);
    return http;
}

static int l_request(lua_State *L) {
    struct request_parts parts = {0};
    struct fetch_request request = {.done = answered};
    read_request(L, &request, &parts);
    struct http *http = http_of(L);
    struct task_wait *wait = task_wait_new(L);
    struct exchange *exchange = request.ctx = calloc(1, sizeof *exchange);
    struct err err = {0};
    if (!exchange || fetch_start(http->pool, &request, &exchange->fetch, &err)) {
        task_wait_free(wait);
        free(exchange);
        return exchange ? push_failure(L, err.message, err.code) : luaL_error(L, "out of memory");
    }
    exchange->wait = wait;
    exchange->http = http;
    exchange->next = http->all;
    if (http->all)
        http->all->previous = exchange;
    http->all = exchange;
    return task_wait_yield(L, wait);
}

static void open_pool(lua_State *L) {
    struct http *http = lua_newuserdatauv(L, sizeof *http, 0);
    *http = (struct http){0};
    if (luaL_newmetatable(L, POOL)) {
        lua_pushcfunction(L, close_http);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    lua_rawsetp(L, LUA_REGISTRYINDEX, POOL);
}

static const luaL_Reg functions[] = {{"request", l_request}, {NULL, NULL}};

int luaopen_ks_http(lua_State *L) {
    open_pool(L);
    luaL_newlib(L, functions);
    return 1;
}
