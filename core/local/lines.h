/* Cuts a stream of bytes into lines. Thread: one at a time. */
#ifndef KS_LOCAL_LINES_H
#define KS_LOCAL_LINES_H

#include <stdbool.h>
#include <stddef.h>

enum { LINE_MAX_BYTES = 16 << 10 }; /* longer lines come in pieces, split between UTF-8 characters */

/* Calls line for each that data holds, without its line end, and gives the bytes used. What is left is the
 * beginning of a line that has not ended yet; with `last` nothing is left. */
size_t lines_cut(const char *data, size_t len, bool last,
                 void (*line)(void *ctx, const char *line, size_t len), void *ctx);

#endif
