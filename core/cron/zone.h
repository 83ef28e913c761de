/* A zone as a table of spans of constant UTC offset, for the files of core/cron only.
 *
 * The table holds the transitions of the file, then those of its footer's rule for 400 years. The calendar
 * repeats after 400 years to the weekday, so what lies beyond is the same table moved: no rule is evaluated
 * when a schedule is asked. */
#ifndef KS_CRON_ZONE_H
#define KS_CRON_ZONE_H

#include "base/err.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define ZONE_ABBREVIATION 16
#define ZONE_HINT_SHIFT 23 /* 97 days: seldom more than one transition */
#define ZONE_HINTS (1 << (32 - ZONE_HINT_SHIFT))

struct zone_type {
    int32_t offset; /* seconds east of UTC */
    char abbreviation[ZONE_ABBREVIATION];
};

struct cron_zone {
    atomic_uint references;
    size_t count;  /* of spans, at least 1 */
    size_t cycle;  /* the span from which the table repeats; count when it does not */
    int64_t *at;   /* where each span starts; at[0] is INT64_MIN */
    uint8_t *type; /* index into types */
    struct zone_type *types;
    size_t type_count;
    char *name;
    uint16_t hint[ZONE_HINTS]; /* the span at the start of each 2^23 s from 1970 to 2106 */
};

/* One span. start and end are INT64_MIN and INT64_MAX at the ends of time; the first span has before ==
 * offset. index and shift are for stepping. */
struct zone_span {
    int64_t start, end;
    int32_t offset, before; /* before: the offset of the span before */
    size_t index;
    int64_t shift;
};

void zone_span_at(const struct cron_zone *zone, int64_t t, struct zone_span *span);
void zone_span_next(const struct cron_zone *zone, struct zone_span *span); /* only when end < INT64_MAX */
void zone_span_previous(const struct cron_zone *zone,
                        struct zone_span *span); /* only when start > INT64_MIN */

struct cron_zone *zone_utc(void); /* built in; referencing it costs nothing */

/* Building. A zone starts with one span of type 0. */
struct cron_zone *zone_new(const char *name); /* NULL when out of memory; unref frees */
int zone_add_type(struct cron_zone *zone, int32_t offset, const char *abbreviation, size_t len);
int zone_add_span(struct cron_zone *zone, int64_t at,
                  uint8_t type); /* ascending; merges what changes nothing */

void zone_finish(struct cron_zone *zone); /* after the last span */

/* Extends zone behind `last`, its last transition, by the POSIX TZ rule (RFC 8536 section 3.3). */
int zone_add_rule(struct cron_zone *zone, int64_t last, const char *rule, size_t len, struct err *err);

/* Appends ", did you mean X" for the nearest name of a zone below dir, when there is a near one. */
void zone_suggest(const char *dir, const char *name, struct err *err);

#endif
