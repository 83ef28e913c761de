#include "loop/virtual.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

struct alarm {
    uv_poll_t uv;            /* first: the close callback frees the whole */
    struct virtual *virtual; /* whose wake is used instead of fd; NULL: the machine's clock */
    struct wake wake;
    int fd;
    int64_t due;
    alarm_cb cb;
    void *ctx;
};

static int arm(struct alarm *alarm) {
    /* A far instant keeps the descriptor armed, so that a clock step is still noticed. */
    const int64_t far = INT64_C(4102444800) * NS_PER_S; /* the year 2100 */
    int64_t due = alarm->due > far ? far : alarm->due;
    struct itimerspec spec = {.it_value = {.tv_sec = due / NS_PER_S, .tv_nsec = due % NS_PER_S}};
    if (due <= 0)
        spec.it_value = (struct timespec){0, 1}; /* zero would disarm; the past fires at once */
    return timerfd_settime(alarm->fd, TFD_TIMER_ABSTIME | TFD_TIMER_CANCEL_ON_SET, &spec, NULL);
}

static void fired(uv_poll_t *uv, int status, int events) {
    (void)status;
    (void)events;
    struct alarm *alarm = (struct alarm *)uv;
    uint64_t expirations = 0;
    ssize_t got = read(alarm->fd, &expirations, sizeof expirations);
    if (got < 0 && errno == EAGAIN)
        return;
    if (got < 0 && errno == ECANCELED)
        (void)arm(alarm); /* the clock was stepped: keep watching, and let the owner look */
    alarm->cb(alarm->ctx);
}

static void close_and_free(uv_handle_t *handle) {
    struct alarm *alarm = (struct alarm *)handle;
    (void)close(alarm->fd);
    free(alarm);
}

static int watch_clock(struct loop *loop, struct alarm *alarm, struct err *err) {
    alarm->fd = timerfd_create(CLOCK_REALTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (alarm->fd < 0) {
        int code = err_set_errno(err, ERR_IO, errno, "timerfd");
        free(alarm);
        return code;
    }
    int rc = uv_poll_init(loop_uv(loop), &alarm->uv, alarm->fd);
    if (!rc)
        rc = uv_poll_start(&alarm->uv, UV_READABLE, fired);
    if (rc) {
        err_set(err, ERR_IO, "alarm: %s", uv_strerror(rc));
        alarm_free(alarm);
        return ERR_IO;
    }
    return 0;
}

int alarm_new(struct loop *loop, alarm_cb cb, void *ctx, struct alarm **out, struct err *err) {
    struct alarm *alarm = calloc(1, sizeof *alarm);
    if (!alarm)
        return err_set(err, ERR_NOMEM, "out of memory");
    alarm->cb = cb;
    alarm->ctx = ctx;
    alarm->due = INT64_MAX;
    alarm->virtual = loop_virtual(loop);
    alarm->wake = (struct wake){.alarm = true, .cb = cb, .ctx = ctx};
    int rc = 0;
    if (!alarm->virtual)
        rc = watch_clock(loop, alarm, err);
    else if (wake_reserve(alarm->virtual)) {
        free(alarm);
        rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    if (!rc)
        *out = alarm;
    return rc;
}

int alarm_set(struct alarm *alarm, int64_t unix_ns, struct err *err) {
    alarm->due = unix_ns;
    if (alarm->virtual)
        wake_set(alarm->virtual, &alarm->wake, virtual_monotonic_of(alarm->virtual, unix_ns));
    else if (arm(alarm) < 0)
        return err_set_errno(err, ERR_IO, errno, "timerfd_settime");
    return 0;
}

void alarm_free(struct alarm *alarm) {
    if (!alarm)
        return;
    if (alarm->virtual) {
        wake_free(alarm->virtual, &alarm->wake);
        free(alarm);
    } else
        uv_close((uv_handle_t *)&alarm->uv, close_and_free);
}
