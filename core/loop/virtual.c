#include "loop/virtual.h"

#include <stdlib.h>

enum { WAKES_A_TURN = 1000 }; /* then the loop looks at signals and input */

struct virtual {
    struct loop *loop;
    int64_t monotonic, ahead; /* real time is monotonic + ahead */
    struct wake **heap;       /* by due, alarm, order; the first is at 1 */
    size_t count, reserved, capacity;
    uint64_t orders;
    uv_prepare_t before_wait; /* runs while virtual_run is under way */
    uv_idle_t more;           /* keeps the loop from waiting when there is more to fire */
    bool running;
    int64_t until;
    void (*done)(void *ctx);
    void *ctx;
    int handles; /* open ones; the last close frees */
};

static int64_t read_realtime(void *ctx) {
    const struct virtual *clock = ctx;
    return clock->monotonic + clock->ahead;
}

static int64_t read_monotonic(void *ctx) {
    const struct virtual *clock = ctx;
    return clock->monotonic;
}

int virtual_new(struct loop *loop, int64_t unix_ns, struct virtual **out, struct err *err) {
    if (loop_virtual(loop))
        return err_set(err, ERR_EXISTS, "there is a virtual clock already");
    struct virtual *clock = calloc(1, sizeof *clock);
    if (!clock)
        return err_set(err, ERR_NOMEM, "out of memory");
    clock->loop = loop;
    clock->monotonic = clock_monotonic(loop_clock(loop));
    clock->ahead = unix_ns - clock->monotonic;
    clock->handles = 2;
    clock->before_wait.data = clock->more.data = clock;
    (void)uv_prepare_init(loop_uv(loop), &clock->before_wait); /* always 0, as the next */
    (void)uv_idle_init(loop_uv(loop), &clock->more);
    struct clock face = {read_realtime, read_monotonic, read_monotonic, clock};
    loop_set_virtual(loop, clock, &face);
    *out = clock;
    return 0;
}

static void closed(uv_handle_t *handle) {
    struct virtual *clock = handle->data;
    if (--clock->handles > 0)
        return;
    free(clock->heap);
    free(clock);
}

void virtual_free(struct virtual *clock) {
    if (!clock)
        return;
    uv_close((uv_handle_t *)&clock->before_wait, closed);
    uv_close((uv_handle_t *)&clock->more, closed);
}

/* The heap */

static bool earlier(const struct wake *a, const struct wake *b) {
    if (a->due != b->due)
        return a->due < b->due;
    if (a->alarm != b->alarm)
        return b->alarm;
    return a->order < b->order;
}

static void put(struct virtual *clock, size_t place, struct wake *wake) {
    clock->heap[place] = wake;
    wake->place = place;
}

static void rise(struct virtual *clock, struct wake *wake) {
    size_t place = wake->place;
    for (; place > 1 && earlier(wake, clock->heap[place / 2]); place /= 2)
        put(clock, place, clock->heap[place / 2]);
    put(clock, place, wake);
}

static void sink(struct virtual *clock, struct wake *wake) {
    size_t place = wake->place;
    for (size_t child; (child = place * 2) <= clock->count; place = child) {
        if (child < clock->count && earlier(clock->heap[child + 1], clock->heap[child]))
            child++;
        if (!earlier(clock->heap[child], wake))
            break;
        put(clock, place, clock->heap[child]);
    }
    put(clock, place, wake);
}

int wake_reserve(struct virtual *clock) {
    if (clock->reserved + 1 >= clock->capacity) {
        size_t capacity = clock->capacity ? clock->capacity * 2 : 64;
        struct wake **heap = realloc(clock->heap, capacity * sizeof(struct wake *));
        if (!heap)
            return ERR_NOMEM;
        clock->heap = heap;
        clock->capacity = capacity;
    }
    clock->reserved++;
    return 0;
}

void wake_free(struct virtual *clock, struct wake *wake) {
    wake_clear(clock, wake);
    clock->reserved--;
}

void wake_clear(struct virtual *clock, struct wake *wake) {
    if (!wake->place)
        return;
    struct wake *last = clock->heap[clock->count--];
    if (last != wake) {
        put(clock, wake->place, last);
        rise(clock, last);
        sink(clock, last);
    }
    wake->place = 0;
}

void wake_set(struct virtual *clock, struct wake *wake, int64_t due) {
    wake_clear(clock, wake);
    wake->due = due;
    wake->order = clock->orders++;
    put(clock, ++clock->count, wake);
    rise(clock, wake);
}

/* Going on */

int64_t virtual_monotonic_of(const struct virtual *clock, int64_t unix_ns) {
    return unix_ns > INT64_MAX / 2 ? INT64_MAX : unix_ns - clock->ahead; /* INT64_MAX: never */
}

void virtual_step(struct virtual *clock, int64_t unix_ns) {
    clock->ahead = unix_ns - clock->monotonic;
    for (size_t i = 1; i <= clock->count; i++)
        if (clock->heap[i]->alarm)
            clock->heap[i]->due = clock->monotonic;
    for (size_t i = clock->count / 2; i > 0; i--)
        sink(clock, clock->heap[i]);
}

int64_t virtual_next(const struct virtual *clock) {
    int64_t due = clock->count > 0 ? clock->heap[1]->due : INT64_MAX;
    return due == INT64_MAX ? INT64_MAX : due + clock->ahead;
}

void virtual_freeze(struct virtual *clock, int64_t unix_ns) {
    clock->monotonic = unix_ns - clock->ahead;
}

static void finish(struct virtual *clock) {
    clock->running = false;
    (void)uv_prepare_stop(&clock->before_wait);
    (void)uv_idle_stop(&clock->more);
    if (clock->until > clock->monotonic)
        clock->monotonic = clock->until;
    clock->done(clock->ctx);
}

static void fire(struct virtual *clock, struct wake *wake) {
    if (wake->due > clock->monotonic)
        clock->monotonic = wake->due;
    wake_clear(clock, wake);
    wake->cb(wake->ctx);
}

static void nothing(uv_idle_t *idle) {
    (void)idle;
}

static void go_on(uv_prepare_t *handle) {
    struct virtual *clock = handle->data;
    for (int n = 0; n < WAKES_A_TURN; n++) {
        if (loop_expects(clock->loop)) {
            (void)uv_idle_stop(&clock->more);
            return;
        }
        struct wake *first = clock->count > 0 ? clock->heap[1] : NULL;
        if (!first || first->due > clock->until) {
            finish(clock);
            return;
        }
        fire(clock, first);
    }
    (void)uv_idle_start(&clock->more, nothing);
}

int virtual_run(struct virtual *clock, int64_t unix_ns, void (*done)(void *ctx), void *ctx, struct err *err) {
    int64_t until = virtual_monotonic_of(clock, unix_ns);
    if (clock->running)
        return err_set(err, ERR_INVALID, "the clock is under way already");
    if (until < clock->monotonic)
        return err_set(err, ERR_INVALID, "that time has passed: the clock runs forward only");
    clock->running = true;
    clock->until = until;
    clock->done = done;
    clock->ctx = ctx;
    (void)uv_prepare_start(&clock->before_wait, go_on);
    (void)uv_idle_start(&clock->more, nothing); /* the first turn does not wait */
    return 0;
}

void virtual_stop(struct virtual *clock) {
    clock->until = clock->monotonic;
}
