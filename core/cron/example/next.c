/* The next five slots of an expression: next EXPRESSION [ZONE]. A whole program on libcron:
 *     make libcron
 *     cc -Ibuild/libcron/include core/cron/example/next.c build/libcron/libcron.a -o next
 *     ./next '30 2 * * 1-5' America/New_York */
#include "cron/cron.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static void print_slot(const struct cron_zone *zone, int64_t slot) {
    struct cron_civil c;
    cron_zone_civil(zone, slot, &c);
    printf("%04d-%02d-%02d %02d:%02d:%02d %s\n", c.year, c.month, c.day, c.hour, c.minute, c.second,
           c.abbreviation);
}

static void print_slots(const struct cron_schedule *schedule) {
    struct buf text = {0};
    if (cron_describe(schedule, &text) == 0)
        printf("%s\n", text.data);
    buf_free(&text);
    int64_t t = (int64_t)time(NULL);
    for (int i = 0; i < 5 && (t = cron_next(schedule, t)) != CRON_NEVER; i++)
        print_slot(cron_schedule_zone(schedule), t);
}

int main(int argc, char **argv) {
    struct cron_options options = {0};
    struct cron_schedule *schedule = NULL;
    struct cron_error error;
    struct err err;
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: next EXPRESSION [ZONE]\n");
        return 2;
    }
    if (cron_zone_load(argc == 3 ? argv[2] : "Local", &options.zone, &err)) {
        fprintf(stderr, "%s\n", err.message);
        return 1;
    }
    int rc = cron_parse(argv[1], strlen(argv[1]), &options, &schedule, &error);
    cron_zone_unref(options.zone); /* the schedule has its own reference */
    if (rc)
        fprintf(stderr, "column %zu: %s\n", error.column, error.message);
    else
        print_slots(schedule);
    cron_free(schedule);
    return rc ? 1 : 0;
}
