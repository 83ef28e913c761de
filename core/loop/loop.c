#include "loop/loop.h"

#include "loop/virtual.h"

#include <stdlib.h>

struct loop {
    uv_loop_t uv;
    struct clock clock;
    const struct random_source *random;
    struct virtual *virtual;
    size_t expected; /* real timers that run, and holds */
    struct soon soon;
    uv_idle_t idle; /* active while soon has some */
    void (*turn)(struct loop *loop);
};

int loop_new(const struct clock *clock, const struct random_source *random, struct loop **out,
             struct err *err) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return err_set(err, ERR_NOMEM, "out of memory");
    loop->clock = *clock;
    loop->random = random;
    int rc = uv_loop_init(&loop->uv);
    if (rc) {
        free(loop);
        return err_set(err, ERR_IO, "event loop: %s", uv_strerror(rc));
    }
    TAILQ_INIT(&loop->soon.timers);
    (void)uv_idle_init(&loop->uv, &loop->idle); /* always 0 */
    loop->idle.data = loop;
    *out = loop;
    return 0;
}

struct soon *loop_soon(struct loop *loop) {
    return &loop->soon;
}

static void on_idle(uv_idle_t *idle) {
    struct loop *loop = idle->data;
    (void)uv_idle_stop(idle);
    loop->turn(loop);
}

void loop_turn_soon(struct loop *loop, void (*turn)(struct loop *loop)) {
    loop->turn = turn;
    (void)uv_idle_start(&loop->idle, on_idle); /* also when it is active already */
}

void loop_free(struct loop *loop) {
    if (!loop)
        return;
    uv_close((uv_handle_t *)&loop->idle, NULL);
    virtual_free(loop->virtual);
    /* Owners have closed their handles; their close callbacks still have to run. */
    bool more = true;
    while (uv_loop_close(&loop->uv) == UV_EBUSY && more)
        more = uv_run(&loop->uv, UV_RUN_NOWAIT) != 0;
    free(loop);
}

uv_loop_t *loop_uv(struct loop *loop) {
    return &loop->uv;
}
const struct clock *loop_clock(const struct loop *loop) {
    return &loop->clock;
}
const struct random_source *loop_random(const struct loop *loop) {
    return loop->random;
}

void loop_run(struct loop *loop) {
    uv_run(&loop->uv, UV_RUN_DEFAULT);
}
void loop_stop(struct loop *loop) {
    uv_stop(&loop->uv);
}

void loop_hold(struct loop *loop) {
    loop->expected++;
}
void loop_release(struct loop *loop) {
    loop->expected--;
}
bool loop_expects(const struct loop *loop) {
    return loop->expected > 0;
}

struct virtual *loop_virtual(const struct loop *loop) {
    return loop->virtual;
}
void loop_set_virtual(struct loop *loop, struct virtual *virtual, const struct clock *clock) {
    loop->virtual = virtual;
    loop->clock = *clock;
}

struct loop_signal {
    uv_signal_t uv; /* first: the close callback frees the whole */
    loop_signal_cb cb;
    void *ctx;
};

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

static void signal_arrived(uv_signal_t *uv, int signum) {
    struct loop_signal *signal = (struct loop_signal *)uv;
    signal->cb(signal->ctx, signum);
}

int loop_signal_new(struct loop *loop, int signum, loop_signal_cb cb, void *ctx, struct loop_signal **out,
                    struct err *err) {
    struct loop_signal *signal = calloc(1, sizeof *signal);
    if (!signal)
        return err_set(err, ERR_NOMEM, "out of memory");
    signal->cb = cb;
    signal->ctx = ctx;
    int rc = uv_signal_init(&loop->uv, &signal->uv);
    if (rc) {
        free(signal);
        return err_set(err, ERR_IO, "signals: %s", uv_strerror(rc));
    }
    rc = uv_signal_start(&signal->uv, signal_arrived, signum);
    if (rc) {
        loop_signal_free(signal);
        return err_set(err, ERR_IO, "signal %d: %s", signum, uv_strerror(rc));
    }
    uv_unref((uv_handle_t *)&signal->uv); /* waiting for a signal alone does not keep a program alive */
    *out = signal;
    return 0;
}

void loop_signal_free(struct loop_signal *signal) {
    if (signal)
        uv_close((uv_handle_t *)&signal->uv, free_handle);
}
