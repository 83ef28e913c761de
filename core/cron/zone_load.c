/* Where zones come from: their names, the system's files. */
#include "cron/cron.h"
#include "cron/zone.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEFAULT_DIR "/usr/share/zoneinfo"
#define LOCAL_FILE "/etc/localtime"
#define MAX_FILE (1 << 20) /* the largest real one has 4 KiB */

static const char *zone_dir(void) {
    const char *dir = getenv("TZDIR");
    return dir && *dir ? dir : DEFAULT_DIR;
}

static int load_utc(struct cron_zone **out) {
    *out = zone_utc();
    return 0;
}

/* Names are relative paths of letters, digits and _ + - . / without a step upwards. */
static int check_name(const char *name, struct err *err) {
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-./";
    if (!*name)
        return err_set(err, ERR_INVALID, "the time zone is empty: write a name such as Europe/London or UTC");
    if (*name == '/' || strstr(name, "..") || name[strspn(name, allowed)] || strlen(name) > 200)
        return err_set(err, ERR_INVALID,
                       "time zone \"%.200s\": write a name such as Europe/London, not a path", name);
    return 0;
}

/* errno's value: ENOENT also for what is not a file. */
static int open_file(const char *path, int *fd, size_t *size) {
    struct stat st;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0)
        return errno;
    int errnum = ENOENT;
    if (fstat(*fd, &st) == 0 && S_ISREG(st.st_mode))
        errnum = st.st_size > MAX_FILE ? EFBIG : 0;
    if (errnum)
        close(*fd);
    *size = errnum ? 0 : (size_t)st.st_size;
    return errnum;
}

/* Up to len bytes: fewer when the file has become shorter. */
static int read_all(int fd, char *data, size_t *len) {
    size_t used = 0;
    while (used < *len) {
        ssize_t n = read(fd, data + used, *len - used);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n == 0)
            break;
        used += n > 0 ? (size_t)n : 0;
    }
    *len = used;
    return 0;
}

static int load_file(const char *name, const char *path, struct cron_zone **out, struct err *err) {
    int fd, rc;
    size_t len = 0;
    int errnum = open_file(path, &fd, &len);
    if (errnum == ENOENT || errnum == ENOTDIR)
        return err_set(err, ERR_NOTFOUND, "time zone \"%s\" is unknown", name);
    if (errnum)
        return err_set_errno(err, ERR_IO, errnum, "time zone \"%s\": cannot open %s", name, path);
    char *data = malloc(len + 1);
    if (!data)
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else if ((errnum = read_all(fd, data, &len)) != 0)
        rc = err_set_errno(err, ERR_IO, errnum, "time zone \"%s\": cannot read %s", name, path);
    else if ((rc = cron_zone_from_tzif(name, data, len, out, err)) != 0)
        (void)err_prefix(err, "time zone \"%s\", file %s", name, path);
    free(data);
    close(fd);
    return rc;
}

static int load_named(const char *name, struct cron_zone **out, struct err *err) {
    char path[4096];
    if (check_name(name, err))
        return ERR_INVALID;
    if (strcmp(name, "UTC") == 0)
        return load_utc(out);
    const char *dir = zone_dir();
    int len = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (len < 0 || (size_t)len >= sizeof path)
        return err_set(err, ERR_INVALID, "TZDIR is too long");
    int rc = load_file(name, path, out, err);
    if (rc == ERR_NOTFOUND)
        zone_suggest(dir, name, err);
    return rc;
}

static int load_local(struct cron_zone **out, struct err *err) {
    const char *tz = getenv("TZ");
    if (tz && *tz == ':')
        tz++;
    if (tz && *tz && strcmp(tz, "Local") != 0)
        return load_named(tz, out, err);
    int rc = load_file("Local", LOCAL_FILE, out, err);
    return rc == ERR_NOTFOUND ? load_utc(out) : rc;
}

int cron_zone_load(const char *name, struct cron_zone **out, struct err *err) {
    return strcmp(name, "Local") == 0 ? load_local(out, err) : load_named(name, out, err);
}
