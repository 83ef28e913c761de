/* A whole expression: zone prefix, @words, the split into fields, and what the fields mean together. */
#include "cron/parse.h"

#include "cron/calendar.h"
#include "cron/zone.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LEN 1024
#define CHECK_FROM INT64_C(-1) /* any instant will do: the check looks at a whole cycle of 400 years */

int parse_fail(struct parser *p, size_t at, size_t length, const char *format, ...) {
    va_list args;
    va_start(args, format);
    p->error->column = at + 1;
    p->error->length = length;
    (void)vsnprintf(p->error->message, sizeof p->error->message, format, args);
    va_end(args);
    return ERR_INVALID;
}

struct words {
    size_t count;
    size_t start[FIELDS + 1], end[FIELDS + 1];
};

static bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static void trim(struct parser *p) {
    while (p->at < p->end && is_space(p->text[p->at]))
        p->at++;
    while (p->end > p->at && is_space(p->text[p->end - 1]))
        p->end--;
}

/* Splits text[at, end); words beyond what fits are counted only. */
static void split(const struct parser *p, struct words *words) {
    words->count = 0;
    for (size_t at = p->at; at < p->end;) {
        size_t start = at;
        while (at < p->end && !is_space(p->text[at]))
            at++;
        if (words->count <= FIELDS) {
            words->start[words->count] = start;
            words->end[words->count] = at;
        }
        words->count++;
        while (at < p->end && is_space(p->text[at]))
            at++;
    }
}

/* Go, and so robfig, splits at any white space; crontab and OCPS at spaces and tabs. */
static int check_one_line(struct parser *p) {
    for (size_t at = p->at; at < p->end && p->options->dialect != CRON_ROBFIG_V1; at++)
        if (p->text[at] >= '\n' && p->text[at] <= '\r')
            return parse_fail(p, at, 1, "an expression is one line; separate its fields by spaces");
    return 0;
}

static int fail_count(struct parser *p, const struct words *words) {
    bool robfig = p->options->dialect == CRON_ROBFIG_V1;
    size_t most = robfig ? 6 : FIELDS;
    const char *expected =
        robfig ? "5 or 6 fields: second minute hour day month [weekday]"
               : "5 fields: minute hour day month weekday (6 start with seconds, 7 end with a year)";
    if (words->count == 0)
        return parse_fail(p, p->at, 0, "the expression is empty; expected %s", expected);
    if (words->count > most)
        return parse_fail(p, words->start[most], p->end - words->start[most],
                          "%zu fields are too many; expected %s", words->count, expected);
    return parse_fail(p, p->end, 0, "%zu field%s too few; expected %s", words->count,
                      words->count == 1 ? " is" : "s are", expected);
}

/* Which field comes first, and whether the number of fields is right. */
static int first_field(struct parser *p, const struct words *words, enum field_id *first) {
    bool robfig = p->options->dialect == CRON_ROBFIG_V1;
    if (words->count < 5 || words->count > (robfig ? 6 : FIELDS))
        return fail_count(p, words);
    *first = words->count == 5 && !robfig ? FIELD_MINUTE : FIELD_SECOND;
    return 0;
}

static int read_fields(struct parser *p, const struct words *words, struct field_set sets[FIELDS]) {
    enum field_id first = FIELD_MINUTE;
    if (first_field(p, words, &first))
        return ERR_INVALID;
    for (size_t i = 0; i < words->count; i++) {
        p->id = (enum field_id)((size_t)first + i);
        p->at = words->start[i];
        p->end = words->end[i];
        struct field_set *set = &sets[p->id];
        if (p->options->dialect == CRON_ROBFIG_V1 ? parse_field_robfig(p, set) : parse_field(p, set))
            return ERR_INVALID;
    }
    if (first == FIELD_MINUTE)
        sets[FIELD_SECOND].bits[0] = 1;
    if (words->count == 5 && first == FIELD_SECOND) { /* robfig-v1 without a weekday */
        sets[FIELD_WEEKDAY].bits[0] = 0x7F;
        sets[FIELD_WEEKDAY].star = true;
    }
    return 0;
}

/* Do the same five fields parse in the dialect that starts at the other field? */
static bool is_ambiguous(const struct parser *p, const struct words *words) {
    struct cron_error ignored;
    struct cron_options options = *p->options;
    struct parser other = {.text = p->text, .options = &options, .error = &ignored};
    struct field_set sets[FIELDS] = {0};
    options.dialect = options.dialect == CRON_ROBFIG_V1 ? CRON_STANDARD : CRON_ROBFIG_V1;
    return words->count == 5 && read_fields(&other, words, sets) == 0;
}

static void compile(struct parser *p, const struct field_set sets[FIELDS], struct cron_schedule *s) {
    bool day_star = sets[FIELD_DAY].star || sets[FIELD_WEEKDAY].star;
    s->seconds = sets[FIELD_SECOND].bits[0];
    s->minutes = sets[FIELD_MINUTE].bits[0];
    s->hours = (uint32_t)sets[FIELD_HOUR].bits[0];
    s->days = (uint32_t)sets[FIELD_DAY].bits[0];
    s->months = (uint16_t)sets[FIELD_MONTH].bits[0];
    s->weekdays = (uint8_t)sets[FIELD_WEEKDAY].bits[0];
    s->fixed = !sets[FIELD_MINUTE].interval && !sets[FIELD_HOUR].interval;
    s->day_and = day_star || p->explicit_and;
    s->kind = s->seconds && s->minutes && s->hours && s->months ? KIND_FIELDS : KIND_EMPTY;
    memcpy(p->special.years, sets[FIELD_YEAR].bits, sizeof p->special.years);
    const uint64_t *years = p->special.years;
    p->special.has_years = years[0] || years[1] || years[2] || years[3];
    p->has_special |= p->special.has_years;
}

/* Decided over a whole Gregorian cycle, in which every date falls on every weekday it ever will. */
static int check_fires(struct parser *p, const struct words *words, struct cron_schedule *s) {
    s->special = p->has_special ? &p->special : NULL;
    bool fires = s->kind == KIND_FIELDS && cron_wall_next(s, CHECK_FROM) != CRON_NEVER;
    s->special = NULL;
    if (fires)
        return 0;
    if (p->options->dialect == CRON_ROBFIG_V1) {
        s->kind = KIND_EMPTY;
        return 0;
    }
    size_t day = words->count == 5 ? 2 : 3; /* the field to look at first */
    return parse_fail(
        p, words->start[day], words->end[day] - words->start[day],
        "day of month: this never fires, as no month and year of the expression has such a day; "
        "February has 1-29, April, June, September and November 1-30");
}

static int parse_fields(struct parser *p, struct cron_schedule *s) {
    struct words words = {0};
    struct field_set sets[FIELDS] = {0};
    split(p, &words);
    if (read_fields(p, &words, sets))
        return ERR_INVALID;
    compile(p, sets, s);
    s->ambiguous = is_ambiguous(p, &words);
    return check_fires(p, &words, s);
}

struct nickname {
    const char *word, *fields;
};

static const struct nickname nicknames[] = {
    {"@yearly", "0 0 0 1 1 *"}, {"@annually", "0 0 0 1 1 *"}, {"@monthly", "0 0 0 1 * *"},
    {"@weekly", "0 0 0 * * 0"}, {"@daily", "0 0 0 * * *"},    {"@midnight", "0 0 0 * * *"},
    {"@hourly", "0 0 * * * *"},
};

static bool word_is(const struct parser *p, size_t len, const char *word) {
    return strlen(word) == len && memcmp(p->text + p->at, word, len) == 0;
}

static int parse_nickname(struct parser *p, size_t len, struct cron_schedule *s) {
    for (size_t i = 0; i < sizeof nicknames / sizeof *nicknames; i++) {
        if (!word_is(p, len, nicknames[i].word))
            continue;
        p->text = nicknames[i].fields;
        p->at = 0;
        p->end = strlen(p->text);
        return parse_fields(p, s);
    }
    return parse_fail(p, p->at, len,
                      "unknown word; write @yearly, @monthly, @weekly, @daily, @hourly, @every 1h30m or "
                      "@at 2030-01-31T09:00:00Z, in lower case");
}

/* @word alone, or @word and its argument. */
static int parse_word(struct parser *p, struct cron_schedule *s) {
    size_t len = 0, word = p->at;
    bool robfig = p->options->dialect == CRON_ROBFIG_V1;
    while (word + len < p->end && !is_space(p->text[word + len]))
        len++;
    size_t argument = word + len;
    while (argument < p->end && is_space(p->text[argument]))
        argument++;
    bool every = word_is(p, len, "@every"), at = !robfig && word_is(p, len, "@at");
    if (every || at) {
        p->at = argument;
        return every ? parse_every(p, s) : parse_at(p, s);
    }
    if (word_is(p, len, "@reboot"))
        return parse_fail(p, word, len,
                          "@reboot has no time to schedule, and a restarted daemon must not run jobs twice; "
                          "trigger the job by hand, or write @at");
    if (argument < p->end)
        return parse_fail(p, argument, p->end - argument, "nothing may follow this word; remove the rest");
    return parse_nickname(p, len, s);
}

static size_t zone_prefix(const struct parser *p) {
    static const char *const prefixes[] = {"TZ=", "CRON_TZ="};
    for (size_t i = 0; i < 2; i++) {
        size_t len = strlen(prefixes[i]);
        if (p->end - p->at >= len && memcmp(p->text + p->at, prefixes[i], len) == 0)
            return len;
    }
    return 0;
}

static int load_zone(struct parser *p, size_t start, size_t len, struct cron_zone **zone) {
    char name[256];
    struct err err;
    if (len >= sizeof name)
        return parse_fail(p, start, len, "time zone: the name is too long");
    memcpy(name, p->text + start, len);
    name[len] = '\0';
    const struct cron_zone *given = p->options->zone;
    if (given && strcmp(name, cron_zone_name(given)) == 0) {
        *zone = cron_zone_ref(p->options->zone);
        return 0;
    }
    int rc = p->options->zones ? cron_zones_load(p->options->zones, name, zone, &err)
                               : cron_zone_load(name, zone, &err);
    if (rc)
        (void)parse_fail(p, start, len, "%.*s", (int)sizeof p->error->message - 1, err.message);
    return rc == 0 || rc == ERR_NOMEM ? rc : ERR_INVALID;
}

/* TZ=name or CRON_TZ=name in front; robfig-v1 does not know it. */
static int read_zone(struct parser *p, struct cron_zone **zone) {
    size_t prefix = zone_prefix(p), start = p->at + prefix, len = 0;
    if (prefix && p->options->dialect == CRON_ROBFIG_V1)
        return parse_fail(p, p->at, prefix,
                          "robfig-v1 takes no time zone in the expression; set the job's timezone");
    if (prefix) {
        while (start + len < p->end && !is_space(p->text[start + len]))
            len++;
        p->at = start + len;
        trim(p);
        return load_zone(p, start, len, zone);
    }
    *zone = cron_zone_ref(p->options->zone ? p->options->zone : zone_utc());
    return 0;
}

static int64_t within(int64_t t) {
    if (t < WALL_MIN)
        return WALL_MIN;
    return t > WALL_MAX ? WALL_MAX : t;
}

/* One allocation: the schedule, and behind it its special fields if it has any. */
static struct cron_schedule *allocate(const struct parser *p, const struct cron_schedule *compiled) {
    size_t extra = p->has_special ? sizeof p->special : 0;
    struct cron_schedule *s = malloc(sizeof *s + extra);
    if (!s)
        return NULL;
    *s = *compiled;
    s->dst = (uint8_t)p->options->dst;
    s->start = p->options->start ? within(p->options->start) : WALL_MIN;
    s->end = p->options->end ? within(p->options->end) : WALL_MAX;
    if (extra) {
        s->special = (struct cron_special *)(s + 1);
        *s->special = p->special;
    }
    return s;
}

static int parse_trimmed(struct parser *p, struct cron_schedule **out) {
    struct cron_schedule compiled = {0};
    int rc = read_zone(p, &compiled.zone);
    if (!rc)
        rc = p->at < p->end && p->text[p->at] == '@' ? parse_word(p, &compiled) : parse_fields(p, &compiled);
    *out = rc ? NULL : allocate(p, &compiled);
    if (!rc && !*out) {
        (void)parse_fail(p, 0, 0, "out of memory");
        rc = ERR_NOMEM;
    }
    if (rc)
        cron_zone_unref(compiled.zone);
    return rc;
}

int cron_parse(const char *expr, size_t len, const struct cron_options *options, struct cron_schedule **out,
               struct cron_error *error) {
    struct parser p = {.text = expr, .end = len, .options = options, .error = error};
    *out = NULL;
    if (len > MAX_LEN)
        return parse_fail(&p, MAX_LEN, len - MAX_LEN, "the expression is longer than %d bytes", MAX_LEN);
    trim(&p);
    return check_one_line(&p) ? ERR_INVALID : parse_trimmed(&p, out);
}

void cron_free(struct cron_schedule *s) {
    if (!s)
        return;
    cron_zone_unref(s->zone);
    cron_days_unref(s->moved);
    free(s);
}
