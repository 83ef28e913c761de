/* The cron engine: expressions, next and previous slot, time zones, daylight saving.
 *
 * Time is integer unix seconds, UTC. Pure: nothing here does I/O but cron_zone_load, which reads zone files.
 * Ownership: what cron_zone_load and cron_parse hand out belongs to the caller (unref, free). A schedule
 * holds its own reference to its zone. Thread: zones and schedules are immutable once made, so any number
 * of threads may ask them; references are counted atomically.
 * The rules of syntax and time, and where they come from, stand in README.md beside this file. */
#ifndef KS_CRON_CRON_H
#define KS_CRON_CRON_H

#include "base/buf.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

/* No slot. Also the bound "none" in cron_options.end. */
#define CRON_NEVER INT64_MAX

/* Slots lie in the years 1 to 9999 of the proleptic Gregorian calendar; a year field takes 1970 to 2199,
 * the years OCPS 1.2 asks for. */
#define CRON_YEAR_MIN 1970
#define CRON_YEAR_MAX 2199

enum cron_dialect {
    CRON_STANDARD, /* 5 fields crontab, 6 seconds first, 7 year last; day fields as Kubernetes */
    CRON_CRONIE,   /* the same, but a day, hour or minute field is a star when it starts with one */
    CRON_ROBFIG_V1 /* 5 or 6 fields, seconds first; what robfig/cron v1 takes, and nothing else */
};

/* What happens to fixed-time jobs (no star or step in hour and minute) when the clock is changed. All others
 * follow elapsed time. CRON_DST_ROBFIG treats every job alike. */
enum cron_dst {
    CRON_DST_CRONIE, /* in a gap: once, right after it; in an overlap: once, at the first */
    CRON_DST_ROBFIG, /* whenever the wall clock matches: lost in a gap, twice in an overlap */
    CRON_DST_SKIP    /* lost in a gap, once in an overlap */
};

struct cron_zone;

/* Loads a zone of the system's tzdata (TZDIR, else /usr/share/zoneinfo). "UTC" is built in; "Local" is the
 * system's own (TZ, else /etc/localtime, else UTC). ERR_NOTFOUND names the nearest zone there is. */
int cron_zone_load(const char *name, struct cron_zone **out, struct err *err);

/* The same from bytes in memory, in the format of RFC 8536. ERR_INVALID on anything malformed. */
int cron_zone_from_tzif(const char *name, const void *data, size_t len, struct cron_zone **out,
                        struct err *err);

struct cron_zone *cron_zone_ref(struct cron_zone *zone);
void cron_zone_unref(struct cron_zone *zone); /* NULL allowed */
const char *cron_zone_name(const struct cron_zone *zone);

/* Many schedules share few zones: a set loads each name once. Thread: one at a time. */
struct cron_zones;
struct cron_zones *cron_zones_new(void); /* NULL when out of memory */
void cron_zones_free(struct cron_zones *set);
int cron_zones_load(struct cron_zones *set, const char *name, struct cron_zone **out, struct err *err);

struct cron_civil {
    int year, month, day; /* month 1-12, day 1-31 */
    int hour, minute, second;
    int weekday;              /* 0 = Sunday */
    int utc_offset;           /* seconds east of UTC */
    const char *abbreviation; /* "EST"; lives as long as the zone */
};

void cron_zone_civil(const struct cron_zone *zone, int64_t unix_s, struct cron_civil *out);

/* The first instant after unix_s at which the zone's offset changes; CRON_NEVER when none follows. */
int64_t cron_zone_next_change(const struct cron_zone *zone, int64_t unix_s);

/* A zeroed struct means: standard dialect, cronie DST policy, UTC, no H, no bounds. */
struct cron_options {
    enum cron_dialect dialect;
    enum cron_dst dst;
    struct cron_zone *zone;   /* borrowed; NULL = UTC. A TZ= or CRON_TZ= prefix takes precedence */
    struct cron_zones *zones; /* borrowed: where a prefix looks its zone up; NULL = loaded for itself */
    const char *hash_key;     /* what H is hashed from, say the job's name; NULL = H is refused */
    int64_t anchor;           /* @every d fires at anchor + k*d, for every integer k */
    int64_t start;            /* no slot before it; 0 = no bound */
    int64_t end;              /* no slot after it; 0 = no bound */
};

struct cron_error {
    size_t column, length; /* the place, in bytes, from 1; length may be 0 (something is missing there) */
    char message[256];     /* names the field, the range allowed, the fix */
};

struct cron_schedule;

/* Parses expr (len bytes, no NUL needed). 0, or ERR_INVALID or ERR_NOMEM with *error filled. An expression
 * that can never fire is an error, except in robfig-v1. */
int cron_parse(const char *expr, size_t len, const struct cron_options *options, struct cron_schedule **out,
               struct cron_error *error);
void cron_free(struct cron_schedule *schedule); /* NULL allowed */

/* The first slot strictly after, the last strictly before; CRON_NEVER when there is none. No allocation.
 * Each is the other's inverse, but near a transition under CRON_DST_ROBFIG: see README.md. */
int64_t cron_next(const struct cron_schedule *schedule, int64_t after);
int64_t cron_previous(const struct cron_schedule *schedule, int64_t before);

/* The same over several expressions of one job: the union of their slots. */
int64_t cron_set_next(struct cron_schedule *const *set, size_t count, int64_t after);
int64_t cron_set_previous(struct cron_schedule *const *set, size_t count, int64_t before);

/* Days that are allowed, by the clock of a schedule's zone, and where a slot on another day goes: to the same
 * wall time of the next or the previous allowed day; where that does not exist, right after the gap. Slots
 * that meet are one, one that finds no day within 31 is none. Outside the years CRON_YEAR_MIN to
 * CRON_YEAR_MAX no day is allowed. */
struct cron_days;
enum cron_move { CRON_MOVE_NEXT, CRON_MOVE_PREVIOUS };

/* years: six words for each year from CRON_YEAR_MIN on; bit n of them is its day n, January 1 is 0. NULL: out
 * of memory. References are counted as a zone's. */
struct cron_days *cron_days_new(const uint64_t *years, enum cron_move move);
struct cron_days *cron_days_ref(struct cron_days *days); /* NULL allowed, also below */
void cron_days_unref(struct cron_days *days);

/* Moves the schedule's slots, which holds a reference then. Only before anybody else has the schedule. */
void cron_move_days(struct cron_schedule *schedule, struct cron_days *days);

/* The first slot that was moved to this one; CRON_NEVER when it is where the expression has it. */
int64_t cron_moved_from(const struct cron_schedule *schedule, int64_t slot);

const struct cron_zone *cron_schedule_zone(const struct cron_schedule *schedule);

/* Appends plain English: "at 02:30 on Monday to Friday, New York time". 0 or ERR_NOMEM. */
int cron_describe(const struct cron_schedule *schedule, struct buf *out);

/* What daylight saving did to a slot. */
enum cron_effect {
    CRON_EFFECT_NONE,
    CRON_EFFECT_MOVED,  /* moved out of a gap: *wall is the time that does not exist */
    CRON_EFFECT_FIRST,  /* the first of two passes of the same wall time */
    CRON_EFFECT_SECOND, /* the second pass */
    CRON_EFFECT_LOST    /* the slot is as usual, but one before it was lost in a gap: *wall */
};

/* wall may be NULL; it is filled for MOVED and LOST, with the offset from before the gap. */
enum cron_effect cron_dst_effect(const struct cron_schedule *schedule, int64_t slot, struct cron_civil *wall);

/* Lint: what a schedule's author may not have meant. */
enum cron_warning {
    CRON_WARN_DAY_OR = 1, /* day of month and weekday are both restricted: OR, not AND */
    CRON_WARN_FIVE_FIELDS =
        2,                 /* the five fields are valid in robfig-v1 and in crontab, with another meaning */
    CRON_WARN_DST_GAP = 4, /* a fixed time falls in a gap within the five years after now */
    CRON_WARN_DST_OVERLAP = 8 /* a fixed time comes twice within the five years after now */
};

unsigned cron_warnings(const struct cron_schedule *schedule, int64_t now);
const char *cron_warning_text(enum cron_warning warning); /* static: says what happens and what to write */

#endif
