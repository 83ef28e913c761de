/* The search of robfig/cron, step by step, for CRON_DST_ROBFIG.
 *
 * Around a transition robfig gives more than "the wall clock matches": where midnight does not exist it loses
 * the whole day, and where a zone shifts by half an hour it can pass over hours or reach a day it did not
 * test. Who moves from robfig and asks for its policy gets exactly that, so this file repeats its walk:
 * month, day, hour, minute, second, each step in Go's calendar arithmetic. Away from transitions the walk
 * gives what cron_wall_next gives, and is not taken. */
#include "cron/calendar.h"
#include "cron/schedule.h"
#include "cron/zone.h"

#define NEAR (32 * DAY_SECONDS) /* the walk may start at the first of the month before */

struct walk {
    const struct cron_schedule *s;
    int64_t t;
    struct cron_civil at; /* t in the zone */
    bool moved;           /* the lower fields have been reset */
    bool stuck;           /* robfig would not come back: a skipped day, or the calendar's end */
};

static void move_to(struct walk *w, int64_t t) {
    w->t = t;
    w->stuck |= t > WALL_MAX;
    cron_zone_civil(w->s->zone, t, &w->at);
}

/* Go's time.Date: looks the offset up as if the wall time were UTC, and once more if that was wrong. */
static void move_to_wall(struct walk *w, int64_t wall) {
    struct zone_span span;
    zone_span_at(w->s->zone, wall, &span);
    int64_t t = wall - span.offset;
    if (t < span.start || t >= span.end)
        zone_span_at(w->s->zone, t, &span);
    move_to(w, wall - span.offset);
}

static int64_t wall_of(const struct walk *w) {
    return w->t + w->at.utc_offset;
}

static int64_t midnight(const struct walk *w) {
    return (calendar_days(w->at.year, w->at.month) + w->at.day - 1) * DAY_SECONDS;
}

static void to_next_month(struct walk *w) {
    int year = w->at.month == 12 ? w->at.year + 1 : w->at.year;
    int month = w->at.month == 12 ? 1 : w->at.month + 1;
    int64_t rest = wall_of(w) - calendar_days(w->at.year, w->at.month) * DAY_SECONDS;
    move_to_wall(w, calendar_days(year, month) * DAY_SECONDS + rest);
}

static void to_next_day(struct walk *w) {
    int64_t before = w->t;
    move_to_wall(w, wall_of(w) + DAY_SECONDS);
    if (w->at.hour > 12)
        move_to(w, w->t + INT64_C(3600) * (24 - w->at.hour));
    else if (w->at.hour > 0)
        move_to(w, w->t - INT64_C(3600) * w->at.hour);
    w->stuck |= w->t <= before;
}

static bool day_matches(const struct walk *w) {
    return cron_days_of_month(w->s, w->at.year, w->at.month) >> w->at.day & 1;
}

/* Each of these moves until its field matches; false when the field above has to be tested again. */

static bool walk_months(struct walk *w) {
    while (!w->stuck && !(w->s->months >> w->at.month & 1)) {
        if (!w->moved)
            move_to_wall(w, calendar_days(w->at.year, w->at.month) * DAY_SECONDS);
        w->moved = true;
        to_next_month(w);
        if (w->at.month == 1)
            return false;
    }
    return !w->stuck;
}

static bool walk_days(struct walk *w) {
    while (!w->stuck && !day_matches(w)) {
        if (!w->moved)
            move_to_wall(w, midnight(w));
        w->moved = true;
        to_next_day(w);
        if (w->at.day == 1)
            return false;
    }
    return !w->stuck;
}

static bool walk_hours(struct walk *w) {
    while (!w->stuck && !(w->s->hours >> w->at.hour & 1)) {
        if (!w->moved)
            move_to_wall(w, midnight(w) + INT64_C(3600) * w->at.hour);
        w->moved = true;
        move_to(w, w->t + 3600);
        if (w->at.hour == 0)
            return false;
    }
    return !w->stuck;
}

static bool walk_minutes(struct walk *w) {
    while (!w->stuck && !(w->s->minutes >> w->at.minute & 1)) {
        if (!w->moved)
            move_to(w, w->t - w->at.second);
        w->moved = true;
        move_to(w, w->t + 60);
        if (w->at.minute == 0)
            return false;
    }
    return !w->stuck;
}

static bool walk_seconds(struct walk *w) {
    while (!w->stuck && !(w->s->seconds >> w->at.second & 1)) {
        w->moved = true;
        move_to(w, w->t + 1);
        if (w->at.second == 0)
            return false;
    }
    return !w->stuck;
}

static int64_t walk(const struct cron_schedule *s, int64_t after) {
    struct walk w = {.s = s};
    move_to(&w, after + 1);
    for (int last_year = w.at.year + CYCLE_YEARS; w.at.year <= last_year && !w.stuck;)
        if (walk_months(&w) && walk_days(&w) && walk_hours(&w) && walk_minutes(&w) && walk_seconds(&w))
            return w.t;
    return CRON_NEVER;
}

int64_t cron_robfig_next(const struct cron_schedule *s, int64_t after, int64_t by_wall_clock) {
    struct zone_span span;
    if (by_wall_clock == CRON_NEVER || after < WALL_MIN + NEAR)
        return by_wall_clock;
    zone_span_at(s->zone, after - NEAR, &span);
    if (span.end > by_wall_clock + DAY_SECONDS)
        return by_wall_clock;
    int64_t t = walk(s, after);
    bool lost = t == CRON_NEVER || t <= after; /* robfig would hang or go back: next always moves on */
    return lost ? by_wall_clock : t;
}
