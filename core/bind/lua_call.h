/* The one way from C into Lua. Every entry is protected, leaves a traceback, restores the stack and has a
 * time budget. Nothing else in the project calls lua_pcall or lua_resume (the hook host has its own guard
 * around it: bind/hook_guard.h). Thread: the loop's. */
#ifndef KS_BIND_LUA_CALL_H
#define KS_BIND_LUA_CALL_H

#include "base/err.h"
#include "loop/log.h"
#include "loop/loop.h"

#include <lua.h>

enum { HOST_SPARE_COROUTINES = 16 };

/* What every state of this process shares; reached from any lua_State through its extra space. Owned by
 * main, outlives the state. */
struct host {
    struct loop *loop;
    struct log *log;
    int64_t budget_ns; /* longest that one entry may run; 0: no limit. Set by task.budget */
    int64_t deadline;  /* monotonic ns at which the running entry is over; 0: none */
    int exit_code;
    int spare[HOST_SPARE_COROUTINES]; /* coroutines that can be used again, in the registry; see task.c */
    int spare_count;
    int main_ref; /* the script's own task, in the registry; LUA_NOREF when it has ended */
};

void host_attach(lua_State *L, struct host *host); /* before any coroutine is made */
struct host *host_of(lua_State *L);

/* Calls the function below nargs arguments. 0: nresults results are on the stack. Negative: function and
 * arguments are gone, err holds message and traceback. */
int lua_call_protected(lua_State *L, int nargs, int nresults, struct err *err);

/* Starts or continues the coroutine co with nargs values on its own stack. Gives LUA_YIELD, LUA_OK (ended),
 * or a negative error with message and traceback in err; *nresults says how many values it left. */
int lua_resume_protected(lua_State *co, int nargs, int *nresults, struct err *err);

#endif
