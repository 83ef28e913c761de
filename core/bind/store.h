/* Lua module `store`: durable state in SQLite (store/store.h).
 *
 *     local s, err = store.open("/var/lib/kube-scheduler/state.db", "CREATE TABLE IF NOT EXISTS t (a, b)")
 *     local rows, err = s:exec("SELECT a FROM t WHERE b = ?", {"x"})   -- yields until committed
 *     s:close()
 *
 * Rows are lists of lists, NULL is nil. Parameters are strings, integers and booleans (1 or 0); params.n says
 * how many there are when the last ones are nil. Thread: the loop's. */
#ifndef KS_BIND_STORE_H
#define KS_BIND_STORE_H

#include "store/store.h"

#include <lua.h>

/* The store at the stack's index; raises a Lua error when there is none or it is closed. Owned by Lua. */
struct store *bind_check_store(lua_State *L, int index);

int luaopen_ks_store(lua_State *L);

#endif
