/* Work for a task that another thread does, so that the loop goes on meanwhile: reading and parsing a large
 * file. The binding makes the work, fills it, and returns work_do's value; the task goes on when it is done.
 * Where nothing can wait, outside a task, it is done in place. Thread: the loop's, but for `run`. */
#ifndef KS_BIND_WORK_H
#define KS_BIND_WORK_H

#include <lua.h>
#include <stdbool.h>
#include <stddef.h>
#include <uv.h>

struct work {
    void (*run)(struct work *work);                 /* on a thread of libuv's pool: no Lua, no loop */
    int (*finish)(lua_State *L, struct work *work); /* in the task: pushes the results, gives their number */
    void (*release)(struct work *work);             /* what the work owns */
    /* private */
    struct task_wait *wait;
    struct loop *loop;
    uv_work_t request;
    bool abandoned;
};

/* Zeroed, of `size` bytes of which a struct work is the first. A value that owns it is pushed, and has to
 * stay on the stack. */
void *work_new(lua_State *L, size_t size);
int work_do(lua_State *L, struct work *work);

/* Has `release` called with object on such a thread, some time: for what takes long to free. */
void work_dispose(lua_State *L, void (*release)(void *object), void *object);

void work_register(lua_State *L); /* each module that makes work calls it when it opens */

#endif
