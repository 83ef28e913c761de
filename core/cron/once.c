/* @every and @at. */
#include "cron/calendar.h"
#include "cron/parse.h"

#include <string.h>

#define NANO INT64_C(1000000000)
#define MAX_PERIOD (INT64_C(9223372036)) /* Go's time.Duration ends after 292 years */

struct unit {
    const char *name;
    int64_t nanoseconds;
};

/* Longer names first: "ms" before "m". Both ways to write the micro sign. */
static const struct unit units[] = {
    {"ns", 1},       {"us", 1000}, {"\xc2\xb5s", 1000}, {"\xce\xbcs", 1000},
    {"ms", 1000000}, {"s", NANO},  {"m", 60 * NANO},    {"h", INT64_C(3600) * NANO}};

static bool is_digit(const struct parser *p) {
    return p->at < p->end && p->text[p->at] >= '0' && p->text[p->at] <= '9';
}

static bool take(struct parser *p, char c) {
    bool there = p->at < p->end && p->text[p->at] == c;
    p->at += there;
    return there;
}

static int64_t read_unit(struct parser *p) {
    for (size_t i = 0; i < sizeof units / sizeof *units; i++) {
        size_t len = strlen(units[i].name);
        if (p->end - p->at >= len && memcmp(p->text + p->at, units[i].name, len) == 0) {
            p->at += len;
            return units[i].nanoseconds;
        }
    }
    return 0;
}

/* One part such as 1h or 1.5h, in nanoseconds; -1 when it is malformed or too large. */
static __int128 read_part(struct parser *p) {
    __int128 whole = 0, fraction = 0, scale = 1;
    size_t start = p->at;
    for (; is_digit(p) && whole <= (__int128)MAX_PERIOD * NANO; p->at++)
        whole = whole * 10 + (p->text[p->at] - '0');
    size_t digits = p->at - start;
    if (take(p, '.')) {
        for (; is_digit(p); p->at++, digits++) {
            if (scale < (__int128)NANO * NANO) { /* further digits are below a nanosecond */
                fraction = fraction * 10 + (p->text[p->at] - '0');
                scale *= 10;
            }
        }
    }
    int64_t unit = digits ? read_unit(p) : 0;
    return unit ? whole * unit + fraction * unit / scale : -1;
}

/* A Go duration in nanoseconds. */
static int read_duration(struct parser *p, __int128 *nanoseconds) {
    size_t start = p->at;
    bool negative = take(p, '-');
    *nanoseconds = 0;
    if (!negative)
        (void)take(p, '+');
    if (p->end - p->at == 1 && take(p, '0')) /* the one number that needs no unit */
        return 0;
    bool ok = p->at < p->end;
    while (ok && p->at < p->end) {
        __int128 part = read_part(p);
        *nanoseconds += part;
        ok = part >= 0 && *nanoseconds <= (__int128)MAX_PERIOD * NANO;
    }
    if (!ok)
        return parse_fail(p, start, p->end - start, "@every needs a duration such as 30s, 5m or 1h30m");
    if (negative)
        *nanoseconds = -*nanoseconds;
    return 0;
}

/* Truncated to seconds, one at least. robfig takes what is not positive for one second too. */
int parse_every(struct parser *p, struct cron_schedule *s) {
    size_t start = p->at;
    __int128 nanoseconds;
    if (read_duration(p, &nanoseconds))
        return ERR_INVALID;
    if (nanoseconds <= 0 && p->options->dialect != CRON_ROBFIG_V1)
        return parse_fail(p, start, p->end - start, "@every needs a positive duration; write 1s or more");
    s->kind = KIND_EVERY;
    s->period = nanoseconds < NANO ? 1 : (int64_t)(nanoseconds / NANO);
    s->anchor = p->options->anchor;
    return 0;
}

/* Exactly `count` digits. */
static bool read_digits(struct parser *p, int count, int min, int max, int *value) {
    *value = 0;
    for (; count > 0; count--) {
        if (!is_digit(p))
            return false;
        *value = *value * 10 + (p->text[p->at++] - '0');
    }
    return *value >= min && *value <= max;
}

static bool read_date(struct parser *p, int64_t *days) {
    int year, month, day;
    if (!read_digits(p, 4, 1, YEAR_LAST, &year) || !take(p, '-') || !read_digits(p, 2, 1, 12, &month) ||
        !take(p, '-') || !read_digits(p, 2, 1, calendar_month_days(year, month), &day))
        return false;
    *days = calendar_days(year, month) + day - 1;
    return true;
}

static bool read_clock(struct parser *p, int64_t *seconds) {
    int hour, minute, second;
    if (!read_digits(p, 2, 0, 23, &hour) || !take(p, ':') || !read_digits(p, 2, 0, 59, &minute) ||
        !take(p, ':') || !read_digits(p, 2, 0, 59, &second))
        return false;
    *seconds = INT64_C(3600) * hour + INT64_C(60) * minute + second;
    if (!take(p, '.'))
        return true;
    bool any = is_digit(p);
    while (is_digit(p)) /* slots are whole seconds */
        p->at++;
    return any;
}

static bool read_offset(struct parser *p, int64_t *seconds) {
    int hour, minute;
    *seconds = 0;
    if (take(p, 'Z') || take(p, 'z'))
        return true;
    bool west = take(p, '-');
    if ((!west && !take(p, '+')) || !read_digits(p, 2, 0, 23, &hour) || !take(p, ':') ||
        !read_digits(p, 2, 0, 59, &minute))
        return false;
    *seconds = (west ? -1 : 1) * (INT64_C(3600) * hour + INT64_C(60) * minute);
    return true;
}

int parse_at(struct parser *p, struct cron_schedule *s) {
    size_t start = p->at;
    int64_t days, seconds, offset;
    if (!read_date(p, &days) || !(take(p, 'T') || take(p, 't') || take(p, ' ')) || !read_clock(p, &seconds) ||
        !read_offset(p, &offset) || p->at != p->end)
        return parse_fail(p, start, p->end - start,
                          "@at needs an instant with its UTC offset, such as 2030-01-31T09:00:00Z or "
                          "2030-01-31T09:00:00+02:00");
    s->kind = KIND_AT;
    s->anchor = days * DAY_SECONDS + seconds - offset;
    return 0;
}
