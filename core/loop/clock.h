/* Where time and randomness come from. Nothing else in the project calls clock_gettime or getrandom: main
 * hands in clock_system and random_system, tests and simulations hand in their own. Nanoseconds everywhere
 * here; the border to Lua speaks integer unix seconds. Thread: any. */
#ifndef KS_LOOP_CLOCK_H
#define KS_LOOP_CLOCK_H

#include <stddef.h>
#include <stdint.h>

#define NS_PER_S INT64_C(1000000000)
#define NS_PER_MS INT64_C(1000000)

struct clock {
    int64_t (*realtime)(void *ctx);  /* ns since 1970 UTC; decides slots; may step */
    int64_t (*monotonic)(void *ctx); /* ns; measures durations; stands still while the machine sleeps */
    int64_t (*boottime)(
        void *ctx); /* ns; runs on while the machine sleeps; decides whether a lease is over */
    void *ctx;
};

extern const struct clock clock_system;

static inline int64_t clock_realtime(const struct clock *clock) {
    return clock->realtime(clock->ctx);
}
static inline int64_t clock_monotonic(const struct clock *clock) {
    return clock->monotonic(clock->ctx);
}
static inline int64_t clock_boottime(const struct clock *clock) {
    return clock->boottime(clock->ctx);
}

/* Unix seconds, rounded down. */
static inline int64_t clock_seconds(const struct clock *clock) {
    int64_t ns = clock_realtime(clock);
    return ns / NS_PER_S - (ns % NS_PER_S < 0);
}

struct random_source {
    int (*fill)(void *ctx, void *out, size_t len); /* 0, or a negative enum err_code */
    void *ctx;
};

extern const struct random_source random_system;

#endif
