#include "bind/kube_stream.h"

#include "bind/kube.h"
#include "bind/task.h"
#include "bind/type.h"
#include "kube/pod_log.h"
#include "kube/watch.h"

#include <lauxlib.h>

static const char watch_type[] = "kube.watch", log_type[] = "kube.log";

/* What both have: while it is open, a stream keeps itself and its function from the collector. */
struct stream {
    lua_State *L; /* the main one, which outlives every task */
    int self, function;
    struct watch *watch; /* of the two, one */
    struct pod_log *log;
    struct task_wait *waiter; /* who waits for the log's end */
    bool over;
    struct err err; /* why the log could not be had whole */
};

static lua_State *main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

/* Pushes a new stream, whose callback is the function at the index. Its client is kept as long. */
static struct stream *open_stream(lua_State *L, const char *type, int function) {
    luaL_checktype(L, function, LUA_TFUNCTION);
    struct stream *stream = lua_newuserdatauv(L, sizeof *stream, 1);
    *stream = (struct stream){.L = main_state(L), .self = LUA_NOREF, .function = LUA_NOREF};
    luaL_setmetatable(L, type);
    lua_pushvalue(L, 1);
    lua_setiuservalue(L, -2, 1);
    lua_pushvalue(L, function);
    stream->function = luaL_ref(L, LUA_REGISTRYINDEX);
    lua_pushvalue(L, -1);
    stream->self = luaL_ref(L, LUA_REGISTRYINDEX);
    return stream;
}

static void close_stream(struct stream *stream) {
    watch_free(stream->watch);
    pod_log_free(stream->log);
    stream->watch = NULL;
    stream->log = NULL;
    luaL_unref(stream->L, LUA_REGISTRYINDEX, stream->function);
    luaL_unref(stream->L, LUA_REGISTRYINDEX, stream->self);
    stream->function = stream->self = LUA_NOREF;
}

static int l_gc(lua_State *L) {
    struct stream *stream = lua_touserdata(L, 1);
    close_stream(stream);
    task_wait_free(stream->waiter);
    stream->waiter = NULL;
    return 0;
}

/* Handlers run as tasks. Their arguments are made inside the task, where running out of memory is an ordinary
 * error: they come as a pointer, which lives until the task's first wait. */

static int ended(lua_State *L, int status, lua_KContext ctx) {
    (void)L, (void)status, (void)ctx;
    return 0;
}

static void start_handler(const struct stream *stream, lua_CFunction body, const void *argument) {
    lua_State *L = stream->L;
    lua_pushcfunction(L, body);
    lua_rawgeti(L, LUA_REGISTRYINDEX, stream->function);
    lua_pushlightuserdata(L, (void *)argument);
    task_start(L, 2);
}

/* Watches */

struct happening {
    enum watch_event event;
    const struct kube_object *object;
};

static void set_text(lua_State *L, const char *name, const char *text) {
    if (!text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void push_container(lua_State *L, const struct kube_container *container) {
    static const char *const states[] = {[CONTAINER_WAITING] = "waiting",
                                         [CONTAINER_RUNNING] = "running",
                                         [CONTAINER_TERMINATED] = "terminated"};
    lua_createtable(L, 0, 4);
    set_text(L, "name", container->name);
    set_text(L, "state", states[container->state]);
    set_text(L, "reason", container->reason);
    if (container->state != CONTAINER_TERMINATED)
        return;
    lua_pushinteger(L, container->exit_code);
    lua_setfield(L, -2, "exit_code");
}

static const char *const kind_names[] = {[KUBE_POD] = "Pod",
                                         [KUBE_JOB] = "Job",
                                         [KUBE_CONFIG_MAP] = "ConfigMap",
                                         [KUBE_LEASE_OBJECT] = "Lease",
                                         NULL};

static void push_object(lua_State *L, const struct kube_object *object) {
    const struct {
        const char *name, *text;
    } texts[] = {{"kind", kind_names[object->kind]},
                 {"namespace", object->namespace_},
                 {"name", object->name},
                 {"uid", object->uid},
                 {"version", object->resource_version},
                 {"phase", object->phase},
                 {"reason", object->reason ? object->reason : object->condition_reason},
                 {"message", object->message ? object->message : object->condition_message},
                 {"node", object->node},
                 {"job", object->job},
                 {"slot", object->slot},
                 {"attempt", object->attempt},
                 {"trigger", object->trigger}};
    lua_newtable(L);
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        set_text(L, texts[i].name, texts[i].text);
    lua_pushboolean(L, object->complete);
    lua_setfield(L, -2, "complete");
    lua_pushboolean(L, object->failed);
    lua_setfield(L, -2, "failed");
    lua_pushinteger(L, (lua_Integer)object->created);
    lua_setfield(L, -2, "created");
    lua_createtable(L, (int)object->container_count, 0);
    for (size_t i = 0; i < object->container_count; i++) {
        push_container(L, &object->containers[i]);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    lua_setfield(L, -2, "containers");
}

static int call_with_event(lua_State *L) {
    static const char *const names[] = {[WATCH_RELIST] = "relist",
                                        [WATCH_OBJECT] = "object",
                                        [WATCH_DELETED] = "deleted",
                                        [WATCH_SYNCED] = "synced"};
    const struct happening *happening = lua_touserdata(L, 2);
    lua_settop(L, 1);
    lua_pushstring(L, names[happening->event]);
    if (happening->object)
        push_object(L, happening->object);
    else
        lua_pushnil(L);
    lua_callk(L, 2, 0, 0, ended);
    return 0;
}

static void happened(void *ctx, enum watch_event event, struct kube_object *object) {
    const struct happening happening = {event, object};
    start_handler(ctx, call_with_event, &happening);
}

static int l_watch(lua_State *L) {
    struct kube_client *client = kube_check_client(L, 1);
    struct watch_options options = {.kind = (enum kube_kind)luaL_checkoption(L, 2, NULL, kind_names),
                                    .namespace_ = luaL_optstring(L, 3, NULL)};
    lua_settop(L, 5);
    if (!lua_isnil(L, 4)) {
        luaL_checktype(L, 4, LUA_TTABLE);
        lua_getfield(L, 4, "selector");
        options.label_selector = luaL_optstring(L, -1, NULL);
    }
    struct stream *stream = open_stream(L, watch_type, 5);
    struct err err = {0};
    if (!watch_start(client, host_of(L)->log, &options, happened, stream, &stream->watch, &err))
        return 1;
    close_stream(stream);
    return luaL_error(L, "kube: %s", err.message);
}

static int l_stop(lua_State *L) {
    close_stream(luaL_checkudata(L, 1, watch_type));
    return 0;
}

/* Logs */

struct text {
    const char *bytes;
    size_t len;
};

static int call_with_line(lua_State *L) {
    const struct text *line = lua_touserdata(L, 2);
    lua_settop(L, 1);
    lua_pushlstring(L, line->bytes, line->len);
    lua_callk(L, 1, 0, 0, ended);
    return 0;
}

static void got_line(void *ctx, const char *bytes, size_t len) {
    const struct text line = {bytes, len};
    start_handler(ctx, call_with_line, &line);
}

static int push_outcome(lua_State *L, const struct stream *stream) {
    if (!stream->err.code) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, stream->err.message);
    return 2;
}

static void log_done(void *ctx, const struct err *err) {
    struct stream *stream = ctx;
    struct task_wait *waiter = stream->waiter;
    stream->over = true;
    stream->waiter = NULL;
    if (err)
        stream->err = *err;
    int count = waiter ? push_outcome(task_wait_state(waiter), stream) : 0;
    close_stream(stream); /* the collector may take it now */
    if (waiter)
        task_wait_resume(waiter, count);
}

static int l_follow(lua_State *L) {
    static const struct pod_log_events events = {.line = got_line, .done = log_done};
    struct kube_client *client = kube_check_client(L, 1);
    const char *namespace_ = luaL_checkstring(L, 2), *pod = luaL_checkstring(L, 3),
               *container = luaL_checkstring(L, 4);
    lua_settop(L, 5);
    struct stream *stream = open_stream(L, log_type, 5);
    struct err err = {0};
    if (!pod_log_follow(client, namespace_, pod, container, 0, 0, &events, stream, &stream->log, &err))
        return 1;
    close_stream(stream);
    return luaL_error(L, "kube: %s", err.message);
}

static int l_finish(lua_State *L) {
    struct stream *stream = luaL_checkudata(L, 1, log_type);
    if (stream->log)
        pod_log_finish(stream->log);
    return 0;
}

static int l_wait(lua_State *L) {
    struct stream *stream = luaL_checkudata(L, 1, log_type);
    if (stream->over)
        return push_outcome(L, stream);
    if (stream->waiter)
        return luaL_error(L, "kube: another task waits for this log");
    stream->waiter = task_wait_new(L);
    return task_wait_yield(L, stream->waiter);
}

static int l_is_over(lua_State *L) {
    const struct stream *stream = luaL_checkudata(L, 1, log_type);
    lua_pushboolean(L, stream->over);
    return 1;
}

void kube_stream_add_methods(lua_State *L) {
    static const luaL_Reg methods[] = {{"watch", l_watch}, {"follow", l_follow}, {NULL, NULL}};
    static const luaL_Reg watch_methods[] = {{"stop", l_stop}, {NULL, NULL}};
    static const luaL_Reg log_methods[] = {
        {"finish", l_finish}, {"wait", l_wait}, {"is_over", l_is_over}, {NULL, NULL}};
    type_register(L, watch_type, watch_methods, l_gc);
    type_register(L, log_type, log_methods, l_gc);
    luaL_setfuncs(L, methods, 0);
}
