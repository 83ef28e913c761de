/* What daylight saving does to a schedule's slots, and what an author may not have meant. */
#include "cron/schedule.h"
#include "cron/zone.h"

#define LINT_HORIZON (INT64_C(5) * 366 * 86400)

static int64_t wall_of(const struct zone_span *span, int64_t t) {
    return t + span->offset;
}

/* The first matching wall time in the gap at the span's start; CRON_NEVER when none is lost there. */
static int64_t lost_wall(const struct cron_schedule *s, const struct zone_span *span) {
    if (span->before >= span->offset)
        return CRON_NEVER;
    int64_t wall = cron_wall_next(s, span->start + span->before - 1);
    return wall < span->start + span->offset ? wall : CRON_NEVER;
}

/* The wall time as the clock before the gap would have shown it. */
static void fill_wall(int64_t wall, const struct zone_span *span, struct cron_civil *out) {
    if (!out)
        return;
    cron_zone_civil(zone_utc(), wall, out);
    out->utc_offset = span->before;
    out->abbreviation = "";
}

static bool in_second_pass(const struct zone_span *span, int64_t t) {
    return span->before > span->offset && wall_of(span, t) < span->start + span->before;
}

static bool in_first_pass(const struct cron_zone *zone, const struct zone_span *span, int64_t t) {
    struct zone_span next = *span;
    if (span->end == INT64_MAX)
        return false;
    zone_span_next(zone, &next);
    return next.before > next.offset && wall_of(span, t) >= next.start + next.offset;
}

/* Looks through the gaps between the slot before and this one for a wall time that was lost. */
static enum cron_effect lost_before(const struct cron_schedule *s, struct zone_span span, int64_t slot,
                                    struct cron_civil *wall) {
    int64_t previous = cron_previous(s, slot);
    while (previous != CRON_NEVER && span.start > previous) {
        int64_t lost = lost_wall(s, &span);
        if (lost != CRON_NEVER) {
            fill_wall(lost, &span, wall);
            return CRON_EFFECT_LOST;
        }
        zone_span_previous(s->zone, &span);
    }
    return CRON_EFFECT_NONE;
}

enum cron_effect cron_dst_effect(const struct cron_schedule *s, int64_t slot, struct cron_civil *wall) {
    struct zone_span span;
    if (s->kind != KIND_FIELDS || cron_moved_from(s, slot) != CRON_NEVER)
        return CRON_EFFECT_NONE;
    zone_span_at(s->zone, slot, &span);
    bool matches = cron_wall_next(s, wall_of(&span, slot) - 1) == wall_of(&span, slot);
    int64_t lost = slot == span.start ? lost_wall(s, &span) : CRON_NEVER;
    if (!matches && lost != CRON_NEVER) {
        fill_wall(lost, &span, wall);
        return CRON_EFFECT_MOVED;
    }
    if (in_second_pass(&span, slot))
        return CRON_EFFECT_SECOND;
    if (in_first_pass(s->zone, &span, slot))
        return CRON_EFFECT_FIRST;
    if (s->fixed && s->dst == CRON_DST_CRONIE) /* such jobs lose nothing */
        return CRON_EFFECT_NONE;
    return lost_before(s, span, slot, wall);
}

/* Does a wall time of the overlap at the span's start match? */
static bool repeats_wall(const struct cron_schedule *s, const struct zone_span *span) {
    return span->before > span->offset &&
           cron_wall_next(s, span->start + span->offset - 1) < span->start + span->before;
}

static unsigned dst_warnings(const struct cron_schedule *s, int64_t now) {
    struct zone_span span;
    unsigned warnings = 0;
    zone_span_at(s->zone, now, &span);
    while (span.end - LINT_HORIZON <= now) {
        zone_span_next(s->zone, &span);
        if (lost_wall(s, &span) != CRON_NEVER)
            warnings |= CRON_WARN_DST_GAP;
        if (repeats_wall(s, &span))
            warnings |= CRON_WARN_DST_OVERLAP;
    }
    return warnings;
}

unsigned cron_warnings(const struct cron_schedule *s, int64_t now) {
    unsigned warnings = 0;
    if (s->kind != KIND_FIELDS)
        return 0;
    if (!s->day_and)
        warnings |= CRON_WARN_DAY_OR;
    if (s->ambiguous)
        warnings |= CRON_WARN_FIVE_FIELDS;
    return s->fixed ? warnings | dst_warnings(s, now) : warnings;
}

const char *cron_warning_text(enum cron_warning warning) {
    switch (warning) {
    case CRON_WARN_DAY_OR:
        return "day of month and weekday are both given: it runs when either matches; write & before the "
               "weekday (as &MON) if both must match, or * in one of them";
    case CRON_WARN_FIVE_FIELDS:
        return "five fields start with minutes in crontab but with seconds in robfig-v1: write six fields, "
               "seconds first, to mean the same in both";
    case CRON_WARN_DST_GAP:
        return "its time is in an hour that the zone skips when summer time starts: see the dst policy, or "
               "choose another hour or UTC";
    case CRON_WARN_DST_OVERLAP:
        return "its time is in an hour that the zone repeats when summer time ends: see the dst policy, or "
               "choose another hour or UTC";
    }
    return "";
}
