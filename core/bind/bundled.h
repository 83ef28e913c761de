/* The files that are part of the binary (bind/embed.h), and what of them Lua may read. */
#ifndef KS_BIND_BUNDLED_H
#define KS_BIND_BUNDLED_H

#include "bind/embed.h"

#include <lua.h>

/* The file of that path in the source tree; NULL when it is not part of the binary. */
const struct embedded *bundled_find(const char *path);

/* Pushes the opener of the module `bundled`; files below lua_path (NULL: none) replace those of the binary.
 */
void bundled_push_opener(lua_State *L, const char *lua_path);

#endif
