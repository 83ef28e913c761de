/* What the Lua modules yaml and json share: documents as plain Lua tables.
 *
 * An object is a table with string keys, an array a sequence, null a light userdata NULL (as in cjson). What
 * a table cannot say by itself is in its metatable, which Lua code cannot see or change: whether it is an
 * array or an object, and where in a text it stood. A parsed table holds its document's tree alive.
 * Functions raise Lua errors for a programmer's mistake; no error leaks memory, since all that they own is
 * in userdata. Thread: the loop's. */
#ifndef KS_BIND_DOCUMENT_H
#define KS_BIND_DOCUMENT_H

#include "document/document.h"

#include <lauxlib.h>

typedef int document_parser(const char *text, size_t len, struct doc **out, struct doc_error *error);

enum document_shape { SHAPE_UNKNOWN, SHAPE_ARRAY, SHAPE_OBJECT };

/* Trees as Lua values. A tree can be closed: what was pushed of it stays, but knows no places any more. */
struct doc **document_new_tree(lua_State *L);       /* pushes a closed one, which takes what is put into it */
struct doc *document_tree(lua_State *L, int index); /* raises when it is none, or closed */
void document_close_tree(lua_State *L, int index);  /* its memory is freed on another thread */
void document_tree_methods(lua_State *L, const luaL_Reg *methods);
void document_push(lua_State *L, int tree, const struct doc_node *node); /* as a Lua value */
void document_push_mistake(lua_State *L, const struct doc_error *error); /* {line=, column=, message=} */

void document_register(lua_State *L); /* makes the metatables; each module that opens calls it */

/* A Lua function's body: text at 1 -> value | nil, {line=, column=, message=}. */
int document_parse(lua_State *L, document_parser *parse);

/* A Lua function's body: pushes the text of the value at 1. */
typedef int document_writer(const struct doc_node *node, int flags, struct buf *buf, struct err *err);
int document_encode(lua_State *L, document_writer *write, int flags);

/* What a table is marked as, or was parsed from. */
enum document_shape document_shape(lua_State *L, int index);
/* How the table is written: its mark, or else a table with items is an array and any other an object. */
bool document_is_array(lua_State *L, int index);
void document_mark(lua_State *L, int index, enum document_shape shape);
bool document_is_null(lua_State *L, int index);

/* Where a table comes from: its node, then, when it is the result of a merge, those that it was laid over.
 * NULL behind the last. */
const struct doc_node *document_source(lua_State *L, int index, int layer);
void document_share_sources(lua_State *L, int to, int from); /* and the mark */
void document_add_sources(lua_State *L, int to, int from);   /* lays those of `from` over those of `to` */

#endif
