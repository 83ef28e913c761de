/* The nearest wall time that a schedule's fields match. Days are found a month at a time: all matching days
 * of a month are one 32-bit set. */
#include "cron/calendar.h"
#include "cron/schedule.h"

struct month {
    int year, month;
    int first; /* days from 1970-01-01 to its first */
};

static int lowest(uint64_t set) {
    return __builtin_ctzll(set);
}
static int highest(uint64_t set) {
    return 63 - __builtin_clzll(set);
}
static uint64_t from(uint64_t set, int bit) {
    return set & (~UINT64_C(0) << bit);
}
static uint64_t below(uint64_t set, int bit) {
    return set & ((UINT64_C(1) << bit) - 1);
}

static int first_second(const struct cron_schedule *s) {
    return lowest(s->hours) * 3600 + lowest(s->minutes) * 60 + lowest(s->seconds);
}

static int last_second(const struct cron_schedule *s) {
    return highest(s->hours) * 3600 + highest(s->minutes) * 60 + highest(s->seconds);
}

/* The first matching second of the day at or after `second`, -1 when there is none. */
static int second_from(const struct cron_schedule *s, int second) {
    int hour = second / 3600, minute = second / 60 % 60;
    if (s->hours >> hour & 1) {
        uint64_t seconds = from(s->seconds, second % 60);
        if ((s->minutes >> minute & 1) && seconds)
            return second - second % 60 + lowest(seconds);
        uint64_t minutes = from(s->minutes, minute + 1);
        if (minutes)
            return hour * 3600 + lowest(minutes) * 60 + lowest(s->seconds);
    }
    uint64_t hours = from(s->hours, hour + 1);
    return hours ? lowest(hours) * 3600 + lowest(s->minutes) * 60 + lowest(s->seconds) : -1;
}

/* The last matching second of the day before `second`, -1 when there is none. */
static int second_below(const struct cron_schedule *s, int second) {
    int hour = second / 3600, minute = second / 60 % 60;
    if (s->hours >> hour & 1) {
        uint64_t seconds = below(s->seconds, second % 60);
        if ((s->minutes >> minute & 1) && seconds)
            return second - second % 60 + highest(seconds);
        uint64_t minutes = below(s->minutes, minute);
        if (minutes)
            return hour * 3600 + highest(minutes) * 60 + highest(s->seconds);
    }
    uint64_t hours = below(s->hours, hour);
    return hours ? highest(hours) * 3600 + highest(s->minutes) * 60 + highest(s->seconds) : -1;
}

static int weekday_of(const struct month *m, int day) {
    return (int)calendar_weekday(m->first + day - 1);
}

/* The weekday nearest to a day, never across the month's edge: Saturday gives the Friday before, Sunday the
 * Monday after. */
static int nearest_weekday(const struct month *m, int day, int length) {
    int weekday = weekday_of(m, day);
    if (weekday == 6)
        return day > 1 ? day - 1 : day + 2;
    if (weekday == 0)
        return day < length ? day + 1 : day - 2;
    return day;
}

/* nW, L, L-n, LW and L-nW. A day the month does not have gives none. */
static uint32_t special_days(const struct cron_special *special, const struct month *m, int length) {
    uint32_t days = 0;
    for (uint64_t set = special->nearest; set; set &= set - 1)
        if (lowest(set) <= length)
            days |= UINT32_C(1) << nearest_weekday(m, lowest(set), length);
    for (uint64_t set = special->from_end; set; set &= set - 1)
        if (lowest(set) < length)
            days |= UINT32_C(1) << (length - lowest(set));
    for (uint64_t set = special->end_weekday; set; set &= set - 1)
        if (lowest(set) < length)
            days |= UINT32_C(1) << nearest_weekday(m, length - lowest(set), length);
    return days;
}

/* D#n and DL. */
static uint32_t special_weekdays(const struct cron_special *special, const struct month *m, int length) {
    uint32_t days = 0;
    for (uint64_t set = special->nth; set; set &= set - 1) {
        int n = lowest(set) / 7, weekday = lowest(set) % 7;
        int day = 1 + (weekday - weekday_of(m, 1) + 7) % 7 + n * 7;
        while (n == 5 && day > length) /* the last: at most the fifth */
            day -= 7;
        if (day <= length)
            days |= UINT32_C(1) << day;
    }
    return days;
}

/* The matching days of a month, bit 1 to 31. */
static uint32_t days_of(const struct cron_schedule *s, const struct month *m) {
    int length = calendar_month_days(m->year, m->month);
    uint64_t weeks = s->weekdays * UINT64_C(0x40810204081); /* the week, seven times over */
    uint32_t by_day = s->days;
    uint32_t by_weekday = (uint32_t)(weeks >> calendar_weekday(m->first)) << 1;
    if (s->special) {
        by_day |= special_days(s->special, m, length);
        by_weekday |= special_weekdays(s->special, m, length);
    }
    uint32_t days = s->day_and ? by_day & by_weekday : by_day | by_weekday;
    return days & (UINT32_MAX >> (31 - length)) & ~UINT32_C(1);
}

uint32_t cron_days_of_month(const struct cron_schedule *s, int year, int month) {
    return days_of(s, &(struct month){year, month, calendar_days(year, month)});
}

static bool year_matches(const struct cron_schedule *s, int year) {
    if (!s->special || !s->special->has_years)
        return true;
    unsigned bit = (unsigned)(year - CRON_YEAR_MIN);
    return bit <= CRON_YEAR_MAX - CRON_YEAR_MIN && (s->special->years[bit / 64] >> bit % 64 & 1);
}

/* Moves to the next month that the month and year fields allow; false beyond the last year to look at. */
static bool next_month(const struct cron_schedule *s, struct month *m, int last_year) {
    uint64_t months = from(s->months, m->month + 1);
    while (!months || !year_matches(s, m->year)) {
        if (++m->year > last_year)
            return false;
        months = s->months;
    }
    m->month = lowest(months);
    m->first = calendar_days(m->year, m->month);
    return true;
}

static bool previous_month(const struct cron_schedule *s, struct month *m, int last_year) {
    uint64_t months = below(s->months, m->month);
    while (!months || !year_matches(s, m->year)) {
        if (--m->year < last_year)
            return false;
        months = s->months;
    }
    m->month = highest(months);
    m->first = calendar_days(m->year, m->month);
    return true;
}

static int64_t wall_time(const struct month *m, int day, int second) {
    return (m->first + day - 1) * DAY_SECONDS + second;
}

static bool month_matches(const struct cron_schedule *s, const struct month *m) {
    return (s->months >> m->month & 1) && year_matches(s, m->year);
}

int64_t cron_wall_next(const struct cron_schedule *s, int64_t wall) {
    wall = wall < WALL_MIN ? WALL_MIN : wall + 1;
    if (wall > WALL_MAX)
        return CRON_NEVER;
    int today = calendar_floor_days(wall);
    struct date date = calendar_date(today);
    struct month m = {date.year, date.month, today - date.day + 1};
    int last_year = date.year + CYCLE_YEARS < YEAR_LAST ? date.year + CYCLE_YEARS : YEAR_LAST;
    if (month_matches(s, &m)) {
        uint32_t days = days_of(s, &m);
        int second = days >> date.day & 1 ? second_from(s, (int)(wall - today * DAY_SECONDS)) : -1;
        if (second >= 0)
            return today * DAY_SECONDS + second;
        uint64_t later = from(days, date.day + 1);
        if (later)
            return wall_time(&m, lowest(later), first_second(s));
    }
    while (next_month(s, &m, last_year)) {
        uint32_t days = days_of(s, &m);
        if (days)
            return wall_time(&m, lowest(days), first_second(s));
    }
    return CRON_NEVER;
}

int64_t cron_wall_previous(const struct cron_schedule *s, int64_t wall) {
    if (wall <= WALL_MIN)
        return CRON_NEVER;
    if (wall > WALL_MAX)
        wall = WALL_MAX + 1;
    int today = calendar_floor_days(wall);
    struct date date = calendar_date(today);
    struct month m = {date.year, date.month, today - date.day + 1};
    int last_year = date.year - CYCLE_YEARS > 1 ? date.year - CYCLE_YEARS : 1;
    if (month_matches(s, &m)) {
        uint32_t days = days_of(s, &m);
        int second = days >> date.day & 1 ? second_below(s, (int)(wall - today * DAY_SECONDS)) : -1;
        if (second >= 0)
            return today * DAY_SECONDS + second;
        uint64_t earlier = below(days, date.day);
        if (earlier)
            return wall_time(&m, highest(earlier), last_second(s));
    }
    while (previous_month(s, &m, last_year)) {
        uint32_t days = days_of(s, &m);
        if (days)
            return wall_time(&m, highest(days), last_second(s));
    }
    return CRON_NEVER;
}
