/* The part of module yaml that reads large files a piece at a time: yaml.load, its trees, and yaml.plain.
 * What they do stands in yaml.c. */
#ifndef KS_BIND_YAML_TREE_H
#define KS_BIND_YAML_TREE_H

#include "document/document.h"

#include <lua.h>

int yaml_load(lua_State *L);           /* yaml.load */
void yaml_tree_register(lua_State *L); /* the methods of trees */

/* The member that the argument at index names, by its key or its rank from 1 on in the byte order of keys;
 * NULL: there is none. */
const struct doc_member *yaml_tree_member(lua_State *L, int tree, int index);

int yaml_push_position(lua_State *L, const struct doc_node *node);    /* as results; NULL: none */
void yaml_list_duplicates(lua_State *L, const struct doc_node *node); /* appends to the list on top */

int yaml_plain(lua_State *L); /* yaml.plain */
void yaml_plain_register(lua_State *L);

#endif
