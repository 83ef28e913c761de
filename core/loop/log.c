#include "loop/log.h"

#include "base/buf.h"
#include "base/rfc3339.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { MAX_FIELDS = 16 };

struct log {
    const struct clock *clock;
    int fd;
    enum log_format format;
    enum log_level lowest;
    pthread_t thread;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct buf queue; /* lines to be written; guarded by mutex */
    struct buf line;  /* scratch; guarded by mutex */
    size_t dropped;
    bool closing;
};

static const char *const level_names[] = {"debug", "info", "warning", "error"};

static void write_all(int fd, const char *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EAGAIN) { /* somebody made our descriptor non-blocking */
            struct pollfd waiting = {.fd = fd, .events = POLLOUT};
            (void)poll(&waiting, 1, 1000);
            continue;
        }
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return; /* nobody reads any more */
        data += n;
        len -= (size_t)n;
    }
}

static void *writer(void *ctx) {
    struct log *log = ctx;
    struct buf batch = {0};
    (void)pthread_mutex_lock(&log->mutex);
    while (!log->closing || log->queue.len > 0) {
        if (log->queue.len == 0) {
            (void)pthread_cond_wait(&log->changed, &log->mutex);
            continue;
        }
        struct buf full = log->queue;
        log->queue = batch;
        (void)pthread_mutex_unlock(&log->mutex);
        write_all(log->fd, full.data, full.len);
        buf_clear(&full);
        batch = full;
        (void)pthread_mutex_lock(&log->mutex);
    }
    (void)pthread_mutex_unlock(&log->mutex);
    buf_free(&batch);
    return NULL;
}

int log_new(const struct clock *clock, int fd, struct log **out, struct err *err) {
    struct log *log = calloc(1, sizeof *log);
    if (!log)
        return err_set(err, ERR_NOMEM, "out of memory");
    log->clock = clock;
    log->fd = fd;
    log->lowest = LOG_INFO;
    (void)pthread_mutex_init(&log->mutex, NULL);
    (void)pthread_cond_init(&log->changed, NULL);
    int rc = pthread_create(&log->thread, NULL, writer, log);
    if (rc) {
        free(log);
        return err_set_errno(err, ERR_IO, rc, "log thread");
    }
    *out = log;
    return 0;
}

void log_free(struct log *log) {
    if (!log)
        return;
    (void)pthread_mutex_lock(&log->mutex);
    log->closing = true;
    (void)pthread_cond_signal(&log->changed);
    (void)pthread_mutex_unlock(&log->mutex);
    struct timespec until = {.tv_sec = clock_seconds(log->clock) + 2};
    if (pthread_timedjoin_np(log->thread, NULL, &until))
        return; /* the reader stalls: the process ends without its last lines */
    buf_free(&log->queue);
    buf_free(&log->line);
    (void)pthread_mutex_destroy(&log->mutex);
    (void)pthread_cond_destroy(&log->changed);
    free(log);
}

void log_set_format(struct log *log, enum log_format format) {
    log->format = format;
}
void log_set_level(struct log *log, enum log_level lowest) {
    log->lowest = lowest;
}
bool log_takes(const struct log *log, enum log_level level) {
    return level >= log->lowest;
}

/* Length of the valid UTF-8 sequence at text, 0 when there is none (RFC 3629). */
static size_t utf8_length(const unsigned char *text, size_t len) {
    static const struct {
        unsigned char low, high, second_low, second_high;
        size_t length;
    } rules[] = {{0x00, 0x7f, 0, 0, 1},       {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3},
                 {0xe1, 0xec, 0x80, 0xbf, 3}, {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3},
                 {0xf0, 0xf0, 0x90, 0xbf, 4}, {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4}};
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        if (text[0] < rules[i].low || text[0] > rules[i].high)
            continue;
        if (rules[i].length > len)
            return 0;
        if (rules[i].length > 1 && (text[1] < rules[i].second_low || text[1] > rules[i].second_high))
            return 0;
        for (size_t k = 2; k < rules[i].length; k++)
            if ((text[k] & 0xc0) != 0x80)
                return 0;
        return rules[i].length;
    }
    return 0;
}

/* Appends text so that it cannot break a line, a terminal or a JSON string. */
static void clean(struct buf *out, const char *text, size_t len, bool quoted) {
    const unsigned char *at = (const unsigned char *)text;
    while (len > 0) {
        size_t n = utf8_length(at, len);
        if (n == 0) {
            (void)buf_puts(out, "\xef\xbf\xbd");
            n = 1;
        } else if (quoted && (*at == '"' || *at == '\\'))
            (void)buf_printf(out, "\\%c", *at);
        else if (*at == '\n' && quoted)
            (void)buf_puts(out, "\\n");
        else if ((*at < 0x20 && (*at != '\t' || quoted)) || *at == 0x7f)
            (void)buf_printf(out, "\\u%04x", *at);
        else
            (void)buf_append(out, at, n);
        at += n;
        len -= n;
    }
}

static void append_time(const struct log *log, struct buf *out) {
    int64_t ns = clock_realtime(log->clock);
    char text[RFC3339_BYTES];
    rfc3339_format(ns / NS_PER_S, text);
    (void)buf_printf(out, "%.*s.%03dZ", RFC3339_BYTES - 2, text, (int)(ns % NS_PER_S / NS_PER_MS));
}

static void append_json_field(struct buf *out, const struct log_field *field) {
    (void)buf_printf(out, ",\"%s\":\"", field->name);
    clean(out, field->value, field->value_len, true);
    (void)buf_puts(out, "\"");
}

static bool plain(const struct log_field *field) {
    for (size_t i = 0; i < field->value_len; i++)
        if (strchr(" \"=\\\n\t", field->value[i]))
            return false;
    return field->value_len > 0;
}

static void append_text_field(struct buf *out, const struct log_field *field) {
    bool quote = !plain(field);
    (void)buf_printf(out, quote ? " %s=\"" : " %s=", field->name);
    clean(out, field->value, field->value_len, quote);
    if (quote)
        (void)buf_puts(out, "\"");
}

/* Tracebacks keep their lines, indented, when a person reads. */
static void append_block(struct buf *out, const struct log_field *field) {
    const char *at = field->value, *end = at + field->value_len;
    while (at < end) {
        const char *stop = memchr(at, '\n', (size_t)(end - at));
        size_t len = stop ? (size_t)(stop - at) : (size_t)(end - at);
        (void)buf_puts(out, "\n    ");
        clean(out, at, len, false);
        at += len + 1;
    }
}

static void enqueue(struct log *log, bool droppable) {
    if (droppable && log->queue.len > LOG_QUEUE_BYTES) {
        log->dropped++;
        return;
    }
    if (log->dropped > 0) {
        (void)buf_printf(&log->queue, "%zu lines of task output were lost: the reader of this log is slow\n",
                         log->dropped);
        log->dropped = 0;
    }
    (void)buf_puts(&log->line, "\n");
    (void)buf_append(&log->queue, log->line.data, log->line.len);
    (void)pthread_cond_signal(&log->changed);
}

static void begin(struct log *log) {
    (void)pthread_mutex_lock(&log->mutex);
    buf_clear(&log->line);
    if (log->format == LOG_JSON)
        (void)buf_puts(&log->line, "{\"time\":\"");
    append_time(log, &log->line);
}

void log_fields(struct log *log, enum log_level level, const char *message, const struct log_field *fields,
                size_t count) {
    if (!log_takes(log, level))
        return;
    begin(log);
    struct buf *out = &log->line;
    bool json = log->format == LOG_JSON;
    (void)buf_printf(out, json ? "\",\"level\":\"%s\",\"message\":\"" : " %-7s ", level_names[level]);
    clean(out, message, strlen(message), json);
    if (json)
        (void)buf_puts(out, "\"");
    for (size_t i = 0; i < count; i++) {
        if (json)
            append_json_field(out, &fields[i]);
        else if (!memchr(fields[i].value, '\n', fields[i].value_len))
            append_text_field(out, &fields[i]);
    }
    for (size_t i = 0; i < count && !json; i++)
        if (memchr(fields[i].value, '\n', fields[i].value_len))
            append_block(out, &fields[i]);
    if (json)
        (void)buf_puts(out, "}");
    enqueue(log, false);
    (void)pthread_mutex_unlock(&log->mutex);
}

void log_event(struct log *log, enum log_level level, const char *message, ...) {
    struct log_field fields[MAX_FIELDS];
    size_t count = 0;
    va_list args;
    va_start(args, message);
    const char *name;
    while ((name = va_arg(args, const char *)) && count < MAX_FIELDS) {
        const char *value = va_arg(args, const char *);
        if (value)
            fields[count++] = (struct log_field){name, value, strlen(value)};
    }
    va_end(args);
    log_fields(log, level, message, fields, count);
}

void log_output(struct log *log, const char *job, const char *run, const char *container, const char *line,
                size_t len) {
    begin(log);
    struct buf *out = &log->line;
    if (log->format == LOG_JSON) {
        (void)buf_puts(out, "\",\"level\":\"output\"");
        append_json_field(out, &(struct log_field){"job", job, strlen(job)});
        append_json_field(out, &(struct log_field){"run", run, strlen(run)});
        append_json_field(out, &(struct log_field){"container", container, strlen(container)});
        append_json_field(out, &(struct log_field){"line", line, len});
        (void)buf_puts(out, "}");
    } else {
        (void)buf_puts(out, " output  ");
        clean(out, job, strlen(job), false);
        (void)buf_puts(out, "/");
        clean(out, container, strlen(container), false);
        (void)buf_puts(out, ": ");
        clean(out, line, len, false);
    }
    enqueue(log, true);
    (void)pthread_mutex_unlock(&log->mutex);
}
