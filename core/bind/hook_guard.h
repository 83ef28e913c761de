/* The guard around operators' Lua in the hook host: a cap on memory and a deadline that pcall cannot catch.
 * What no guard inside Lua can stop (a C function that runs for long, a message handler that loops) is left
 * to the daemon's watchdog on the host process. Thread: one. */
#ifndef KS_BIND_HOOK_GUARD_H
#define KS_BIND_HOOK_GUARD_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>

enum {
    HOOK_MEMORY = 32 << 20,          /* bytes for hooks and what they keep */
    HOOK_MEMORY_OF_RUNNER = 16 << 20 /* more for the trusted runner, which has to report the failure */
};

struct hook_guard {
    size_t used, limit; /* bytes */
    int64_t deadline;   /* monotonic ns; 0: no hook runs */
    int64_t budget_ns;  /* of the running entry, for the message */
};

/* A state under the guard, without libraries. The guard outlives it. NULL: out of memory. */
lua_State *hook_guard_new_state(struct hook_guard *guard);

/* Module for the trusted runner:
 *   guard.resume(co, seconds, ...) -> "done" | "waits" | "failed", seconds used, values… (failed: message and
 *       traceback as one string). A coroutine that failed cannot be resumed, its pending to-be-closed
 *       variables stay open: closing them would run operators' code without a guard.
 *   guard.memory() -> bytes in use after a full collection */
int luaopen_ks_hook_guard(lua_State *L);

#endif
