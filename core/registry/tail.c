#include "registry/tail.h"

#include <stdlib.h>
#include <string.h>

struct tail {
    size_t first, count, bytes;
    struct {
        char *text;
        size_t len;
    } lines[TAIL_LINES];
};

static void drop_oldest(struct tail *tail) {
    size_t at = tail->first;
    tail->bytes -= tail->lines[at].len;
    free(tail->lines[at].text);
    tail->first = (at + 1) % TAIL_LINES;
    tail->count--;
}

void tail_add(struct tail **tail, const char *line, size_t len) {
    if (!*tail && !(*tail = calloc(1, sizeof **tail)))
        return;
    struct tail *t = *tail;
    if (len > TAIL_BYTES)
        len = TAIL_BYTES;
    char *text = malloc(len + 1);
    if (!text)
        return;
    memcpy(text, line, len);
    text[len] = '\0';
    while (t->count == TAIL_LINES || (t->count > 0 && t->bytes + len > TAIL_BYTES))
        drop_oldest(t);
    size_t at = (t->first + t->count) % TAIL_LINES;
    t->lines[at].text = text;
    t->lines[at].len = len;
    t->bytes += len;
    t->count++;
}

size_t tail_count(const struct tail *tail) {
    return tail ? tail->count : 0;
}

const char *tail_line(const struct tail *tail, size_t index, size_t *len) {
    size_t at = (tail->first + index) % TAIL_LINES;
    *len = tail->lines[at].len;
    return tail->lines[at].text;
}

void tail_free(struct tail *tail) {
    if (!tail)
        return;
    while (tail->count > 0)
        drop_oldest(tail);
    free(tail);
}
