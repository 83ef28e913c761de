/* Module registry: registry.new{executor=, instance=, retention=, on_ready=, on_slot=, on_skipped=,
 * on_delayed=, on_started=, on_outcome=} -> r. Handlers run as tasks, so they may wait. Runs are given as
 * tables; calls about a run take its id. */
#include "registry/registry.h"

#include "bind/cron.h"
#include "bind/executor.h"
#include "bind/task.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "registry";

enum { USER_SCHEDULES = 1, USER_VALUES = USER_SCHEDULES };

struct registry_value {
    struct registry *registry;
    struct alarm *alarm;
    struct host *host;
    lua_State *L; /* the main state, for handlers */
    int options;  /* the table given to registry.new, in the registry: it has the handlers */
};

static struct registry_value *check(lua_State *L) {
    struct registry_value *value = luaL_checkudata(L, 1, type_name);
    if (!value->registry)
        luaL_error(L, "the registry is closed");
    return value;
}

static int answer(lua_State *L, int rc, const struct err *err) {
    if (!rc) {
        lua_pushboolean(L, 1);
        return 1;
    }
    lua_pushnil(L);
    lua_pushstring(L, err->message);
    lua_pushstring(L, rc == ERR_EXISTS ? "exists" : rc == ERR_NOTFOUND ? "notfound" : "failed");
    return 3;
}

static void rearm(struct registry_value *value) {
    int64_t next = registry_next_wake(value->registry);
    (void)alarm_set(value->alarm, next == CRON_NEVER ? INT64_MAX : next * NS_PER_S, NULL);
}

static void on_alarm(void *ctx) {
    struct registry_value *value = ctx;
    registry_step(value->registry);
    rearm(value);
}

static void set_string(lua_State *L, const char *name, const char *text) {
    if (!text || !*text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

static void set_integer(lua_State *L, const char *name, int64_t number) {
    lua_pushinteger(L, number);
    lua_setfield(L, -2, name);
}

static void set_flag(lua_State *L, const char *name, bool flag) {
    lua_pushboolean(L, flag);
    lua_setfield(L, -2, name);
}

static void push_tail(lua_State *L, const struct tail *tail) {
    size_t count = tail_count(tail);
    lua_createtable(L, (int)count, 0);
    for (size_t i = 0; i < count; i++) {
        size_t len = 0;
        const char *line = tail_line(tail, i, &len);
        lua_pushlstring(L, line, len);
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_result(lua_State *L, const struct run *run) {
    const struct result *result = &run->result;
    set_string(L, "outcome", outcome_name(result->outcome));
    set_string(L, "reason", result->reason);
    set_string(L, "message", result->message);
    if (result->exit_code >= 0)
        set_integer(L, "exit_code", result->exit_code);
    if (result->started)
        set_integer(L, "started", result->started);
    if (result->finished)
        set_integer(L, "finished", result->finished);
    push_tail(L, run->tail);
    lua_setfield(L, -2, "log_tail");
}

static void push_run(lua_State *L, const struct run *run) {
    static const char *const states[] = {"deciding", "submitted", "accepted",
                                         "started",  "finished",  "skipped"};
    lua_createtable(L, 0, 20);
    set_integer(L, "id", (int64_t)run->id);
    set_string(L, "job", run_job_name(run));
    set_string(L, "namespace", run_namespace(run));
    set_string(L, "name", run->name);
    set_string(L, "state", states[run->state]);
    set_string(L, "trigger", trigger_name(run->trigger));
    set_integer(L, "slot", run->slot);
    set_integer(L, "attempt", run->attempt);
    set_integer(L, "active", (int64_t)run_active_beside(run));
    set_flag(L, "has_object", run->has_object);
    lua_pushnumber(L, (lua_Number)run->lateness_ns / (lua_Number)NS_PER_S);
    lua_setfield(L, -2, "lateness");
    if (run->state == RUN_SKIPPED) {
        set_string(L, "reason", run->reason);
        set_integer(L, "missed", (int64_t)run->missed);
        set_integer(L, "missed_from", run->missed_from);
    }
    if (run->state == RUN_FINISHED)
        push_result(L, run);
}

/* Pushes the handler, or gives false when the program has none by that name. */
static bool push_handler(struct registry_value *value, const char *name) {
    lua_State *L = value->L;
    lua_rawgeti(L, LUA_REGISTRYINDEX, value->options);
    lua_getfield(L, -1, name);
    lua_remove(L, -2);
    if (lua_isfunction(L, -1))
        return true;
    lua_pop(L, 1);
    return false;
}

static void call_with_run(void *ctx, const char *name, const struct run *run) {
    struct registry_value *value = ctx;
    if (!push_handler(value, name))
        return;
    push_run(value->L, run);
    task_start(value->L, 1);
}

static void on_ready(void *ctx) {
    struct registry_value *value = ctx;
    if (push_handler(value, "on_ready"))
        task_start(value->L, 0);
}

static void on_slot(void *ctx, const struct run *run) {
    call_with_run(ctx, "on_slot", run);
}
static void on_skipped(void *ctx, const struct run *run) {
    call_with_run(ctx, "on_skipped", run);
}
static void on_started(void *ctx, const struct run *run) {
    call_with_run(ctx, "on_started", run);
}
static void on_outcome(void *ctx, const struct run *run) {
    call_with_run(ctx, "on_outcome", run);
}

static void on_delayed(void *ctx, const struct run *run, const char *why) {
    struct registry_value *value = ctx;
    if (!push_handler(value, "on_delayed"))
        return;
    push_run(value->L, run);
    lua_pushstring(value->L, why);
    task_start(value->L, 2);
}

/* Task output goes straight to the log: Lua sees only its tail. */
static void on_line(void *ctx, const struct run *run, const char *container, const char *line, size_t len) {
    struct registry_value *value = ctx;
    log_output(value->host->log, run_job_name(run), run->name, container, line, len);
}

static const struct registry_events events = {.ready = on_ready,
                                              .slot = on_slot,
                                              .skipped = on_skipped,
                                              .delayed = on_delayed,
                                              .started = on_started,
                                              .line = on_line,
                                              .outcome = on_outcome};

static const char *required_string(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    const char *text = lua_tostring(L, -1);
    if (!text)
        luaL_error(L, "field '%s': a string is missing", name);
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static const char *optional_string(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    const char *text = luaL_optstring(L, -1, NULL);
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static int64_t optional_integer(lua_State *L, int index, const char *name, int64_t otherwise) {
    lua_getfield(L, index, name);
    lua_Integer number = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return number;
}

static lua_State *main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

static int l_new(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "executor");
    struct registry_config config = {.instance = required_string(L, 1, "instance"),
                                     .clock = loop_clock(host_of(L)->loop),
                                     .executor = executor_check(L, 2),
                                     .retention = optional_integer(L, 1, "retention", 120),
                                     .events = &events};
    struct registry_value *value = lua_newuserdatauv(L, sizeof *value, USER_VALUES);
    *value = (struct registry_value){.host = host_of(L), .L = main_state(L), .options = LUA_NOREF};
    luaL_setmetatable(L, type_name);
    lua_newtable(L);
    lua_setiuservalue(L, -2, USER_SCHEDULES);
    config.ctx = value;
    struct err err = {0};
    if (registry_new(&config, &value->registry, &err) ||
        alarm_new(host_of(L)->loop, on_alarm, value, &value->alarm, &err))
        return luaL_error(L, "%s", err.message);
    lua_pushvalue(L, 1);
    value->options = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

static int l_gc(lua_State *L) {
    struct registry_value *value = luaL_checkudata(L, 1, type_name);
    alarm_free(value->alarm);
    registry_free(value->registry);
    luaL_unref(L, LUA_REGISTRYINDEX, value->options);
    *value = (struct registry_value){.options = LUA_NOREF};
    return 0;
}

static int l_open(lua_State *L) {
    struct err err = {0};
    return answer(L, registry_open(check(L)->registry, &err), &err);
}

static int catch_up_of(lua_State *L, int index) {
    static const char *const names[] = {"none", "latest", "all", NULL};
    lua_getfield(L, index, "catch_up");
    int which = luaL_checkoption(L, -1, "latest", names);
    lua_pop(L, 1);
    return which;
}

/* r:add{name=, namespace=, schedule=, baseline=, catch_up=, catch_up_max=, deadline=, keep_succeeded=,
 * keep_failed=, pending_timeout=, main_container=}: the schedule is one that cron.parse gave. */
static int l_add(lua_State *L) {
    struct registry_value *value = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    lua_getfield(L, 2, "schedule");
    struct cron_value *schedule = cron_check(L, 3);
    struct job_spec spec = {.name = required_string(L, 2, "name"),
                            .namespace_ = required_string(L, 2, "namespace"),
                            .schedules = schedule->set,
                            .schedule_count = schedule->count,
                            .baseline = optional_integer(L, 2, "baseline", 0),
                            .catch_up = (enum catch_up)catch_up_of(L, 2),
                            .catch_up_max =
                                (size_t)optional_integer(L, 2, "catch_up_max", REGISTRY_CATCH_UP_MAX),
                            .deadline = optional_integer(L, 2, "deadline", 300),
                            .keep_succeeded = (size_t)optional_integer(L, 2, "keep_succeeded", 3),
                            .keep_failed = (size_t)optional_integer(L, 2, "keep_failed", 1),
                            .pending_timeout = optional_integer(L, 2, "pending_timeout", 900),
                            .main_container = optional_string(L, 2, "main_container")};
    struct err err = {0};
    int rc = registry_add(value->registry, &spec, &err);
    if (!rc) { /* the schedule lives as long as the job */
        lua_getiuservalue(L, 1, USER_SCHEDULES);
        lua_pushvalue(L, 3);
        lua_setfield(L, -2, spec.name);
    }
    rearm(value);
    return answer(L, rc, &err);
}

static int l_remove(lua_State *L) {
    struct registry_value *value = check(L);
    const char *name = luaL_checkstring(L, 2);
    struct err err = {.message = "there is no such job"};
    int rc = registry_remove(value->registry, name);
    lua_getiuservalue(L, 1, USER_SCHEDULES);
    lua_pushnil(L);
    lua_setfield(L, -2, name);
    rearm(value);
    return answer(L, rc, &err);
}

/* One entry of the open list, read from the table on top. */
static struct open_entry read_entry(lua_State *L) {
    int at = lua_gettop(L);
    struct open_entry entry = {.job = required_string(L, at, "job"),
                               .slot = optional_integer(L, at, "slot", 0),
                               .missed = (size_t)optional_integer(L, at, "missed", 0),
                               .missed_from = optional_integer(L, at, "missed_from", 0)};
    lua_getfield(L, at, "skipped");
    entry.reason = lua_tostring(L, -1);
    entry.skipped = entry.reason != NULL;
    lua_pop(L, 1);
    return entry;
}

/* r:begin(watermark or nil, open list or nil): slots are decided from here on. */
static int l_begin(lua_State *L) {
    struct registry_value *value = check(L);
    int64_t watermark = luaL_optinteger(L, 2, 0);
    lua_settop(L, 3);
    lua_Integer count = lua_istable(L, 3) ? luaL_len(L, 3) : 0;
    luaL_argcheck(L, count <= REGISTRY_OPEN_MAX, 3, "the open list is too long");
    struct open_entry *open = lua_newuserdatauv(L, (size_t)(count + 1) * sizeof *open, 0);
    for (lua_Integer i = 1; i <= count; i++) {
        lua_rawgeti(L, 3, i);
        open[i - 1] = read_entry(L);
        lua_pop(L, 1); /* the list keeps its strings */
    }
    struct err err = {0};
    int rc = registry_begin(value->registry, watermark, open, (size_t)count, &err);
    registry_step(value->registry);
    rearm(value);
    return answer(L, rc, &err);
}

static int l_hold(lua_State *L) {
    struct registry_value *value = check(L);
    registry_hold(value->registry, lua_toboolean(L, 2));
    registry_step(value->registry);
    rearm(value);
    return 0;
}

static int l_stop(lua_State *L) {
    struct registry_value *value = check(L);
    registry_stop(value->registry);
    rearm(value);
    return 0;
}

static uint64_t run_id(lua_State *L) {
    return (uint64_t)luaL_checkinteger(L, 2);
}

/* r:start(run, manifest JSON, is_job) */
static int l_start(lua_State *L) {
    struct registry_value *value = check(L);
    size_t len = 0;
    const char *manifest = luaL_checklstring(L, 3, &len);
    struct err err = {0};
    int rc = registry_start(value->registry, run_id(L), manifest, len, lua_toboolean(L, 4), &err);
    return answer(L, rc, &err);
}

static int l_skip(lua_State *L) {
    struct err err = {0};
    int rc = registry_skip(check(L)->registry, run_id(L), luaL_checkstring(L, 3), &err);
    return answer(L, rc, &err);
}

static int l_report(lua_State *L) {
    struct err err = {0};
    int rc = registry_report(check(L)->registry, run_id(L), &err);
    return answer(L, rc, &err);
}

static int l_trigger(lua_State *L) {
    struct err err = {0};
    int rc = registry_trigger(check(L)->registry, luaL_checkstring(L, 2), luaL_checkstring(L, 3), &err);
    return answer(L, rc, &err);
}

static void add_open(void *ctx, const struct run *run) {
    lua_State *L = ctx;
    lua_createtable(L, 0, 6);
    set_string(L, "job", run_job_name(run));
    set_integer(L, "slot", run->slot);
    set_integer(L, "attempt", run->attempt);
    if (run->state == RUN_SKIPPED) {
        set_string(L, "skipped", run->reason);
        if (run->missed > 0) {
            set_integer(L, "missed", (int64_t)run->missed);
            set_integer(L, "missed_from", run->missed_from);
        }
    }
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
}

/* r:watermark() -> unix seconds, open list */
static int l_watermark(lua_State *L) {
    struct registry_value *value = check(L);
    lua_newtable(L);
    lua_pushinteger(L, registry_watermark(value->registry, add_open, L));
    lua_insert(L, -2);
    return 2;
}

static int l_acknowledge(lua_State *L) {
    registry_acknowledge(check(L)->registry, luaL_checkinteger(L, 2));
    return 0;
}

static void push_job(lua_State *L, const struct job_view *job) {
    lua_createtable(L, 0, 4);
    set_string(L, "name", job->name);
    set_string(L, "namespace", job->namespace_);
    set_integer(L, "active", (int64_t)job->active);
    if (job->next != CRON_NEVER)
        set_integer(L, "next", job->next);
}

static void add_job(void *ctx, const struct job_view *job) {
    lua_State *L = ctx;
    push_job(L, job);
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
}

static int l_jobs(lua_State *L) {
    struct registry_value *value = check(L);
    lua_newtable(L);
    registry_each_job(value->registry, add_job, L);
    return 1;
}

static int l_job(lua_State *L) {
    struct job_view job;
    if (registry_job(check(L)->registry, luaL_checkstring(L, 2), &job))
        return 0;
    push_job(L, &job);
    return 1;
}

/* r:active(job) -> how many of its runs are not finished */
static int l_active(lua_State *L) {
    struct job_view job = {0};
    (void)registry_job(check(L)->registry, luaL_checkstring(L, 2), &job);
    lua_pushinteger(L, (lua_Integer)job.active);
    return 1;
}

static void add_run(void *ctx, const struct run *run) {
    lua_State *L = ctx;
    push_run(L, run);
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
}

static int l_runs(lua_State *L) {
    struct registry_value *value = check(L);
    lua_newtable(L);
    registry_each_run(value->registry, add_run, L);
    return 1;
}

static int l_run(lua_State *L) {
    const struct run *run = registry_run(check(L)->registry, run_id(L));
    if (!run)
        return 0;
    push_run(L, run);
    return 1;
}

static const luaL_Reg methods[] = {{"open", l_open},
                                   {"begin", l_begin},
                                   {"add", l_add},
                                   {"remove", l_remove},
                                   {"hold", l_hold},
                                   {"stop", l_stop},
                                   {"start", l_start},
                                   {"skip", l_skip},
                                   {"report", l_report},
                                   {"trigger", l_trigger},
                                   {"watermark", l_watermark},
                                   {"acknowledge", l_acknowledge},
                                   {"jobs", l_jobs},
                                   {"job", l_job},
                                   {"active", l_active},
                                   {"runs", l_runs},
                                   {"run", l_run},
                                   {NULL, NULL}};
static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};

int luaopen_ks_registry(lua_State *L);
int luaopen_ks_registry(lua_State *L) {
    if (luaL_newmetatable(L, type_name)) {
        luaL_newlib(L, methods);
        lua_setfield(L, -2, "__index");
        lua_pushcfunction(L, l_gc);
        lua_setfield(L, -2, "__gc");
    }
    luaL_newlib(L, functions);
    return 1;
}
