/* Zone files in the format of RFC 8536, versions 1 to 4. Every count and index is checked against the bytes
 * there are: a broken file is an error, never a crash. */
#include "cron/calendar.h"
#include "cron/cron.h"
#include "cron/zone.h"

#include <stdbool.h>
#include <string.h>

#define HEADER_SIZE 44
#define MAX_TYPES 250 /* two more come from the rule, and an index is one byte */
#define MAX_TIMES                                                                                            \
    60000 /* real zones have up to 300; 800 more come from the rule, and a hint is two bytes                 \
           */

struct header {
    char version;
    uint32_t isut, isstd, leap, times, types, chars;
};

/* The bytes of one data block, by part. */
struct block {
    const unsigned char *times, *indexes, *types, *chars;
    size_t time_size, size;
};

struct input {
    const unsigned char *data;
    size_t len;
};

static uint32_t read_u32(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_time(const unsigned char *p, size_t size) {
    if (size == 4)
        return (int32_t)read_u32(p);
    return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

static bool read_header(struct input *in, struct header *h) {
    if (in->len < HEADER_SIZE || memcmp(in->data, "TZif", 4) != 0)
        return false;
    const unsigned char *p = in->data + 20;
    *h = (struct header){(char)in->data[4], read_u32(p),      read_u32(p + 4), read_u32(p + 8),
                         read_u32(p + 12),  read_u32(p + 16), read_u32(p + 20)};
    in->data += HEADER_SIZE;
    in->len -= HEADER_SIZE;
    return true;
}

/* Lays the block out; false when the bytes do not suffice. Sums are in 64 bits: six counts of 32 bits times
 * at most 12 cannot overflow. */
static bool lay_out(const struct input *in, const struct header *h, size_t time_size, struct block *b) {
    uint64_t times = (uint64_t)h->times * time_size;
    uint64_t types = (uint64_t)h->types * 6;
    uint64_t size =
        times + h->times + types + h->chars + (uint64_t)h->leap * (time_size + 4) + h->isstd + h->isut;
    if (size > in->len)
        return false;
    b->times = in->data;
    b->indexes = b->times + times;
    b->types = b->indexes + h->times;
    b->chars = b->types + types;
    b->time_size = time_size;
    b->size = (size_t)size;
    return true;
}

static int add_types(struct cron_zone *zone, const struct header *h, const struct block *b, struct err *err) {
    for (uint32_t i = 0; i < h->types; i++) {
        const unsigned char *p = b->types + (size_t)i * 6;
        int32_t offset = (int32_t)read_u32(p);
        if (offset < -93599 || offset > 93599) /* RFC 8536: between -25 and 26 hours; we allow 26 both ways */
            return err_set(err, ERR_INVALID, "its type %u is %d seconds off UTC", i, offset);
        const char *name = (const char *)b->chars + p[5];
        if (p[5] >= h->chars || !memchr(name, '\0', h->chars - p[5]))
            return err_set(err, ERR_INVALID, "its type %u has no abbreviation", i);
        if (zone_add_type(zone, offset, name, strlen(name)))
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    return 0;
}

/* Transitions must ascend; those outside the years 1 to 9999 are folded onto the edges. */
static int add_spans(struct cron_zone *zone, const struct header *h, const struct block *b, int64_t *last,
                     struct err *err) {
    *last = INT64_MIN;
    for (uint32_t i = 0; i < h->times; i++) {
        int64_t at = read_time(b->times + i * b->time_size, b->time_size);
        if ((i && at <= *last) || b->indexes[i] >= h->types)
            return err_set(err, ERR_INVALID, "its transition %u is out of order or has no type", i);
        *last = at;
        if (at > WALL_MAX)
            continue;
        if (at < WALL_MIN)
            zone->type[0] = b->indexes[i];
        else if (zone_add_span(zone, at, b->indexes[i]))
            return err_set(err, ERR_NOMEM, "out of memory");
    }
    return 0;
}

/* The rule stands between two newlines behind the second block. */
static int add_footer(struct cron_zone *zone, const struct input *in, int64_t last, struct err *err) {
    if (in->len == 0 || in->data[0] != '\n')
        return err_set(err, ERR_INVALID, "its footer is missing");
    const char *rule = (const char *)in->data + 1;
    const char *end = memchr(rule, '\n', in->len - 1);
    if (!end)
        return err_set(err, ERR_INVALID, "its footer has no end");
    return zone_add_rule(zone, last, rule, (size_t)(end - rule), err);
}

/* Version 1 has one block with times of 32 bits; later ones repeat it with 64 bits. */
static int find_block(struct input *in, struct header *h, struct block *b, struct err *err) {
    if (!read_header(in, h))
        return err_set(err, ERR_INVALID, "it is not a zone file (TZif)");
    bool ok = lay_out(in, h, 4, b);
    if (ok && h->version >= '2') {
        in->data += b->size;
        in->len -= b->size;
        ok = read_header(in, h) && lay_out(in, h, 8, b);
    }
    if (!ok)
        return err_set(err, ERR_INVALID, "it is cut short");
    if (h->leap)
        return err_set(err, ERR_INVALID, "it counts leap seconds: use the zone outside right/");
    if (h->times > MAX_TIMES)
        return err_set(err, ERR_LIMIT, "it has %u transitions, more than %d", h->times, MAX_TIMES);
    if (h->types == 0 || h->types > MAX_TYPES)
        return err_set(err, ERR_INVALID, "it has %u types, expected 1 to %d", h->types, MAX_TYPES);
    return 0;
}

static int fill(struct cron_zone *zone, struct input *in, struct err *err) {
    struct header h = {0};
    struct block b = {0};
    int64_t last = INT64_MIN;
    int rc = find_block(in, &h, &b, err);
    if (!rc)
        rc = add_types(zone, &h, &b, err);
    if (!rc)
        rc = add_spans(zone, &h, &b, &last, err);
    if (rc || h.version < '2')
        return rc;
    in->data += b.size;
    in->len -= b.size;
    return add_footer(zone, in, last, err);
}

int cron_zone_from_tzif(const char *name, const void *data, size_t len, struct cron_zone **out,
                        struct err *err) {
    struct input in = {data, len};
    struct cron_zone *zone = zone_new(name);
    if (!zone)
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = fill(zone, &in, err);
    if (rc) {
        cron_zone_unref(zone);
        return rc;
    }
    zone_finish(zone);
    *out = zone;
    return 0;
}
