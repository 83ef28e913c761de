/* One field of the standard and the cronie dialect: lists of ranges with steps, names, and the special days
 * L, W and #. */
#include "cron/parse.h"

#include <string.h>

const struct field cron_fields[FIELDS] = {
    [FIELD_SECOND] = {"second", 0, 59, 59, NULL},
    [FIELD_MINUTE] = {"minute", 0, 59, 59, NULL},
    [FIELD_HOUR] = {"hour", 0, 23, 23, NULL},
    [FIELD_DAY] = {"day of month", 1, 31, 31, NULL},
    [FIELD_MONTH] = {"month", 1, 12, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    [FIELD_WEEKDAY] = {"weekday", 0, 6, 7, "sunmontuewedthufrisat"},
    [FIELD_YEAR] = {"year", CRON_YEAR_MIN, CRON_YEAR_MAX, CRON_YEAR_MAX, NULL},
};

static const struct field *field_of(const struct parser *p) {
    return &cron_fields[p->id];
}

static bool peek(const struct parser *p, char c) {
    return p->at < p->end && p->text[p->at] == c;
}

static bool take(struct parser *p, char c) {
    bool there = peek(p, c);
    p->at += there;
    return there;
}

static bool is_digit(const struct parser *p) {
    return p->at < p->end && p->text[p->at] >= '0' && p->text[p->at] <= '9';
}

/* Lower case, or 0 when it is no letter. */
static int letter_at(const struct parser *p, size_t at) {
    int c = at < p->end ? p->text[at] | 0x20 : 0;
    return c >= 'a' && c <= 'z' ? c : 0;
}

bool parse_number(struct parser *p, int *value) {
    if (!is_digit(p))
        return false;
    int n = 0;
    while (is_digit(p) && n <= 99999)
        n = n * 10 + (p->text[p->at++] - '0');
    *value = n;
    return n <= 99999;
}

void field_add(const struct field *field, struct field_set *set, int low, int high, int step) {
    int base = field->min == CRON_YEAR_MIN ? CRON_YEAR_MIN : 0;
    int period = field->max - field->min + 1;
    if (low > high)
        high += period;
    for (int v = low; v <= high; v += step) {
        unsigned bit = (unsigned)((v > field->accepted_max ? v - period : v) - base);
        set->bits[bit / 64] |= UINT64_C(1) << bit % 64;
    }
}

/* "0-59", or with names "1-12 or JAN-DEC". */
static const char *allowed(const struct parser *p) {
    static const char *const ranges[FIELDS] = {
        "0-59",     "0-59", "0-23", "1-31", "1-12 or JAN-DEC", "0-7 or SUN-SAT (0 and 7 are Sunday)",
        "1970-2199"};
    return ranges[p->id];
}

/* What the writer may have meant by a character that cannot stand here; NULL when that is not clear. */
static const char *hint(const struct parser *p) {
    switch (p->text[p->at]) {
    case ',':
        return "a value is missing before this comma; remove the comma";
    case '+':
        return "a number has no sign; remove the +";
    case '-':
        return "a range needs its first value, as 1-5";
    case '/':
        return "a step needs a range in front, as */5";
    case 'l':
    case 'w':
    case 'h':
        return "L, W and H are capital letters";
    case 'W':
        return "W follows one day of the month, as 15W";
    case 'L':
        return "L stands in the day of month, or behind one weekday, as FRIL";
    case '#':
        return "# follows one weekday, as FRI#2";
    default:
        return NULL;
    }
}

static int fail_syntax(struct parser *p) {
    const char *name = field_of(p)->name;
    if (p->at >= p->end)
        return parse_fail(p, p->at, 0, "%s: a value is missing here; allowed is %s", name, allowed(p));
    unsigned char c = (unsigned char)p->text[p->at];
    if (hint(p))
        return parse_fail(p, p->at, 1, "%s: unexpected '%c': %s", name, c, hint(p));
    if (c < ' ' || c > '~')
        return parse_fail(p, p->at, 1, "%s: unexpected byte 0x%02X; allowed is %s, with , - / and *", name, c,
                          allowed(p));
    return parse_fail(p, p->at, 1, "%s: unexpected '%c'; allowed is %s, with , - / and *", name,
                      p->text[p->at], allowed(p));
}

/* A name's value, -1 when the three letters are none. */
static int find_name(const struct parser *p) {
    const struct field *field = field_of(p);
    int a = letter_at(p, p->at), b = letter_at(p, p->at + 1), c = letter_at(p, p->at + 2);
    if (!field->names || !a || !b || !c)
        return -1;
    int value = field->min;
    for (const char *n = field->names; *n; n += 3, value++)
        if (n[0] == a && n[1] == b && n[2] == c)
            return value;
    return -1;
}

static int read_value(struct parser *p, int *value) {
    const struct field *field = field_of(p);
    size_t start = p->at;
    if (letter_at(p, p->at)) {
        *value = find_name(p);
        if (*value < 0)
            return fail_syntax(p);
        p->at += 3;
        return 0;
    }
    if (!is_digit(p))
        return fail_syntax(p);
    if (!parse_number(p, value) || *value < field->min || *value > field->accepted_max) {
        while (is_digit(p))
            p->at++;
        return parse_fail(p, start, p->at - start, "%s %.*s is out of range: write %s", field->name,
                          (int)(p->at - start > 20 ? 20 : p->at - start), p->text + start, allowed(p));
    }
    return 0;
}

/* "/n" if it is there. A step past the field's length would match one value only: say so. */
static int read_step(struct parser *p, struct field_set *set, int *step) {
    const struct field *field = field_of(p);
    *step = 1;
    if (!take(p, '/'))
        return 0;
    set->interval = true;
    size_t start = p->at;
    bool fits = parse_number(p, step);
    if (start == p->at)
        return parse_fail(p, start, 0, "%s: a step is missing after '/'; write a number from 1 to %d",
                          field->name, field->max - field->min + 1);
    if (fits && *step == 0)
        return parse_fail(p, start, p->at - start, "%s: step 0 never moves on; write 1 or more", field->name);
    if (!fits || *step > field->max - field->min + 1)
        return parse_fail(
            p, start, p->at - start,
            "%s: the step is longer than the whole field; write 1 to %d, or one value without a step",
            field->name, field->max - field->min + 1);
    return 0;
}

/* value, value-value, value/step, value-value/step */
static int read_range(struct parser *p, struct field_set *set, int low, size_t start) {
    const struct field *field = field_of(p);
    int high = low, step;
    bool range = take(p, '-');
    if (range && read_value(p, &high))
        return ERR_INVALID;
    if (!range && peek(p, '/'))
        high = field->max;
    size_t range_end = p->at;
    if (read_step(p, set, &step))
        return ERR_INVALID;
    if (low > high && low == field->accepted_max && p->id == FIELD_WEEKDAY)
        low = 0;
    if (low > high && p->id == FIELD_YEAR)
        return parse_fail(p, start, range_end - start, "year: the range runs backwards; write %d-%d", high,
                          low);
    field_add(field, set, low, high, step);
    return 0;
}

static int read_star(struct parser *p, struct field_set *set) {
    const struct field *field = field_of(p);
    int step;
    bool question = p->text[p->at++] == '?';
    if (question && p->id != FIELD_DAY && p->id != FIELD_WEEKDAY)
        return parse_fail(p, p->at - 1, 1, "%s: '?' belongs to the two day fields; write *", field->name);
    if (peek(p, '-'))
        return parse_fail(p, p->at - 1, 2, "%s: a range cannot start with a star; write %d-...", field->name,
                          field->min);
    set->interval = true;
    if (read_step(p, set, &step))
        return ERR_INVALID;
    set->star |= step == 1;
    field_add(field, set, field->min, field->max, step);
    return 0;
}

/* L, L-n, LW, L-nW in the day of month; the cursor stands behind the L. */
static int read_from_end(struct parser *p) {
    int back = 0;
    size_t start = p->at;
    if (take(p, '-') && (!parse_number(p, &back) || back > 30))
        return parse_fail(p, start, p->at - start,
                          "day of month: L-n counts back from the last day; n is 0-30");
    if (take(p, 'W'))
        p->special.end_weekday |= UINT32_C(1) << back;
    else
        p->special.from_end |= UINT32_C(1) << back;
    p->has_special = true;
    return 0;
}

static int read_nearest(struct parser *p, int day) {
    p->special.nearest |= UINT32_C(1) << (day & 31);
    p->has_special = true;
    return 0;
}

/* "#n" or "#L" behind a weekday; the cursor stands behind the '#'. */
static int read_nth(struct parser *p, int weekday) {
    int n = 0;
    size_t start = p->at;
    p->has_special = true;
    if (take(p, 'L')) {
        p->special.nth |= UINT64_C(1) << (35 + weekday);
        return 0;
    }
    if (!parse_number(p, &n) || n < 1 || n > 5)
        return parse_fail(p, start, p->at - start, "weekday: '#' takes 1-5, as FRI#2, or L for the last");
    p->special.nth |= UINT64_C(1) << ((n - 1) * 7 + weekday);
    return 0;
}

static int read_weekday(struct parser *p, struct field_set *set) {
    int value = 0;
    size_t start = p->at;
    if (peek(p, 'L'))
        return parse_fail(p, start, 1, "weekday: L alone has no day; write FRIL or 5L for the last Friday");
    if (read_value(p, &value))
        return ERR_INVALID;
    if (take(p, '#'))
        return read_nth(p, value % 7);
    if (take(p, 'L')) {
        p->special.nth |= UINT64_C(1) << (35 + value % 7);
        p->has_special = true;
        return 0;
    }
    return read_range(p, set, value, start);
}

static int read_item(struct parser *p, struct field_set *set) {
    int value = 0;
    size_t start = p->at;
    if (peek(p, '*') || peek(p, '?'))
        return read_star(p, set);
    if (peek(p, 'H'))
        return parse_hash(p, set);
    if (p->id == FIELD_WEEKDAY)
        return read_weekday(p, set);
    if (p->id == FIELD_DAY && take(p, 'L'))
        return read_from_end(p);
    if (read_value(p, &value))
        return ERR_INVALID;
    if (p->id == FIELD_DAY && take(p, 'W'))
        return read_nearest(p, value);
    return read_range(p, set, value, start);
}

static void fold_sunday(struct field_set *set) {
    set->bits[0] = (set->bits[0] | set->bits[0] >> 7) & 0x7F;
}

int parse_field(struct parser *p, struct field_set *set) {
    bool starts_with_star = peek(p, '*');
    if (p->id == FIELD_WEEKDAY && (take(p, '&') || take(p, '+')))
        p->explicit_and = true;
    do {
        if (read_item(p, set))
            return ERR_INVALID;
    } while (take(p, ','));
    if (p->at < p->end)
        return fail_syntax(p);
    if (p->id == FIELD_WEEKDAY)
        fold_sunday(set);
    if (p->options->dialect == CRON_CRONIE) { /* cronie looks at the first character only */
        set->star = starts_with_star;
        set->interval = starts_with_star;
    }
    return 0;
}
