/* One field as robfig/cron v1 reads it, with all that it lets pass: *-10, +5, 05, "1,,2", ",", steps longer
 * than the field. */
#include "cron/parse.h"

#include <string.h>

struct piece {
    size_t at, end;
};

/* The piece up to the next separator; moves *at behind the separator. false when nothing is left. */
static bool next_piece(const char *text, size_t *at, size_t end, char separator, struct piece *piece) {
    if (*at > end)
        return false;
    const char *found = memchr(text + *at, separator, end - *at);
    piece->at = *at;
    piece->end = found ? (size_t)(found - text) : end;
    *at = piece->end + 1;
    return true;
}

static size_t count_pieces(const char *text, struct piece piece, char separator) {
    size_t count = 0, at = piece.at;
    struct piece ignored;
    while (next_piece(text, &at, piece.end, separator, &ignored))
        count++;
    return count;
}

static int fail_range(struct parser *p, struct piece piece) {
    const struct field *field = &cron_fields[p->id];
    return parse_fail(p, piece.at, piece.end - piece.at,
                      "%s: robfig-v1 takes %d-%d%s here, alone, as a range a-b, or with a step /n",
                      field->name, field->min, field->max, field->names ? " or a name of three letters" : "");
}

/* An optional sign and digits. Negative is refused, and -0 is not. Values beyond any field stay beyond it. */
static bool to_number(const char *text, struct piece piece, int *value) {
    size_t at = piece.at;
    bool negative = at < piece.end && text[at] == '-';
    if (negative || (at < piece.end && text[at] == '+'))
        at++;
    if (at == piece.end)
        return false;
    int n = 0;
    for (; at < piece.end; at++) {
        if (text[at] < '0' || text[at] > '9')
            return false;
        n = n > 99999 ? n : n * 10 + (text[at] - '0');
    }
    *value = n;
    return !negative || n == 0;
}

static bool to_value(const struct parser *p, struct piece piece, int *value) {
    const struct field *field = &cron_fields[p->id];
    *value = field->min;
    for (const char *n = field->names; n && *n && piece.end - piece.at == 3; n += 3, ++*value)
        if (strncasecmp(n, p->text + piece.at, 3) == 0)
            return true;
    return to_number(p->text, piece, value);
}

static bool is_star(const char *text, struct piece piece) {
    return piece.end - piece.at == 1 && (text[piece.at] == '*' || text[piece.at] == '?');
}

/* low[-high]; behind a star anything may stand. */
static int read_bounds(struct parser *p, struct field_set *set, struct piece piece, int *low, int *high) {
    const struct field *field = &cron_fields[p->id];
    struct piece first = {0}, second = {0};
    size_t at = piece.at, pieces = count_pieces(p->text, piece, '-');
    (void)next_piece(p->text, &at, piece.end, '-', &first);
    *low = field->min;
    *high = field->max;
    if (is_star(p->text, first)) {
        set->star = set->interval = true;
        return 0;
    }
    if (pieces > 2 || !to_value(p, first, low))
        return fail_range(p, piece);
    *high = *low;
    if (next_piece(p->text, &at, piece.end, '-', &second) && !to_value(p, second, high))
        return fail_range(p, piece);
    return 0;
}

static int read_item(struct parser *p, struct field_set *set, struct piece item) {
    const struct field *field = &cron_fields[p->id];
    struct piece range = {0}, steps = {0};
    size_t at = item.at;
    int low, high, step = 1;
    (void)next_piece(p->text, &at, item.end, '/', &range);
    if (read_bounds(p, set, range, &low, &high))
        return ERR_INVALID;
    if (next_piece(p->text, &at, item.end, '/', &steps)) {
        set->interval = true;
        if (count_pieces(p->text, item, '/') > 2 || !to_number(p->text, steps, &step) || step == 0)
            return parse_fail(p, steps.at, item.end - steps.at, "%s: write one step of 1 or more",
                              field->name);
        if (count_pieces(p->text, range, '-') == 1)
            high = field->max;
    }
    if (low < field->min || low > high || high > field->max)
        return fail_range(p, item);
    field_add(field, set, low, high, step);
    return 0;
}

int parse_field_robfig(struct parser *p, struct field_set *set) {
    struct piece item = {0};
    while (next_piece(p->text, &p->at, p->end, ',', &item))
        if (item.end > item.at && read_item(p, set, item))
            return ERR_INVALID;
    return 0;
}
