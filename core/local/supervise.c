/* The supervisor of one run: a process between the daemon and the command, so that neither the end of the
 * daemon nor its restart loses the command's output or exit status. One thread, poll(2); nothing here is on
 * the daemon's loop, so it may block. */
#include "local/executor.h"

#include "base/file.h"
#include "local/descendants.h"
#include "local/nursery.h"
#include "local/rundir.h"
#include "loop/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PIECES_A_TURN = 64 }; /* of 64 KiB: more than a pipe holds */
#define OUTPUT_MAX                                                                                           \
    (INT64_C(1) << 30) /* bytes of output kept for one run; what is beyond is dropped and counted */

struct supervisor {
    int dir, lock, output, signals;
    int pipe[2]; /* the command's stdout and stderr */
    struct command command;
    pid_t pid; /* the command's, and its group's */
    bool over;
    int64_t due; /* monotonic ns: SIGTERM, or SIGKILL once that was sent; INT64_MAX: never */
    bool terminated;
    struct run_status status;
    int64_t written, dropped;
};

static int64_t now(void) {
    return clock_monotonic(&clock_system);
}

static int64_t after_seconds(int64_t seconds) {
    int64_t at;
    if (__builtin_mul_overflow(seconds, NS_PER_S, &at) || __builtin_add_overflow(at, now(), &at))
        return INT64_MAX;
    return at;
}

/* Starting the command. */

struct start_failure {
    int errnum;
    bool in_cwd; /* it was the working directory, not the command */
};

static _Noreturn void give_up(int report, bool in_cwd) {
    struct start_failure failure = {errno, in_cwd};
    (void)file_write_all(report, &failure, sizeof failure);
    _exit(127);
}

/* In the child: becomes the command, or tells why not. */
static _Noreturn void become_command(const struct supervisor *s, pid_t parent, int report) {
    sigset_t none;
    (void)sigemptyset(&none);
    (void)setsid();
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL); /* without its supervisor nobody would know how it ends */
    if (getppid() != parent || dup2(s->pipe[1], STDOUT_FILENO) < 0 || dup2(s->pipe[1], STDERR_FILENO) < 0)
        give_up(report, false);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    if (chdir(s->command.cwd))
        give_up(report, true);
    environ = s->command.env.items; /* execvp looks for the command in its own PATH, as a container would */
    (void)execvp(s->command.argv.items[0], s->command.argv.items);
    give_up(report, false);
}

static void describe_failure(struct supervisor *s, const struct start_failure *failure) {
    const char *path = NULL;
    for (size_t i = 0; i < s->command.env.count; i++)
        if (!strncmp(s->command.env.items[i], "PATH=", 5))
            path = s->command.env.items[i] + 5;
    const char *name = s->command.argv.items[0], *why = strerrordesc_np(failure->errnum);
    char *out = s->status.message;
    if (failure->in_cwd)
        (void)snprintf(out, sizeof s->status.message, "working directory %s: %s", s->command.cwd, why);
    else if (failure->errnum == ENOENT && !strchr(name, '/'))
        (void)snprintf(out, sizeof s->status.message, "command %s: not found in PATH=%s", name,
                       path ? path : "");
    else
        (void)snprintf(out, sizeof s->status.message, "command %s: %s", name, why);
}

static int no_start(struct supervisor *s) {
    s->status.end = END_NO_START;
    s->over = true;
    return ERR_IO;
}

static int fail_start(struct supervisor *s, const char *what) {
    (void)snprintf(s->status.message, sizeof s->status.message, "%s: %s", what, strerrordesc_np(errno));
    return no_start(s);
}

/* Waits until the child has become the command: its end of the pipe closes with that. */
static int await_exec(struct supervisor *s, int report) {
    struct start_failure failure;
    ssize_t n;
    do
        n = read(report, &failure, sizeof failure);
    while (n < 0 && errno == EINTR);
    if (n != (ssize_t)sizeof failure)
        return 0;
    (void)waitpid(s->pid, NULL, 0);
    describe_failure(s, &failure);
    return no_start(s);
}

static int start_command(struct supervisor *s) {
    int report[2];
    pid_t self = getpid();
    if (pipe2(s->pipe, O_CLOEXEC) || pipe2(report, O_CLOEXEC))
        return fail_start(s, "pipe");
    s->pid = fork();
    if (s->pid == 0)
        become_command(s, self, report[1]);
    (void)close(report[1]);
    (void)close(s->pipe[1]); /* so that the end of the last writer is the end of the output */
    s->pipe[1] = -1;
    int rc = s->pid < 0 ? fail_start(s, "fork") : await_exec(s, report[0]);
    (void)close(report[0]);
    (void)fcntl(s->pipe[0], F_SETFL, O_NONBLOCK);
    return rc;
}

/* Output goes through a pipe, although the command could write the file itself: programs open /dev/stderr
 * again, and that would empty a file. */

static void keep(struct supervisor *s, const char *data, size_t len) {
    if (s->written < OUTPUT_MAX && !file_write_all(s->output, data, len))
        s->written += (int64_t)len;
    else
        s->dropped += (int64_t)len; /* a full disk must not stop the command */
}

/* Copies what there is, as far as that leaves time for the rest: somebody who writes without end must not
 * escape his deadline. False: no writer is left. */
static bool copy_output(struct supervisor *s) {
    char piece[65536];
    for (int i = 0; i < PIECES_A_TURN; i++) {
        ssize_t n = read(s->pipe[0], piece, sizeof piece);
        if (n <= 0)
            return n < 0 && (errno == EAGAIN || errno == EINTR);
        keep(s, piece, (size_t)n);
    }
    return true;
}

static void tell_dropped(struct supervisor *s) {
    char text[96];
    int len = snprintf(text, sizeof text, "(%" PRId64 " bytes of output were dropped here)\n", s->dropped);
    if (s->dropped > 0)
        (void)file_write_all(s->output, text, (size_t)len);
}

/* Ending it. */

static void terminate(struct supervisor *s, enum run_end why) {
    if (s->terminated || s->over)
        return;
    s->terminated = true;
    s->status.end = why;
    s->due = after_seconds(s->command.grace);
    (void)kill(-s->pid, SIGTERM);
}

static void when_due(struct supervisor *s) {
    if (s->over || now() < s->due)
        return;
    if (!s->terminated) {
        terminate(s, END_DEADLINE);
        return;
    }
    s->due = INT64_MAX;
    (void)kill(-s->pid, SIGKILL);
}

static void note_end(struct supervisor *s, const siginfo_t *info) {
    bool exited = info->si_code == CLD_EXITED;
    s->over = true;
    s->status.exit_code = exited ? info->si_status : -1;
    s->status.signal = exited ? 0 : info->si_status;
    s->status.finished = clock_realtime(&clock_system);
}

/* Collects whoever ended. The command's group is killed before its leader is collected: until then nobody
 * else can have its number. */
static void reap(struct supervisor *s) {
    siginfo_t info = {0};
    while (!s->over && !waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid) {
        if (info.si_pid == s->pid) {
            note_end(s, &info);
            (void)kill(-s->pid, SIGKILL);
        }
        (void)waitpid(info.si_pid, NULL, 0);
        info = (siginfo_t){0};
    }
}

/* Who ended by himself was not stopped, also when both became known at once: so collect first. */
static void take_signals(struct supervisor *s) {
    struct signalfd_siginfo info;
    bool stop = false;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info)
        stop |= info.ssi_signo == SIGTERM;
    reap(s);
    if (stop)
        terminate(s, END_STOP);
}

static int timeout_ms(const struct supervisor *s) {
    if (s->due == INT64_MAX)
        return -1;
    int64_t left = s->due - now();
    if (left <= 0)
        return 0;
    return left / NS_PER_MS >= 86400000 ? 86400000 : (int)(left / NS_PER_MS) + 1;
}

static void watch(struct supervisor *s) {
    struct pollfd fds[] = {{.fd = s->signals, .events = POLLIN}, {.fd = s->pipe[0], .events = POLLIN}};
    while (!s->over) {
        (void)poll(fds, 2, timeout_ms(s));
        if (fds[1].revents && !copy_output(s))
            fds[1].fd = -1;
        take_signals(s);
        when_due(s);
    }
}

/* Preparing. */

static int open_signals(struct supervisor *s) {
    sigset_t wanted;
    (void)sigemptyset(&wanted);
    (void)sigaddset(&wanted, SIGTERM); /* blocked by the daemon already: one that came early waits */
    (void)sigaddset(&wanted, SIGCHLD);
    (void)sigprocmask(SIG_SETMASK, &wanted, NULL);
    s->signals = signalfd(-1, &wanted, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals < 0 ? fail_start(s, "signalfd") : 0;
}

static int prepare(struct supervisor *s) {
    struct err err;
    if (rundir_read_spec(s->dir, &s->command, &err)) {
        (void)snprintf(s->status.message, sizeof s->status.message, "%.500s", err.message);
        return no_start(s);
    }
    s->output = openat(s->dir, RUNDIR_OUTPUT, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (s->output < 0)
        return fail_start(s, "output file");
    (void)prctl(PR_SET_CHILD_SUBREAPER,
                1); /* descendants that leave the session come back to us when orphaned */
    return open_signals(s);
}

static void supervise(struct supervisor *s) {
    struct lock_state state = {.pid = getpid()};
    s->due = INT64_MAX;
    (void)rundir_write_lock(s->lock, &state);
    if (prepare(s) || start_command(s))
        return;
    s->status.started = state.started = clock_realtime(&clock_system);
    if (s->command.deadline > 0)
        s->due = after_seconds(s->command.deadline);
    (void)rundir_write_lock(s->lock, &state);
    watch(s);
    descendants_kill();
    (void)copy_output(s);
    tell_dropped(s);
}

static void release(struct supervisor *s) {
    const int fds[] = {s->dir, s->lock, s->output, s->signals, s->pipe[0], s->pipe[1]};
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            (void)close(fds[i]);
    command_free(&s->command);
}

static int supervise_run(const char *run_dir, int lock) {
    struct supervisor s = {
        .lock = lock, .output = -1, .signals = -1, .pipe = {-1, -1}, .status.exit_code = -1};
    s.dir = open(run_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (s.dir < 0)
        return EXIT_FAILURE;
    supervise(&s);
    int rc = rundir_write_status(s.dir, &s.status, NULL) ? EXIT_FAILURE : EXIT_SUCCESS;
    release(&s);
    return rc;
}

int local_supervise(void) {
    return nursery_serve(supervise_run);
}
