/* Times of the cron engine: one round of "name[case] value unit" lines. tests/bench/run repeats it, beside
 * cron_peer.go, and takes medians. */
#include "cron/cron.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define CALLS 5000
#define FIRST INT64_C(1700000000)
#define STRIDE INT64_C(86413) /* no two calls meet the same place in the day */
#define PLACES 1000           /* from FIRST, some three years on */

static const char *const expressions[] = {
    "*/30 * * * * *", "0 */2 15-23 * * 1-5", "0 0 0 1 1 *", "0 30 2 * * *", "0 0 12 29 2 *", "0 5 4 * * 0",
};
#define EXPRESSIONS (sizeof expressions / sizeof *expressions)

static int64_t now_ns(void) {
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts);
    return ts.tv_sec * INT64_C(1000000000) + ts.tv_nsec;
}

static struct cron_schedule *parse(const char *expr, struct cron_zone *zone) {
    struct cron_schedule *s;
    struct cron_error error;
    struct cron_options options = {.zone = zone};
    if (cron_parse(expr, strlen(expr), &options, &s, &error))
        fprintf(stderr, "%s: %s\n", expr, error.message);
    return s;
}

static double time_next(const struct cron_schedule *s) {
    int64_t sum = 0, start = now_ns();
    for (int64_t i = 0; i < CALLS; i++)
        sum += cron_next(s, FIRST + i % PLACES * STRIDE + (sum & 1));
    double elapsed = (double)(now_ns() - start);
    return sum == 0 ? 0 : elapsed / CALLS;
}

static double time_parse(const char *expr, struct cron_zone *zone) {
    int64_t start = now_ns();
    for (int i = 0; i < CALLS; i++)
        cron_free(parse(expr, zone));
    return (double)(now_ns() - start) / CALLS;
}

static void bench_zone(const char *label, const char *name) {
    struct cron_zone *zone;
    struct err err;
    if (cron_zone_load(name, &zone, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return;
    }
    for (size_t i = 0; i < EXPRESSIONS; i++) {
        struct cron_schedule *s = parse(expressions[i], zone);
        printf("cron.next.%s[%s] %.1f ns\n", label, expressions[i], time_next(s));
        printf("cron.parse.%s[%s] %.1f ns\n", label, expressions[i], time_parse(expressions[i], zone));
        cron_free(s);
    }
    cron_zone_unref(zone);
}

int main(void) {
    bench_zone("utc", "UTC");
    bench_zone("new_york", "America/New_York");
    return 0;
}
