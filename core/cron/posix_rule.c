/* The footer of a zone file: a POSIX TZ string such as EST5EDT,M3.2.0,M11.1.0, with the extensions of
 * RFC 8536 section 3.3.1 (times from -167 to 167 hours). */
#include "cron/calendar.h"
#include "cron/zone.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

struct day_rule {
    enum { RULE_MONTH, RULE_JULIAN, RULE_ZERO_BASED } kind;
    int month, week, day; /* kinds other than RULE_MONTH use day only */
    int32_t time;         /* seconds after midnight of the wall clock before the change */
};

struct rule {
    int32_t standard, daylight; /* offsets */
    struct day_rule start, end; /* of daylight time */
};

struct change {
    int64_t at;
    bool daylight;
};

struct name {
    const char *text;
    size_t len;
};

struct reader {
    const char *at, *end;
};

static bool take(struct reader *r, char c) {
    if (r->at == r->end || *r->at != c)
        return false;
    r->at++;
    return true;
}

static bool digit(const struct reader *r) {
    return r->at < r->end && *r->at >= '0' && *r->at <= '9';
}

static bool read_number(struct reader *r, int min, int max, int *out) {
    if (!digit(r))
        return false;
    int value = 0;
    while (digit(r) && value <= max)
        value = value * 10 + (*r->at++ - '0');
    *out = value;
    return value >= min && value <= max;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(struct reader *r, int32_t *out) {
    int sign = take(r, '-') ? -1 : 1;
    if (sign == 1)
        (void)take(r, '+');
    int hours, minutes = 0, seconds = 0;
    if (!read_number(r, 0, 167, &hours))
        return false;
    if (take(r, ':') &&
        (!read_number(r, 0, 59, &minutes) || (take(r, ':') && !read_number(r, 0, 59, &seconds))))
        return false;
    *out = sign * (hours * 3600 + minutes * 60 + seconds);
    return true;
}

static bool letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Letters, or anything between < and >. */
static bool read_name(struct reader *r, struct name *name) {
    bool quoted = take(r, '<');
    name->text = r->at;
    while (r->at < r->end && (quoted ? *r->at != '>' : letter(*r->at)))
        r->at++;
    name->len = (size_t)(r->at - name->text);
    return name->len >= 3 && (!quoted || take(r, '>'));
}

static bool read_day(struct reader *r, struct day_rule *rule) {
    bool ok;
    if (take(r, 'M')) {
        rule->kind = RULE_MONTH;
        ok = read_number(r, 1, 12, &rule->month) && take(r, '.') && read_number(r, 1, 5, &rule->week) &&
             take(r, '.') && read_number(r, 0, 6, &rule->day);
    } else if (take(r, 'J')) {
        rule->kind = RULE_JULIAN;
        ok = read_number(r, 1, 365, &rule->day);
    } else {
        rule->kind = RULE_ZERO_BASED;
        ok = read_number(r, 0, 365, &rule->day);
    }
    rule->time = 2 * 3600;
    return ok && (!take(r, '/') || read_time(r, &rule->time));
}

static int month_rule_days(const struct day_rule *rule, int year) {
    int first = calendar_days(year, rule->month);
    int to_weekday = (rule->day - (int)calendar_weekday(first) + 7) % 7;
    int day = to_weekday + (rule->week - 1) * 7;
    if (day >= calendar_month_days(year, rule->month))
        day -= 7;
    return first + day;
}

/* Days from 1970-01-01 to the day the rule means in a year. */
static int rule_days(const struct day_rule *rule, int year) {
    if (rule->kind == RULE_MONTH)
        return month_rule_days(rule, year);
    int january = calendar_days(year, 1);
    if (rule->kind == RULE_ZERO_BASED)
        return january + rule->day;
    return january + rule->day - 1 + (rule->day > 59 && calendar_leap(year)); /* J never counts February 29 */
}

/* At one instant the end of daylight time sorts before its start: that is how daylight time all year is
 * written. */
static int compare(const void *a, const void *b) {
    const struct change *x = a, *y = b;
    if (x->at != y->at)
        return x->at < y->at ? -1 : 1;
    return (int)x->daylight - (int)y->daylight;
}

static int year_of(int64_t t) {
    return calendar_date(calendar_floor_days(t)).year;
}

/* The changes of one cycle: those after `last`, up to 400 years after it. The years at either side are
 * generated too, as a rule's time may lie in another year than its day. */
static size_t changes_of_cycle(const struct rule *rule, int64_t last, struct change *out) {
    size_t count = 0;
    int from = year_of(last) > 1 ? year_of(last) - 1 : 1;
    for (int year = from; year <= from + CYCLE_YEARS + 2; year++) {
        struct change both[2] = {
            {rule_days(&rule->start, year) * DAY_SECONDS + rule->start.time - rule->standard, true},
            {rule_days(&rule->end, year) * DAY_SECONDS + rule->end.time - rule->daylight, false}};
        for (int i = 0; i < 2; i++)
            if (both[i].at > last && both[i].at <= last + CYCLE_SECONDS)
                out[count++] = both[i];
    }
    qsort(out, count, sizeof *out, compare);
    return count;
}

static int add_cycle(struct cron_zone *zone, const struct rule *rule, int64_t last, uint8_t standard) {
    struct change *changes = calloc(2 * ((size_t)CYCLE_YEARS + 3), sizeof *changes);
    if (!changes)
        return ERR_NOMEM;
    size_t count = changes_of_cycle(rule, last, changes), cycle = zone->count;
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        if (i + 1 < count && changes[i + 1].at == changes[i].at)
            continue;
        failed = zone_add_span(zone, changes[i].at, (uint8_t)(standard + changes[i].daylight));
    }
    free(changes);
    if (!failed && cycle + 1 < zone->count)
        zone->cycle = cycle;
    return failed;
}

static bool read_days(struct reader *r, struct rule *rule) {
    if (!take(r, ',')) { /* POSIX leaves the default to us: the rule of the United States */
        rule->start = (struct day_rule){RULE_MONTH, 3, 2, 0, 7200};
        rule->end = (struct day_rule){RULE_MONTH, 11, 1, 0, 7200};
        return r->at == r->end;
    }
    return read_day(r, &rule->start) && take(r, ',') && read_day(r, &rule->end) && r->at == r->end;
}

/* The names and offsets. POSIX counts west of Greenwich, we count east. */
static bool read_offsets(struct reader *r, struct rule *rule, struct name names[2]) {
    int32_t west;
    if (!read_name(r, &names[0]) || !read_time(r, &west))
        return false;
    rule->standard = -west;
    rule->daylight = rule->standard + 3600;
    if (r->at == r->end)
        return true;
    if (!read_name(r, &names[1]))
        return false;
    if (r->at == r->end || *r->at == ',')
        return true;
    bool ok = read_time(r, &west);
    rule->daylight = -west;
    return ok;
}

int zone_add_rule(struct cron_zone *zone, int64_t last, const char *text, size_t len, struct err *err) {
    struct reader r = {text, text + len};
    struct rule rule = {0};
    struct name names[2] = {{0}};
    if (len == 0 || last > WALL_MAX)
        return 0;
    if (!read_offsets(&r, &rule, names) || (names[1].text && !read_days(&r, &rule)))
        return err_set(err, ERR_INVALID, "its rule for the future, \"%.*s\", is not a POSIX TZ string",
                       (int)(len > 80 ? 80 : len), text);
    if (!names[1].text)
        return 0; /* no daylight time: the last type of the table holds on */
    uint8_t standard = (uint8_t)zone->type_count;
    if (zone_add_type(zone, rule.standard, names[0].text, names[0].len) ||
        zone_add_type(zone, rule.daylight, names[1].text, names[1].len) ||
        add_cycle(zone, &rule, last < WALL_MIN ? WALL_MIN : last, standard))
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}
