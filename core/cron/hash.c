/* H: a value chosen by a stable hash, so that many jobs "once an hour" do not meet in one minute. The choice
 * depends on the key and the field only; it must never change between releases. */
#include "cron/parse.h"

static bool take(struct parser *p, char c) {
    bool there = p->at < p->end && p->text[p->at] == c;
    p->at += there;
    return there;
}

/* FNV-1a over the key and the field's number, then the finalizer of MurmurHash3: FNV's low bits are weak. */
static uint64_t hash_of(const char *key, enum field_id id) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (; *key; key++)
        h = (h ^ (unsigned char)*key) * UINT64_C(0x100000001b3);
    h = (h ^ (unsigned)id) * UINT64_C(0x100000001b3);
    h = (h ^ h >> 33) * UINT64_C(0xff51afd7ed558ccd);
    h = (h ^ h >> 33) * UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ h >> 33;
}

/* "(low-high)" if it is there. */
static int read_bounds(struct parser *p, int *low, int *high) {
    const struct field *field = &cron_fields[p->id];
    size_t start = p->at;
    if (!take(p, '('))
        return 0;
    int min = *low, max = *high;
    if (parse_number(p, low) && take(p, '-') && parse_number(p, high) && take(p, ')') && *low >= min &&
        *low <= *high && *high <= max)
        return 0;
    return parse_fail(p, start, p->at - start, "%s: write H(a-b) with %d <= a <= b <= %d", field->name, min,
                      max);
}

int parse_hash(struct parser *p, struct field_set *set) {
    const struct field *field = &cron_fields[p->id];
    size_t start = p->at++;
    int low = field->min, high = p->id == FIELD_DAY ? 28 : field->max, step = 0; /* every month has a 28th */
    if (!p->options->hash_key)
        return parse_fail(p, start, 1, "%s: H needs a name to hash, and there is none here; write a number",
                          field->name);
    if (p->id == FIELD_YEAR)
        return parse_fail(p, start, 1, "year: H would pick a single year; write it");
    if (read_bounds(p, &low, &high))
        return ERR_INVALID;
    uint64_t hash = hash_of(p->options->hash_key, p->id);
    int span = high - low + 1;
    if (!take(p, '/')) {
        low += (int)(hash % (uint64_t)span);
        field_add(field, set, low, low, 1);
        return 0;
    }
    start = p->at;
    if (!parse_number(p, &step) || step < 1 || step > span)
        return parse_fail(p, start, p->at - start, "%s: the step of H must be 1 to %d", field->name, span);
    set->interval = true;
    field_add(field, set, low + (int)(hash % (uint64_t)step), high, step);
    return 0;
}
