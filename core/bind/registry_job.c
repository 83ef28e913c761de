/* Jobs as Lua tables. */
#include "bind/cron.h"
#include "bind/registry.h"

#include <lauxlib.h>

static int choice(lua_State *L, int index, const char *name, const char *otherwise,
                  const char *const *names) {
    lua_getfield(L, index, name);
    int which = luaL_checkoption(L, -1, otherwise, names);
    lua_pop(L, 1);
    return which;
}

/* The list of outcomes on top. */
static unsigned read_outcomes(lua_State *L) {
    unsigned bits = 0;
    for (lua_Integer i = 1; i <= luaL_len(L, -1); i++) {
        lua_rawgeti(L, -1, i);
        const char *name = lua_tostring(L, -1);
        enum outcome outcome = OUTCOME_FAILED;
        if (!name || outcome_parse(name, &outcome))
            luaL_error(L, "retries: there is no outcome '%s'", name ? name : "");
        bits |= 1U << outcome;
        lua_pop(L, 1);
    }
    return bits;
}

static void read_retries(lua_State *L, int index, struct retry_rule *out) {
    lua_getfield(L, index, "retries");
    if (lua_istable(L, -1)) {
        int at = lua_gettop(L);
        out->max = (int)field_integer(L, at, "max", 0);
        out->delay = field_integer(L, at, "delay", 0);
        out->max_delay = field_integer(L, at, "max_delay", 3600);
        lua_getfield(L, at, "backoff");
        out->backoff = luaL_optnumber(L, -1, 1);
        lua_getfield(L, at, "on");
        luaL_checktype(L, -1, LUA_TTABLE);
        out->on = read_outcomes(L);
        lua_settop(L, at);
    }
    lua_pop(L, 1);
}

/* A list of {job=, on=}. The rules live in a userdata that is left on the stack. */
static void read_after(lua_State *L, int index, struct job_spec *spec) {
    static const char *const names[] = {"success", "failure", "any", NULL};
    lua_getfield(L, index, "after");
    if (!lua_istable(L, -1))
        return;
    size_t count = (size_t)luaL_len(L, -1);
    struct upstream_rule *rules = lua_newuserdatauv(L, (count + 1) * sizeof *rules, 0);
    lua_insert(L, -2);
    for (size_t i = 0; i < count; i++) {
        lua_rawgeti(L, -1, (lua_Integer)i + 1);
        int at = lua_gettop(L);
        rules[i] = (struct upstream_rule){field_required(L, at, "job"),
                                          (enum after_on)choice(L, at, "on", "success", names)};
        lua_pop(L, 1);
    }
    spec->after = rules;
    spec->after_count = count;
}

static bool flag(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    bool set = lua_toboolean(L, -1);
    lua_pop(L, 1);
    return set;
}

int registry_add_job(lua_State *L, int index, struct registry *registry, struct err *err) {
    static const char *const rules[] = {"none", "latest", "all", NULL};
    lua_getfield(L, index, "schedule");
    int schedule_at = lua_gettop(L);
    struct cron_value *schedule = cron_check(L, schedule_at);
    struct job_spec spec = {.name = field_required(L, index, "name"),
                            .namespace_ = field_required(L, index, "namespace"),
                            .schedules = schedule->set,
                            .schedule_count = schedule->count,
                            .baseline = field_integer(L, index, "baseline", 0),
                            .catch_up = (enum catch_up)choice(L, index, "catch_up", "latest", rules),
                            .catch_up_max =
                                (size_t)field_integer(L, index, "catch_up_max", REGISTRY_CATCH_UP_MAX),
                            .deadline = field_integer(L, index, "deadline", 300),
                            .jitter = field_integer(L, index, "jitter", 0),
                            .keep_succeeded = (size_t)field_integer(L, index, "keep_succeeded", 3),
                            .keep_failed = (size_t)field_integer(L, index, "keep_failed", 1),
                            .pending_timeout = field_integer(L, index, "pending_timeout", 900),
                            .timeout = field_integer(L, index, "timeout", 0),
                            .main_container = field_string(L, index, "main_container"),
                            .max_active = (size_t)field_integer(L, index, "max_active", 0),
                            .limit = field_string(L, index, "limit"),
                            .priority = (int)field_integer(L, index, "priority", 0),
                            .release_lost = flag(L, index, "release_lost")};
    read_retries(L, index, &spec.retry);
    read_after(L, index, &spec);
    int rc = registry_add(registry, &spec, err);
    lua_settop(L, schedule_at);
    return rc;
}

void registry_push_job(lua_State *L, const struct job_view *job) {
    lua_createtable(L, 0, 5);
    set_string(L, "name", job->name);
    set_string(L, "namespace", job->namespace_);
    set_integer(L, "active", (int64_t)job->active);
    set_integer(L, "waiting", (int64_t)job->waiting);
    if (job->next != CRON_NEVER)
        set_integer(L, "next", job->next);
}
