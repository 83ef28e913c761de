/* Slots: bounds, intervals, far years, unions, what daylight saving did to them, and lint. */
#include "cron_help.h"

static void leap_days_are_found_over_the_century(void **state) {
    struct cron_options options = {0};
    struct cron_schedule *s = must_parse("0 12 29 2 *", &options);
    (void)state;
    assert_int_equal(cron_next(s, instant("2096-02-29T12:00:00Z")), instant("2104-02-29T12:00:00Z"));
    assert_int_equal(cron_previous(s, instant("2104-02-29T12:00:00Z")), instant("2096-02-29T12:00:00Z"));
    cron_free(s);
    s = must_parse("0 12 29 2 &MON", &options); /* 28 years apart, 40 over a century without leap day */
    assert_int_equal(cron_next(s, instant("2072-02-29T12:00:00Z")), instant("2112-02-29T12:00:00Z"));
    cron_free(s);
}

static void a_repeated_hour_is_over_for_a_fixed_time_job(void **state) {
    struct cron_options options = {.zone = must_load("America/New_York")};
    struct cron_schedule *s = must_parse("30 1 * * *", &options);
    (void)state;
    assert_int_equal(cron_next(s, instant("2024-11-03T01:10:00-05:00")),
                     instant("2024-11-04T01:30:00-05:00"));
    assert_int_equal(cron_previous(s, instant("2024-11-03T01:10:00-05:00")),
                     instant("2024-11-03T01:30:00-04:00"));
    assert_int_equal(cron_previous(s, instant("2024-11-03T01:50:00-05:00")),
                     instant("2024-11-03T01:30:00-04:00"));
    cron_free(s);
    cron_zone_unref(options.zone);
}

static void years_end_the_schedule(void **state) {
    struct cron_options options = {0};
    struct cron_schedule *s = must_parse("0 0 0 1 1 * 2030,2199", &options);
    (void)state;
    assert_int_equal(cron_next(s, 0), instant("2030-01-01T00:00:00Z"));
    assert_int_equal(cron_next(s, instant("2030-01-01T00:00:00Z")), instant("2199-01-01T00:00:00Z"));
    assert_int_equal(cron_next(s, instant("2199-01-01T00:00:00Z")), CRON_NEVER);
    assert_int_equal(cron_previous(s, instant("2030-01-01T00:00:00Z")), CRON_NEVER);
    cron_free(s);
}

static void the_ends_of_time_hold(void **state) {
    static const char *const expressions[] = {"* * * * * *", "0 0 1 1 *", "@every 1s", "@every 100000h",
                                              "0 0 L * *"};
    struct cron_zone *zone = must_load("America/New_York");
    (void)state;
    for (size_t i = 0; i < sizeof expressions / sizeof *expressions; i++)
        for (int dst = CRON_DST_CRONIE; dst <= CRON_DST_SKIP; dst++) {
            struct cron_options options = {.zone = zone, .dst = (enum cron_dst)dst};
            struct cron_schedule *s = must_parse(expressions[i], &options);
            assert_int_equal(cron_next(s, INT64_MAX), CRON_NEVER);
            assert_int_equal(cron_next(s, INT64_MAX - 1), CRON_NEVER);
            assert_int_equal(cron_previous(s, INT64_MIN), CRON_NEVER);
            int64_t first = cron_next(s, INT64_MIN), last = cron_previous(s, INT64_MAX);
            assert_true(first != CRON_NEVER && last != CRON_NEVER && first < last);
            assert_int_equal(cron_previous(s, first), CRON_NEVER);
            assert_int_equal(cron_next(s, last), CRON_NEVER);
            cron_free(s);
        }
    cron_zone_unref(zone);
}

static void bounds_are_inclusive(void **state) {
    struct cron_options options = {.start = instant("2030-01-02T00:00:00Z"),
                                   .end = instant("2030-01-04T00:00:00Z")};
    struct cron_schedule *s = must_parse("0 0 * * *", &options);
    (void)state;
    assert_int_equal(cron_next(s, 0), options.start);
    assert_int_equal(cron_next(s, options.start), instant("2030-01-03T00:00:00Z"));
    assert_int_equal(cron_next(s, options.end - 1), options.end);
    assert_int_equal(cron_next(s, options.end), CRON_NEVER);
    assert_int_equal(cron_previous(s, CRON_NEVER), options.end);
    assert_int_equal(cron_previous(s, options.start), CRON_NEVER);
    assert_int_equal(cron_previous(s, options.start + 1), options.start);
    cron_free(s);
}

static void every_keeps_its_phase(void **state) {
    struct cron_options options = {.anchor = 1000};
    struct cron_schedule *s = must_parse("@every 7m", &options);
    (void)state;
    assert_int_equal(cron_next(s, 1000), 1420);
    assert_int_equal(cron_next(s, 999), 1000);
    assert_int_equal(cron_next(s, 1419), 1420);
    assert_int_equal(cron_next(s, -10000), 1000 - 26 * 420);
    assert_int_equal(cron_previous(s, 1000), 580);
    assert_int_equal(cron_previous(s, 1001), 1000);
    cron_free(s);
}

static void at_fires_once(void **state) {
    struct cron_options options = {0};
    struct cron_schedule *s = must_parse("@at 2030-01-31T09:00:00+02:00", &options);
    int64_t t = instant("2030-01-31T07:00:00Z");
    (void)state;
    assert_int_equal(cron_next(s, t - 1), t);
    assert_int_equal(cron_next(s, t), CRON_NEVER);
    assert_int_equal(cron_previous(s, t + 1), t);
    assert_int_equal(cron_previous(s, t), CRON_NEVER);
    cron_free(s);
}

static void a_set_is_a_union(void **state) {
    struct cron_options options = {0};
    struct cron_schedule *set[] = {must_parse("0 6 * * *", &options), must_parse("0 6,18 * * *", &options),
                                   must_parse("@at 1970-01-02T12:00:00Z", &options)};
    static const int hours[] = {6, 18, 30, 36, 42, 54};
    int64_t t = 0;
    (void)state;
    for (size_t i = 0; i < 6; i++) {
        t = cron_set_next(set, 3, t);
        assert_int_equal(t, hours[i] * 3600);
    }
    for (size_t i = 5; i-- > 0;) {
        t = cron_set_previous(set, 3, t);
        assert_int_equal(t, hours[i] * 3600);
    }
    assert_int_equal(cron_set_next(set, 0, 0), CRON_NEVER);
    assert_int_equal(cron_set_previous(set, 0, 0), CRON_NEVER);
    for (size_t i = 0; i < 3; i++)
        cron_free(set[i]);
}

static void the_prefix_wins_over_the_option(void **state) {
    struct cron_options options = {.zone = must_load("Asia/Tokyo")};
    struct cron_schedule *s = must_parse("TZ=Europe/London 0 12 * * *", &options);
    (void)state;
    assert_string_equal(cron_zone_name(cron_schedule_zone(s)), "Europe/London");
    cron_free(s);
    s = must_parse("0 12 * * *", &options);
    assert_int_equal(cron_next(s, 0), 3 * 3600);
    cron_zone_unref(options.zone); /* the schedule holds its own reference */
    assert_string_equal(cron_zone_name(cron_schedule_zone(s)), "Asia/Tokyo");
    cron_free(s);
}

/* Slot, effect, and the wall time lost ("" where there is none). */
struct effect_row {
    const char *expr;
    enum cron_dst dst;
    const char *slot;
    enum cron_effect effect;
    const char *wall;
};

static void effects_are_named(void **state) {
    static const struct effect_row rows[] = {
        {"30 2 * * *", CRON_DST_CRONIE, "2024-03-10T03:00:00-04:00", CRON_EFFECT_MOVED,
         "2024-03-10T02:30:00-05:00"},
        {"30 2,3 * * *", CRON_DST_CRONIE, "2024-03-10T03:30:00-04:00", CRON_EFFECT_NONE, ""},
        {"0 3 * * *", CRON_DST_CRONIE, "2024-03-10T03:00:00-04:00", CRON_EFFECT_NONE, ""},
        {"30 2 * * *", CRON_DST_SKIP, "2024-03-11T02:30:00-04:00", CRON_EFFECT_LOST,
         "2024-03-10T02:30:00-05:00"},
        {"30 2 * * *", CRON_DST_ROBFIG, "2024-03-11T02:30:00-04:00", CRON_EFFECT_LOST,
         "2024-03-10T02:30:00-05:00"},
        {"30 2 * * *", CRON_DST_SKIP, "2024-03-12T02:30:00-04:00", CRON_EFFECT_NONE, ""},
        {"0 */2 * * *", CRON_DST_CRONIE, "2024-03-10T04:00:00-04:00", CRON_EFFECT_LOST,
         "2024-03-10T02:00:00-05:00"},
        {"30 1 * * *", CRON_DST_CRONIE, "2024-11-03T01:30:00-04:00", CRON_EFFECT_FIRST, ""},
        {"30 1 * * *", CRON_DST_ROBFIG, "2024-11-03T01:30:00-05:00", CRON_EFFECT_SECOND, ""},
        {"*/30 * * * *", CRON_DST_CRONIE, "2024-11-03T01:00:00-05:00", CRON_EFFECT_SECOND, ""},
        {"*/30 * * * *", CRON_DST_CRONIE, "2024-11-03T00:30:00-04:00", CRON_EFFECT_NONE, ""},
        {"*/30 * * * *", CRON_DST_CRONIE, "2024-11-03T02:00:00-05:00", CRON_EFFECT_NONE, ""},
        {"@every 1h", CRON_DST_CRONIE, "2024-11-03T01:00:00-05:00", CRON_EFFECT_NONE, ""},
    };
    struct cron_zone *zone = must_load("America/New_York");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cron_options options = {.zone = zone, .dst = rows[i].dst};
        struct cron_schedule *s = must_parse(rows[i].expr, &options);
        struct cron_civil wall = {0};
        enum cron_effect effect = cron_dst_effect(s, instant(rows[i].slot), &wall);
        if (effect != rows[i].effect)
            fail_msg("%s at %s: effect %d", rows[i].expr, rows[i].slot, effect);
        char text[64] = "";
        if (wall.year)
            (void)snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02d-%02d:00", wall.year, wall.month,
                           wall.day, wall.hour, wall.minute, wall.second, -wall.utc_offset / 3600);
        assert_string_equal(text, rows[i].wall);
        assert_int_equal(cron_dst_effect(s, instant(rows[i].slot), NULL), effect);
        cron_free(s);
    }
    cron_zone_unref(zone);
}

struct warning_row {
    const char *zone, *expr;
    enum cron_dialect dialect;
    unsigned warnings;
};

static void lint_warns_of_what_surprises(void **state) {
    static const struct warning_row rows[] = {
        {"UTC", "0 0 0 13 * FRI", CRON_STANDARD, CRON_WARN_DAY_OR},
        {"UTC", "0 0 0 13 * &FRI", CRON_STANDARD, 0},
        {"UTC", "0 0 0 13 * *", CRON_STANDARD, 0},
        {"UTC", "0 0 0 */2 * FRI", CRON_CRONIE, 0},
        {"UTC", "30 2 * * *", CRON_STANDARD, CRON_WARN_FIVE_FIELDS},
        {"UTC", "30 2 * * *", CRON_ROBFIG_V1, CRON_WARN_FIVE_FIELDS},
        {"UTC", "30 2 31 * *", CRON_STANDARD, 0},  /* no hour 31 in robfig-v1 */
        {"UTC", "30 2 * * MON", CRON_STANDARD, 0}, /* nor a month MON */
        {"America/New_York", "0 30 2 * * *", CRON_STANDARD, CRON_WARN_DST_GAP},
        {"America/New_York", "0 30 1 * * *", CRON_STANDARD, CRON_WARN_DST_OVERLAP},
        {"America/New_York", "0 0 3 * * *", CRON_STANDARD, 0},
        {"America/New_York", "0 30 2 25 12 *", CRON_STANDARD, 0},
        {"America/New_York", "0 */30 2 * * *", CRON_STANDARD, 0},
        {"Asia/Kolkata", "0 30 2 * * *", CRON_STANDARD, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cron_options options = {.zone = must_load(rows[i].zone), .dialect = rows[i].dialect};
        struct cron_schedule *s = must_parse(rows[i].expr, &options);
        unsigned warnings = cron_warnings(s, instant("2024-06-01T00:00:00Z"));
        if (warnings != rows[i].warnings)
            fail_msg("%s: warnings %u", rows[i].expr, warnings);
        cron_free(s);
        cron_zone_unref(options.zone);
    }
    for (unsigned w = CRON_WARN_DAY_OR; w <= CRON_WARN_DST_OVERLAP; w *= 2)
        assert_true(strlen(cron_warning_text((enum cron_warning)w)) > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leap_days_are_found_over_the_century),
        cmocka_unit_test(a_repeated_hour_is_over_for_a_fixed_time_job),
        cmocka_unit_test(years_end_the_schedule),
        cmocka_unit_test(the_ends_of_time_hold),
        cmocka_unit_test(bounds_are_inclusive),
        cmocka_unit_test(every_keeps_its_phase),
        cmocka_unit_test(at_fires_once),
        cmocka_unit_test(a_set_is_a_union),
        cmocka_unit_test(the_prefix_wins_over_the_option),
        cmocka_unit_test(effects_are_named),
        cmocka_unit_test(lint_warns_of_what_surprises),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
