/* Any bytes as an expression, in every dialect and policy: what parses must answer, and move. The first byte
 * picks the options, the next eight the instant. */
#include "cron/cron.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds) {
    if (!holds)
        abort();
}

static struct cron_zone *zone_number(unsigned n) {
    static const char *const names[] = {"UTC", "America/New_York", "Australia/Lord_Howe", "Pacific/Apia"};
    static struct cron_zone *zones[4];
    if (!zones[n])
        require(cron_zone_load(names[n], &zones[n], NULL) == 0);
    return zones[n];
}

/* The walk of robfig's policy is not its own inverse around transitions. */
static void check_slots(const struct cron_schedule *s, int64_t t, int exact) {
    int64_t next = cron_next(s, t), previous = cron_previous(s, t);
    require(next > t || t == INT64_MAX);
    require(previous < t || previous == CRON_NEVER);
    if (exact && next != CRON_NEVER)
        require(cron_previous(s, next) <= t || cron_previous(s, next) == CRON_NEVER);
    if (exact && previous != CRON_NEVER)
        require(cron_next(s, previous) >= t);
    if (next != CRON_NEVER)
        (void)cron_dst_effect(s, next, NULL);
}

static void check_schedule(const struct cron_schedule *s, int64_t t, int exact) {
    struct buf text = {0};
    check_slots(s, t, exact);
    require(cron_describe(s, &text) == 0 && text.len > 0);
    (void)cron_warnings(s, 1700000000);
    buf_free(&text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cron_schedule *s;
    struct cron_error error;
    int64_t t;
    if (size < 9)
        return 0;
    memcpy(&t, data + 1, sizeof t);
    struct cron_options options = {.dialect = data[0] % 3,
                                   .dst = data[0] / 3 % 3,
                                   .zone = zone_number(data[0] / 9 % 4),
                                   .hash_key = data[0] & 1 ? "job" : NULL,
                                   .anchor = t / 3};
    if (cron_parse((const char *)data + 9, size - 9, &options, &s, &error)) {
        require(error.column >= 1 && error.column - 1 + error.length <= size - 9 && error.message[0]);
        return 0;
    }
    check_schedule(s, t, options.dst != CRON_DST_ROBFIG);
    check_schedule(s, t % 8000000000, options.dst != CRON_DST_ROBFIG);
    cron_free(s);
    return 0;
}
