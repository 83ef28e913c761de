/* A compiled schedule, for the files of core/cron only. */
#ifndef KS_CRON_SCHEDULE_H
#define KS_CRON_SCHEDULE_H

#include "cron/cron.h"

#include <stdbool.h>
#include <stdint.h>

enum cron_kind {
    KIND_FIELDS, /* the bit sets below */
    KIND_EVERY,  /* anchor + k * period */
    KIND_AT,     /* one instant */
    KIND_EMPTY   /* fields that never match: only robfig-v1 makes them */
};

/* The rarer fields, absent in most schedules. Bit n of a set stands for n. */
struct cron_special {
    uint64_t nth;      /* weekdays: bit (n - 1) * 7 + weekday for the n-th, bit 35 + weekday for the last */
    uint64_t years[4]; /* bit y - CRON_YEAR_MIN; all zero means any year */
    uint32_t nearest;  /* nW */
    uint32_t from_end; /* L is bit 0, L-n bit n */
    uint32_t end_weekday; /* LW is bit 0, L-nW bit n */
    bool has_years;
};

struct cron_schedule {
    union {
        struct {
            uint64_t seconds, minutes;
        };
        struct {
            int64_t period, anchor; /* KIND_EVERY; KIND_AT has its instant in anchor */
        };
    };
    uint32_t hours, days;
    uint16_t months;
    uint8_t weekdays;
    uint8_t kind;       /* enum cron_kind */
    uint8_t dst;        /* enum cron_dst */
    bool fixed;         /* no star or step in hour and minute */
    bool day_and;       /* both day fields must match; else one suffices */
    bool ambiguous;     /* the expression had five: crontab and robfig-v1 differ */
    int64_t start, end; /* bounds of slots, both inclusive, within WALL_MIN and WALL_MAX */
    struct cron_zone *zone;
    struct cron_special *special; /* NULL, or in the same allocation */
    struct cron_days *moved;      /* NULL: slots stay on their days */
};

/* The nearest wall time, in seconds as if the wall clock were UTC, that the fields match: above (below) wall,
 * exclusive; CRON_NEVER when a full Gregorian cycle of 400 years has none. Only for KIND_FIELDS. */
int64_t cron_wall_next(const struct cron_schedule *s, int64_t wall);
int64_t cron_wall_previous(const struct cron_schedule *s, int64_t wall);

/* The days of a month that the day fields match, as bits 1 to 31. The month field is not asked. */
uint32_t cron_days_of_month(const struct cron_schedule *s, int year, int month);

/* The next slot under CRON_DST_ROBFIG, given the next instant at which the wall clock matches. */
int64_t cron_robfig_next(const struct cron_schedule *s, int64_t after, int64_t by_wall_clock);

/* Slots as the expression has them: without the bounds, and before they are moved. */
int64_t cron_own_next(const struct cron_schedule *s, int64_t after);
int64_t cron_own_previous(const struct cron_schedule *s, int64_t before);

/* The same once moved; only for a schedule with days. */
int64_t cron_moved_next(const struct cron_schedule *s, int64_t after);
int64_t cron_moved_previous(const struct cron_schedule *s, int64_t before);

#endif
