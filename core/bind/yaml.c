/* Module yaml, and where things stood in a text, YAML or JSON.
 *   yaml.parse(text) -> value | nil, {line=, column=, message=}
 *   yaml.encode(value) -> text in block style, keys sorted
 *   yaml.position(t [, key]) -> line, column of the table, or of the value under a key or list index
 *   yaml.key_position(t, key) -> line, column of the key; both give nothing when t does not come from a text
 *   yaml.keys(t) -> the string keys that t has: in the order of the text, then those added since, sorted
 *   yaml.duplicates(t) -> {{key=, line=, column=, first_line=}, ...}: keys given again, which t leaves out
 * A file of which the loop must not wait, and whose values are wanted one by one:
 *   yaml.load(path[, text]) -> {digest=SHA-256 in hex, tree= or mistake={line=, column=, message=}}, or nil,
 *     message, "notfound" or "failed"; read and parsed on another thread while the task waits. text: is
 *     read instead of the file
 *   tree:kind() -> "mapping", "list", "scalar" or "nothing"; tree:count() of its members
 *   tree:key(m) -> name, line, column; tree:value(m). m: a key, or a number from 1 on, in the byte order of
 *     keys, duplicates behind their first
 *   tree:position(m[, key[, index]]) -> line, column of the value, of what it has under a key, of an item of
 *     that; and whether it is a string in quotes
 *   tree:duplicates() as above
 *   tree:close() gives the memory back; what came out of it stays, without places
 *   yaml.plain(fields) -> p; p:read(tree, m) -> the table that schema.check would make of a mapping that has
 *     nothing to complain of and nothing but simple values, or nil: then look closer
 * json.null stands for null. A table made by json.merge remembers both texts: the patch's place goes first.
 */
#include "bind/document.h"
#include "bind/yaml_tree.h"

#include <lauxlib.h>
#include <stdlib.h>

static int l_parse(lua_State *L) {
    return document_parse(L, doc_parse_yaml);
}

static int write_yaml(const struct doc_node *node, int flags, struct buf *buf, struct err *err) {
    (void)flags;
    return doc_write_yaml(node, buf, err);
}

static int l_encode(lua_State *L) {
    return document_encode(L, write_yaml, 0);
}

static int push_place(lua_State *L, uint32_t line, uint32_t column) {
    lua_pushinteger(L, line);
    lua_pushinteger(L, column);
    return 2;
}

/* The member under the string at 2 in the uppermost layer of the table at 1 that has it. */
static const struct doc_member *find_member(lua_State *L) {
    size_t len;
    const char *key = luaL_checklstring(L, 2, &len);
    const struct doc_node *node;
    for (int layer = 0; (node = document_source(L, 1, layer)); layer++) {
        const struct doc_member *member = doc_find(node, key, len);
        if (member)
            return member;
    }
    return NULL;
}

static const struct doc_node *find_value(lua_State *L) {
    if (lua_isnoneornil(L, 2))
        return document_source(L, 1, 0);
    if (lua_isinteger(L, 2)) /* 0 becomes an index beyond the last */
        return doc_item(document_source(L, 1, 0), (size_t)lua_tointeger(L, 2) - 1);
    const struct doc_member *member = find_member(L);
    return member ? member->value : NULL;
}

static int l_position(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const struct doc_node *node = find_value(L);
    return node ? push_place(L, node->line, node->column) : 0;
}

static int l_key_position(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    const struct doc_member *member = find_member(L);
    return member ? push_place(L, member->line, member->column) : 0;
}

/* On the stack of l_keys: the table at 1, the list at 2, the set of keys that are in the list at 3. Takes the
 * key on top of the stack. */
static void list_key(lua_State *L) {
    lua_pushvalue(L, -1);
    lua_rawseti(L, 2, (lua_Integer)lua_rawlen(L, 2) + 1);
    lua_pushboolean(L, 1);
    lua_rawset(L, 3);
}

static bool in_table(lua_State *L, int table) {
    lua_pushvalue(L, -1);
    bool there = lua_rawget(L, table) != LUA_TNIL;
    lua_pop(L, 1);
    return there;
}

static void list_source(lua_State *L, const struct doc_node *node) {
    for (size_t i = 0; i < doc_length(node) && doc_kind(node) == DOC_OBJECT; i++) {
        const struct doc_member *member = doc_member_at(node, i);
        lua_pushlstring(L, member->key, member->key_len);
        if (in_table(L, 1) && !in_table(L, 3))
            list_key(L);
        else
            lua_pop(L, 1);
    }
}

struct key {
    const char *text; /* the table's own string */
    size_t len;
};

static int compare_keys(const void *left, const void *right) {
    const struct key *a = left, *b = right;
    return doc_compare_keys(a->text, a->len, b->text, b->len);
}

static bool is_added_key(lua_State *L) {
    return lua_type(L, -1) == LUA_TSTRING && !in_table(L, 3);
}

/* Calls for every string key of the table that is not in the list yet; keys may be NULL to count only. */
static size_t added_keys(lua_State *L, struct key *keys) {
    size_t count = 0;
    lua_pushnil(L);
    while (lua_next(L, 1)) {
        lua_pop(L, 1);
        if (!is_added_key(L))
            continue;
        if (keys)
            keys[count].text = lua_tolstring(L, -1, &keys[count].len);
        count++;
    }
    return count;
}

static void list_added(lua_State *L) {
    size_t count = added_keys(L, NULL);
    if (count == 0)
        return;
    struct key *keys = lua_newuserdatauv(L, count * sizeof *keys, 0);
    added_keys(L, keys);
    qsort(keys, count, sizeof *keys, compare_keys);
    for (size_t i = 0; i < count; i++) {
        lua_pushlstring(L, keys[i].text, keys[i].len);
        list_key(L);
    }
    lua_pop(L, 1);
}

static int l_keys(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_settop(L, 1);
    lua_newtable(L);
    lua_newtable(L);
    int layer = 0;
    while (document_source(L, 1, layer))
        layer++;
    while (layer-- > 0)
        list_source(L, document_source(L, 1, layer));
    list_added(L);
    lua_settop(L, 2);
    return 1;
}

/* Appends to the list on top of the stack. */
static void list_duplicate(lua_State *L, const struct doc_node *node, const struct doc_member *member) {
    lua_createtable(L, 0, 4);
    lua_pushlstring(L, member->key, member->key_len);
    lua_setfield(L, -2, "key");
    lua_pushinteger(L, member->line);
    lua_setfield(L, -2, "line");
    lua_pushinteger(L, member->column);
    lua_setfield(L, -2, "column");
    lua_pushinteger(L, doc_member_at(node, member->first)->line);
    lua_setfield(L, -2, "first_line");
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
}

void yaml_list_duplicates(lua_State *L, const struct doc_node *node) {
    for (size_t i = 0; i < doc_length(node) && doc_kind(node) == DOC_OBJECT; i++)
        if (doc_is_duplicate(node, doc_member_at(node, i)))
            list_duplicate(L, node, doc_member_at(node, i));
}

static int l_duplicates(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    lua_newtable(L);
    const struct doc_node *node;
    for (int layer = 0; (node = document_source(L, 1, layer)); layer++)
        yaml_list_duplicates(L, node);
    return 1;
}

static const luaL_Reg functions[] = {{"parse", l_parse},
                                     {"encode", l_encode},
                                     {"position", l_position},
                                     {"key_position", l_key_position},
                                     {"keys", l_keys},
                                     {"duplicates", l_duplicates},
                                     {"load", yaml_load},
                                     {"plain", yaml_plain},
                                     {NULL, NULL}};

int luaopen_ks_yaml(lua_State *L);
int luaopen_ks_yaml(lua_State *L) {
    document_register(L);
    yaml_tree_register(L);
    yaml_plain_register(L);
    luaL_newlib(L, functions);
    return 1;
}
