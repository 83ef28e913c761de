/* The Lua value that module executor gives: somewhere to run. */
#ifndef KS_BIND_EXECUTOR_H
#define KS_BIND_EXECUTOR_H

#include "registry/executor.h"

#include <lua.h>

/* Raises when it is none, or is closed. The value must stay referenced while the executor is used. */
struct executor *executor_check(lua_State *L, int index);

#endif
