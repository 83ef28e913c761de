/* Properties, and agreement with an oracle that shares no code with core/cron: expressions are drawn as sets
 * of values, zones are read by the C library's localtime, and days are counted one by one, seconds second by
 * second. The seed is printed; CRON_SEED=n repeats a run. */
#include "cron_help.h"

#include <inttypes.h>
#include <stdlib.h>
#include <time.h>

#define WINDOWS 150
#define WINDOW_BEFORE 7200
#define WINDOW_AFTER 18000
#define PLACES 50
#define DAY_CASES 400
#define DAYS 1500
#define WALKS 3000

static const char *const zones[] = {
    "America/New_York",  "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo",   "Asia/Beirut",
    "Africa/Casablanca", "Antarctica/Troll",    "Pacific/Chatham",   "Europe/Dublin",  "America/St_Johns",
    "America/Havana",    "Pacific/Apia",        "Asia/Tehran",       "Asia/Kathmandu", "UTC",
};
#define ZONES (sizeof zones / sizeof *zones)

static uint64_t random_state;

/* splitmix64 */
static uint64_t random_bits(void) {
    uint64_t z = (random_state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

static int draw(int low, int high) {
    return low + (int)(random_bits() % (uint64_t)(high - low + 1));
}

static int64_t draw_instant(int64_t low, int64_t high) {
    return low + (int64_t)(random_bits() % (uint64_t)(high - low + 1));
}

/* A field as text and as the set it stands for. */
struct drawn {
    char text[256];
    bool set[64];
    bool restricted, interval;
};

__attribute__((format(printf, 2, 3))) static void append(struct drawn *d, const char *format, ...) {
    size_t used = strlen(d->text);
    va_list args;
    va_start(args, format);
    (void)vsnprintf(d->text + used, sizeof d->text - used, format, args);
    va_end(args);
}

static void add_range(struct drawn *d, int low, int high, int step) {
    for (int v = low; v <= high; v += step)
        d->set[v] = true;
}

static void draw_star(struct drawn *d, int min, int max) {
    int step = draw(0, 2) == 0 ? draw(2, (max - min) / 2 + 2) : 1;
    append(d, "*");
    if (step > 1)
        append(d, "/%d", step);
    add_range(d, min, max, step);
    d->restricted = step > 1;
    d->interval = true;
}

static void draw_item(struct drawn *d, int min, int max) {
    int low = draw(min, max), high = draw(low, max), step = draw(1, 7);
    if (step > max - min + 1)
        step = 1;
    switch (draw(0, 3)) {
    case 0:
        append(d, "%d-%d", low, high);
        add_range(d, low, high, 1);
        break;
    case 1:
        append(d, "%d-%d", low, high);
        append(d, "/%d", step);
        add_range(d, low, high, step);
        d->interval = true;
        break;
    default:
        append(d, "%d", low);
        d->set[low] = true;
    }
}

static void draw_field(struct drawn *d, int min, int max, int star_of_ten) {
    *d = (struct drawn){.restricted = true};
    if (draw(1, 10) <= star_of_ten) {
        draw_star(d, min, max);
        return;
    }
    for (int items = draw(1, 3); items > 0; items--) {
        draw_item(d, min, max);
        if (items > 1)
            append(d, ",");
    }
}

struct expression {
    struct drawn second, minute, hour, day, month, weekday;
    bool both;
    char text[1024];
};

static void join(struct expression *e) {
    (void)snprintf(e->text, sizeof e->text, "%s %s %s %s %s %s%s", e->second.text, e->minute.text,
                   e->hour.text, e->day.text, e->month.text, e->both ? "&" : "", e->weekday.text);
}

static void draw_expression(struct expression *e) {
    draw_field(&e->second, 0, 59, 0);
    draw_field(&e->minute, 0, 59, 3);
    draw_field(&e->hour, 0, 23, 3);
    draw_field(&e->day, 1, 31, 8);
    draw_field(&e->month, 1, 12, 9);
    draw_field(&e->weekday, 0, 6, 8);
    e->both = draw(0, 9) == 0;
    join(e);
}

static bool day_matches(const struct expression *e, const struct tm *tm) {
    bool day = e->day.set[tm->tm_mday], weekday = e->weekday.set[tm->tm_wday];
    bool both = e->both || !e->day.restricted || !e->weekday.restricted;
    return e->month.set[tm->tm_mon + 1] && (both ? day && weekday : day || weekday);
}

/* At a wall time, given in seconds as if the wall clock were UTC. */
static bool wall_matches(const struct expression *e, int64_t wall) {
    struct tm tm;
    time_t t = (time_t)wall;
    assert_non_null(gmtime_r(&t, &tm));
    return e->second.set[tm.tm_sec] && e->minute.set[tm.tm_min] && e->hour.set[tm.tm_hour] &&
           day_matches(e, &tm);
}

static int64_t wall_clock(int64_t t) {
    struct tm tm;
    time_t time = (time_t)t;
    assert_non_null(localtime_r(&time, &tm));
    return t + tm.tm_gmtoff;
}

/* Does the job run at t? high is the wall clock's high-water mark before t. */
static bool runs(const struct expression *e, enum cron_dst dst, int64_t wall, int64_t high) {
    if (e->minute.interval || e->hour.interval)
        return wall_matches(e, wall);
    if (wall <= high)
        return false; /* the second pass */
    if (dst == CRON_DST_SKIP)
        return wall_matches(e, wall);
    for (int64_t passed = high + 1; passed <= wall; passed++)
        if (wall_matches(e, passed))
            return true;
    return false;
}

/* A change of the zone's offset after t, or t itself when there is none within two years. */
static int64_t find_transition(int64_t t) {
    int64_t step = 6 * 3600, from = t;
    for (int i = 0; i < 2 * 366 * 4; i++, t += step) {
        if (wall_clock(t + step) - wall_clock(t) == step)
            continue;
        while (step > 1) {
            step /= 2;
            if (wall_clock(t + step) - wall_clock(t) == step)
                t += step;
        }
        return t;
    }
    return from;
}

static void use_zone(const char *name) {
    char value[64];
    (void)snprintf(value, sizeof value, ":%s", name);
    assert_int_equal(setenv("TZ", value, 1), 0);
    tzset();
}

struct window {
    const char *zone;
    enum cron_dst dst;
    int64_t from, to;
};

static void expect(const struct expression *e, const struct window *w, const char *what, int64_t want,
                   int64_t got) {
    if (want != got)
        fail_msg("%s \"%s\" in %s, policy %d: expected %" PRId64 ", got %" PRId64, what, e->text, w->zone,
                 w->dst, want, got);
}

/* From anywhere in the window, not only from slot to slot. */
static void compare_anywhere(const struct cron_schedule *s, const struct expression *e,
                             const struct window *w, const int64_t *slots, size_t count) {
    for (int i = 0; i < PLACES && count; i++) {
        size_t next = 0;
        int64_t t = draw_instant(w->from, slots[count - 1] - 1);
        while (slots[next] <= t)
            next++;
        expect(e, w, "next of", slots[next], cron_next(s, t));
        size_t before = next > 0 && slots[next - 1] == t ? next - 1 : next;
        if (before > 0)
            expect(e, w, "previous of", slots[before - 1], cron_previous(s, t));
    }
}

static void compare(const struct expression *e, const struct window *w, const int64_t *slots, size_t count) {
    struct cron_options options = {.zone = must_load(w->zone), .dst = w->dst};
    struct cron_schedule *s = parse_or_never(e->text, &options);
    int64_t t = w->from;
    assert_true(s || count == 0);
    for (size_t i = 0; i < count; i++)
        expect(e, w, "next of", slots[i], t = cron_next(s, t));
    assert_true(!s || cron_next(s, t) > w->to);
    t = w->to + 1;
    for (size_t i = count; i-- > 0;)
        expect(e, w, "previous of", slots[i], t = cron_previous(s, t));
    compare_anywhere(s, e, w, slots, count);
    t = s ? cron_previous(s, t) : CRON_NEVER;
    assert_true(t <= w->from || t == CRON_NEVER);
    cron_free(s);
    cron_zone_unref(options.zone);
}

static void window_agrees(void) {
    static int64_t slots[WINDOW_BEFORE + WINDOW_AFTER + 1];
    struct expression e;
    struct window w = {.zone = zones[draw(0, ZONES - 1)],
                       .dst = draw(0, 1) ? CRON_DST_CRONIE : CRON_DST_SKIP};
    size_t count = 0;
    draw_expression(&e);
    use_zone(w.zone);
    int64_t middle =
        find_transition(draw_instant(INT64_C(-631152000), INT64_C(7258118400))); /* 1950 to 2200 */
    w.from = middle - WINDOW_BEFORE;
    w.to = middle + WINDOW_AFTER;
    int64_t high = wall_clock(w.from);
    for (int64_t t = w.from + 1; t <= w.to; t++) {
        int64_t wall = wall_clock(t);
        if (runs(&e, w.dst, wall, high))
            slots[count++] = t;
        high = wall > high ? wall : high;
    }
    compare(&e, &w, slots, count);
}

static void slots_around_transitions_agree(void **state) {
    (void)state;
    for (int i = 0; i < WINDOWS; i++)
        window_agrees();
}

static int month_length(const struct tm *tm) {
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int year = tm->tm_year + 1900;
    return lengths[tm->tm_mon] + (tm->tm_mon == 1 && (year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)));
}

/* One special day: L-n, nW, LW or D#n, DL; by the calendar of tm alone. */
struct special {
    char text[16];
    enum { FROM_END, NEAREST, LAST_WEEKDAY, NTH, LAST } kind;
    int n, weekday;
};

static void draw_special(struct special *sp) {
    *sp = (struct special){.kind = (unsigned)draw(0, 4), .n = draw(1, 5), .weekday = draw(0, 6)};
    if (sp->kind == NEAREST)
        sp->n = draw(1, 31);
    if (sp->kind == FROM_END)
        (void)snprintf(sp->text, sizeof sp->text, "L-%d", sp->n);
    else if (sp->kind == NEAREST)
        (void)snprintf(sp->text, sizeof sp->text, "%dW", sp->n);
    else if (sp->kind == LAST_WEEKDAY)
        (void)snprintf(sp->text, sizeof sp->text, "LW");
    else if (sp->kind == NTH)
        (void)snprintf(sp->text, sizeof sp->text, "%d#%d", sp->weekday, sp->n);
    else
        (void)snprintf(sp->text, sizeof sp->text, "%dL", sp->weekday);
}

static bool is_nearest(const struct tm *tm, int target, int length) {
    int distance = tm->tm_mday - target;
    bool friday = tm->tm_wday == 5, monday = tm->tm_wday == 1;
    if (target > length || tm->tm_wday == 0 || tm->tm_wday == 6)
        return false;
    return distance == 0 || (distance == -1 && friday) || (distance == 1 && monday) ||
           (distance == 2 && monday && target == 1) || (distance == -2 && friday && target == length);
}

static bool special_matches(const struct special *sp, const struct tm *tm) {
    int length = month_length(tm), day = tm->tm_mday;
    switch (sp->kind) {
    case FROM_END:
        return day == length - sp->n;
    case NEAREST:
        return is_nearest(tm, sp->n, length);
    case LAST_WEEKDAY:
        return is_nearest(tm, length, length);
    case NTH:
        return tm->tm_wday == sp->weekday && (day - 1) / 7 == sp->n - 1;
    case LAST:
        return tm->tm_wday == sp->weekday && day > length - 7;
    }
    return false;
}

/* Years of days, counted one by one, with a special day in one of the two fields. */
static void days_agree(void) {
    struct special sp;
    struct drawn month;
    char text[300];
    struct cron_options options = {0};
    draw_special(&sp);
    draw_field(&month, 1, 12, 5);
    bool by_weekday = sp.kind == NTH || sp.kind == LAST;
    (void)snprintf(text, sizeof text, "0 0 %s %s %s", by_weekday ? "*" : sp.text, month.text,
                   by_weekday ? sp.text : "*");
    struct cron_schedule *s = parse_or_never(text, &options);
    int64_t day = draw_instant(-25567, 84000) * 86400; /* 1900 to 2199 */
    for (int i = 0; i < DAYS; i++, day += 86400) {
        struct tm tm;
        time_t t = (time_t)day;
        assert_non_null(gmtime_r(&t, &tm));
        bool want = month.set[tm.tm_mon + 1] && special_matches(&sp, &tm);
        bool next = s && cron_next(s, day - 1) == day, previous = s && cron_previous(s, day + 1) == day;
        if (want != next || want != previous)
            fail_msg("\"%s\" on %04d-%02d-%02d: expected %s", text, tm.tm_year + 1900, tm.tm_mon + 1,
                     tm.tm_mday, want ? "a slot" : "none");
    }
    cron_free(s);
}

static void special_days_agree(void **state) {
    (void)state;
    for (int i = 0; i < DAY_CASES; i++)
        days_agree();
}

/* Anywhere in time: both directions move, agree with each other, and keep the order. */
static void check_walk(const struct cron_schedule *s, const char *text, int64_t t) {
    int64_t next = cron_next(s, t), previous = cron_previous(s, t);
    if (next != CRON_NEVER && (next <= t || cron_previous(s, next) > t))
        fail_msg("\"%s\": next of %" PRId64 " is %" PRId64 ", the one before %" PRId64, text, t, next,
                 cron_previous(s, next));
    if (previous != CRON_NEVER && (previous >= t || cron_next(s, previous) < t))
        fail_msg("\"%s\": previous of %" PRId64 " is %" PRId64 ", the one after %" PRId64, text, t, previous,
                 cron_next(s, previous));
    int64_t later = draw_instant(t, t + 400 * 86400);
    if (cron_next(s, later) < next)
        fail_msg("\"%s\": an earlier next for a later %" PRId64 " than for %" PRId64, text, later, t);
}

static void next_and_previous_fit(void **state) {
    struct expression e;
    (void)state;
    for (int i = 0; i < WALKS; i++) {
        struct cron_options options = {.zone = must_load(zones[draw(0, ZONES - 1)]),
                                       .dst = draw(0, 1) ? CRON_DST_CRONIE : CRON_DST_SKIP};
        draw_expression(&e);
        struct cron_schedule *s = parse_or_never(e.text, &options);
        if (s) {
            check_walk(s, e.text, draw_instant(INT64_C(-62000000000), INT64_C(253000000000)));
            check_walk(s, e.text, draw_instant(0, INT64_C(4000000000)));
        }
        cron_free(s);
        cron_zone_unref(options.zone);
    }
}

/* Under robfig's policy the walk is robfig's own; still each step moves on. */
static void robfig_moves_on(void **state) {
    struct expression e;
    (void)state;
    for (int i = 0; i < WALKS; i++) {
        struct cron_options options = {.zone = must_load(zones[draw(0, ZONES - 1)]), .dst = CRON_DST_ROBFIG};
        draw_expression(&e);
        struct cron_schedule *s = parse_or_never(e.text, &options);
        int64_t t = draw_instant(0, INT64_C(4000000000));
        for (int step = 0; s && step < 5 && t != CRON_NEVER; step++) {
            int64_t next = cron_next(s, t), previous = cron_previous(s, t);
            assert_true(next > t);
            assert_true(previous < t || previous == CRON_NEVER);
            t = next;
        }
        cron_free(s);
        cron_zone_unref(options.zone);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(slots_around_transitions_agree),
        cmocka_unit_test(special_days_agree),
        cmocka_unit_test(next_and_previous_fit),
        cmocka_unit_test(robfig_moves_on),
    };
    const char *seed = getenv("CRON_SEED");
    random_state = seed ? strtoull(seed, NULL, 10) : 20241103;
    print_message("# CRON_SEED=%" PRIu64 "\n", random_state);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
