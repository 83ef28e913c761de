/* Module cron: cron.parse(expression or list, {timezone=, dialect=, dst=, hash_key=, anchor=, start=, end=})
 * gives a schedule with next, previous, between, describe, effect, warnings; or nil and {message=, column=,
 * index=}. Times are integer unix seconds UTC; nil is "never". */
#include "bind/cron.h"

#include "bind/lua_call.h"
#include "bind/type.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "cron.schedule";
static const char days_name[] = "cron.days";
static const char *const dialects[] = {"standard", "cronie", "robfig-v1", NULL};
static const char *const policies[] = {"cronie", "robfig", "skip", NULL};

struct cron_value *cron_check(lua_State *L, int index) {
    return luaL_checkudata(L, index, type_name);
}

static int push_time(lua_State *L, int64_t t) {
    if (t == CRON_NEVER)
        lua_pushnil(L);
    else
        lua_pushinteger(L, t);
    return 1;
}

static int l_next(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    return push_time(L, cron_set_next(value->set, value->count, luaL_checkinteger(L, 2)));
}

static int l_previous(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    return push_time(L, cron_set_previous(value->set, value->count, luaL_checkinteger(L, 2)));
}

/* s:between(a, b[, most]) -> the slots in (a, b], at most 100,000 or `most`. */
static int l_between(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    int64_t t = luaL_checkinteger(L, 2), end = luaL_checkinteger(L, 3);
    lua_Integer most = luaL_optinteger(L, 4, 100000);
    lua_newtable(L);
    for (lua_Integer n = 1; n <= most; n++) {
        t = cron_set_next(value->set, value->count, t);
        if (t == CRON_NEVER || t > end)
            break;
        lua_pushinteger(L, t);
        lua_rawseti(L, -2, n);
    }
    return 1;
}

static int l_describe(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    struct buf text = {0};
    int rc = 0;
    for (size_t i = 0; i < value->count && !rc; i++) {
        rc = i > 0 ? buf_puts(&text, "; and ") : 0;
        rc = rc ? rc : cron_describe(value->set[i], &text);
    }
    if (!rc)
        lua_pushlstring(L, text.data, text.len);
    buf_free(&text);
    return rc ? luaL_error(L, "out of memory") : 1;
}

static void push_wall(lua_State *L, const struct cron_civil *wall) {
    char text[64];
    (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d", wall->year, wall->month, wall->day,
                   wall->hour, wall->minute, wall->second);
    lua_pushstring(L, text);
}

/* s:effect(slot) -> nil, or "moved" | "first" | "second" | "lost", and for moved and lost the wall time that
 * does not exist. */
static int l_effect(lua_State *L) {
    static const char *const names[] = {NULL, "moved", "first", "second", "lost"};
    struct cron_value *value = cron_check(L, 1);
    int64_t slot = luaL_checkinteger(L, 2);
    for (size_t i = 0; i < value->count; i++) {
        struct cron_civil wall = {0};
        if (cron_next(value->set[i], slot - 1) != slot)
            continue; /* another expression's slot */
        enum cron_effect effect = cron_dst_effect(value->set[i], slot, &wall);
        if (effect == CRON_EFFECT_NONE)
            continue;
        lua_pushstring(L, names[effect]);
        if (effect != CRON_EFFECT_MOVED && effect != CRON_EFFECT_LOST)
            return 1;
        push_wall(L, &wall);
        return 2;
    }
    return 0;
}

/* s:warnings(now) -> list of texts */
static int l_warnings(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    int64_t now = luaL_checkinteger(L, 2);
    unsigned found = 0;
    for (size_t i = 0; i < value->count; i++)
        found |= cron_warnings(value->set[i], now);
    lua_newtable(L);
    lua_Integer n = 0;
    for (unsigned bit = 1; bit <= CRON_WARN_DST_OVERLAP; bit <<= 1)
        if (found & bit) {
            lua_createtable(L, 0, 2);
            lua_pushstring(L, cron_warning_text((enum cron_warning)bit));
            lua_setfield(L, -2, "message");
            lua_pushinteger(L, bit);
            lua_setfield(L, -2, "code");
            lua_rawseti(L, -2, ++n);
        }
    return 1;
}

/* cron.days(years, "next" | "previous") -> what s:move takes; years as cron_days_new has them, packed. */
static int l_days(lua_State *L) {
    static const char *const moves[] = {"next", "previous", NULL};
    enum { WORDS = 6 * (CRON_YEAR_MAX - CRON_YEAR_MIN + 1) };
    uint64_t years[WORDS];
    size_t len = 0;
    const char *packed = luaL_checklstring(L, 1, &len);
    enum cron_move move = (enum cron_move)luaL_checkoption(L, 2, NULL, moves);
    luaL_argcheck(L, len == sizeof years, 1, "six words for each year expected");
    memcpy(years, packed, sizeof years);
    struct cron_days **box = lua_newuserdatauv(L, sizeof(struct cron_days *), 0);
    *box = NULL;
    luaL_setmetatable(L, days_name);
    *box = cron_days_new(years, move);
    return *box ? 1 : luaL_error(L, "out of memory");
}

static int days_gc(lua_State *L) {
    struct cron_days **box = luaL_checkudata(L, 1, days_name);
    cron_days_unref(*box);
    *box = NULL;
    return 0;
}

/* s:move(days): its slots move to the days that are allowed. Only before the schedule is handed on. */
static int l_move(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    struct cron_days **box = luaL_checkudata(L, 2, days_name);
    for (size_t i = 0; i < value->count; i++)
        cron_move_days(value->set[i], *box);
    return 0;
}

/* s:moved_from(slot) -> the slot as the expression has it; nil when it was not moved */
static int l_moved_from(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    int64_t slot = luaL_checkinteger(L, 2), from = CRON_NEVER;
    for (size_t i = 0; i < value->count; i++) {
        if (cron_next(value->set[i], slot - 1) != slot)
            continue; /* another expression's slot */
        from = cron_moved_from(value->set[i], slot);
        if (from == CRON_NEVER)
            break;
    }
    return push_time(L, from);
}

static int l_zone(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    lua_pushstring(L, cron_zone_name(cron_schedule_zone(value->set[0])));
    return 1;
}

static int l_gc(lua_State *L) {
    struct cron_value *value = cron_check(L, 1);
    for (size_t i = 0; i < value->count; i++)
        cron_free(value->set[i]);
    free(value->set);
    *value = (struct cron_value){0};
    return 0;
}

/* Zones are kept for the life of the state: a daemon has few, each job would load its own again. */
static int zone_gc(lua_State *L) {
    struct cron_zone **zone = lua_touserdata(L, 1);
    cron_zone_unref(*zone);
    return 0;
}

static struct cron_zone *zone_of(lua_State *L, const char *name, struct err *err) {
    luaL_getsubtable(L, LUA_REGISTRYINDEX, "cron.zones");
    if (lua_getfield(L, -1, name) == LUA_TUSERDATA) {
        struct cron_zone *zone = *(struct cron_zone **)lua_touserdata(L, -1);
        lua_pop(L, 2);
        return zone;
    }
    lua_pop(L, 1);
    struct cron_zone **box = lua_newuserdatauv(L, sizeof(struct cron_zone *), 0);
    *box = NULL;
    lua_createtable(L, 0, 1);
    lua_pushcfunction(L, zone_gc);
    lua_setfield(L, -2, "__gc");
    lua_setmetatable(L, -2);
    if (cron_zone_load(name, box, err)) {
        lua_pop(L, 2);
        return NULL;
    }
    struct cron_zone *zone = *box;
    lua_setfield(L, -2, name);
    lua_pop(L, 1);
    return zone;
}

static const char *option(lua_State *L, const char *name) {
    lua_getfield(L, 2, name);
    const char *text = luaL_optstring(L, -1, NULL);
    lua_pop(L, 1); /* the table keeps it */
    return text;
}

static int64_t option_time(lua_State *L, const char *name) {
    lua_getfield(L, 2, name);
    lua_Integer t = luaL_optinteger(L, -1, 0);
    lua_pop(L, 1);
    return t;
}

static int option_name(lua_State *L, const char *name, const char *const *known) {
    const char *text = option(L, name);
    for (int i = 0; text && known[i]; i++)
        if (!strcmp(text, known[i]))
            return i;
    if (text)
        luaL_error(L, "%s '%s' is unknown", name, text);
    return 0;
}

static int refuse(lua_State *L, const char *message, size_t column, lua_Integer index) {
    lua_pushnil(L);
    lua_createtable(L, 0, 3);
    lua_pushstring(L, message);
    lua_setfield(L, -2, "message");
    if (column > 0) {
        lua_pushinteger(L, (lua_Integer)column);
        lua_setfield(L, -2, "column");
    }
    lua_pushinteger(L, index);
    lua_setfield(L, -2, "index");
    return 2;
}

static int parse_set(lua_State *L, struct cron_value *value, lua_Integer count,
                     const struct cron_options *options) {
    value->set = calloc((size_t)count, sizeof(struct cron_schedule *));
    if (!value->set)
        return luaL_error(L, "out of memory");
    for (lua_Integer i = 1; i <= count; i++) {
        size_t len = 0;
        lua_rawgeti(L, 1, i);
        const char *text = lua_tolstring(L, -1, &len);
        struct cron_error error = {0};
        if (!text)
            return refuse(L, "an expression must be a string", 0, i);
        if (cron_parse(text, len, options, &value->set[value->count], &error))
            return refuse(L, error.message, error.column, i);
        value->count++;
        lua_pop(L, 1);
    }
    return 0;
}

static int l_parse(lua_State *L) {
    lua_settop(L, 2);
    if (lua_isnil(L, 2)) {
        lua_newtable(L);
        lua_replace(L, 2);
    }
    luaL_checktype(L, 2, LUA_TTABLE);
    if (lua_type(L, 1) == LUA_TSTRING) {
        lua_createtable(L, 1, 0);
        lua_pushvalue(L, 1);
        lua_rawseti(L, -2, 1);
        lua_replace(L, 1);
    }
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_Integer count = luaL_len(L, 1);
    if (count < 1 || count > 1000)
        return refuse(L, "1 to 1000 expressions expected", 0, 1);
    struct cron_options options = {.dialect = (enum cron_dialect)option_name(L, "dialect", dialects),
                                   .dst = (enum cron_dst)option_name(L, "dst", policies),
                                   .hash_key = option(L, "hash_key"),
                                   .anchor = option_time(L, "anchor"),
                                   .start = option_time(L, "start"),
                                   .end = option_time(L, "end")};
    const char *zone = option(L, "timezone");
    struct err err = {0};
    if (zone && !(options.zone = zone_of(L, zone, &err)))
        return refuse(L, err.message, 0, 0);
    struct cron_value *value = lua_newuserdatauv(L, sizeof *value, 0);
    *value = (struct cron_value){0};
    luaL_setmetatable(L, type_name);
    int refused = parse_set(L, value, count, &options);
    if (refused)
        return refused;
    lua_settop(L, 3);
    return 1;
}

/* cron.civil(t, zone) -> {year=, month=, day=, hour=, minute=, second=, weekday=, offset=, abbreviation=} or
 * nil, message */
static int l_civil(lua_State *L) {
    int64_t t = luaL_checkinteger(L, 1);
    struct err err = {0};
    struct cron_zone *zone = zone_of(L, luaL_optstring(L, 2, "UTC"), &err);
    if (!zone) {
        lua_pushnil(L);
        lua_pushstring(L, err.message);
        return 2;
    }
    struct cron_civil civil;
    cron_zone_civil(zone, t, &civil);
    const struct {
        const char *name;
        int value;
    } parts[] = {{"year", civil.year},       {"month", civil.month},      {"day", civil.day},
                 {"hour", civil.hour},       {"minute", civil.minute},    {"second", civil.second},
                 {"weekday", civil.weekday}, {"offset", civil.utc_offset}};
    lua_createtable(L, 0, 9);
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        lua_pushinteger(L, parts[i].value);
        lua_setfield(L, -2, parts[i].name);
    }
    lua_pushstring(L, civil.abbreviation);
    lua_setfield(L, -2, "abbreviation");
    return 1;
}

/* cron.next_change(t, zone) -> the first instant after t at which the zone's offset changes, nil when none
 * follows; or nil, message */
static int l_next_change(lua_State *L) {
    struct err err = {0};
    struct cron_zone *zone = zone_of(L, luaL_checkstring(L, 2), &err);
    if (zone)
        return push_time(L, cron_zone_next_change(zone, luaL_checkinteger(L, 1)));
    lua_pushnil(L);
    lua_pushstring(L, err.message);
    return 2;
}

static const luaL_Reg methods[] = {{"next", l_next},
                                   {"previous", l_previous},
                                   {"between", l_between},
                                   {"describe", l_describe},
                                   {"effect", l_effect},
                                   {"warnings", l_warnings},
                                   {"zone", l_zone},
                                   {"move", l_move},
                                   {"moved_from", l_moved_from},
                                   {NULL, NULL}};
static const luaL_Reg no_methods[] = {{NULL, NULL}};
static const luaL_Reg functions[] = {
    {"parse", l_parse}, {"civil", l_civil}, {"next_change", l_next_change}, {"days", l_days}, {NULL, NULL}};

int luaopen_ks_cron(lua_State *L);
int luaopen_ks_cron(lua_State *L) {
    type_register(L, type_name, methods, l_gc);
    type_register(L, days_name, no_methods, days_gc);
    luaL_newlib(L, functions);
    return 1;
}
