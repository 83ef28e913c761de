#include "local/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SOCKET_FD = 3, /* where the nursery finds its end */
    PATH_MAX_BYTES = 4096,
    EXIT_BAD = 2
};

struct nursery {
    pthread_mutex_t mutex; /* one birth at a time */
    char *program;
    pid_t pid;
    int socket; /* -1: there is no process */
};

/* A message is some bytes and at most one descriptor (unix(7)). */

union control {
    struct cmsghdr header; /* for its alignment */
    char space[CMSG_SPACE(sizeof(int))];
};

static ssize_t send_message(int socket, const void *data, size_t len, int fd) {
    union control control = {0};
    struct iovec part = {.iov_base = (void *)data, .iov_len = len};
    struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
    if (fd >= 0) {
        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        control.header.cmsg_level = SOL_SOCKET;
        control.header.cmsg_type = SCM_RIGHTS;
        control.header.cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(&control.header), &fd, sizeof fd);
    }
    ssize_t n;
    do
        n = sendmsg(socket, &message, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n;
}

static ssize_t receive_message(int socket, void *data, size_t len, int *fd) {
    union control control = {0};
    struct iovec part = {.iov_base = data, .iov_len = len};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    ssize_t n;
    *fd = -1;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    const struct cmsghdr *header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS)
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return n;
}

/* In the nursery. */

static void on_child(int signum) {
    (void)signum; /* only to wake ppoll */
}

/* SIGTERM stays blocked for the supervisors, who read it from a descriptor, from their first moment. */
static void block_signals(sigset_t *while_waiting) {
    struct sigaction action = {.sa_handler = on_child};
    sigset_t blocked;
    (void)sigemptyset(&blocked);
    (void)sigaddset(&blocked, SIGTERM);
    *while_waiting = blocked;
    (void)sigaddset(&blocked, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &blocked, NULL);
    (void)sigaction(SIGCHLD, &action, NULL);
}

/* False: the daemon is gone. */
static bool serve_one(int (*supervise)(const char *run_dir, int lock)) {
    char run_dir[PATH_MAX_BYTES + 1];
    int lock, pidfd = -1;
    int failure = 0; /* errno, negative when there was a child */
    ssize_t n = receive_message(SOCKET_FD, run_dir, PATH_MAX_BYTES, &lock);
    if (n <= 0)
        return false;
    run_dir[n] = '\0';
    pid_t pid = fork();
    if (pid == 0) {
        (void)close(SOCKET_FD);
        (void)setsid();
        (void)prctl(PR_SET_NAME, "ks-supervisor");
        _exit(supervise(run_dir, lock));
    }
    if (pid < 0)
        failure = errno;
    else if ((pidfd = pidfd_open(pid, 0)) < 0) { /* not collected yet, so the number is its own */
        failure = -errno;
        (void)kill(pid, SIGKILL);
    }
    (void)close(lock);
    n = send_message(SOCKET_FD, &failure, sizeof failure, pidfd);
    if (pidfd >= 0)
        (void)close(pidfd);
    return n > 0;
}

int nursery_serve(int (*supervise)(const char *run_dir, int lock)) {
    struct pollfd request = {.fd = SOCKET_FD, .events = POLLIN};
    sigset_t while_waiting;
    if (fcntl(SOCKET_FD, F_SETFD, FD_CLOEXEC)) {
        (void)fprintf(stderr, "--supervise is for the daemon, which starts local runs with it\n");
        return EXIT_BAD;
    }
    (void)prctl(PR_SET_NAME, "ks-nursery");
    block_signals(&while_waiting);
    bool more = true;
    while (more) {
        int ready = ppoll(&request, 1, NULL, &while_waiting);
        while (waitpid(-1, NULL, WNOHANG) > 0)
            ;
        if (ready > 0)
            more = serve_one(supervise);
    }
    return EXIT_SUCCESS;
}

/* In the daemon. */

static int set_attributes(posix_spawnattr_t *attributes) {
    sigset_t none, all;
    (void)sigemptyset(&none);
    (void)sigfillset(&all);
    (void)posix_spawnattr_setsigmask(attributes, &none);
    (void)posix_spawnattr_setsigdefault(attributes, &all);
    return posix_spawnattr_setflags(attributes,
                                    POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

/* Its other descriptors are the daemon's, which are all close-on-exec. */
static int set_files(posix_spawn_file_actions_t *actions, int socket) {
    int rc = posix_spawn_file_actions_adddup2(actions, socket, SOCKET_FD);
    for (int fd = 0; fd < 3 && !rc; fd++)
        rc = posix_spawn_file_actions_addopen(actions, fd, "/dev/null", O_RDWR, 0);
    return rc;
}

static int spawn(const char *program, int socket, pid_t *pid) {
    char *argv[] = {(char *)program, (char *)"--supervise", NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int rc = posix_spawn_file_actions_init(&actions);
    if (rc)
        return rc;
    rc = posix_spawnattr_init(&attributes);
    if (!rc) {
        rc = set_attributes(&attributes);
        if (!rc)
            rc = set_files(&actions, socket);
        if (!rc)
            rc = posix_spawn(pid, program, &actions, &attributes, argv, environ);
        (void)posix_spawnattr_destroy(&attributes);
    }
    (void)posix_spawn_file_actions_destroy(&actions);
    return rc;
}

static int begin(struct nursery *nursery, struct err *err) {
    int ends[2];
    if (nursery->socket >= 0)
        return 0;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends))
        return err_set_errno(err, ERR_LIMIT, errno, "socketpair");
    int rc = spawn(nursery->program, ends[1], &nursery->pid);
    (void)close(ends[1]);
    if (!rc) {
        nursery->socket = ends[0];
        return 0;
    }
    (void)close(ends[0]);
    return err_set_errno(err, ERR_LIMIT, rc, "%s cannot be started", nursery->program);
}

static void end(struct nursery *nursery) {
    if (nursery->socket < 0)
        return;
    (void)close(nursery->socket); /* and so it ends */
    nursery->socket = -1;
    (void)waitpid(nursery->pid, NULL, 0);
}

static int ask(struct nursery *nursery, const char *run_dir, int lock, int *pidfd, struct err *err) {
    int failure = 0;
    if (send_message(nursery->socket, run_dir, strlen(run_dir), lock) < 0) {
        if (errno != EPIPE && errno != ECONNRESET)
            return err_set_errno(err, ERR_LIMIT, errno, "no supervisor can be asked for");
        end(nursery); /* somebody killed it some time ago; nothing was asked yet */
        return err_set(err, ERR_LIMIT, "the process that starts supervisors was killed");
    }
    if (receive_message(nursery->socket, &failure, sizeof failure, pidfd) <= 0) {
        end(nursery);
        return err_set(err, ERR_IO, "the process that starts supervisors was killed");
    }
    if (failure > 0)
        return err_set_errno(err, ERR_LIMIT, failure, "no supervisor can be started");
    if (failure < 0)
        return err_set_errno(err, ERR_IO, -failure, "pidfd_open (Linux 5.3 or later is needed)");
    return *pidfd >= 0 ? 0 : err_set_errno(err, ERR_IO, EMFILE, "the supervisor's descriptor was lost");
}

int nursery_bear(struct nursery *nursery, const char *run_dir, int lock, int *pidfd, struct err *err) {
    if (strlen(run_dir) > PATH_MAX_BYTES)
        return err_set_errno(err, ERR_INVALID, ENAMETOOLONG, "%s", run_dir);
    (void)pthread_mutex_lock(&nursery->mutex);
    int rc = begin(nursery, err);
    if (!rc)
        rc = ask(nursery, run_dir, lock, pidfd, err);
    (void)pthread_mutex_unlock(&nursery->mutex);
    return rc;
}

int nursery_new(const char *program, struct nursery **out, struct err *err) {
    if (access(program, X_OK))
        return err_set_errno(err, ERR_IO, errno, "supervisor program %s", program);
    struct nursery *nursery = calloc(1, sizeof *nursery);
    if (!nursery || !(nursery->program = strdup(program))) {
        free(nursery);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    nursery->socket = -1;
    (void)pthread_mutex_init(&nursery->mutex, NULL);
    *out = nursery;
    return 0;
}

void nursery_free(struct nursery *nursery) {
    if (!nursery)
        return;
    end(nursery);
    (void)pthread_mutex_destroy(&nursery->mutex);
    free(nursery->program);
    free(nursery);
}
