#include "local/launch.h"

#include "base/buf.h"
#include "base/file.h"
#include "local/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { NEWBORN_WAIT_MS = 30000, NEWBORN_LOOK_MS = 10 };

static int code_of(int errnum) {
    bool passes = errnum == EAGAIN || errnum == ENOMEM || errnum == EMFILE || errnum == ENFILE;
    return passes ? ERR_LIMIT : ERR_IO;
}

/* A session of its own, no signal but SIGTERM blocked (the supervisor reads it from a descriptor), nothing
 * ignored. The daemon's descriptors are all close-on-exec. */
static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t blocked, all;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(attributes, &blocked);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    return posix_spawnattr_setflags(attributes,
                                    POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int set_files(posix_spawn_file_actions_t *actions, int lock) {
    int rc = posix_spawn_file_actions_adddup2(actions, lock, RUNDIR_LOCK_FD);
    for (int fd = 0; fd < 3 && !rc; fd++)
        rc = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
    return rc;
}

static int spawn(const char *program, const char *run_dir, int lock, pid_t *pid) {
    char *argv[] = {(char *)program, (char *)"--supervise", (char *)run_dir, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (!rc) {
        rc = set_attributes(&attributes);
        if (!rc)
            rc = set_files(&actions, lock);
        if (!rc)
            rc = posix_spawn(pid, program, &actions, &attributes, argv, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int open_file(int dir, const char *name, int flags, int *fd, struct err *err) {
    *fd = openat(dir, name, flags | O_CREAT | O_CLOEXEC, 0600);
    return *fd < 0 ? err_set_errno(err, code_of(errno), errno, "%s cannot be made", name) : 0;
}

/* The lock is ours until the supervisor shares it, so it is held without a gap. */
static int launch_in(int dir, int lock, const char *program, const char *run_dir, struct launched *out,
                     struct err *err) {
    pid_t pid = 0;
    if (flock(lock, LOCK_EX | LOCK_NB))
        return err_set_errno(err, ERR_EXISTS, errno, "somebody holds its lock");
    int rc = open_file(dir, RUNDIR_OUTPUT, O_RDONLY, &out->output, err);
    if (rc)
        return rc;
    rc = spawn(program, run_dir, lock, &pid);
    if (rc)
        return err_set_errno(err, code_of(rc), rc, "its supervisor, %s, cannot be started", program);
    out->pidfd = pidfd_open(pid, 0); /* ours and not collected, so the number is its own */
    if (out->pidfd >= 0)
        return 0;
    rc = err_set_errno(err, ERR_IO, errno, "pidfd_open (Linux 5.3 or later is needed)");
    (void)kill(pid, SIGKILL); /* and never again: it may have begun */
    (void)waitpid(pid, NULL, 0);
    return rc;
}

static void launched_close(struct launched *out) {
    if (out->output >= 0)
        (void)close(out->output);
    *out = (struct launched){-1, -1};
}

int local_launch(const char *program, const char *run_dir, const struct command *command,
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
        rc = launch_in(dir, lock, program, run_dir, out, err);
    if (rc) {
        launched_close(out);
        (void)err_prefix(err, "%s", run_dir);
    }
    if (lock >= 0)
        (void)close(lock);
    (void)close(dir);
    return rc;
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
