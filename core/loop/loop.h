/* The event loop: one thread, libuv underneath. Everything the daemon does happens in callbacks from here;
 * no callback blocks. Objects made on a loop are freed before it. Thread: the one that runs the loop. */
#ifndef KS_LOOP_LOOP_H
#define KS_LOOP_LOOP_H

#include "base/err.h"
#include "loop/clock.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <uv.h>

struct loop;

/* The clock is copied; what it points to and the random source must outlive the loop. */
int loop_new(const struct clock *clock, const struct random_source *random, struct loop **out,
             struct err *err);
void loop_free(struct loop *loop); /* runs the close callbacks that are still due */

uv_loop_t *loop_uv(struct loop *loop);
const struct clock *loop_clock(const struct loop *loop);
const struct random_source *loop_random(const struct loop *loop);

/* Runs until loop_stop, or until nothing is left that could call back. */
void loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

/* A one-shot timer on the loop's monotonic clock. The callback may start it again or free it. Resolution: 1
 * ms, rounded up. The real one goes by the machine's clock, also where the loop's is virtual: for whoever
 * waits for the world outside. */
struct timer;
typedef void (*timer_cb)(void *ctx);
int timer_new(struct loop *loop, timer_cb cb, void *ctx, struct timer **out, struct err *err);
int timer_new_real(struct loop *loop, timer_cb cb, void *ctx, struct timer **out, struct err *err);
void timer_start(struct timer *timer, int64_t delay_ns); /* again: replaces the old delay; <= 0: next turn */
void timer_stop(struct timer *timer);
void timer_free(struct timer *timer); /* NULL is fine */

/* An alarm at an instant of the real-time clock, for slots: precise below a millisecond (timerfd), and it
 * also fires at once when somebody steps the clock, so that the owner looks at the time again. */
struct alarm;
typedef void (*alarm_cb)(void *ctx);
int alarm_new(struct loop *loop, alarm_cb cb, void *ctx, struct alarm **out, struct err *err);
int alarm_set(struct alarm *alarm, int64_t unix_ns, struct err *err); /* INT64_MAX: only clock steps */
void alarm_free(struct alarm *alarm);                                 /* NULL is fine */

/* For timer.c: timers that are due on the next turn, first come first, and how to have them looked at then:
 * libuv before 1.45 runs timers of 0 ms that other timers start all in one turn, without a look at what has
 * arrived meanwhile, slots among it. */
struct soon {
    TAILQ_HEAD(, timer) timers;
    uint64_t turn; /* counts turns: what is put in during one waits for the next */
};
struct soon *loop_soon(struct loop *loop);
void loop_turn_soon(struct loop *loop, void (*turn)(struct loop *loop));

/* Virtual time (loop/virtual.h) stands still while an answer from outside is expected: while a real timer
 * runs, or between these two. */
void loop_hold(struct loop *loop);
void loop_release(struct loop *loop);
bool loop_expects(const struct loop *loop);

struct virtual;
struct virtual *loop_virtual(const struct loop *loop); /* NULL: the clock is the machine's */
/* For virtual_new: the clock is copied, the virtual is the loop's from now on. */
void loop_set_virtual(struct loop *loop, struct virtual *virtual, const struct clock *clock);

/* Calls back for each arrival of a signal. */
struct loop_signal;
typedef void (*loop_signal_cb)(void *ctx, int signum);
int loop_signal_new(struct loop *loop, int signum, loop_signal_cb cb, void *ctx, struct loop_signal **out,
                    struct err *err);
void loop_signal_free(struct loop_signal *signal); /* NULL is fine */

#endif
