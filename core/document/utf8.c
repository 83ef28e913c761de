#include "document/utf8.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static bool between(unsigned char byte, unsigned low, unsigned high) {
    return byte >= low && byte <= high;
}

/* The bounds of the second byte depend on the first (RFC 3629, section 4). */
static bool second_fits(unsigned char first, unsigned char second) {
    switch (first) {
    case 0xE0:
        return between(second, 0xA0, 0xBF);
    case 0xED:
        return between(second, 0x80, 0x9F);
    case 0xF0:
        return between(second, 0x90, 0xBF);
    case 0xF4:
        return between(second, 0x80, 0x8F);
    default:
        return between(second, 0x80, 0xBF);
    }
}

/* Bytes of the character at s, 0 when it is not one. */
static size_t character(const unsigned char *s, size_t len) {
    if (s[0] < 0x80)
        return 1;
    size_t want = between(s[0], 0xC2, 0xDF)   ? 2
                  : between(s[0], 0xE0, 0xEF) ? 3
                  : between(s[0], 0xF0, 0xF4) ? 4
                                              : 0;
    if (want == 0 || want > len || !second_fits(s[0], s[1]))
        return 0;
    for (size_t i = 2; i < want; i++)
        if (!between(s[i], 0x80, 0xBF))
            return 0;
    return want;
}

/* How many bytes from s on are surely ASCII: it looks at eight at once. */
static size_t ascii(const unsigned char *s, size_t len) {
    size_t at = 0;
    for (uint64_t word; at + sizeof word <= len; at += sizeof word) {
        memcpy(&word, s + at, sizeof word);
        if (word & UINT64_C(0x8080808080808080))
            break;
    }
    return at;
}

size_t utf8_valid(const char *text, size_t len) {
    const unsigned char *s = (const unsigned char *)text;
    size_t at = ascii(s, len), bytes;
    while (at < len && (bytes = character(s + at, len - at)) > 0)
        at += bytes > 1 ? bytes : 1 + ascii(s + at + 1, len - at - 1);
    return at;
}

int utf8_append_repaired(struct buf *buf, const char *text, size_t len) {
    for (;;) {
        size_t good = utf8_valid(text, len);
        int rc = buf_append(buf, text, good);
        if (rc || good == len)
            return rc;
        if ((rc = buf_puts(buf, "\xEF\xBF\xBD")))
            return rc;
        text += good + 1;
        len -= good + 1;
    }
}
