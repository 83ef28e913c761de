#include "loop/clock.h"

#include "base/err.h"

#include <sys/random.h>
#include <time.h>

static int64_t read_clock(clockid_t id) {
    struct timespec t = {0};
    (void)clock_gettime(id, &t); /* cannot fail for these three clocks */
    return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec;
}

static int64_t system_realtime(void *ctx) {
    (void)ctx;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_monotonic(void *ctx) {
    (void)ctx;
    return read_clock(CLOCK_MONOTONIC);
}

static int64_t system_boottime(void *ctx) {
    (void)ctx;
    return read_clock(CLOCK_BOOTTIME);
}

const struct clock clock_system = {system_realtime, system_monotonic, system_boottime, NULL};

static int system_random(void *ctx, void *out, size_t len) {
    (void)ctx;
    unsigned char *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0)
            return ERR_IO;
        at += got;
        len -= (size_t)got;
    }
    return 0;
}

const struct random_source random_system = {system_random, NULL};
