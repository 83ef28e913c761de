#include "bind/document.h"

#include "bind/work.h"

#include <lauxlib.h>

/* Names in the registry. A parsed table's own metatable is {[0] = whether it is an array, tree, node, tree,
 * node, ..., __metatable = …}: a userdata that owns the tree, a light userdata in it; the uppermost layer
 * first. When the tree is closed its nodes are gone, and with them the places. */
static const char TREE[] = "document tree", ARRAY[] = "json array", OBJECT[] = "json object",
                  MISTAKE[] = "document mistake";

static int l_free_tree(lua_State *L) {
    struct doc **doc = luaL_checkudata(L, 1, TREE);
    doc_free(*doc);
    *doc = NULL;
    return 0;
}

static int l_mistake_text(lua_State *L) {
    lua_getfield(L, 1, "line");
    lua_getfield(L, 1, "column");
    lua_getfield(L, 1, "message");
    lua_pushfstring(L, "%s:%s: %s", lua_tostring(L, -3), lua_tostring(L, -2), lua_tostring(L, -1));
    return 1;
}

/* Hides the metatable on top of the stack from getmetatable and setmetatable: the node pointers in it must
 * not be forged. */
static void hide(lua_State *L) {
    lua_pushliteral(L, "document");
    lua_setfield(L, -2, "__metatable");
}

static void add_metatable(lua_State *L, const char *name, const char *event, lua_CFunction handler) {
    if (luaL_newmetatable(L, name)) {
        hide(L);
        if (event) {
            lua_pushcfunction(L, handler);
            lua_setfield(L, -2, event);
        }
    }
    lua_pop(L, 1);
}

struct doc *document_tree(lua_State *L, int index) {
    struct doc **doc = luaL_checkudata(L, index, TREE);
    luaL_argcheck(L, *doc, index, "this tree is closed");
    return *doc;
}

static void free_doc(void *doc) {
    doc_free(doc);
}

void document_close_tree(lua_State *L, int index) {
    struct doc **doc = luaL_checkudata(L, index, TREE);
    if (*doc)
        work_dispose(L, free_doc, *doc);
    *doc = NULL;
}

void document_tree_methods(lua_State *L, const luaL_Reg *methods) {
    luaL_getmetatable(L, TREE);
    lua_newtable(L);
    luaL_setfuncs(L, methods, 0);
    lua_setfield(L, -2, "__index");
    lua_pop(L, 1);
}

void document_register(lua_State *L) {
    add_metatable(L, TREE, "__gc", l_free_tree);
    add_metatable(L, MISTAKE, "__tostring", l_mistake_text);
    add_metatable(L, ARRAY, NULL, NULL);
    add_metatable(L, OBJECT, NULL, NULL);
}

struct doc **document_new_tree(lua_State *L) {
    struct doc **doc = lua_newuserdatauv(L, sizeof(struct doc *), 0);
    *doc = NULL;
    luaL_setmetatable(L, TREE);
    return doc;
}

static void push_array(lua_State *L, int tree, const struct doc_node *node) {
    lua_createtable(L, (int)doc_length(node), 0);
    for (size_t i = 0; i < doc_length(node); i++) {
        document_push(L, tree, doc_item(node, i));
        lua_rawseti(L, -2, (lua_Integer)i + 1);
    }
}

static void push_object(lua_State *L, int tree, const struct doc_node *node) {
    lua_createtable(L, 0, (int)doc_length(node));
    for (size_t i = 0; i < doc_length(node); i++) {
        const struct doc_member *member = doc_member_at(node, i);
        if (doc_is_duplicate(node, member))
            continue;
        lua_pushlstring(L, member->key, member->key_len);
        document_push(L, tree, member->value);
        lua_rawset(L, -3);
    }
}

static void push_container(lua_State *L, int tree, const struct doc_node *node) {
    if (doc_kind(node) == DOC_ARRAY)
        push_array(L, tree, node);
    else
        push_object(L, tree, node);
    lua_createtable(L, 2, 2);
    lua_pushboolean(L, doc_kind(node) == DOC_ARRAY);
    lua_rawseti(L, -2, 0);
    lua_pushvalue(L, tree);
    lua_rawseti(L, -2, 1);
    lua_pushlightuserdata(L, (void *)node);
    lua_rawseti(L, -2, 2);
    hide(L);
    lua_setmetatable(L, -2);
}

/* Recursion ends at DOC_MAX_DEPTH, which the parsers keep. */
void document_push(lua_State *L, int tree, const struct doc_node *node) {
    luaL_checkstack(L, 8, "document");
    switch (doc_kind(node)) {
    case DOC_NULL:
        lua_pushlightuserdata(L, NULL);
        return;
    case DOC_BOOL:
        lua_pushboolean(L, doc_bool(node, false));
        return;
    case DOC_INTEGER:
        lua_pushinteger(L, doc_integer(node, 0));
        return;
    case DOC_NUMBER:
        lua_pushnumber(L, doc_number(node, 0));
        return;
    case DOC_STRING:
        lua_pushlstring(L, node->as.string.text, node->as.string.len);
        return;
    case DOC_ARRAY:
    case DOC_OBJECT:
        break;
    }
    push_container(L, tree, node);
}

void document_push_mistake(lua_State *L, const struct doc_error *error) {
    lua_createtable(L, 0, 3);
    lua_pushinteger(L, error->line);
    lua_setfield(L, -2, "line");
    lua_pushinteger(L, error->column);
    lua_setfield(L, -2, "column");
    lua_pushstring(L, error->err.message);
    lua_setfield(L, -2, "message");
    luaL_setmetatable(L, MISTAKE);
}

int document_parse(lua_State *L, document_parser *parse) {
    size_t len;
    const char *text = luaL_checklstring(L, 1, &len);
    struct doc_error error;
    struct doc **doc = document_new_tree(L);
    if (parse(text, len, doc, &error)) {
        lua_pushnil(L);
        document_push_mistake(L, &error);
        return 2;
    }
    document_push(L, lua_gettop(L), doc_root(*doc));
    return 1;
}

bool document_is_null(lua_State *L, int index) {
    return lua_islightuserdata(L, index) && !lua_touserdata(L, index);
}

static bool has_mark(lua_State *L, const char *name) {
    luaL_getmetatable(L, name);
    bool same = lua_rawequal(L, -1, -2);
    lua_pop(L, 1);
    return same;
}

/* The node of a layer in the metatable on top of the stack. */
static const struct doc_node *layer_node(lua_State *L, int layer) {
    const struct doc_node *node = NULL;
    lua_rawgeti(L, -1, 2 * (lua_Integer)layer + 1);
    lua_rawgeti(L, -2, 2 * (lua_Integer)layer + 2);
    struct doc **doc = luaL_testudata(L, -2, TREE);
    if (doc && *doc)
        node = lua_touserdata(L, -1);
    lua_pop(L, 2);
    return node;
}

const struct doc_node *document_source(lua_State *L, int index, int layer) {
    luaL_checkstack(L, 8, "document");
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return NULL;
    const struct doc_node *node = layer_node(L, layer);
    lua_pop(L, 1);
    return node;
}

enum document_shape document_shape(lua_State *L, int index) {
    luaL_checkstack(L, 8, "document");
    if (lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index))
        return SHAPE_UNKNOWN;
    enum document_shape shape = SHAPE_UNKNOWN;
    bool known = lua_rawgeti(L, -1, 0) == LUA_TBOOLEAN, is_array = lua_toboolean(L, -1);
    lua_pop(L, 1);
    if (known)
        shape = is_array ? SHAPE_ARRAY : SHAPE_OBJECT;
    else if (has_mark(L, ARRAY))
        shape = SHAPE_ARRAY;
    else if (has_mark(L, OBJECT))
        shape = SHAPE_OBJECT;
    lua_pop(L, 1);
    return shape;
}

bool document_is_array(lua_State *L, int index) {
    enum document_shape shape = document_shape(L, index);
    return shape == SHAPE_ARRAY || (shape == SHAPE_UNKNOWN && lua_rawlen(L, index) > 0);
}

void document_mark(lua_State *L, int index, enum document_shape shape) {
    index = lua_absindex(L, index);
    luaL_getmetatable(L, shape == SHAPE_ARRAY ? ARRAY : OBJECT);
    lua_setmetatable(L, index);
}

void document_share_sources(lua_State *L, int to, int from) {
    to = lua_absindex(L, to);
    if (document_shape(L, from) != SHAPE_UNKNOWN && lua_getmetatable(L, from))
        lua_setmetatable(L, to);
}

/* Appends what the metatable of the table at index has to the list on top of the stack. */
static void append_layers(lua_State *L, int index) {
    if (!document_source(L, index, 0) || !lua_getmetatable(L, index))
        return;
    lua_Integer have = (lua_Integer)lua_rawlen(L, -2), more = (lua_Integer)lua_rawlen(L, -1);
    for (lua_Integer i = 1; i <= more; i++) {
        lua_rawgeti(L, -1, i);
        lua_rawseti(L, -3, have + i);
    }
    lua_pop(L, 1);
}

void document_add_sources(lua_State *L, int to, int from) {
    to = lua_absindex(L, to);
    from = lua_absindex(L, from);
    if (!document_source(L, from, 0))
        return;
    lua_createtable(L, 4, 2);
    lua_pushboolean(L, 0);
    lua_rawseti(L, -2, 0);
    append_layers(L, from);
    append_layers(L, to);
    hide(L);
    lua_setmetatable(L, to);
}
