/* Time driven by hand: for simulations, the REPL and tests. Once a loop has a virtual clock, loop_clock tells
 * its time, and the alarms and timers made from then on (also task.sleep, so everything that goes by time)
 * wait for virtual_run. Make it before anything that keeps time; it stays for the loop's life and is freed
 * with it.
 *
 * virtual_run fires what is due in order, the clock standing at each one's instant; among equals in the order
 * of their setting, alarms last, so that what ends at an instant has ended before what is due then. The world
 * outside keeps its own time: while a real timer (timer_new_real) runs or somebody holds the loop
 * (loop_hold), an answer is expected, and virtual time stands still until it came. So whatever waits for a
 * process or a server must do either. Thread: the loop's. */
#ifndef KS_LOOP_VIRTUAL_H
#define KS_LOOP_VIRTUAL_H

#include "loop/loop.h"

struct virtual;

/* The clock starts at that instant; its monotonic time goes on from the old clock's. ERR_EXISTS: the loop has
 * one. */
int virtual_new(struct loop *loop, int64_t unix_ns, struct virtual **out, struct err *err);

/* Moves on to the instant, itself included, then calls done, on a later turn of the loop. ERR_INVALID: it has
 * passed, or a run is under way. */
int virtual_run(struct virtual *clock, int64_t unix_ns, void (*done)(void *ctx), void *ctx, struct err *err);

/* Ends a run that is under way where it is, as soon as what is due now has happened. */
void virtual_stop(struct virtual *clock);

/* For who moves several clocks together: the instant at which the next alarm or timer is due, INT64_MAX:
 * there is none. And moving on, not back, while nothing happens, as for a process that is stopped (SIGSTOP):
 * what was due on the way is fired by the next run, late. Both not while a run is under way. */
int64_t virtual_next(const struct virtual *clock);
void virtual_freeze(struct virtual *clock, int64_t unix_ns);

/* Steps the real-time clock, in either direction, as somebody who sets a machine's clock: nothing between is
 * fired, alarms look at the time again in the next run, timers wait as long as before. */
void virtual_step(struct virtual *clock, int64_t unix_ns);

/* What alarms and timers are made of; private to core/loop. Zeroed, it is not set. */
struct wake {
    int64_t due; /* of the monotonic clock, ns */
    uint64_t order;
    size_t place; /* in the heap, from 1; 0: not set */
    bool alarm;
    void (*cb)(void *ctx);
    void *ctx;
};

/* Makes room, so that setting it never fails; each is matched by wake_free. 0 or ERR_NOMEM. */
int wake_reserve(struct virtual *clock);
void wake_free(struct virtual *clock, struct wake *wake);
void wake_set(struct virtual *clock, struct wake *wake, int64_t due);
void wake_clear(struct virtual *clock, struct wake *wake);
int64_t virtual_monotonic_of(const struct virtual *clock, int64_t unix_ns);
void virtual_free(struct virtual *clock);

#endif
