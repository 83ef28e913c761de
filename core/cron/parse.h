/* What the files that parse expressions share. For core/cron only. */
#ifndef KS_CRON_PARSE_H
#define KS_CRON_PARSE_H

#include "cron/schedule.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum field_id {
    FIELD_SECOND,
    FIELD_MINUTE,
    FIELD_HOUR,
    FIELD_DAY,
    FIELD_MONTH,
    FIELD_WEEKDAY,
    FIELD_YEAR,
    FIELDS
};

struct field {
    const char *name;
    int min, max;      /* what * means */
    int accepted_max;  /* weekday 7 is Sunday too */
    const char *names; /* three letters each, from min on, or NULL */
};

extern const struct field cron_fields[FIELDS];

/* A field's values: bit v for value v; for years bit v - CRON_YEAR_MIN. */
struct field_set {
    uint64_t bits[4];
    bool star;     /* some item is * or ?, so the field does not restrict */
    bool interval; /* some item is a star or has a step: not a fixed time */
};

/* An expression being read: text[at, end) is what is left of the current field. */
struct parser {
    const char *text;
    size_t at, end;
    enum field_id id;
    const struct cron_options *options;
    struct cron_error *error;
    struct cron_special special;
    bool has_special;
    bool explicit_and; /* the weekday field starts with & or + */
};

/* Fills the error for text[at, at + length) and returns ERR_INVALID. */
int parse_fail(struct parser *p, size_t at, size_t length, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Reads the current field into *set (zeroed by the caller), and special days into p->special. */
int parse_field(struct parser *p, struct field_set *set);
int parse_field_robfig(struct parser *p, struct field_set *set);

/* Reads an unsigned decimal that fits 0..99999; false when there is none or it is larger. */
bool parse_number(struct parser *p, int *value);

/* H, H(a-b), H/n, H(a-b)/n: values spread by a hash of options->hash_key and the field. */
int parse_hash(struct parser *p, struct field_set *set);

/* Adds every step-th value of low..high, wrapping over the field's end when low > high. */
void field_add(const struct field *field, struct field_set *set, int low, int high, int step);

/* @every and @at: the text behind the word. */
int parse_every(struct parser *p, struct cron_schedule *s);
int parse_at(struct parser *p, struct cron_schedule *s);

#endif
