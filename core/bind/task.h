/* Tasks: Lua coroutines on the loop. A binding that has to wait makes a task_wait, starts its work, and
 * returns task_wait_yield; when the work is done, on a later turn of the loop, it pushes the results on
 * task_wait_state and calls task_wait_resume. Thread: the loop's. */
#ifndef KS_BIND_TASK_H
#define KS_BIND_TASK_H

#include "bind/lua_call.h"

struct task_wait;

/* The running coroutine, pinned. Raises a Lua error outside a task or without memory, so call it before
 * acquiring anything. */
struct task_wait *task_wait_new(lua_State *L);
int task_wait_yield(lua_State *L, struct task_wait *wait); /* return its value from the binding */
lua_State *task_wait_state(struct task_wait *wait);
void task_wait_resume(struct task_wait *wait, int nresults); /* frees wait */
void task_wait_free(struct task_wait *wait);                 /* the work did not start; NULL is fine */
/* Resumes with nil, message. */
void task_wait_fail(struct task_wait *wait, const char *message);

/* Runs the function below nargs arguments as a new task, up to its first wait. Pops them. An error in it is
 * logged with its traceback and harms nobody else. This is how C calls Lua's event handlers. */
void task_start(lua_State *L, int nargs);

/* The same for the program itself: when its task ends the loop stops, and host->exit_code is what it returned
 * (an integer; true or nothing: 0; false: 1), or 1 after an error. */
void task_main(lua_State *L);

int luaopen_ks_task(lua_State *L);

#endif
