/* Mappings that are plainly right, at once: what schema.lua would find nothing wrong with. Whatever is not
 * plain it looks at itself, and says what is wrong. */
#include "bind/document.h"
#include "bind/yaml_tree.h"

#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

static const char type_name[] = "yaml plain";

/* The kinds of schema.lua that are read here. */
enum kind { OTHER, STRING, BOOLEAN, COUNT, INTEGER, DURATION, CHOICE, STRINGS, STRING_OR_STRINGS };

struct field {
    const char *name; /* the plain's second uservalue has the strings */
    size_t len;
    enum kind kind;
    bool required;
    int64_t min;           /* of a count */
    lua_Integer reference; /* in the first uservalue: its name; behind it, a choice's list of values */
};

struct plain {
    size_t count, required;
    struct field fields[];
};

enum { ROOM = 12 }; /* fields that the caller adds to what it gets */

static int by_name(const void *a, const void *b) {
    const struct field *left = a, *right = b;
    return doc_compare_keys(left->name, left->len, right->name, right->len);
}

static const struct field *find(const struct plain *plain, const char *name, size_t len) {
    const struct field key = {.name = name, .len = len};
    return bsearch(&key, plain->fields, plain->count, sizeof key, by_name);
}

static bool push_count(lua_State *L, const struct doc_node *node, int64_t min, int64_t most) {
    int64_t value = doc_integer(node, 0);
    if (doc_kind(node) != DOC_INTEGER || value < min || value > most)
        return false;
    lua_pushinteger(L, value);
    return true;
}

static bool push_string(lua_State *L, const struct doc_node *node) {
    if (doc_kind(node) != DOC_STRING)
        return false;
    lua_pushlstring(L, node->as.string.text, node->as.string.len);
    return true;
}

/* As text.duration: numbers with a unit each. */
static bool push_duration(lua_State *L, const struct doc_node *node) {
    static const struct {
        char name;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
    enum { DIGITS = 9 };
    size_t len = 0;
    const char *at = doc_string(node, &len);
    int64_t total = 0;
    if (!at)
        return push_count(L, node, 0, INT64_MAX);
    if (len == 0)
        return false;
    for (const char *end = at + len; at < end;) {
        size_t digits = strspn(at, "0123456789"), unit = 0;
        while (unit < 4 && units[unit].name != at[digits])
            unit++;
        if (digits == 0 || digits > DIGITS || unit == 4)
            return false;
        total += strtoll(at, NULL, 10) * units[unit].seconds;
        at += digits + 1;
    }
    lua_pushinteger(L, total);
    return true;
}

static bool push_strings(lua_State *L, const struct doc_node *node) {
    if (doc_kind(node) != DOC_ARRAY)
        return false;
    lua_createtable(L, (int)doc_length(node), 0);
    for (size_t i = 0; i < doc_length(node); i++) {
        const struct doc_node *item = doc_item(node, i);
        if (doc_kind(item) == DOC_INTEGER)
            lua_pushfstring(L, "%I", (LUAI_UACINT)doc_integer(item, 0));
        else if (!push_string(L, item))
            return false;
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
    document_mark(L, -1, SHAPE_ARRAY);
    return true;
}

/* The references are at index. */
static bool push_choice(lua_State *L, const struct doc_node *node, const struct field *field, int index) {
    if (!push_string(L, node))
        return false;
    lua_rawgeti(L, index, field->reference + 1);
    for (lua_Integer i = 1; lua_rawgeti(L, -1, i) != LUA_TNIL; i++) {
        if (lua_rawequal(L, -1, -3)) {
            lua_pop(L, 2);
            return true;
        }
        lua_pop(L, 1);
    }
    return false;
}

static bool push_value(lua_State *L, const struct doc_node *node, const struct field *field, int references) {
    switch (field->kind) {
    case STRING:
        return push_string(L, node);
    case BOOLEAN:
        lua_pushboolean(L, doc_bool(node, false));
        return doc_kind(node) == DOC_BOOL;
    case COUNT:
        return push_count(L, node, field->min, INT64_MAX);
    case INTEGER:
        return push_count(L, node, -INT32_MAX, INT32_MAX);
    case DURATION:
        return push_duration(L, node);
    case CHOICE:
        return push_choice(L, node, field, references);
    case STRINGS:
        return push_strings(L, node);
    case STRING_OR_STRINGS:
        return push_string(L, node) || push_strings(L, node);
    case OTHER:
        break;
    }
    return false;
}

/* Into the table on top of the stack; false: it is not plain. */
static bool read_member(lua_State *L, const struct plain *plain, int references,
                        const struct doc_node *object, const struct doc_member *member, size_t *required) {
    const struct field *field = find(plain, member->key, member->key_len);
    if (!field || doc_is_duplicate(object, member))
        return false;
    lua_rawgeti(L, references, field->reference);
    if (!push_value(L, member->value, field, references))
        return false;
    lua_rawset(L, -3);
    *required += field->required;
    return true;
}

static int l_read(lua_State *L) {
    const struct plain *plain = luaL_checkudata(L, 1, type_name);
    const struct doc_member *at = yaml_tree_member(L, 2, 3);
    const struct doc_node *object = at ? at->value : NULL;
    if (doc_kind(object) != DOC_OBJECT)
        return 0;
    lua_settop(L, 3);
    lua_getiuservalue(L, 1, 1);
    lua_createtable(L, 0, (int)doc_length(object) + ROOM);
    size_t required = 0;
    for (size_t i = 0; i < doc_length(object); i++)
        if (!read_member(L, plain, 4, object, doc_member_at(object, i), &required))
            return 0;
    return required == plain->required;
}

static enum kind kind_of(const char *name) {
    static const struct {
        const char *name;
        enum kind kind;
    } kinds[] = {{"string", STRING},     {"boolean", BOOLEAN},
                 {"count", COUNT},       {"integer", INTEGER},
                 {"duration", DURATION}, {"choice", CHOICE},
                 {"strings", STRINGS},   {"string_or_strings", STRING_OR_STRINGS}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    return OTHER;
}

/* The field at the top of the stack, its name below; the references are at index. */
static struct field read_field(lua_State *L, int index, lua_Integer reference) {
    struct field field = {.reference = reference};
    field.name = lua_tolstring(L, -2, &field.len);
    lua_pushvalue(L, -2);
    lua_rawseti(L, index, reference);
    lua_rawgeti(L, -1, 1);
    field.kind = kind_of(luaL_checkstring(L, -1));
    lua_getfield(L, -2, "required");
    field.required = lua_toboolean(L, -1);
    lua_getfield(L, -3, "min");
    field.min = luaL_optinteger(L, -1, 0);
    lua_getfield(L, -4, "values");
    lua_rawseti(L, index, reference + 1);
    lua_pop(L, 3);
    return field;
}

int yaml_plain(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    size_t count = 0;
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        luaL_argcheck(L, lua_type(L, -2) == LUA_TSTRING && lua_istable(L, -1), 1, "{name = field} expected");
        count++;
    }
    struct plain *plain = lua_newuserdatauv(L, sizeof *plain + count * sizeof(struct field), 1);
    *plain = (struct plain){0};
    luaL_setmetatable(L, type_name);
    lua_newtable(L);
    for (lua_pushnil(L); lua_next(L, 1); lua_pop(L, 1)) {
        struct field field = read_field(L, 3, 2 * (lua_Integer)plain->count + 1);
        plain->required += field.required;
        plain->fields[plain->count++] = field;
    }
    qsort(plain->fields, plain->count, sizeof(struct field), by_name);
    lua_setiuservalue(L, 2, 1);
    return 1;
}

void yaml_plain_register(lua_State *L) {
    luaL_newmetatable(L, type_name);
    lua_newtable(L);
    lua_pushcfunction(L, l_read);
    lua_setfield(L, -2, "read");
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}
