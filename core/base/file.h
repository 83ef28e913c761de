/* Small files and directories that only their owner may read. Blocking: at start, on a worker thread, or for
 * a few bytes. Errors name the path. Thread: any. */
#ifndef KS_BASE_FILE_H
#define KS_BASE_FILE_H

#include "base/buf.h"
#include "base/err.h"

/* Makes the directory and its missing parents, mode 0700; one that is there is left as it is. */
int dir_make(const char *path, struct err *err);

/* Appends the whole file, which is in the directory open as dir (or AT_FDCWD). ERR_NOTFOUND when it does not
 * exist, ERR_LIMIT when it is larger than `limit` bytes. */
int file_read(int dir, const char *name, size_t limit, struct buf *out, struct err *err);

/* Replaces the file in one step: who reads it finds the old content or the new, whole, also after a crash of
 * the machine. */
int file_replace(int dir, const char *name, const void *data, size_t len, struct err *err);

/* Writes all of data, whatever the signals. 0, or -1 with errno. */
int file_write_all(int fd, const void *data, size_t len);

#endif
