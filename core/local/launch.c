#include "local/launch.h"

#include "base/buf.h"
#include "base/file.h"
#include "local/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <unistd.h>

enum { NEWBORN_WAIT_MS = 30000, NEWBORN_LOOK_MS = 10 };

static int code_of(int errnum) {
    bool passes = errnum == EAGAIN || errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE;
    return passes ? ERR_LIMIT : ERR_IO;
}

static int open_file(int dir, const char *name, int flags, int *fd, struct err *err) {
    *fd = openat(dir, name, flags | O_CREAT | O_CLOEXEC, 0600);
    return *fd < 0 ? err_set_errno(err, code_of(errno), errno, "%s cannot be made", name) : 0;
}

/* The lock is ours until the supervisor shares it, so it is held without a gap. */
static int launch_in(int dir, int lock, struct nursery *nursery, const char *run_dir, struct launched *out,
                     struct err *err) {
    if (flock(lock, LOCK_EX | LOCK_NB))
        return err_set_errno(err, ERR_EXISTS, errno, "somebody holds its lock");
    int rc = open_file(dir, RUNDIR_OUTPUT, O_RDONLY, &out->output, err);
    return rc ? rc : nursery_bear(nursery, run_dir, lock, &out->pidfd, err);
}

static void launched_close(struct launched *out) {
    if (out->output >= 0)
        (void)close(out->output);
    *out = (struct launched){-1, -1};
}

/* Whether somebody holds the lock. */
static bool is_held(int lock) {
    if (flock(lock, LOCK_EX | LOCK_NB))
        return errno == EWOULDBLOCK;
    (void)flock(lock, LOCK_UN);
    return false;
}

/* The holder's pidfd, or -1: nobody holds the lock, or not for long any more. That it is still held after
 * pidfd_open proves that the number was not another's. */
static int find_holder(int dir, int lock) {
    for (int waited = 0; is_held(lock) && waited < NEWBORN_WAIT_MS; waited += NEWBORN_LOOK_MS) {
        struct lock_state state;
        rundir_read_lock(dir, &state);
        int pidfd = state.pid > 0 ? pidfd_open(state.pid, 0) : -1;
        if (pidfd >= 0 && is_held(lock))
            return pidfd;
        if (pidfd >= 0)
            (void)close(pidfd);
        (void)usleep(NEWBORN_LOOK_MS * 1000);
    }
    return -1;
}

bool local_launch_find(const char *run_dir, struct launched *out) {
    *out = (struct launched){-1, -1};
    int dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return false;
    out->output = openat(dir, RUNDIR_OUTPUT, O_RDONLY | O_CLOEXEC);
    int lock = openat(dir, RUNDIR_LOCK, O_RDWR | O_CLOEXEC);
    if (lock >= 0) {
        out->pidfd = find_holder(dir, lock);
        (void)close(lock);
    }
    (void)close(dir);
    return out->pidfd >= 0;
}

int local_launch(struct nursery *nursery, const char *run_dir, const struct command *command,
                 struct launched *out, struct err *err) {
    int lock = -1;
    *out = (struct launched){-1, -1};
    int rc = dir_make(run_dir, err);
    if (rc)
        return rc;
    int dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_set_errno(err, code_of(errno), errno, "%s", run_dir);
    rc = rundir_write_spec(dir, command, err);
    if (!rc)
        rc = open_file(dir, RUNDIR_LOCK, O_RDWR, &lock, err);
    if (!rc)
        rc = launch_in(dir, lock, nursery, run_dir, out, err);
    if (lock >= 0)
        (void)close(lock);
    (void)close(dir);
    if (rc) {
        launched_close(out);
        (void)err_prefix(err, "%s", run_dir);
    }
    if (rc == ERR_IO && local_launch_find(run_dir, out)) /* the nursery could not tell any more */
        return 0;
    return rc;
}

void local_launch_remove(const char *run_dir) {
    static const char *const names[] = {RUNDIR_SPEC, RUNDIR_LOCK, RUNDIR_OUTPUT, RUNDIR_STATUS,
                                        RUNDIR_STATUS_NEW};
    int dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        (void)unlinkat(dir, names[i], 0);
    (void)close(dir);
    (void)rmdir(run_dir);
}
