/* Runs, and entries of the open list, as Lua tables. */
#include "bind/registry.h"

#include <lauxlib.h>
#include <string.h>

const char *field_required(lua_State *L, int index, const char *name) {
    const char *text = field_string(L, index, name);
    if (!text)
        luaL_error(L, "field '%s': a string is missing", name);
    return text;
}

const char *field_string(lua_State *L, int index, const char *name) {
    lua_getfield(L, index, name);
    const char *text = lua_tostring(L, -1);
    lua_pop(L, 1);
    return text;
}

int64_t field_integer(lua_State *L, int index, const char *name, int64_t otherwise) {
    lua_getfield(L, index, name);
    lua_Integer number = luaL_optinteger(L, -1, otherwise);
    lua_pop(L, 1);
    return number;
}

void set_string(lua_State *L, const char *name, const char *text) {
    if (!text || !*text)
        return;
    lua_pushstring(L, text);
    lua_setfield(L, -2, name);
}

void set_integer(lua_State *L, const char *name, int64_t number) {
    lua_pushinteger(L, number);
    lua_setfield(L, -2, name);
}

void set_flag(lua_State *L, const char *name, bool flag) {
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

static void set_result(lua_State *L, const struct run *run) {
    const struct run_result *result = &run->result;
    set_string(L, "outcome", outcome_name(result->outcome));
    set_string(L, "reason", result->reason);
    set_string(L, "message", result->message);
    if (result->exit_code >= 0)
        set_integer(L, "exit_code", result->exit_code);
    if (result->finished)
        set_integer(L, "finished", result->finished);
    if (run->retry)
        set_integer(L, "retry_at", run->retry_at);
    set_flag(L, "recovered", run->recovered);
    set_flag(L, "replaced", run->replaced);
    push_tail(L, run->tail);
    lua_setfield(L, -2, "log_tail");
}

static void set_upstream(lua_State *L, const struct run *run) {
    static const char *const states[] = {NULL, "pending", "never", "succeeded", "failed", "skipped"};
    const char *job = NULL;
    const char *state = states[run_upstream(run, &job)];
    if (!state)
        return;
    lua_createtable(L, 0, 2);
    set_string(L, "job", job);
    set_string(L, "state", state);
    lua_setfield(L, -2, "upstream");
}

/* What a decision rests on. */
static void set_circumstances(lua_State *L, const struct run *run) {
    static const char *const rooms[] = {NULL, "job", "limit", "total"};
    set_string(L, "waited", run->reason);
    set_string(L, "blocked", rooms[run_room(run)]);
    set_integer(L, "queued", (int64_t)run_queued_beside(run));
    set_upstream(L, run);
}

static const char *const states[] = {
    [RUN_DECIDING] = "deciding", [RUN_SUBMITTED] = "submitted", [RUN_ACCEPTED] = "accepted",
    [RUN_STARTED] = "started",   [RUN_WAITING] = "waiting",     [RUN_FINISHED] = "finished",
    [RUN_SKIPPED] = "skipped"};

void registry_push_counts(lua_State *L, const size_t counts[RUN_SKIPPED + 1]) {
    lua_createtable(L, 0, RUN_SKIPPED + 1);
    for (size_t state = 0; state <= RUN_SKIPPED; state++)
        set_integer(L, states[state], (int64_t)counts[state]);
}

static void set_state(lua_State *L, const struct run *run) {
    set_string(L, "state", states[run->state]);
    if (run->result.started)
        set_integer(L, "started", run->result.started);
    if (run->state == RUN_DECIDING)
        set_circumstances(L, run);
    if (run->state == RUN_FINISHED)
        set_result(L, run);
    if (run->state == RUN_SKIPPED || run->state == RUN_WAITING)
        set_string(L, "reason", run->reason);
    if (run->state == RUN_WAITING && run->not_before)
        set_integer(L, "not_before", run->not_before);
    if (run->state == RUN_SKIPPED) {
        set_integer(L, "missed", (int64_t)run->missed);
        set_integer(L, "missed_from", run->missed_from);
    }
}

void registry_push_run(lua_State *L, const struct run *run) {
    lua_createtable(L, 0, 24);
    set_integer(L, "id", (int64_t)run->id);
    set_string(L, "job", run_job_name(run));
    set_string(L, "namespace", run_namespace(run));
    set_string(L, "name", run->name);
    set_string(L, "trigger", trigger_name(run->trigger));
    set_integer(L, "slot", run->slot);
    set_integer(L, "attempt", run->attempt);
    set_integer(L, "active", (int64_t)run_active_beside(run));
    set_flag(L, "has_object", run->has_object);
    set_string(L, "data", run->data);
    set_string(L, "node", run->node);
    lua_pushnumber(L, (lua_Number)run->lateness_ns / (lua_Number)NS_PER_S);
    lua_setfield(L, -2, "lateness");
    if (run_last_success(run))
        set_integer(L, "last_success", run_last_success(run));
    set_state(L, run);
}

/* {job=, slot=, attempt=, trigger=, origin=, data=, …}: undecided; with waits= (why) and perhaps not_before=:
 * it waits; with skipped= (why): to be told; with exists=true: there is an object, the data is for its retry.
 */
void registry_push_open(lua_State *L, const struct run *run) {
    const struct open_entry entry = registry_open_entry(run);
    lua_createtable(L, 0, 8);
    set_string(L, "job", entry.job);
    set_integer(L, "slot", entry.slot);
    set_integer(L, "attempt", entry.attempt);
    set_string(L, "trigger", trigger_name(entry.trigger));
    set_string(L, "origin", entry.origin);
    set_string(L, "data", entry.data);
    if (entry.state == OPEN_WAITING)
        set_string(L, "waits", entry.reason);
    if (entry.state == OPEN_SKIPPED)
        set_string(L, "skipped", entry.reason);
    if (entry.state == OPEN_EXISTS)
        set_flag(L, "exists", true);
    if (entry.not_before)
        set_integer(L, "not_before", entry.not_before);
    if (entry.missed > 0) {
        set_integer(L, "missed", (int64_t)entry.missed);
        set_integer(L, "missed_from", entry.missed_from);
    }
}

struct open_entry registry_read_open(lua_State *L, int index) {
    struct open_entry entry = {.job = field_required(L, index, "job"),
                               .origin = field_string(L, index, "origin"),
                               .slot = field_integer(L, index, "slot", 0),
                               .attempt = (int)field_integer(L, index, "attempt", 0),
                               .not_before = field_integer(L, index, "not_before", 0),
                               .data = field_string(L, index, "data"),
                               .missed = (size_t)field_integer(L, index, "missed", 0),
                               .missed_from = field_integer(L, index, "missed_from", 0)};
    const char *trigger = field_string(L, index, "trigger");
    const char *waits = field_string(L, index, "waits"), *skipped = field_string(L, index, "skipped");
    if (trigger && trigger_parse(trigger, &entry.trigger))
        luaL_error(L, "trigger '%s' is not known", trigger);
    if (entry.origin && strlen(entry.origin) >= sizeof(name_origin))
        luaL_error(L, "origin '%s' is too long", entry.origin);
    lua_getfield(L, index, "exists");
    entry.state = skipped                ? OPEN_SKIPPED
                  : waits                ? OPEN_WAITING
                  : lua_toboolean(L, -1) ? OPEN_EXISTS
                                         : OPEN_UNDECIDED;
    lua_pop(L, 1);
    entry.reason = skipped ? skipped : waits;
    return entry;
}
