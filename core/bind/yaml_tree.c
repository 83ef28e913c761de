#include "bind/yaml_tree.h"

#include "base/file.h"
#include "bind/digest.h"
#include "bind/document.h"
#include "bind/work.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>

struct loading {
    struct work work;
    char *path;
    struct buf text; /* instead of the file's */
    struct doc *doc;
    struct doc_error mistake;
    struct err unread;
    char digest[DIGEST_HEX];
};

static void load(struct work *work) {
    struct loading *loading = (struct loading *)work;
    struct buf *text = &loading->text;
    if (!text->data && file_read(AT_FDCWD, loading->path, DOC_MAX_TEXT, text, &loading->unread))
        return;
    if (digest_sha256(text->data, text->len, loading->digest))
        (void)err_set(&loading->unread, ERR_NOMEM, "out of memory");
    else
        (void)doc_parse_yaml(text->data ? text->data : "", text->len, &loading->doc, &loading->mistake);
    buf_free(text);
}

static int unreadable(lua_State *L, const struct err *err) {
    lua_pushnil(L);
    lua_pushstring(L, err->message);
    lua_pushstring(L, err->code == ERR_NOTFOUND ? "notfound" : "failed");
    return 3;
}

static int loaded(lua_State *L, struct work *work) {
    struct loading *loading = (struct loading *)work;
    if (loading->unread.code)
        return unreadable(L, &loading->unread);
    lua_createtable(L, 0, 2);
    lua_pushstring(L, loading->digest);
    lua_setfield(L, -2, "digest");
    if (!loading->doc) {
        document_push_mistake(L, &loading->mistake);
        lua_setfield(L, -2, "mistake");
        return 1;
    }
    struct doc **tree = document_new_tree(L);
    *tree = loading->doc;
    loading->doc = NULL;
    lua_setfield(L, -2, "tree");
    return 1;
}

static void release(struct work *work) {
    struct loading *loading = (struct loading *)work;
    doc_free(loading->doc);
    buf_free(&loading->text);
    free(loading->path);
}

int yaml_load(lua_State *L) {
    size_t len = 0;
    const char *path = luaL_checkstring(L, 1), *text = luaL_optlstring(L, 2, NULL, &len);
    struct loading *loading = work_new(L, sizeof *loading);
    loading->work.run = load;
    loading->work.finish = loaded;
    loading->work.release = release;
    loading->path = strdup(path);
    if (!loading->path || (text && buf_append(&loading->text, text, len)))
        return luaL_error(L, "out of memory");
    return work_do(L, &loading->work);
}

const struct doc_member *yaml_tree_member(lua_State *L, int tree, int index) {
    const struct doc_node *root = doc_root(document_tree(L, tree));
    if (lua_isinteger(L, index)) /* 0 becomes a rank beyond the last */
        return doc_member_sorted(root, (size_t)lua_tointeger(L, index) - 1);
    size_t len;
    const char *key = luaL_checklstring(L, index, &len);
    return doc_find(root, key, len);
}

static int l_kind(lua_State *L) {
    const struct doc_node *root = doc_root(document_tree(L, 1));
    lua_pushstring(L, doc_kind(root) == DOC_OBJECT  ? "mapping"
                      : doc_kind(root) == DOC_NULL  ? "nothing"
                      : doc_kind(root) == DOC_ARRAY ? "list"
                                                    : "scalar");
    return 1;
}

static int l_count(lua_State *L) {
    const struct doc_node *root = doc_root(document_tree(L, 1));
    lua_pushinteger(L, doc_kind(root) == DOC_OBJECT ? (lua_Integer)doc_length(root) : 0);
    return 1;
}

static int l_key(lua_State *L) {
    const struct doc_member *member = yaml_tree_member(L, 1, 2);
    if (!member)
        return 0;
    lua_pushlstring(L, member->key, member->key_len);
    lua_pushinteger(L, member->line);
    lua_pushinteger(L, member->column);
    return 3;
}

static int l_value(lua_State *L) {
    const struct doc_member *member = yaml_tree_member(L, 1, 2);
    if (!member)
        return 0;
    document_push(L, 1, member->value);
    return 1;
}

static const struct doc_node *find_value(lua_State *L) {
    const struct doc_member *member = yaml_tree_member(L, 1, 2);
    const struct doc_node *node = member ? member->value : NULL;
    if (!lua_isnoneornil(L, 3))
        node = doc_get(node, luaL_checkstring(L, 3));
    if (!lua_isnoneornil(L, 4)) /* 0 becomes an index beyond the last */
        node = doc_item(node, (size_t)luaL_checkinteger(L, 4) - 1);
    return node;
}

static int l_position(lua_State *L) {
    const struct doc_node *node = find_value(L);
    if (!node)
        return 0;
    lua_pushinteger(L, node->line);
    lua_pushinteger(L, node->column);
    lua_pushboolean(L, node->quoted);
    return 3;
}

static int l_duplicates(lua_State *L) {
    const struct doc_node *root = doc_root(document_tree(L, 1));
    lua_newtable(L);
    yaml_list_duplicates(L, root);
    return 1;
}

static int l_close(lua_State *L) {
    document_close_tree(L, 1);
    return 0;
}

void yaml_tree_register(lua_State *L) {
    static const luaL_Reg methods[] = {
        {"kind", l_kind},         {"count", l_count},           {"key", l_key},     {"value", l_value},
        {"position", l_position}, {"duplicates", l_duplicates}, {"close", l_close}, {NULL, NULL}};
    document_tree_methods(L, methods);
    work_register(L);
}
