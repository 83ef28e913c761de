/* The last lines of a run's output, for alerts and hooks: at most TAIL_LINES and TAIL_BYTES. */
#ifndef KS_REGISTRY_TAIL_H
#define KS_REGISTRY_TAIL_H

#include <stddef.h>

enum { TAIL_LINES = 50, TAIL_BYTES = 16 << 10 };

struct tail; /* NULL is an empty tail */

/* Makes *tail on first use. Out of memory loses the line: a tail is best effort. */
void tail_add(struct tail **tail, const char *line, size_t len);
size_t tail_count(const struct tail *tail);
const char *tail_line(const struct tail *tail, size_t index, size_t *len); /* the oldest is 0 */
void tail_free(struct tail *tail);

#endif
