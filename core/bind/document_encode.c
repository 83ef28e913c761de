#include "bind/document.h"

#include "document/build.h"

#include <lauxlib.h>

/* What one call owns. The collector releases it after an error, the call itself when all went well: the
 * collector does not know how large it is. */
struct work {
    struct doc *doc;
    struct buf text;
};

static const char WORK[] = "document work";

/* The way from the outermost value to the one at hand, for messages. */
struct step {
    const struct step *up; /* NULL for the first */
    const char *key;       /* NULL for an item */
    lua_Integer index;
};

static const struct doc_place nowhere;

static void release(struct work *work) {
    doc_free(work->doc);
    buf_free(&work->text);
    work->doc = NULL;
}

static int l_release(lua_State *L) {
    release(luaL_checkudata(L, 1, WORK));
    return 0;
}

static struct work *new_work(lua_State *L) {
    struct work *work = lua_newuserdatauv(L, sizeof *work, 0);
    *work = (struct work){0};
    if (luaL_newmetatable(L, WORK)) {
        lua_pushcfunction(L, l_release);
        lua_setfield(L, -2, "__gc");
    }
    lua_setmetatable(L, -2);
    work->doc = doc_new();
    if (!work->doc)
        luaL_error(L, "out of memory");
    return work;
}

/* Pushes the path as one string, the value itself being "value". */
static void push_path(lua_State *L, const struct step *step) {
    luaL_checkstack(L, 4, "document");
    if (!step) {
        lua_pushliteral(L, "value");
        return;
    }
    push_path(L, step->up);
    if (step->key)
        lua_pushfstring(L, ".%s", step->key);
    else
        lua_pushfstring(L, "[%I]", (LUAI_UACINT)step->index);
    lua_concat(L, 2);
}

static int refuse(lua_State *L, const struct step *step, const char *why) {
    push_path(L, step);
    return luaL_error(L, "%s: %s", lua_tostring(L, -1), why);
}

static void built(lua_State *L, const struct step *step, int code) {
    if (code == ERR_LIMIT)
        luaL_error(L, "value: nested more than %d levels deep, or inside itself", DOC_MAX_DEPTH);
    if (code)
        refuse(L, step, "out of memory");
}

static void add_value(lua_State *L, struct doc *doc, int index, const struct step *step);

/* Every key must be one of 1 to n; as many keys as that leave no hole. */
static void check_sequence(lua_State *L, int index, const struct step *step) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, index), keys = 0;
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1), keys++) {
        if (!lua_isinteger(L, -2))
            refuse(L, step, "both a list and named keys: make it one of them");
        lua_Integer key = lua_tointeger(L, -2);
        if (key < 1 || key > n)
            refuse(L, step, "a list with holes: write json.null for a missing item");
    }
    if (keys != n)
        refuse(L, step, "a list with holes: write json.null for a missing item");
}

static void add_items(lua_State *L, struct doc *doc, int index, const struct step *step) {
    lua_Integer n = (lua_Integer)lua_rawlen(L, index);
    check_sequence(L, index, step);
    for (lua_Integer i = 1; i <= n; i++) {
        lua_rawgeti(L, index, i);
        add_value(L, doc, lua_gettop(L), &(struct step){.up = step, .index = i});
        lua_pop(L, 1);
    }
}

static void add_members(lua_State *L, struct doc *doc, int index, const struct step *step) {
    for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
        if (lua_type(L, -2) != LUA_TSTRING)
            refuse(L, step, "an object's keys must be strings; json.array marks a list");
        size_t len;
        const char *key = lua_tolstring(L, -2, &len);
        struct step next = {.up = step, .key = key};
        built(L, &next, doc_put_key(doc, key, len, nowhere));
        add_value(L, doc, lua_gettop(L), &next);
    }
}

static void add_table(lua_State *L, struct doc *doc, int index, const struct step *step) {
    bool array = document_is_array(L, index);
    built(L, step, doc_open(doc, doc_new_node(doc, array ? DOC_ARRAY : DOC_OBJECT, nowhere)));
    if (array)
        add_items(L, doc, index, step);
    else
        add_members(L, doc, index, step);
    built(L, step, doc_close(doc));
}

static struct doc_node *new_number(lua_State *L, struct doc *doc, int index) {
    bool integer = lua_isinteger(L, index);
    struct doc_node *node = doc_new_node(doc, integer ? DOC_INTEGER : DOC_NUMBER, nowhere);
    if (node && integer)
        node->as.integer = lua_tointeger(L, index);
    else if (node)
        node->as.number = lua_tonumber(L, index);
    return node;
}

static struct doc_node *new_scalar(lua_State *L, struct doc *doc, int index, const struct step *step) {
    struct doc_node *node;
    size_t len;
    const char *text;
    switch (lua_type(L, index)) {
    case LUA_TBOOLEAN:
        node = doc_new_node(doc, DOC_BOOL, nowhere);
        if (node)
            node->as.boolean = lua_toboolean(L, index);
        return node;
    case LUA_TNUMBER:
        return new_number(L, doc, index);
    case LUA_TSTRING:
        text = lua_tolstring(L, index, &len);
        return doc_new_string(doc, text, len, nowhere);
    default:
        if (!document_is_null(L, index))
            refuse(L, step, lua_pushfstring(L, "a %s has no text", luaL_typename(L, index)));
        return doc_new_node(doc, DOC_NULL, nowhere);
    }
}

/* Recursion ends at DOC_MAX_DEPTH, since doc_open refuses more. */
static void add_value(lua_State *L, struct doc *doc, int index, const struct step *step) {
    luaL_checkstack(L, 8, "document");
    if (lua_type(L, index) == LUA_TTABLE)
        add_table(L, doc, index, step);
    else
        built(L, step, doc_put(doc, new_scalar(L, doc, index, step)));
}

int document_encode(lua_State *L, document_writer *write, int flags) {
    luaL_checkany(L, 1);
    struct work *work = new_work(L);
    add_value(L, work->doc, 1, NULL);
    doc_finish(work->doc);
    struct err err;
    if (write(doc_root(work->doc), flags, &work->text, &err))
        return luaL_error(L, "%s", err.message);
    lua_pushlstring(L, work->text.data, work->text.len);
    release(work);
    return 1;
}
