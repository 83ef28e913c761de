/* Slots that move to another day, at the same wall time: all raw slots of a row of days without leave go to
 * the day with leave beside it. So a target day has a home, the days whose slots it gets, and the homes
 * follow each other as the targets do: a search looks through one home, then goes to that of the next raw
 * slot. */
#include "cron/calendar.h"
#include "cron/schedule.h"
#include "cron/zone.h"

#include <stdatomic.h>
#include <stdlib.h>

#define NO_DAY INT32_MIN
#define FURTHEST                                                                                             \
    31 /* days: a slot that finds no allowed day so near is none; it also bounds what a search costs */
#define WORDS_A_YEAR 6

struct cron_days {
    atomic_uint references;
    enum cron_move move;
    int first, end;  /* the days that are known, since 1970-01-01; end is exclusive. No other is allowed */
    uint64_t bits[]; /* bit n of them: first + n is allowed */
};

/* The days whose slots go to one target, both included. */
struct home {
    int target, first, last;
};

static bool is_allowed(const struct cron_days *days, int day) {
    if (day < days->first || day >= days->end)
        return false;
    unsigned bit = (unsigned)(day - days->first);
    return days->bits[bit / 64] >> bit % 64 & 1;
}

struct cron_days *cron_days_new(const uint64_t *years, enum cron_move move) {
    int first = calendar_days(CRON_YEAR_MIN, 1), end = calendar_days(CRON_YEAR_MAX + 1, 1);
    size_t words = ((size_t)(end - first) + 63) / 64;
    struct cron_days *days = calloc(1, sizeof *days + words * sizeof *days->bits);
    if (!days)
        return NULL;
    atomic_init(&days->references, 1);
    days->move = move;
    days->first = first;
    days->end = end;
    for (int year = CRON_YEAR_MIN; year <= CRON_YEAR_MAX; year++, years += WORDS_A_YEAR) {
        int start = calendar_days(year, 1), length = calendar_days(year + 1, 1) - start;
        for (int n = 0; n < length; n++) {
            unsigned bit = (unsigned)(start + n - first);
            days->bits[bit / 64] |= (years[n / 64] >> n % 64 & 1) << bit % 64;
        }
    }
    return days;
}

struct cron_days *cron_days_ref(struct cron_days *days) {
    if (days)
        atomic_fetch_add_explicit(&days->references, 1, memory_order_relaxed);
    return days;
}

void cron_days_unref(struct cron_days *days) {
    if (days && atomic_fetch_sub_explicit(&days->references, 1, memory_order_acq_rel) == 1)
        free(days);
}

void cron_move_days(struct cron_schedule *s, struct cron_days *days) {
    cron_days_unref(s->moved);
    s->moved = cron_days_ref(days);
}

/* The nearest allowed day in a direction, `day` itself included. */
static int allowed_from(const struct cron_days *days, int day, int step) {
    if (step > 0 && day < days->first)
        day = days->first;
    if (step < 0 && day >= days->end)
        day = days->end - 1;
    while (day >= days->first && day < days->end) {
        if (is_allowed(days, day))
            return day;
        day += step;
    }
    return NO_DAY;
}

/* Where slots of a day go; when that is too far, the allowed day from which a search in the direction goes
 * on. */
static int target_of(const struct cron_days *days, int day, int search) {
    int target = allowed_from(days, day, days->move == CRON_MOVE_NEXT ? 1 : -1);
    bool near = target != NO_DAY && abs(target - day) <= FURTHEST;
    return near ? target : allowed_from(days, day, search);
}

static struct home home_of(const struct cron_days *days, int target) {
    struct home home = {target, target, target};
    if (days->move == CRON_MOVE_NEXT)
        while (home.first > target - FURTHEST && !is_allowed(days, home.first - 1))
            home.first--;
    else
        while (home.last < target + FURTHEST && !is_allowed(days, home.last + 1))
            home.last++;
    return home;
}

/* The instant of a wall time: of two the first, and right after the gap for one that does not exist. */
static int64_t instant_of(const struct cron_zone *zone, int64_t wall) {
    struct zone_span span;
    zone_span_at(zone, wall - 2 * DAY_SECONDS, &span);
    while (span.end != INT64_MAX && wall - span.offset >= span.end) {
        zone_span_next(zone, &span);
        if (wall < span.start + span.offset)
            return span.start;
    }
    return wall - span.offset;
}

static int64_t wall_of(const struct cron_zone *zone, int64_t t) {
    struct zone_span span;
    zone_span_at(zone, t, &span);
    return t + span.offset;
}

static int day_of(const struct cron_zone *zone, int64_t t) {
    return calendar_floor_days(wall_of(zone, t));
}

static int64_t start_of(const struct cron_zone *zone, int day) {
    return instant_of(zone, day * DAY_SECONDS);
}

/* Where a raw slot goes. */
static int64_t to_day(const struct cron_zone *zone, int64_t slot, int target) {
    int64_t wall = wall_of(zone, slot);
    int day = calendar_floor_days(wall);
    return day == target ? slot : instant_of(zone, wall + (target - day) * DAY_SECONDS);
}

/* Does the clock change near the day, so that the order of wall times is not that of instants? */
static bool is_odd(const struct cron_zone *zone, int day) {
    struct zone_span span;
    int64_t noon = day * DAY_SECONDS + DAY_SECONDS / 2;
    zone_span_at(zone, noon, &span);
    return span.start > noon - 2 * DAY_SECONDS || span.end < noon + 2 * DAY_SECONDS;
}

/* Where the search for what comes after (before) `bound` on the target begins in a day of its home. */
static int64_t search_from(const struct cron_zone *zone, int day, int target, int64_t bound, bool *exact) {
    int64_t wall = wall_of(zone, bound);
    *exact = !is_odd(zone, day) && !is_odd(zone, target);
    return *exact && calendar_floor_days(wall) == target
               ? instant_of(zone, wall + (day - target) * DAY_SECONDS)
               : INT64_MIN;
}

/* The first on the target after `after` that comes from one day. */
static int64_t first_from(const struct cron_schedule *s, int day, int target, int64_t after) {
    bool exact;
    int64_t from = search_from(s->zone, day, target, after, &exact), first = CRON_NEVER;
    int64_t slot = cron_own_next(s, from == INT64_MIN ? start_of(s->zone, day) - 1 : from);
    for (; slot != CRON_NEVER && day_of(s->zone, slot) == day; slot = cron_own_next(s, slot)) {
        int64_t moved = to_day(s->zone, slot, target);
        if (moved > after && moved < first)
            first = moved;
        if (exact && first != CRON_NEVER)
            break;
    }
    return first;
}

/* The last on the target before `before` that comes from one day; CRON_NEVER when there is none. */
static int64_t last_from(const struct cron_schedule *s, int day, int target, int64_t before) {
    bool exact;
    int64_t from = search_from(s->zone, day, target, before, &exact), last = CRON_NEVER;
    int64_t slot = cron_own_previous(s, from == INT64_MIN ? start_of(s->zone, day + 1) : from);
    for (; slot != CRON_NEVER && day_of(s->zone, slot) == day; slot = cron_own_previous(s, slot)) {
        int64_t moved = to_day(s->zone, slot, target);
        if (moved < before && (last == CRON_NEVER || moved > last))
            last = moved;
        if (exact && last != CRON_NEVER)
            break;
    }
    return last;
}

static int64_t first_in(const struct cron_schedule *s, const struct home *home, int64_t after) {
    int64_t first = CRON_NEVER;
    int64_t slot = cron_own_next(s, start_of(s->zone, home->first) - 1);
    while (slot != CRON_NEVER && day_of(s->zone, slot) <= home->last) {
        int day = day_of(s->zone, slot);
        int64_t found = first_from(s, day, home->target, after);
        first = found < first ? found : first;
        slot = cron_own_next(s, start_of(s->zone, day + 1) - 1);
    }
    return first;
}

static int64_t last_in(const struct cron_schedule *s, const struct home *home, int64_t before) {
    int64_t last = CRON_NEVER;
    int64_t slot = cron_own_previous(s, start_of(s->zone, home->last + 1));
    while (slot != CRON_NEVER && day_of(s->zone, slot) >= home->first) {
        int day = day_of(s->zone, slot);
        int64_t found = last_from(s, day, home->target, before);
        if (found != CRON_NEVER && (last == CRON_NEVER || found > last))
            last = found;
        slot = cron_own_previous(s, start_of(s->zone, day));
    }
    return last;
}

int64_t cron_moved_next(const struct cron_schedule *s, int64_t after) {
    const struct cron_days *days = s->moved;
    int target = allowed_from(days, day_of(s->zone, after), 1);
    while (target != NO_DAY) {
        struct home home = home_of(days, target);
        int64_t found = first_in(s, &home, after);
        if (found != CRON_NEVER)
            return found;
        int64_t slot = cron_own_next(s, start_of(s->zone, home.last + 1) - 1);
        if (slot == CRON_NEVER || day_of(s->zone, slot) >= days->end)
            return CRON_NEVER;
        target = target_of(days, day_of(s->zone, slot), 1);
    }
    return CRON_NEVER;
}

int64_t cron_moved_previous(const struct cron_schedule *s, int64_t before) {
    const struct cron_days *days = s->moved;
    int target = allowed_from(days, day_of(s->zone, before), -1);
    while (target != NO_DAY) {
        struct home home = home_of(days, target);
        int64_t found = last_in(s, &home, before);
        if (found != CRON_NEVER)
            return found;
        int64_t slot = cron_own_previous(s, start_of(s->zone, home.first));
        if (slot == CRON_NEVER || day_of(s->zone, slot) < days->first)
            return CRON_NEVER;
        target = target_of(days, day_of(s->zone, slot), -1);
    }
    return CRON_NEVER;
}

int64_t cron_moved_from(const struct cron_schedule *s, int64_t slot) {
    if (!s->moved || cron_own_next(s, slot - 1) == slot)
        return CRON_NEVER;
    struct home home = home_of(s->moved, day_of(s->zone, slot));
    int64_t raw = cron_own_next(s, start_of(s->zone, home.first) - 1);
    while (raw != CRON_NEVER && day_of(s->zone, raw) <= home.last) {
        if (to_day(s->zone, raw, home.target) == slot)
            return raw;
        raw = cron_own_next(s, raw);
    }
    return CRON_NEVER;
}
