/* What the tests of core/cron share: parsing that must work, instants as text. */
#ifndef KS_TESTS_CRON_HELP_H
#define KS_TESTS_CRON_HELP_H

#include "cron/cron.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static inline struct cron_zone *must_load(const char *name) {
    struct cron_zone *zone = NULL;
    struct err err;
    if (cron_zone_load(name, &zone, &err))
        fail_msg("%s: %s", name, err.message);
    return zone;
}

static inline struct cron_schedule *must_parse(const char *expr, const struct cron_options *options) {
    struct cron_schedule *s = NULL;
    struct cron_error error;
    if (cron_parse(expr, strlen(expr), options, &s, &error))
        fail_msg("%s: column %zu: %s", expr, error.column, error.message);
    return s;
}

/* The same, but NULL when the expression is refused because it can never fire. */
static inline struct cron_schedule *parse_or_never(const char *expr, const struct cron_options *options) {
    struct cron_schedule *s = NULL;
    struct cron_error error;
    if (cron_parse(expr, strlen(expr), options, &s, &error) && !strstr(error.message, "never fires"))
        fail_msg("%s: column %zu: %s", expr, error.column, error.message);
    return s;
}

/* An RFC 3339 instant in unix seconds. */
static inline int64_t instant(const char *text) {
    char expr[64];
    struct cron_options options = {0};
    (void)snprintf(expr, sizeof expr, "@at %s", text);
    struct cron_schedule *s = must_parse(expr, &options);
    int64_t t = cron_next(s, INT64_MIN);
    cron_free(s);
    return t;
}

/* The reverse, in a zone. */
static inline const char *instant_text(const struct cron_zone *zone, int64_t t, char text[64]) {
    struct cron_civil c;
    if (t == CRON_NEVER)
        return "never";
    cron_zone_civil(zone, t, &c);
    int east = c.utc_offset < 0 ? -c.utc_offset : c.utc_offset;
    (void)snprintf(text, 64, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", c.year, c.month, c.day, c.hour,
                   c.minute, c.second, c.utc_offset < 0 ? '-' : '+', east / 3600, east / 60 % 60);
    return text;
}

#endif
