/* What every Lua type made in C has: a metatable with methods and a finalizer. */
#ifndef KS_BIND_TYPE_H
#define KS_BIND_TYPE_H

#include <lauxlib.h>
#include <lua.h>

/* Makes the metatable that luaL_setmetatable and luaL_checkudata know by this name. gc runs when a value is
 * collected or its state closed. */
void type_register(lua_State *L, const char *name, const luaL_Reg *methods, lua_CFunction gc);

#endif
