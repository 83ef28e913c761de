#include "cron/zone.h"

#include "cron/calendar.h"
#include "cron/cron.h"

#include <stdlib.h>
#include <string.h>

static int64_t utc_at[] = {INT64_MIN};
static uint8_t utc_type[] = {0};
static struct zone_type utc_types[] = {{0, "UTC"}};
static char utc_name[] = "UTC";

/* Never counted, never freed, never written. */
static struct cron_zone utc = {.count = 1,
                               .cycle = 1,
                               .at = utc_at,
                               .type = utc_type,
                               .types = utc_types,
                               .type_count = 1,
                               .name = utc_name};

struct cron_zone *zone_utc(void) {
    return &utc;
}

struct cron_zone *zone_new(const char *name) {
    struct cron_zone *zone = calloc(1, sizeof *zone);
    if (!zone)
        return NULL;
    atomic_init(&zone->references, 1);
    zone->name = strdup(name);
    if (!zone->name || zone_add_span(zone, INT64_MIN, 0)) {
        cron_zone_unref(zone);
        return NULL;
    }
    return zone;
}

int zone_add_type(struct cron_zone *zone, int32_t offset, const char *abbreviation, size_t len) {
    struct zone_type *types = realloc(zone->types, (zone->type_count + 1) * sizeof *types);
    if (!types)
        return ERR_NOMEM;
    zone->types = types;
    struct zone_type *type = &types[zone->type_count++];
    if (len >= ZONE_ABBREVIATION)
        len = ZONE_ABBREVIATION - 1;
    *type = (struct zone_type){.offset = offset};
    memcpy(type->abbreviation, abbreviation, len);
    return 0;
}

/* Both arrays double together, at each power of two. */
static int make_room(struct cron_zone *zone) {
    size_t n = zone->count;
    if (n & (n - 1))
        return 0;
    size_t capacity = n ? 2 * n : 1;
    int64_t *at = realloc(zone->at, capacity * sizeof *at);
    if (!at)
        return ERR_NOMEM;
    zone->at = at;
    uint8_t *type = realloc(zone->type, capacity * sizeof *type);
    if (!type)
        return ERR_NOMEM;
    zone->type = type;
    return 0;
}

int zone_add_span(struct cron_zone *zone, int64_t at, uint8_t type) {
    if (zone->count && zone->type[zone->count - 1] == type)
        return 0;
    if (make_room(zone))
        return ERR_NOMEM;
    zone->at[zone->count] = at;
    zone->type[zone->count++] = type;
    zone->cycle = zone->count;
    return 0;
}

struct cron_zone *cron_zone_ref(struct cron_zone *zone) {
    if (zone != &utc)
        atomic_fetch_add_explicit(&zone->references, 1, memory_order_relaxed);
    return zone;
}

void cron_zone_unref(struct cron_zone *zone) {
    if (!zone || zone == &utc || atomic_fetch_sub_explicit(&zone->references, 1, memory_order_acq_rel) != 1)
        return;
    free(zone->at);
    free(zone->type);
    free(zone->types);
    free(zone->name);
    free(zone);
}

const char *cron_zone_name(const struct cron_zone *zone) {
    return zone->name;
}

static int32_t offset_of(const struct cron_zone *zone, size_t index) {
    return zone->types[zone->type[index]].offset;
}

/* Fills the span from its index and shift. In a repetition the span before the cycle's first is its last. */
static void load_span(const struct cron_zone *zone, struct zone_span *span) {
    size_t i = span->index;
    size_t before = i == 0 ? 0 : i - 1;
    if (span->shift && i == zone->cycle)
        before = zone->count - 1;
    span->start = i == 0 ? INT64_MIN : zone->at[i] + span->shift;
    if (i + 1 < zone->count)
        span->end = zone->at[i + 1] + span->shift;
    else
        span->end =
            zone->cycle < zone->count ? zone->at[zone->cycle] + span->shift + CYCLE_SECONDS : INT64_MAX;
    span->offset = offset_of(zone, i);
    span->before = offset_of(zone, before);
}

/* The last span that starts at or before t. Written so that it compiles to conditional moves: the branches
 * of a binary search are unpredictable. */
static size_t search(const struct cron_zone *zone, int64_t t) {
    size_t low = 0, n = zone->count;
    while (n > 1) {
        size_t half = n / 2;
        low += zone->at[low + half] <= t ? half : 0;
        n -= half;
    }
    return low;
}

void zone_finish(struct cron_zone *zone) {
    for (size_t i = 0; i < ZONE_HINTS; i++)
        zone->hint[i] = (uint16_t)search(zone, (int64_t)i << ZONE_HINT_SHIFT);
}

/* The same in a step or two for the years that are asked about. */
static size_t find(const struct cron_zone *zone, int64_t t) {
    if ((uint64_t)t >> 32)
        return search(zone, t);
    size_t i = zone->hint[t >> ZONE_HINT_SHIFT];
    while (i + 1 < zone->count && zone->at[i + 1] <= t)
        i++;
    return i;
}

void zone_span_at(const struct cron_zone *zone, int64_t t, struct zone_span *span) {
    span->shift = 0;
    if (zone->cycle < zone->count && t >= zone->at[zone->cycle] + CYCLE_SECONDS)
        span->shift = (t - zone->at[zone->cycle]) / CYCLE_SECONDS * CYCLE_SECONDS;
    span->index = find(zone, t - span->shift);
    load_span(zone, span);
}

void zone_span_next(const struct cron_zone *zone, struct zone_span *span) {
    if (++span->index == zone->count) {
        span->index = zone->cycle;
        span->shift += CYCLE_SECONDS;
    }
    load_span(zone, span);
}

void zone_span_previous(const struct cron_zone *zone, struct zone_span *span) {
    if (span->shift && span->index == zone->cycle) {
        span->index = zone->count;
        span->shift -= CYCLE_SECONDS;
    }
    span->index--;
    load_span(zone, span);
}

void cron_zone_civil(const struct cron_zone *zone, int64_t unix_s, struct cron_civil *out) {
    if (unix_s < WALL_MIN)
        unix_s = WALL_MIN;
    if (unix_s > WALL_MAX)
        unix_s = WALL_MAX;
    struct zone_span span;
    zone_span_at(zone, unix_s, &span);
    int64_t wall = unix_s + span.offset;
    int days = calendar_floor_days(wall);
    int second = (int)(wall - days * DAY_SECONDS);
    struct date date = calendar_date(days);
    *out = (struct cron_civil){.year = date.year,
                               .month = date.month,
                               .day = date.day,
                               .hour = second / 3600,
                               .minute = second / 60 % 60,
                               .second = second % 60,
                               .weekday = (int)calendar_weekday(days),
                               .utc_offset = span.offset,
                               .abbreviation = zone->types[zone->type[span.index]].abbreviation};
}

int64_t cron_zone_next_change(const struct cron_zone *zone, int64_t unix_s) {
    struct zone_span span;
    zone_span_at(zone, unix_s, &span);
    while (span.end != INT64_MAX) {
        zone_span_next(zone, &span);
        if (span.before != span.offset)
            return span.start;
    }
    return CRON_NEVER;
}
