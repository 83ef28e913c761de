/* Which Lua modules are part of the binary, and where Lua files and the dashboard's come from. */
#ifndef KS_BIND_MODULES_H
#define KS_BIND_MODULES_H

#include <lua.h>

/* Registers the C modules for require, and a searcher for the bundled Lua that looks first below lua_path (a
 * folder shaped like the source tree, NULL: none), so that a single file can be replaced. */
void modules_install(lua_State *L, const char *lua_path);

/* Loads "lua/NAME.lua" or "scripts/NAME.lua", from lua_path or from the binary: pushes the chunk and gives
 * LUA_OK, or pushes a message. LUA_ERRFILE: there is no such file. */
int modules_load(lua_State *L, const char *lua_path, const char *file);

#endif
