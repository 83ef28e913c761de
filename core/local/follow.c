#include "local/follow.h"

#include "local/judge.h"
#include "local/lines.h"
#include "local/rows.h"
#include "local/rundir.h"
#include "local/start.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

enum { READ_SIZE = 64 << 10, READS_A_TURN = 16 }; /* one run that prints without end leaves time for others */
#define SAVE_NS NS_PER_S /* how much of its output a restarted daemon may tell again */

struct watch {
    uv_poll_t uv; /* first: the close callback frees the whole */
    struct run *run;
};

static int64_t now_of(const struct local *local) {
    return clock_monotonic(loop_clock(local->loop));
}

/* Ready and finished. */

void local_follow_ready(struct local *local) {
    if (!local->surveyed || local->unready > 0 || local->ready || local->freed)
        return;
    local->ready = true;
    local->events->ready(local->ctx);
}

static void settled(struct run *run, const struct err *err) {
    (void)err;
    struct local *local = run->local;
    run->state = RUN_FINISHED;
    local_run_deactivate(run);
    RUN_TELL(run, finished, &run->result);
    if (run->found)
        local->unready--;
    run->found = false;
    local_follow_ready(local);
}

void local_follow_settle(struct run *run) {
    local_follow_release(run);
    run->state = RUN_SETTLING;
    row_write(run, ROW_OUTCOME, settled);
}

/* Output. */

static void tell_line(void *ctx, const char *line, size_t len) {
    struct run *run = ctx;
    RUN_TELL(run, line, run->container, line, len);
}

static void cut(struct run *run, bool last) {
    size_t used = lines_cut(run->unread.data, run->unread.len, last, tell_line, run);
    run->delivered += (int64_t)used;
    buf_consume(&run->unread, used);
}

/* False: there may be more right now. */
static bool read_output(struct run *run) {
    if (run->output < 0)
        return true;
    for (int i = 0; i < READS_A_TURN; i++) {
        if (buf_reserve(&run->unread, READ_SIZE))
            return true;
        ssize_t n = pread(run->output, run->unread.data + run->unread.len, READ_SIZE,
                          run->delivered + (int64_t)run->unread.len);
        if (n <= 0)
            return true;
        run->unread.len += (size_t)n;
        cut(run, false);
    }
    return false;
}

static void save_delivered(struct run *run, int64_t now) {
    if (run->delivered == run->saved || now < run->save_at)
        return;
    run->save_at = now + SAVE_NS;
    row_save_delivered(run);
}

static void tell_started(struct run *run) {
    if (run->started_told || !run->result.started)
        return;
    run->started_told = true;
    RUN_TELL(run, started, run->result.started);
}

static void look_for_start(struct run *run) {
    struct lock_state lock = {0};
    char *path = local_run_dir(run);
    int dir = path ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    free(path);
    if (dir < 0)
        return;
    rundir_read_lock(dir, &lock);
    (void)close(dir);
    run->result.started = lock.started / NS_PER_S;
    tell_started(run);
}

/* The end. */

void local_follow_ended(struct run *run) {
    siginfo_t info;
    if (run->pidfd >= 0)
        (void)waitid(P_PIDFD, (id_t)run->pidfd, &info,
                     WEXITED | WNOHANG); /* of another daemon: ECHILD is fine */
    run->state = RUN_ENDED;
    local_judge(run);
    tell_started(run);
    local_run_activate(run);
    local_hurry(run->local);
}

static void drain(struct run *run) {
    if (!read_output(run)) {
        local_hurry(run->local);
        return;
    }
    cut(run, true);
    local_follow_settle(run);
}

static void free_watch(uv_handle_t *handle) {
    free(handle);
}

static void close_watch(struct run *run) {
    if (run->watch)
        uv_close((uv_handle_t *)&run->watch->uv, free_watch);
    run->watch = NULL;
}

void local_follow_release(struct run *run) {
    close_watch(run);
    if (run->pidfd >= 0)
        (void)close(run->pidfd);
    if (run->output >= 0)
        (void)close(run->output);
    run->pidfd = run->output = -1;
    buf_free(&run->unread);
}

static void supervisor_ended(uv_poll_t *uv, int status, int events) {
    (void)status, (void)events;
    struct run *run = ((struct watch *)uv)->run;
    close_watch(run);
    local_follow_ended(run);
}

static int open_watch(struct run *run) {
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return ERR_NOMEM;
    watch->run = run;
    if (uv_poll_init(loop_uv(run->local->loop), &watch->uv, run->pidfd)) {
        free(watch);
        return ERR_NOMEM;
    }
    run->watch = watch;
    if (uv_poll_start(&watch->uv, UV_READABLE, supervisor_ended) == 0)
        return 0;
    close_watch(run);
    return ERR_NOMEM;
}

/* Without a watch the ticker looks whether it has ended. */
static void try_watch(struct run *run) {
    struct pollfd end = {.fd = run->pidfd, .events = POLLIN};
    if (run->watch || !open_watch(run))
        return;
    if (poll(&end, 1, 0) == 1)
        local_follow_ended(run);
}

void local_follow_begin(struct run *run) {
    run->state = RUN_RUNNING;
    local_run_activate(run);
    try_watch(run);
    if (run->stopping)
        local_follow_stop(run);
}

static void stop_is_durable(struct run *run, const struct err *err) {
    (void)err;
    if (run->state == RUN_RUNNING && run->pidfd >= 0)
        (void)pidfd_send_signal(run->pidfd, SIGTERM, NULL, 0);
}

void local_follow_stop(struct run *run) {
    row_write(run, ROW_STOP, stop_is_durable);
}

/* The ticker. */

static void look_at_running(struct run *run, int64_t now) {
    if (!run->started_told)
        look_for_start(run);
    if (run->started_told && !read_output(run))
        local_hurry(run->local);
    if (run->local->freed)
        return;
    save_delivered(run, now);
    try_watch(run);
}

static void look_at(struct run *run, int64_t now) {
    if (run->state == RUN_WAITING && now >= run->not_before)
        local_start_again(run);
    else if (run->state == RUN_RUNNING)
        look_at_running(run, now);
    else if (run->state == RUN_ENDED)
        drain(run);
    if (!run->local->freed)
        rows_retry(run, now);
}

/* An event may change the list, or free the executor: each run goes to the end before it is looked at. */
void local_follow_tick(void *ctx) {
    struct local *local = ctx;
    int64_t now = now_of(local);
    local->refs++;
    local->hurried = false;
    for (size_t left = local->active_count; left > 0 && !local->freed; left--) {
        struct run *run = TAILQ_FIRST(&local->active);
        if (!run)
            break;
        TAILQ_REMOVE(&local->active, run, link);
        TAILQ_INSERT_TAIL(&local->active, run, link);
        local_run_ref(run);
        look_at(run, now);
        local_run_unref(run);
    }
    if (!local->freed && local->active_count > 0 && !local->hurried)
        timer_start(local->ticker, TICK_NS);
    local_unref(local);
}
