#include "local/rundir.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SPEC_MAX = 64 << 20, STATUS_MAX = 4096, LOCK_MAX = 256 };

static const char *const end_names[] = {"exit", "deadline", "stop", "no-start"};

/* The spec is fields that each end with a NUL: deadline, grace, cwd, number of words, the words, the
 * environment. */

static int put(struct buf *out, const char *text) {
    return buf_append(out, text, strlen(text) + 1);
}

static int put_number(struct buf *out, int64_t number) {
    char text[24];
    (void)snprintf(text, sizeof text, "%" PRId64, number);
    return put(out, text);
}

static int put_all(struct buf *out, const struct strings *list) {
    int rc = 0;
    for (size_t i = 0; i < list->count && !rc; i++)
        rc = put(out, list->items[i]);
    return rc;
}

/* Not forced to the disk: after a crash of the machine nothing runs, and the intent alone counts. */
static int write_plain(int dir, const char *name, const struct buf *data, struct err *err) {
    int fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0 || file_write_all(fd, data->data, data->len)) {
        int errnum = errno;
        if (fd >= 0)
            (void)close(fd);
        return err_set_errno(err, ERR_IO, errnum, "%s cannot be written", name);
    }
    (void)close(fd);
    return 0;
}

int rundir_write_spec(int dir, const struct command *command, struct err *err) {
    struct buf out = {0};
    int rc = 0;
    if (put_number(&out, command->deadline) || put_number(&out, command->grace) ||
        put(&out, command->cwd ? command->cwd : "/") || put_number(&out, (int64_t)command->argv.count) ||
        put_all(&out, &command->argv) || put_all(&out, &command->env))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else
        rc = write_plain(dir, RUNDIR_SPEC, &out, err);
    buf_free(&out);
    return rc;
}

struct reader {
    const char *at, *end;
};

/* The next field, or NULL when there is no complete one. */
static const char *take(struct reader *reader) {
    const char *nul =
        reader->at < reader->end ? memchr(reader->at, '\0', (size_t)(reader->end - reader->at)) : NULL;
    if (!nul)
        return NULL;
    const char *field = reader->at;
    reader->at = nul + 1;
    return field;
}

static int64_t take_number(struct reader *reader) {
    const char *field = take(reader);
    return field ? strtoll(field, NULL, 10) : 0;
}

static int take_words(struct reader *reader, int64_t count, struct strings *out) {
    const char *field;
    int rc = 0;
    while (!rc && count-- > 0 && (field = take(reader)))
        rc = strings_add(out, strdup(field));
    return rc;
}

int rundir_read_spec(int dir, struct command *command, struct err *err) {
    struct buf text = {0};
    *command = (struct command){0};
    int rc = file_read(dir, RUNDIR_SPEC, SPEC_MAX, &text, err);
    if (!rc) {
        struct reader reader = {text.data, text.data + text.len};
        command->deadline = take_number(&reader);
        command->grace = take_number(&reader);
        const char *cwd = take(&reader);
        int64_t words = take_number(&reader);
        if (!cwd || words <= 0)
            rc = err_set(err, ERR_INVALID, RUNDIR_SPEC " is damaged");
        else if (!(command->cwd = strdup(cwd)) || take_words(&reader, words, &command->argv) ||
                 take_words(&reader, INT64_MAX, &command->env))
            rc = err_set(err, ERR_NOMEM, "out of memory");
    }
    buf_free(&text);
    return rc;
}

int rundir_write_status(int dir, const struct run_status *status, struct err *err) {
    char text[STATUS_MAX];
    int len = snprintf(text, sizeof text, "%s %d %d %" PRId64 " %" PRId64 "\n%s\n", end_names[status->end],
                       status->exit_code, status->signal, status->started, status->finished, status->message);
    return file_replace(dir, RUNDIR_STATUS, text, (size_t)len, err);
}

static int parse_end(const char *text, size_t len, enum run_end *end) {
    for (size_t i = 0; i < sizeof end_names / sizeof end_names[0]; i++)
        if (strlen(end_names[i]) == len && !strncmp(text, end_names[i], len)) {
            *end = (enum run_end)i;
            return 0;
        }
    return ERR_INVALID;
}

static int parse_numbers(const char *text, int64_t *out, size_t count, const char **rest) {
    for (size_t i = 0; i < count; i++) {
        char *end;
        out[i] = strtoll(text, &end, 10);
        if (end == text)
            return ERR_INVALID;
        text = end;
    }
    *rest = text;
    return 0;
}

static int parse_status(const char *text, struct run_status *status) {
    int64_t numbers[4];
    size_t word = strcspn(text, " ");
    *status = (struct run_status){0};
    if (parse_end(text, word, &status->end) || parse_numbers(text + word, numbers, 4, &text) || *text != '\n')
        return ERR_INVALID;
    status->exit_code = (int)numbers[0];
    status->signal = (int)numbers[1];
    status->started = numbers[2];
    status->finished = numbers[3];
    text++;
    (void)snprintf(status->message, sizeof status->message, "%.*s", (int)strcspn(text, "\n"), text);
    return 0;
}

int rundir_read_status(int dir, struct run_status *status, struct err *err) {
    struct buf text = {0};
    int rc = file_read(dir, RUNDIR_STATUS, STATUS_MAX, &text, err);
    if (!rc && parse_status(text.data, status))
        rc = err_set(err, ERR_INVALID, RUNDIR_STATUS " is damaged");
    buf_free(&text);
    return rc;
}

int rundir_write_lock(int lock, const struct lock_state *state) {
    char text[64];
    int len = state->started
                  ? snprintf(text, sizeof text, "%ld %" PRId64 "\n", (long)state->pid, state->started)
                  : snprintf(text, sizeof text, "%ld\n", (long)state->pid);
    return pwrite(lock, text, (size_t)len, 0) == len ? 0 : ERR_IO;
}

void rundir_read_lock(int dir, struct lock_state *state) {
    struct buf text = {0};
    int64_t numbers[2];
    const char *rest;
    *state = (struct lock_state){0};
    if (!file_read(dir, RUNDIR_LOCK, LOCK_MAX, &text, NULL) && !parse_numbers(text.data, numbers, 1, &rest) &&
        strchr(rest, '\n')) {
        state->pid = (pid_t)numbers[0];
        if (!parse_numbers(rest, numbers, 1, &rest))
            state->started = numbers[0];
    }
    buf_free(&text);
}
