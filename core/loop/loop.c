#include "loop/loop.h"

#include <stdlib.h>

struct loop {
    uv_loop_t uv;
    const struct clock *clock;
    const struct random_source *random;
};

int loop_new(const struct clock *clock, const struct random_source *random, struct loop **out,
             struct err *err) {
    struct loop *loop = calloc(1, sizeof *loop);
    if (!loop)
        return err_set(err, ERR_NOMEM, "out of memory");
    loop->clock = clock;
    loop->random = random;
    int rc = uv_loop_init(&loop->uv);
    if (rc) {
        free(loop);
        return err_set(err, ERR_IO, "event loop: %s", uv_strerror(rc));
    }
    *out = loop;
    return 0;
}

void loop_free(struct loop *loop) {
    if (!loop)
        return;
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
    return loop->clock;
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

struct timer {
    uv_timer_t uv; /* first: the close callback frees the whole */
    timer_cb cb;
    void *ctx;
};

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

int timer_new(struct loop *loop, timer_cb cb, void *ctx, struct timer **out, struct err *err) {
    struct timer *timer = calloc(1, sizeof *timer);
    if (!timer)
        return err_set(err, ERR_NOMEM, "out of memory");
    timer->cb = cb;
    timer->ctx = ctx;
    (void)uv_timer_init(&loop->uv, &timer->uv); /* always 0 */
    *out = timer;
    return 0;
}

static void timer_fired(uv_timer_t *uv) {
    struct timer *timer = (struct timer *)uv;
    timer->cb(timer->ctx);
}

void timer_start(struct timer *timer, int64_t delay_ns) {
    uint64_t ms = delay_ns <= 0 ? 0 : (uint64_t)((delay_ns - 1) / NS_PER_MS + 1);
    uv_update_time(timer->uv.loop); /* libuv's now may be stale by as long as this turn lasts */
    (void)uv_timer_start(&timer->uv, timer_fired, ms, 0);
}

void timer_stop(struct timer *timer) {
    (void)uv_timer_stop(&timer->uv);
}

void timer_free(struct timer *timer) {
    if (timer)
        uv_close((uv_handle_t *)&timer->uv, free_handle);
}

struct loop_signal {
    uv_signal_t uv; /* first: the close callback frees the whole */
    loop_signal_cb cb;
    void *ctx;
};

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
