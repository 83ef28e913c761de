/* A growable byte buffer. Always NUL-terminated after the first append, so data can be printed; len does
 * not count the NUL. The owner calls buf_free. Functions return 0 or ERR_NOMEM, and then leave the buffer
 * as it was. A zeroed struct buf is an empty buffer. Thread: one at a time. */
#ifndef KS_BASE_BUF_H
#define KS_BASE_BUF_H

#include <stddef.h>

struct buf {
    char *data; /* NULL while empty */
    size_t len, capacity;
};

int buf_reserve(struct buf *buf, size_t more); /* room for `more` bytes behind len, and a NUL */
int buf_append(struct buf *buf, const void *data, size_t len);
int buf_puts(struct buf *buf, const char *text);
int buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_consume(struct buf *buf, size_t len); /* drops the first len bytes */
void buf_clear(struct buf *buf);               /* empty, memory kept */
void buf_free(struct buf *buf);                /* empty, memory released */
/* Hands the bytes (NUL-terminated, to be freed with free) to the caller and empties buf; NULL when out of
 * memory. An empty buffer gives "". */
char *buf_take(struct buf *buf);

#endif
