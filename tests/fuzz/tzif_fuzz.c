/* Any bytes as a zone file: what is accepted must be usable, and next must still move on. */
#include "cron/cron.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(int holds) {
    if (!holds)
        abort();
}

static void walk(const struct cron_schedule *s, int64_t t) {
    int64_t start = t;
    for (int i = 0; i < 20 && t != CRON_NEVER; i++) {
        int64_t next = cron_next(s, t);
        require(next > t);
        t = next;
    }
    for (t = start; t != CRON_NEVER && t > start - 864000;) {
        int64_t previous = cron_previous(s, t);
        require(previous < t || previous == CRON_NEVER);
        t = previous;
    }
}

static void use(struct cron_zone *zone, enum cron_dst dst) {
    static const char *const expressions[] = {"30 2 * * *", "*/30 * * * *", "0 0 1 1 *"};
    struct cron_options options = {.zone = zone, .dst = dst};
    struct cron_civil civil;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++) {
        struct cron_schedule *s;
        struct cron_error error;
        require(cron_parse(expressions[i], strlen(expressions[i]), &options, &s, &error) == 0);
        walk(s, 0);
        walk(s, 1700000000);
        walk(s, 20000000000);
        cron_free(s);
    }
    cron_zone_civil(zone, 1700000000, &civil);
    require(strlen(civil.abbreviation) < 16);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct cron_zone *zone;
    struct err err;
    int rc = cron_zone_from_tzif("Fuzz", data, size, &zone, &err);
    if (rc) {
        require(err.code == rc && err.message[0]);
        return 0;
    }
    for (int dst = CRON_DST_CRONIE; dst <= CRON_DST_SKIP; dst++)
        use(zone, (enum cron_dst)dst);
    cron_zone_unref(zone);
    return 0;
}
