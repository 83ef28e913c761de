/* A schedule in plain English: "at 02:30 on Monday to Friday, New York time". Made from the compiled sets,
 * so that two ways to write one schedule read alike. */
#include "cron/calendar.h"
#include "cron/schedule.h"
#include "cron/zone.h"

#include <inttypes.h>
#include <string.h>

#define ALL_SECONDS ((UINT64_C(1) << 60) - 1)
#define ALL_HOURS ((UINT64_C(1) << 24) - 1)
#define ALL_DAYS UINT64_C(0xFFFFFFFE)
#define ALL_MONTHS UINT64_C(0x1FFE)
#define ALL_WEEKDAYS UINT64_C(0x7F)
#define MAX_TIMES 6 /* more times of day than this are described by their fields */

/* The buffer, and the first error: so that a sentence is written without a check after each word. */
struct text {
    struct buf *out;
    int rc;
};

#define PUT(text, ...) ((text)->rc = (text)->rc ? (text)->rc : buf_printf((text)->out, __VA_ARGS__))

typedef void (*put_item)(struct text *text, int value);

static int lowest(uint64_t set) {
    return __builtin_ctzll(set);
}
static int highest(uint64_t set) {
    return 63 - __builtin_clzll(set);
}
static int count_of(uint64_t set) {
    return __builtin_popcountll(set);
}

/* The last value of the run of neighbours that starts at value. */
static int run_end(uint64_t set, int value) {
    while (value < 63 && (set >> (value + 1) & 1))
        value++;
    return value;
}

static void put_separator(struct text *text, bool first, uint64_t rest, const char *last_word) {
    if (first)
        return;
    if (rest)
        PUT(text, ", ");
    else
        PUT(text, " %s ", last_word);
}

/* "1, 3 to 7 and 9": runs of three or more as "to". */
static void put_list(struct text *text, uint64_t set, put_item put, const char *last_word) {
    for (bool first = true; set; first = false) {
        int from = lowest(set), to = run_end(set, from);
        if (to - from < 2)
            to = from;
        uint64_t rest = to == 63 ? 0 : set & (~UINT64_C(0) << (to + 1));
        put_separator(text, first, rest, last_word);
        put(text, from);
        if (to > from) {
            PUT(text, " to ");
            put(text, to);
        }
        set = rest;
    }
}

static void put_number(struct text *text, int value) {
    PUT(text, "%d", value);
}

static void put_ordinal(struct text *text, int value) {
    static const char *const endings[] = {"th", "st", "nd", "rd"};
    int last = value % 10;
    bool teen = value / 10 % 10 == 1;
    PUT(text, "%d%s", value, endings[!teen && last < 4 ? last : 0]);
}

static void put_month(struct text *text, int value) {
    static const char *const names[] = {"",        "January",  "February", "March",  "April",
                                        "May",     "June",     "July",     "August", "September",
                                        "October", "November", "December"};
    PUT(text, "%s", names[value % 13]);
}

/* Weekdays are listed from Monday: value 0 is Monday here. */
static void put_weekday(struct text *text, int value) {
    static const char *const names[] = {"Monday", "Tuesday",  "Wednesday", "Thursday",
                                        "Friday", "Saturday", "Sunday"};
    PUT(text, "%s", names[value % 7]);
}

static uint64_t from_monday(uint64_t weekdays) {
    return weekdays >> 1 | (weekdays & 1) << 6;
}

/* The constant distance of the values, 0 when there is none. Two values have one when they halve the field.
 */
static int step_of(uint64_t set, int length) {
    if (count_of(set) < 3 && !(count_of(set) == 2 && (highest(set) - lowest(set)) * 2 == length))
        return 0;
    int low = lowest(set), step = lowest(set & (set - 1)) - low;
    for (int v = low; v <= highest(set); v += step)
        if (!(set >> v & 1))
            return 0;
    return step * (count_of(set) - 1) == highest(set) - low ? step : 0;
}

/* "every minute", "every 15 minutes", "minute 5", "minutes 1, 2 and 3 to 9". */
static void put_unit(struct text *text, uint64_t set, int length, const char *unit) {
    int step = step_of(set, length);
    if (count_of(set) == length) {
        PUT(text, "every %s", unit);
    } else if (step > 1 && highest(set) + step >= length) {
        PUT(text, "every %d %ss", step, unit);
        if (lowest(set) || length % step)
            PUT(text, " from %s %d", unit, lowest(set));
    } else {
        PUT(text, "%s%s ", unit, count_of(set) == 1 ? "" : "s");
        put_list(text, set, put_number, "and");
    }
}

static bool repeats(uint64_t set, int length) {
    int step = step_of(set, length);
    return count_of(set) == length || (step > 1 && highest(set) + step >= length);
}

/* The times of day field by field: "every 30 seconds of minute 5 of every hour". */
static void put_fields(struct text *text, const struct cron_schedule *s) {
    bool on_the_minute = s->seconds == 1;
    uint64_t outer = on_the_minute ? s->minutes : s->seconds;
    if (!repeats(outer, 60))
        PUT(text, "at ");
    if (!on_the_minute)
        put_unit(text, s->seconds, 60, "second");
    if (!on_the_minute && (s->minutes != ALL_SECONDS || !repeats(s->seconds, 60)))
        PUT(text, " of ");
    if (on_the_minute || s->minutes != ALL_SECONDS || !repeats(s->seconds, 60))
        put_unit(text, s->minutes, 60, "minute");
    if (s->hours == ALL_HOURS && s->minutes == ALL_SECONDS)
        return;
    if (s->hours == ALL_HOURS && on_the_minute && repeats(s->minutes, 60))
        return;
    PUT(text, " of ");
    put_unit(text, s->hours, 24, "hour");
}

/* "02:30, 14:30 and 20:30", with seconds when they are not all zero. */
static void put_times(struct text *text, const struct cron_schedule *s) {
    int left = count_of(s->hours) * count_of(s->minutes) * count_of(s->seconds);
    PUT(text, "at ");
    bool first = true;
    for (uint64_t hours = s->hours; hours; hours &= hours - 1)
        for (uint64_t minutes = s->minutes; minutes; minutes &= minutes - 1)
            for (uint64_t seconds = s->seconds; seconds; seconds &= seconds - 1) {
                put_separator(text, first, (uint64_t)--left, "and");
                first = false;
                PUT(text, "%02d:%02d", lowest(hours), lowest(minutes));
                if (s->seconds != 1)
                    PUT(text, ":%02d", lowest(seconds));
            }
}

static void put_time_of_day(struct text *text, const struct cron_schedule *s) {
    if (count_of(s->hours) * count_of(s->minutes) * count_of(s->seconds) <= MAX_TIMES)
        put_times(text, s);
    else
        put_fields(text, s);
}

static void put_nearest(struct text *text, int day) {
    PUT(text, "weekday nearest the ");
    put_ordinal(text, day);
}

static void put_from_end(struct text *text, int back) {
    if (back == 0)
        PUT(text, "last");
    else
        put_ordinal(text, back);
    PUT(text, back == 0 ? " day of the month" : " day before the month's last");
}

static void put_end_weekday(struct text *text, int back) {
    if (back == 0) {
        PUT(text, "last weekday of the month");
        return;
    }
    PUT(text, "weekday nearest the ");
    put_from_end(text, back);
}

/* Bit (n - 1) * 7 + weekday, Sunday first; n == 6 is the last. */
static void put_nth(struct text *text, int bit) {
    if (bit / 7 == 5)
        PUT(text, "last ");
    else
        put_ordinal(text, bit / 7 + 1);
    PUT(text, "%s", bit / 7 == 5 ? "" : " ");
    put_weekday(text, (bit % 7 + 6) % 7);
    PUT(text, " of the month");
}

/* The items of a set one by one, never as a run: "the 2nd Friday and the last Friday". */
static void put_each(struct text *text, uint64_t set, put_item put, bool *first) {
    for (; set; set &= set - 1) {
        PUT(text, *first ? "the " : " and the ");
        *first = false;
        put(text, lowest(set));
    }
}

static void put_days(struct text *text, const struct cron_schedule *s) {
    bool first = true;
    if (s->days) {
        PUT(text, "the ");
        put_list(text, s->days, put_ordinal, "and");
        first = false;
    }
    if (!s->special)
        return;
    put_each(text, s->special->nearest, put_nearest, &first);
    put_each(text, s->special->from_end, put_from_end, &first);
    put_each(text, s->special->end_weekday, put_end_weekday, &first);
}

static void put_weekdays(struct text *text, const struct cron_schedule *s, const char *last_word) {
    bool first = true;
    if (s->weekdays) {
        put_list(text, from_monday(s->weekdays), put_weekday, last_word);
        first = false;
    }
    if (s->special)
        put_each(text, s->special->nth, put_nth, &first);
}

static void put_day(struct text *text, const struct cron_schedule *s) {
    bool any_day = s->days == ALL_DAYS, any_weekday = s->weekdays == ALL_WEEKDAYS;
    if ((any_day && any_weekday) || (!s->day_and && (any_day || any_weekday)))
        return;
    bool by_day = !any_day && (s->days || s->special),
         by_weekday = !any_weekday && (s->weekdays || s->special);
    bool both = s->day_and && by_day && by_weekday;
    PUT(text, " on ");
    if (by_day)
        put_days(text, s);
    if (by_day && by_weekday)
        PUT(text, both ? " when it is " : ", and also on ");
    if (by_weekday)
        put_weekdays(text, s, both ? "or" : "and");
}

/* Years are listed with runs like the rest; the set is wider than one word. */
static void put_years(struct text *text, const struct cron_special *special) {
    const char *separator = " in ";
    for (int year = CRON_YEAR_MIN; year <= CRON_YEAR_MAX; year++) {
        unsigned bit = (unsigned)(year - CRON_YEAR_MIN);
        if (!(special->years[bit / 64] >> bit % 64 & 1))
            continue;
        PUT(text, "%s%d", separator, year);
        separator = ", ";
    }
}

static void put_instant(struct text *text, const struct cron_zone *zone, int64_t t) {
    struct cron_civil c;
    cron_zone_civil(zone, t, &c);
    PUT(text, "%04d-%02d-%02d %02d:%02d:%02d", c.year, c.month, c.day, c.hour, c.minute, c.second);
}

static void put_period(struct text *text, int64_t seconds) {
    static const struct {
        int64_t seconds;
        const char *name;
    } units[] = {{86400, "day"}, {3600, "hour"}, {60, "minute"}, {1, "second"}};
    const char *separator = "every ";
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        int64_t n = seconds / units[i].seconds;
        seconds %= units[i].seconds;
        if (n)
            PUT(text, "%s%" PRId64 " %s%s", separator, n, units[i].name, n == 1 ? "" : "s");
        if (n)
            separator = " ";
    }
}

static void put_bounds(struct text *text, const struct cron_schedule *s) {
    if (s->start > WALL_MIN) {
        PUT(text, ", from ");
        put_instant(text, s->zone, s->start);
    }
    if (s->end < WALL_MAX) {
        PUT(text, ", until ");
        put_instant(text, s->zone, s->end);
    }
}

/* "New York time" for America/New_York. */
static void put_zone(struct text *text, const struct cron_zone *zone) {
    const char *name = zone->name, *city = strrchr(name, '/');
    if (strcmp(name, "UTC") == 0) {
        PUT(text, ", UTC");
        return;
    }
    PUT(text, ", ");
    if (strcmp(name, "Local") == 0)
        name = "local";
    else if (city && strncmp(name, "Etc/", 4) != 0)
        name = city + 1;
    for (; *name; name++)
        PUT(text, "%c", *name == '_' ? ' ' : *name);
    PUT(text, " time");
}

int cron_describe(const struct cron_schedule *s, struct buf *out) {
    struct text text = {out, 0};
    switch ((enum cron_kind)s->kind) {
    case KIND_EVERY:
        put_period(&text, s->period);
        put_bounds(&text, s);
        return text.rc;
    case KIND_AT:
        PUT(&text, "once, at ");
        put_instant(&text, s->zone, s->anchor);
        break;
    case KIND_EMPTY:
        PUT(&text, "never");
        return text.rc;
    case KIND_FIELDS:
        put_time_of_day(&text, s);
        put_day(&text, s);
        if (s->months != ALL_MONTHS) {
            PUT(&text, " in ");
            put_list(&text, s->months, put_month, "and");
        }
        if (s->special && s->special->has_years)
            put_years(&text, s->special);
        break;
    }
    put_bounds(&text, s);
    put_zone(&text, s->zone);
    return text.rc;
}
