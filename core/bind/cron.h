/* The Lua value that cron.parse gives, for the bindings that need the C behind it. */
#ifndef KS_BIND_CRON_H
#define KS_BIND_CRON_H

#include "cron/cron.h"

#include <lua.h>

struct cron_value {
    struct cron_schedule **set; /* one for each expression */
    size_t count;
};

struct cron_value *cron_check(lua_State *L, int index); /* raises when it is none */

#endif
