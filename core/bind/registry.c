/* Module registry: registry.new{executor=, instance=, retention=, max_active=, limits={NAME=n}, on_ready=,
 * on_slot=, on_ahead=, on_begun=, on_skipped=, on_delayed=, on_started=, on_outcome=, on_trouble=} -> r.
 * Handlers run as tasks, so they may wait, except on_ahead. Runs are given as tables; calls about a run take
 * its id. */
#include "bind/registry.h"

#include "bind/executor.h"
#include "bind/task.h"
#include "bind/type.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "registry";

#define REST_NS (50 * NS_PER_MS) /* after a change, before looking ahead: what it brings goes first */

enum { USER_SCHEDULES = 1, USER_VALUES = USER_SCHEDULES };

struct registry_value {
    struct registry *registry;
    struct alarm *alarm;
    struct timer *look; /* ahead, where there is on_ahead; else NULL */
    int64_t armed;      /* what the alarm is set to, unix ns; 0: it is not */
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
    lua_pushstring(L, rc == ERR_EXISTS     ? "exists"
                      : rc == ERR_NOTFOUND ? "notfound"
                      : rc == ERR_LIMIT    ? "limit"
                                           : "failed");
    return 3;
}

static void rearm(struct registry_value *value) {
    int64_t next = registry_next_wake(value->registry);
    int64_t at = next == CRON_NEVER ? INT64_MAX : next * NS_PER_S;
    if (at == value->armed || alarm_set(value->alarm, at, NULL))
        return;
    value->armed = at;
    if (value->look)
        timer_start(value->look, REST_NS);
}

static void on_look(void *ctx) {
    struct registry_value *value = ctx;
    int64_t rest = registry_look_ahead(value->registry);
    if (rest != INT64_MAX)
        timer_start(value->look, rest);
}

static int answer_and_rearm(lua_State *L, struct registry_value *value, int rc, const struct err *err) {
    rearm(value);
    return answer(L, rc, err);
}

static void on_alarm(void *ctx) {
    struct registry_value *value = ctx;
    value->armed = 0;
    registry_step(value->registry);
    rearm(value);
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
    if (push_handler(value, name)) {
        registry_push_run(value->L, run);
        task_start(value->L, 1);
    }
    rearm(value); /* also without a handler: a run that started has a timeout now */
}

static void on_ready(void *ctx) {
    struct registry_value *value = ctx;
    if (push_handler(value, "on_ready"))
        task_start(value->L, 0);
}

static void on_slot(void *ctx, const struct run *run) {
    call_with_run(ctx, "on_slot", run);
}
/* on_ahead(run) -> the manifest and whether it is a Job, or nil. Not a task: it must not wait. */
static void on_ahead(void *ctx, const struct run *run) {
    struct registry_value *value = ctx;
    lua_State *L = value->L;
    struct err err = {0};
    size_t len = 0;
    if (!push_handler(value, "on_ahead"))
        return;
    registry_push_run(L, run);
    if (lua_call_protected(L, 1, 2, &err)) {
        log_event(value->host->log, LOG_ERROR, "a slot could not be decided ahead", "error", err.message,
                  NULL);
        return;
    }
    const char *manifest = lua_tolstring(L, -2, &len);
    if (manifest)
        (void)registry_prepare(value->registry, manifest, len, lua_toboolean(L, -1), NULL); /* or later */
    lua_pop(L, 2);
}
static void on_begun(void *ctx, const struct run *run) {
    call_with_run(ctx, "on_begun", run);
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
    registry_push_run(value->L, run);
    lua_pushstring(value->L, why);
    task_start(value->L, 2);
}

static void on_trouble(void *ctx, const char *namespace_, const char *why) {
    struct registry_value *value = ctx;
    if (!push_handler(value, "on_trouble"))
        return;
    lua_pushstring(value->L, namespace_);
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
                                              .ahead = on_ahead,
                                              .begun = on_begun,
                                              .skipped = on_skipped,
                                              .delayed = on_delayed,
                                              .started = on_started,
                                              .line = on_line,
                                              .outcome = on_outcome,
                                              .trouble = on_trouble};

static lua_State *main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

/* limits = {NAME = how many runs at once}, of the table at an index. */
static int set_limits(lua_State *L, int index, struct registry *registry, struct err *err) {
    int rc = 0;
    lua_getfield(L, index, "limits");
    if (lua_istable(L, -1))
        for (lua_pushnil(L); !rc && lua_next(L, -2); lua_pop(L, 1))
            rc = registry_limit(registry, luaL_checkstring(L, -2), (size_t)luaL_checkinteger(L, -1), err);
    lua_pop(L, rc ? 3 : 1);
    return rc;
}

static int l_new(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_getfield(L, 1, "executor");
    struct registry_config config = {.instance = field_required(L, 1, "instance"),
                                     .clock = loop_clock(host_of(L)->loop),
                                     .executor = executor_check(L, 2),
                                     .retention = field_integer(L, 1, "retention", 120),
                                     .max_active = (size_t)field_integer(L, 1, "max_active", 0),
                                     .events = &events};
    struct registry_value *value = lua_newuserdatauv(L, sizeof *value, USER_VALUES);
    *value = (struct registry_value){.host = host_of(L), .L = main_state(L), .options = LUA_NOREF};
    luaL_setmetatable(L, type_name);
    lua_newtable(L);
    lua_setiuservalue(L, -2, USER_SCHEDULES);
    config.ctx = value;
    struct err err = {0};
    if (registry_new(&config, &value->registry, &err) || set_limits(L, 1, value->registry, &err) ||
        alarm_new(host_of(L)->loop, on_alarm, value, &value->alarm, &err))
        return luaL_error(L, "%s", err.message);
    lua_getfield(L, 1, "on_ahead");
    if (lua_isfunction(L, -1) && timer_new(host_of(L)->loop, on_look, value, &value->look, &err))
        return luaL_error(L, "%s", err.message);
    lua_pop(L, 1);
    lua_pushvalue(L, 1);
    value->options = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

static int l_gc(lua_State *L) {
    struct registry_value *value = luaL_checkudata(L, 1, type_name);
    alarm_free(value->alarm);
    timer_free(value->look);
    registry_free(value->registry);
    luaL_unref(L, LUA_REGISTRYINDEX, value->options);
    *value = (struct registry_value){.options = LUA_NOREF};
    return 0;
}

static int l_open(lua_State *L) {
    struct err err = {0};
    return answer(L, registry_open(check(L)->registry, &err), &err);
}

/* r:add{name=, namespace=, schedule=, …}: as in struct job_spec; the schedule is one that cron.parse gave. */
static int l_add(lua_State *L) {
    struct registry_value *value = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    lua_settop(L, 2);
    struct err err = {0};
    int rc = registry_add_job(L, 2, value->registry, &err);
    if (!rc) { /* the schedule lives as long as the job */
        lua_getiuservalue(L, 1, USER_SCHEDULES);
        lua_pushvalue(L, 3);
        lua_setfield(L, -2, field_required(L, 2, "name"));
    }
    return answer_and_rearm(L, value, rc, &err);
}

static int l_remove(lua_State *L) {
    struct registry_value *value = check(L);
    const char *name = luaL_checkstring(L, 2);
    struct err err = {.message = "there is no such job"};
    int rc = registry_remove(value->registry, name);
    lua_getiuservalue(L, 1, USER_SCHEDULES);
    lua_pushnil(L);
    lua_setfield(L, -2, name);
    return answer_and_rearm(L, value, rc, &err);
}

/* r:limit{limits=, max_active=}: as in registry.new, from now on. */
static int l_limit(lua_State *L) {
    struct registry_value *value = check(L);
    luaL_checktype(L, 2, LUA_TTABLE);
    struct err err = {0};
    registry_max_active(value->registry, (size_t)field_integer(L, 2, "max_active", 0));
    int rc = set_limits(L, 2, value->registry, &err);
    return answer_and_rearm(L, value, rc, &err);
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
        open[i - 1] = registry_read_open(L, lua_gettop(L));
        lua_pop(L, 1); /* the list keeps its strings */
    }
    struct err err = {0};
    int rc = registry_begin(value->registry, watermark, open, (size_t)count, &err);
    registry_step(value->registry);
    return answer_and_rearm(L, value, rc, &err);
}

static int l_hold(lua_State *L) {
    struct registry_value *value = check(L);
    registry_hold(value->registry, lua_toboolean(L, 2));
    registry_step(value->registry);
    rearm(value);
    return 0;
}

/* r:recall(): what on_ahead answered holds no more. */
static int l_recall(lua_State *L) {
    registry_recall(check(L)->registry);
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
    return answer_and_rearm(L, value, rc, &err);
}

static int l_skip(lua_State *L) {
    struct registry_value *value = check(L);
    struct err err = {0};
    int rc = registry_skip(value->registry, run_id(L), luaL_checkstring(L, 3), &err);
    return answer_and_rearm(L, value, rc, &err);
}

/* r:wait(run, {why=, not_before=, data=}) */
static int l_wait(lua_State *L) {
    struct registry_value *value = check(L);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct err err = {0};
    int rc = registry_wait(value->registry, run_id(L), field_required(L, 3, "why"),
                           field_integer(L, 3, "not_before", 0), field_string(L, 3, "data"), &err);
    return answer_and_rearm(L, value, rc, &err);
}

static int l_replace(lua_State *L) {
    struct registry_value *value = check(L);
    struct err err = {0};
    int rc = registry_replace(value->registry, run_id(L), &err);
    return answer_and_rearm(L, value, rc, &err);
}

static int l_report(lua_State *L) {
    struct registry_value *value = check(L);
    struct err err = {0};
    int rc = registry_report(value->registry, run_id(L), &err);
    return answer_and_rearm(L, value, rc, &err);
}

/* r:trigger(job, {request=, data=}) or r:trigger(job, request) */
static int l_trigger(lua_State *L) {
    struct registry_value *value = check(L);
    bool detailed = lua_istable(L, 3);
    const char *request = detailed ? field_required(L, 3, "request") : luaL_checkstring(L, 3);
    const char *data = detailed ? field_string(L, 3, "data") : NULL;
    struct err err = {0};
    int rc = registry_trigger(value->registry, luaL_checkstring(L, 2), request, data, &err);
    return answer_and_rearm(L, value, rc, &err);
}

/* r:backfill(job, {id=, slot=, data=}) */
static int l_backfill(lua_State *L) {
    struct registry_value *value = check(L);
    luaL_checktype(L, 3, LUA_TTABLE);
    struct err err = {0};
    int rc = registry_backfill(value->registry, luaL_checkstring(L, 2), field_required(L, 3, "id"),
                               field_integer(L, 3, "slot", 0), field_string(L, 3, "data"), &err);
    return answer_and_rearm(L, value, rc, &err);
}

static void add_open(void *ctx, const struct run *run) {
    lua_State *L = ctx;
    registry_push_open(L, run);
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
}

/* r:peek() -> unix seconds, open list: to look at, not to write */
static int l_peek(lua_State *L) {
    struct registry_value *value = check(L);
    lua_newtable(L);
    lua_pushinteger(L, registry_peek(value->registry, add_open, L));
    lua_insert(L, -2);
    return 2;
}

/* r:watermark() -> unix seconds, open list: to be written, then r:acknowledge */
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

static void add_job(void *ctx, const struct job_view *job) {
    lua_State *L = ctx;
    registry_push_job(L, job);
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
    registry_push_job(L, &job);
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
    registry_push_run(L, run);
    lua_rawseti(L, -2, luaL_len(L, -2) + 1);
}

/* r:runs() or r:runs(job) */
static int l_runs(lua_State *L) {
    struct registry_value *value = check(L);
    const char *job = luaL_optstring(L, 2, NULL);
    lua_newtable(L);
    if (job)
        registry_each_run_of(value->registry, job, add_run, L);
    else
        registry_each_run(value->registry, add_run, L);
    return 1;
}

/* r:open_runs(place) -> those that are under way or wait, from a place (default: the first) on; the place to
 * go on at, nil: that was the last. */
static int l_open_runs(lua_State *L) {
    enum { PLACES = 1000 };
    struct registry_value *value = check(L);
    size_t from = (size_t)luaL_optinteger(L, 2, 0);
    lua_newtable(L);
    size_t next = registry_each_open_run(value->registry, from, PLACES, add_run, L);
    if (!next)
        return 1;
    lua_pushinteger(L, (lua_Integer)next);
    return 2;
}

/* r:named(run's name) */
static int l_named(lua_State *L) {
    const struct run *run = registry_run_named(check(L)->registry, luaL_checkstring(L, 2));
    if (!run)
        return 0;
    registry_push_run(L, run);
    return 1;
}

/* r:counts() -> {state = runs in it} */
static int l_counts(lua_State *L) {
    size_t counts[RUN_SKIPPED + 1];
    registry_count_runs(check(L)->registry, counts);
    registry_push_counts(L, counts);
    return 1;
}

static int l_run(lua_State *L) {
    const struct run *run = registry_run(check(L)->registry, run_id(L));
    if (!run)
        return 0;
    registry_push_run(L, run);
    return 1;
}

static const luaL_Reg methods[] = {{"open", l_open},
                                   {"begin", l_begin},
                                   {"add", l_add},
                                   {"remove", l_remove},
                                   {"limit", l_limit},
                                   {"hold", l_hold},
                                   {"recall", l_recall},
                                   {"stop", l_stop},
                                   {"start", l_start},
                                   {"skip", l_skip},
                                   {"wait", l_wait},
                                   {"replace", l_replace},
                                   {"backfill", l_backfill},
                                   {"report", l_report},
                                   {"trigger", l_trigger},
                                   {"watermark", l_watermark},
                                   {"acknowledge", l_acknowledge},
                                   {"peek", l_peek},
                                   {"jobs", l_jobs},
                                   {"job", l_job},
                                   {"active", l_active},
                                   {"runs", l_runs},
                                   {"open_runs", l_open_runs},
                                   {"named", l_named},
                                   {"counts", l_counts},
                                   {"run", l_run},
                                   {NULL, NULL}};
static const luaL_Reg functions[] = {{"new", l_new}, {NULL, NULL}};

int luaopen_ks_registry(lua_State *L);
int luaopen_ks_registry(lua_State *L) {
    type_register(L, type_name, methods, l_gc);
    luaL_newlib(L, functions);
    return 1;
}
