#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int make_one(const char *path, struct err *err) {
    struct stat st;
    if (!mkdir(path, 0700))
        return 0;
    int errnum = errno;
    if (errnum == EEXIST && !stat(path, &st) && S_ISDIR(st.st_mode))
        return 0;
    return err_set_errno(err, ERR_IO, errnum, "directory %s cannot be made", path);
}

int dir_make(const char *path, struct err *err) {
    char part[4096];
    size_t len = strlen(path);
    if (len == 0 || len >= sizeof part)
        return err_set(err, ERR_INVALID, "directory name of 1 to %zu bytes expected", sizeof part - 1);
    memcpy(part, path, len + 1);
    for (size_t i = 1; i < len; i++) {
        if (part[i] != '/')
            continue;
        part[i] = '\0';
        if (make_one(part, err))
            return ERR_IO;
        part[i] = '/';
    }
    return make_one(part, err);
}

enum { SMALL = 4096, LARGE = 1 << 20 }; /* what is read at once: more of a file that turns out large */

static int read_into(int fd, const char *name, size_t limit, struct buf *out, struct err *err) {
    size_t start = out->len, piece = SMALL;
    for (;;) {
        if (buf_reserve(out, piece))
            return err_set(err, ERR_NOMEM, "out of memory");
        ssize_t n = read(fd, out->data + out->len, piece);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_set_errno(err, ERR_IO, errno, "%s", name);
        out->len += (size_t)n;
        out->data[out->len] = '\0';
        if (n == 0)
            return 0;
        if (out->len - start > limit)
            return err_set(err, ERR_LIMIT, "%s: larger than %zu bytes", name, limit);
        piece = piece < LARGE ? piece * 2 : LARGE;
    }
}

int file_read(int dir, const char *name, size_t limit, struct buf *out, struct err *err) {
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_set_errno(err, errno == ENOENT ? ERR_NOTFOUND : ERR_IO, errno, "%s", name);
    int rc = read_into(fd, name, limit, out, err);
    (void)close(fd);
    return rc;
}

int file_write_all(int fd, const void *data, size_t len) {
    const char *at = data;
    while (len > 0) {
        ssize_t n = write(fd, at, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -1;
        at += n;
        len -= (size_t)n;
    }
    return 0;
}

static int write_durably(int dir, const char *name, const void *data, size_t len) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return -1;
    int rc = file_write_all(fd, data, len);
    if (!rc)
        rc = fsync(fd);
    int errnum = errno;
    (void)close(fd);
    errno = errnum;
    return rc;
}

int file_replace(int dir, const char *name, const void *data, size_t len, struct err *err) {
    char fresh[512];
    int used = snprintf(fresh, sizeof fresh, "%s.new", name);
    if (used < 0 || (size_t)used >= sizeof fresh)
        return err_set(err, ERR_INVALID, "%s: file name too long", name);
    if (write_durably(dir, fresh, data, len) || renameat(dir, fresh, dir, name)) {
        int errnum = errno;
        (void)unlinkat(dir, fresh, 0);
        return err_set_errno(err, ERR_IO, errnum, "%s cannot be written", name);
    }
    return 0;
}
