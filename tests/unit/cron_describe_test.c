/* Plain English. The README's examples are tested too (cron_readme_test.c); here stand the corners. */
#include "cron_help.h"

struct row {
    const char *zone, *expr, *meaning;
    enum cron_dialect dialect;
};

static void check(const struct cron_schedule *s, const char *expr, const char *meaning) {
    struct buf text = {0};
    assert_int_equal(cron_describe(s, &text), 0);
    if (strcmp(text.data, meaning) != 0)
        fail_msg("\"%s\": \"%s\"", expr, text.data);
    buf_free(&text);
}

static void schedules_read_as_english(void **state) {
    static const struct row rows[] = {
        {"America/New_York", "30 2 * * 1-5", "at 02:30 on Monday to Friday, New York time", 0},
        {"Europe/London", "@daily", "at 00:00, London time", 0},
        {"Etc/GMT+5", "@daily", "at 00:00, Etc/GMT+5 time", 0},
        {"Local", "@daily", "at 00:00, local time", 0},
        {"UTC", "* * * * *", "every minute, UTC", 0},
        {"UTC", "* * * * * *", "every second, UTC", 0},
        {"UTC", "0 * * * *", "at minute 0 of every hour, UTC", 0},
        {"UTC", "*/7 * * * *", "every 7 minutes from minute 0, UTC", 0},
        {"UTC", "0 */6 * * *", "at 00:00, 06:00, 12:00 and 18:00, UTC", 0},
        {"UTC", "15 30 4 * * *", "at 04:30:15, UTC", 0},
        {"UTC", "* 5 4 * * *", "every second of minute 5 of hour 4, UTC", 0},
        {"UTC", "5 * * * * *", "at second 5 of every minute, UTC", 0},
        {"UTC", "1,2,3-9 * * * *", "at minutes 1 to 9 of every hour, UTC", 0},
        {"UTC", "*/10 1,2 * * *", "every 10 minutes of hours 1 and 2, UTC", 0},
        {"UTC", "0 0 1-3,11-13,21-23 * *", "at 00:00 on the 1st to 3rd, 11th to 13th and 21st to 23rd, UTC",
         0},
        {"UTC", "0 0 * 1,3-6 *", "at 00:00 in January and March to June, UTC", 0},
        {"UTC", "0 0 1-31 * MON", "at 00:00, UTC", 0},
        {"UTC", "0 0 1,15W * FRI,MON#1",
         "at 00:00 on the 1st and the weekday nearest the 15th, and also on Friday and "
         "the 1st Monday of the month, UTC",
         0},
        {"UTC", "@every 49h1s", "every 2 days 1 hour 1 second", 0},
        {"UTC", "0 0 0 31 2 *", "never", CRON_ROBFIG_V1},
        {"UTC", "5 4 3 * *", "at 03:04:05, UTC", CRON_ROBFIG_V1},
        {"UTC", "0 0 0 , * MON", "at 00:00 on Monday, UTC", CRON_ROBFIG_V1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cron_options options = {.zone = must_load(rows[i].zone), .dialect = rows[i].dialect};
        struct cron_schedule *s = must_parse(rows[i].expr, &options);
        check(s, rows[i].expr, rows[i].meaning);
        cron_free(s);
        cron_zone_unref(options.zone);
    }
}

static void bounds_are_told(void **state) {
    struct cron_options options = {.start = instant("2030-01-01T00:00:00Z"),
                                   .end = instant("2030-06-30T12:00:00Z")};
    struct cron_schedule *s = must_parse("0 9 * * *", &options);
    (void)state;
    check(s, "bounds", "at 09:00, from 2030-01-01 00:00:00, until 2030-06-30 12:00:00, UTC");
    cron_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(schedules_read_as_english),
        cmocka_unit_test(bounds_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
