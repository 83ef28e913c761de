#include "bind/work.h"

#include "bind/task.h"
#include "bind/type.h"

#include <stdlib.h>

static const char type_name[] = "work";

struct box {
    struct work *work;
};

static void work_free(struct work *work) {
    if (work->release)
        work->release(work);
    free(work);
}

/* Work that is still under way when the state is closed is freed by its own end. */
static int l_gc(lua_State *L) {
    struct box *box = luaL_checkudata(L, 1, type_name);
    struct work *work = box->work;
    box->work = NULL;
    if (work && work->wait)
        work->abandoned = true;
    else if (work)
        work_free(work);
    return 0;
}

void *work_new(lua_State *L, size_t size) {
    struct box *box = lua_newuserdatauv(L, sizeof *box, 0);
    box->work = NULL;
    luaL_setmetatable(L, type_name);
    box->work = calloc(1, size);
    if (!box->work)
        luaL_error(L, "out of memory");
    return box->work;
}

static void run(uv_work_t *request) {
    struct work *work = request->data;
    work->run(work);
}

static void done(uv_work_t *request, int status) {
    (void)status; /* nobody cancels it */
    struct work *work = request->data;
    struct task_wait *wait = work->wait;
    work->wait = NULL;
    loop_release(work->loop);
    if (work->abandoned)
        work_free(work);
    else
        task_wait_resume(wait, 0);
}

static int go_on(lua_State *L, int status, lua_KContext context) {
    (void)status;
    struct work *work = (struct work *)context; // NOLINT(performance-no-int-to-ptr): what a context is for
    return work->finish(L, work);
}

int work_do(lua_State *L, struct work *work) {
    if (!lua_isyieldable(L)) {
        work->run(work);
        return work->finish(L, work);
    }
    work->loop = host_of(L)->loop;
    work->request.data = work;
    struct task_wait *wait = task_wait_new(L);
    if (uv_queue_work(loop_uv(work->loop), &work->request, run, done)) {
        task_wait_free(wait);
        return luaL_error(L, "no thread is to be had");
    }
    work->wait = wait;
    loop_hold(work->loop);
    return lua_yieldk(L, 0, (lua_KContext)work, go_on);
}

struct disposal {
    uv_work_t request;
    void (*release)(void *object);
    void *object;
};

static void dispose(uv_work_t *request) {
    struct disposal *disposal = request->data;
    disposal->release(disposal->object);
}

static void disposed(uv_work_t *request, int status) {
    (void)status;
    free(request->data);
}

void work_dispose(lua_State *L, void (*release)(void *object), void *object) {
    struct disposal *disposal = calloc(1, sizeof *disposal);
    if (disposal) {
        *disposal = (struct disposal){.request.data = disposal, .release = release, .object = object};
        if (!uv_queue_work(loop_uv(host_of(L)->loop), &disposal->request, dispose, disposed))
            return;
    }
    free(disposal);
    release(object);
}

void work_register(lua_State *L) {
    static const luaL_Reg no_methods[] = {{NULL, NULL}};
    type_register(L, type_name, no_methods, l_gc);
}
