/* From wall times to instants: next and previous slot, and what daylight saving does to them.
 *
 * A zone is a row of spans of constant offset. Within a span the next slot is the next matching wall time. At
 * the border to the next span the wall clock jumps: forward over a gap, or back into an overlap. Both
 * directions walk span by span and decide at each border by the schedule's policy. */
#include "cron/calendar.h"
#include "cron/schedule.h"
#include "cron/zone.h"

static bool is_gap(const struct zone_span *span) {
    return span->before < span->offset;
}

/* Wall times at a span's start, by the clock of the span itself and of the one before. */
static int64_t wall_start(const struct zone_span *span) {
    return span->start + span->offset;
}
static int64_t wall_before(const struct zone_span *span) {
    return span->start + span->before;
}

static bool runs_after_gap(const struct cron_schedule *s) {
    return s->fixed && s->dst == CRON_DST_CRONIE;
}
static bool runs_once(const struct cron_schedule *s) {
    return s->fixed && s->dst != CRON_DST_ROBFIG;
}

/* The first wall time of a span that counts: for jobs that run once, an overlap's second pass does not. */
static int64_t first_wall(const struct cron_schedule *s, const struct zone_span *span) {
    if (span->before > span->offset && runs_once(s))
        return wall_before(span);
    return span->start == INT64_MIN ? INT64_MIN : wall_start(span);
}

static int64_t next_by_fields(const struct cron_schedule *s, int64_t after) {
    struct zone_span span;
    zone_span_at(s->zone, after, &span);
    int64_t wall = after + span.offset; /* nothing above it and below found matches */
    if (wall < first_wall(s, &span))
        wall = first_wall(s, &span) - 1;
    int64_t found = cron_wall_next(s, wall);
    while (found != CRON_NEVER && found - span.offset >= span.end) {
        zone_span_next(s->zone, &span);
        if (is_gap(&span) && found < wall_start(&span) && runs_after_gap(s))
            return span.start;
        int64_t first = first_wall(s, &span);
        if (found < first || first <= wall) {
            wall = first - 1;
            found = cron_wall_next(s, wall);
        }
    }
    return found == CRON_NEVER ? CRON_NEVER : found - span.offset;
}

static int64_t previous_by_fields(const struct cron_schedule *s, int64_t before) {
    struct zone_span span;
    zone_span_at(s->zone, before - 1, &span);
    int64_t wall = before + span.offset; /* nothing below it and above found matches */
    int64_t found = cron_wall_previous(s, wall);
    while (found != CRON_NEVER && found < first_wall(s, &span)) {
        if (is_gap(&span) && found >= wall_before(&span) && runs_after_gap(s))
            return span.start;
        int64_t end = wall_before(&span);
        zone_span_previous(s->zone, &span);
        if (found >= end || end > wall) {
            wall = end;
            found = cron_wall_previous(s, wall);
        }
    }
    return found == CRON_NEVER ? CRON_NEVER : found - span.offset;
}

/* The largest anchor + k * period that is <= t. In 128 bits, as the anchor may be anything. */
static int64_t every_at_or_before(const struct cron_schedule *s, int64_t t) {
    __int128 behind = (__int128)t - s->anchor;
    __int128 rest = behind % s->period;
    return (int64_t)((__int128)t - (rest < 0 ? rest + s->period : rest));
}

int64_t cron_own_next(const struct cron_schedule *s, int64_t after) {
    int64_t slot;
    switch ((enum cron_kind)s->kind) {
    case KIND_EVERY:
        return every_at_or_before(s, after) + s->period;
    case KIND_AT:
        return s->anchor > after ? s->anchor : CRON_NEVER;
    case KIND_FIELDS:
        slot = next_by_fields(s, after);
        return s->dst == CRON_DST_ROBFIG ? cron_robfig_next(s, after, slot) : slot;
    case KIND_EMPTY:
        break;
    }
    return CRON_NEVER;
}

int64_t cron_own_previous(const struct cron_schedule *s, int64_t before) {
    switch ((enum cron_kind)s->kind) {
    case KIND_EVERY:
        return every_at_or_before(s, before - 1);
    case KIND_AT:
        return s->anchor < before ? s->anchor : CRON_NEVER;
    case KIND_FIELDS:
        return previous_by_fields(s, before);
    case KIND_EMPTY:
        break;
    }
    return CRON_NEVER;
}

int64_t cron_next(const struct cron_schedule *s, int64_t after) {
    if (after >= s->end)
        return CRON_NEVER;
    if (after < s->start)
        after = s->start - 1;
    int64_t slot = s->moved ? cron_moved_next(s, after) : cron_own_next(s, after);
    return slot <= s->end ? slot : CRON_NEVER;
}

int64_t cron_previous(const struct cron_schedule *s, int64_t before) {
    if (before <= s->start)
        return CRON_NEVER;
    if (before > s->end)
        before = s->end + 1;
    int64_t slot = s->moved ? cron_moved_previous(s, before) : cron_own_previous(s, before);
    return slot >= s->start ? slot : CRON_NEVER;
}

int64_t cron_set_next(struct cron_schedule *const *set, size_t count, int64_t after) {
    int64_t first = CRON_NEVER;
    for (size_t i = 0; i < count; i++) {
        int64_t slot = cron_next(set[i], after);
        first = slot < first ? slot : first;
    }
    return first;
}

int64_t cron_set_previous(struct cron_schedule *const *set, size_t count, int64_t before) {
    int64_t last = CRON_NEVER;
    for (size_t i = 0; i < count; i++) {
        int64_t slot = cron_previous(set[i], before);
        if (slot != CRON_NEVER && (last == CRON_NEVER || slot > last))
            last = slot;
    }
    return last;
}

const struct cron_zone *cron_schedule_zone(const struct cron_schedule *s) {
    return s->zone;
}
