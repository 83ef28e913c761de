#include "loop/virtual.h"

#include <stdlib.h>

struct timer {
    uv_timer_t uv; /* first: the close callback frees the whole */
    struct loop *loop;
    struct virtual *virtual; /* whose wake is used instead of uv; NULL: a real timer */
    struct wake wake;
    timer_cb cb;
    void *ctx;
    TAILQ_ENTRY(timer) link; /* among those of the next turn, while is_soon */
    bool is_soon;
    uint64_t turn; /* in which it was put there */
};

static int make(struct loop *loop, struct virtual *virtual, timer_cb cb, void *ctx, struct timer **out,
                struct err *err) {
    struct timer *timer = calloc(1, sizeof *timer);
    if (!timer || (virtual && wake_reserve(virtual))) {
        free(timer);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    timer->loop = loop;
    timer->virtual = virtual;
    timer->cb = cb;
    timer->ctx = ctx;
    timer->wake.cb = cb;
    timer->wake.ctx = ctx;
    if (!virtual)
        (void)uv_timer_init(loop_uv(loop), &timer->uv); /* always 0 */
    *out = timer;
    return 0;
}

int timer_new(struct loop *loop, timer_cb cb, void *ctx, struct timer **out, struct err *err) {
    return make(loop, loop_virtual(loop), cb, ctx, out, err);
}

int timer_new_real(struct loop *loop, timer_cb cb, void *ctx, struct timer **out, struct err *err) {
    return make(loop, NULL, cb, ctx, out, err);
}

static void fired(uv_timer_t *uv) {
    struct timer *timer = (struct timer *)uv;
    loop_release(timer->loop);
    timer->cb(timer->ctx);
}

static void turn(struct loop *loop) {
    struct soon *soon = loop_soon(loop);
    uint64_t now = soon->turn++;
    struct timer *timer;
    while ((timer = TAILQ_FIRST(&soon->timers)) && timer->turn <= now) {
        timer_stop(timer);
        timer->cb(timer->ctx);
    }
    if (timer)
        loop_turn_soon(loop, turn);
}

static void start_soon(struct timer *timer) {
    struct soon *soon = loop_soon(timer->loop);
    timer->is_soon = true;
    timer->turn = soon->turn;
    TAILQ_INSERT_TAIL(&soon->timers, timer, link);
    loop_turn_soon(timer->loop, turn);
}

static void start_real(struct timer *timer, int64_t delay_ns) {
    uint64_t ms = delay_ns <= 0 ? 0 : (uint64_t)((delay_ns - 1) / NS_PER_MS + 1);
    timer_stop(timer);
    loop_hold(timer->loop);
    if (ms == 0) {
        start_soon(timer);
        return;
    }
    uv_update_time(timer->uv.loop); /* libuv's now may be stale by as long as this turn lasts */
    (void)uv_timer_start(&timer->uv, fired, ms, 0);
}

void timer_start(struct timer *timer, int64_t delay_ns) {
    if (!timer->virtual) {
        start_real(timer, delay_ns);
        return;
    }
    int64_t now = clock_monotonic(loop_clock(timer->loop));
    wake_set(timer->virtual, &timer->wake, delay_ns <= 0 ? now : now + delay_ns);
}

void timer_stop(struct timer *timer) {
    if (timer->virtual) {
        wake_clear(timer->virtual, &timer->wake);
    } else if (timer->is_soon) {
        loop_release(timer->loop);
        timer->is_soon = false;
        TAILQ_REMOVE(&loop_soon(timer->loop)->timers, timer, link);
    } else if (uv_is_active((uv_handle_t *)&timer->uv)) {
        loop_release(timer->loop);
        (void)uv_timer_stop(&timer->uv);
    }
}

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

void timer_free(struct timer *timer) {
    if (!timer)
        return;
    if (timer->virtual) {
        wake_free(timer->virtual, &timer->wake);
        free(timer);
        return;
    }
    timer_stop(timer);
    uv_close((uv_handle_t *)&timer->uv, free_handle);
}
