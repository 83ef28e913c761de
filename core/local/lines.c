#include "local/lines.h"

#include <string.h>

/* The longest piece of at most LINE_MAX_BYTES that does not end inside a character. Bytes that are no UTF-8
 * anyway are cut anywhere. */
static size_t piece(const char *data) {
    size_t len = LINE_MAX_BYTES;
    for (int back = 0; back < 3 && ((unsigned char)data[len] & 0xc0) == 0x80; back++)
        len--;
    return ((unsigned char)data[len] & 0xc0) == 0x80 ? LINE_MAX_BYTES : len;
}

size_t lines_cut(const char *data, size_t len, bool last,
                 void (*line)(void *ctx, const char *line, size_t len), void *ctx) {
    size_t at = 0;
    while (at < len) {
        const char *end = memchr(data + at, '\n', len - at);
        size_t part = end ? (size_t)(end - data) - at : len - at;
        if (part > LINE_MAX_BYTES) {
            part = piece(data + at);
            end = NULL;
        } else if (!end && !last)
            break;
        line(ctx, data + at, part);
        at += part + (end != NULL);
    }
    return at;
}
