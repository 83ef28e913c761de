/* Slots that move to allowed days, against an oracle that moves each slot of the plain expression by itself
 * and sorts what comes out. */
#include "cron_help.h"

#include <stdlib.h>

#define YEARS (CRON_YEAR_MAX - CRON_YEAR_MIN + 1)
#define WORDS 6
#define DAY INT64_C(86400)
#define MOST 20000

static uint64_t years[YEARS * WORDS];

/* Days since 1970 counted year by year, nothing of core/cron's. */
static int64_t first_of(int year) {
    int64_t day = 0;
    for (int y = 1970; y < year; y++)
        day += 365 + (y % 4 == 0 && (y % 100 != 0 || y % 400 == 0));
    return day;
}

static bool allowed(int64_t day) {
    int year = 1970;
    while (first_of(year + 1) <= day)
        year++;
    int64_t n = day - first_of(year);
    return years[(year - 1970) * WORDS + n / 64] >> n % 64 & 1;
}

static void allow(int64_t day, bool is) {
    int year = 1970;
    while (first_of(year + 1) <= day)
        year++;
    int64_t n = day - first_of(year);
    uint64_t bit = UINT64_C(1) << n % 64;
    uint64_t *word = &years[(year - 1970) * WORDS + n / 64];
    *word = is ? *word | bit : *word & ~bit;
}

static int64_t wall_of(const struct cron_zone *zone, int64_t t) {
    struct cron_civil c;
    cron_zone_civil(zone, t, &c);
    return t + c.utc_offset;
}

/* Second by second around the wall time: the first instant that shows it, else the first that shows more. */
static int64_t instant_of(const struct cron_zone *zone, int64_t wall) {
    int64_t low = wall - 15 * 3600, later = CRON_NEVER;
    for (int64_t t = low; t <= wall + 15 * 3600; t += 900 - ((t - wall) % 900 + 900) % 900) {
        int64_t shown = wall_of(zone, t);
        if (shown == wall)
            return t;
        if (shown > wall && later == CRON_NEVER)
            later = t;
    }
    while (later != CRON_NEVER && wall_of(zone, later - 1) > wall)
        later--;
    return later;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

/* What the slots in (from, to) become, sorted, each once. */
static size_t oracle(const struct cron_schedule *s, const struct cron_zone *zone, int step, int64_t from,
                     int64_t to, int64_t *out) {
    size_t n = 0, kept = 0;
    for (int64_t t = cron_next(s, from); t < to; t = cron_next(s, t)) {
        int64_t wall = wall_of(zone, t), day = wall / DAY, target = day;
        while (!allowed(target) && llabs(target - day) <= 31)
            target += step;
        if (llabs(target - day) <= 31 && n < MOST)
            out[n++] = target == day ? t : instant_of(zone, wall + (target - day) * DAY);
    }
    assert_true(n < MOST);
    qsort(out, n, sizeof *out, compare);
    for (size_t i = 0; i < n; i++)
        if (!kept || out[kept - 1] != out[i])
            out[kept++] = out[i];
    return kept;
}

static void draw_days(int64_t first, int64_t last) {
    for (int64_t day = first; day <= last; day++)
        allow(day, rand() % 3 != 0);
    for (int64_t day = first + 200; day < first + 300; day++)
        allow(day, false); /* further than a slot may move */
}

static void agrees(const char *expr, const char *zone_name, enum cron_move move) {
    struct cron_zone *zone = must_load(zone_name);
    struct cron_options options = {.zone = zone};
    struct cron_schedule *plain = must_parse(expr, &options), *moved = must_parse(expr, &options);
    int64_t *expected = malloc(MOST * sizeof *expected), from = first_of(2026) * DAY,
            to = first_of(2027) * DAY;
    draw_days(first_of(2025), first_of(2028));
    struct cron_days *days = cron_days_new(years, move);
    assert_non_null(expected);
    assert_non_null(days);
    cron_move_days(moved, days);
    cron_days_unref(days); /* the schedule has its own */
    size_t n = oracle(plain, zone, move == CRON_MOVE_NEXT ? 1 : -1, from, to, expected);
    size_t first = 0, last = n;
    while (first < n && expected[first] < from + 40 * DAY) /* those before may come from outside the window */
        first++;
    while (last > first && expected[last - 1] > to - 40 * DAY)
        last--;
    for (size_t i = first; i + 1 < last; i++) {
        char text[64];
        if (cron_next(moved, expected[i]) != expected[i + 1])
            fail_msg("%s in %s: %s follows", expr, zone_name,
                     instant_text(zone, cron_next(moved, expected[i]), text));
        assert_int_equal(cron_previous(moved, expected[i + 1]), expected[i]);
    }
    assert_true(last - first > 1);
    cron_free(plain);
    cron_free(moved);
    cron_zone_unref(zone);
    free(expected);
}

static void moves_as_each_slot_would(void **state) {
    static const char *const exprs[] = {"0 3 * * *",     "30 2 * * *", "15 0,12,23 * * *", "*/20 1-3 * * *",
                                        "0 12 1,15 * *", "0 9 * * 0",  "@every 7h"};
    static const char *const zones[] = {"UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe",
                                        "America/Santiago"};
    (void)state;
    srand(7);
    for (size_t e = 0; e < sizeof exprs / sizeof *exprs; e++)
        for (size_t z = 0; z < sizeof zones / sizeof *zones; z++) {
            agrees(exprs[e], zones[z], CRON_MOVE_NEXT);
            agrees(exprs[e], zones[z], CRON_MOVE_PREVIOUS);
        }
}

static struct cron_schedule *moved_by(const char *expr, const struct cron_options *options,
                                      enum cron_move move) {
    struct cron_schedule *s = must_parse(expr, options);
    struct cron_days *days = cron_days_new(years, move);
    assert_non_null(days);
    cron_move_days(s, days);
    cron_days_unref(days);
    return s;
}

static void says_where_a_slot_came_from(void **state) {
    struct cron_options options = {0};
    (void)state;
    memset(years, 0xff, sizeof years);
    allow(instant("2026-12-25T00:00:00Z") / DAY, false);
    allow(instant("2026-12-26T00:00:00Z") / DAY, false);
    struct cron_schedule *s = moved_by("0 3 25 12 *", &options, CRON_MOVE_NEXT);
    int64_t slot = cron_next(s, instant("2026-01-01T00:00:00Z"));
    assert_int_equal(slot, instant("2026-12-27T03:00:00Z"));
    assert_int_equal(cron_moved_from(s, slot), instant("2026-12-25T03:00:00Z"));
    assert_int_equal(cron_moved_from(s, cron_next(s, slot)), CRON_NEVER);
    cron_free(s);
    s = moved_by("0 3 25 12 *", &options, CRON_MOVE_PREVIOUS);
    assert_int_equal(cron_next(s, instant("2026-01-01T00:00:00Z")), instant("2026-12-24T03:00:00Z"));
    cron_free(s);
}

static void ends_with_the_days_that_are_known(void **state) {
    struct cron_options options = {0};
    (void)state;
    memset(years, 0xff, sizeof years);
    struct cron_schedule *s = moved_by("0 3 * * *", &options, CRON_MOVE_NEXT);
    assert_int_equal(cron_next(s, INT64_MIN), instant("1970-01-01T03:00:00Z"));
    assert_int_equal(cron_previous(s, INT64_MAX), instant("2199-12-31T03:00:00Z"));
    assert_int_equal(cron_next(s, instant("2199-12-31T03:00:00Z")), CRON_NEVER);
    assert_int_equal(cron_previous(s, instant("1970-01-01T03:00:00Z")), CRON_NEVER);
    cron_free(s);
    memset(years, 0, sizeof years);
    s = moved_by("* * * * *", &options, CRON_MOVE_PREVIOUS);
    assert_int_equal(cron_next(s, 0), CRON_NEVER);
    assert_int_equal(cron_previous(s, 0), CRON_NEVER);
    cron_free(s);
}

static void keeps_the_bounds(void **state) {
    struct cron_options options = {.end = instant("2026-12-26T00:00:00Z")};
    (void)state;
    memset(years, 0xff, sizeof years);
    allow(instant("2026-12-25T00:00:00Z") / DAY, false);
    struct cron_schedule *s = moved_by("0 3 25 * *", &options, CRON_MOVE_NEXT);
    assert_int_equal(cron_previous(s, INT64_MAX), instant("2026-11-25T03:00:00Z"));
    cron_free(s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moves_as_each_slot_would),
        cmocka_unit_test(says_where_a_slot_came_from),
        cmocka_unit_test(ends_with_the_days_that_are_known),
        cmocka_unit_test(keeps_the_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
