#include "loop/process.h"

#include "base/buf.h"

#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* A watchdog that fires may itself be late, with the child's answer already in the pipe: the loop gets one
 * more look at the pipes before the kill. */
#define WATCHDOG_SECOND_LOOK (5 * NS_PER_MS)
enum { READ_CHUNK = 64 << 10 };

struct process {
    uv_process_t child;
    uv_pipe_t in, out, errors;
    struct process_events events;
    void *ctx;
    struct loop *loop;
    struct timer *watchdog;
    bool second_look;
    bool killed; /* its end is expected: the loop is held until then */
    struct buf output;
    size_t given;    /* leading bytes of output that the caller has had */
    size_t searched; /* leading bytes of output known to hold no line end after given */
    struct buf error_text;
    size_t writing; /* bytes that wait */
    bool output_over, output_paused;
    bool ended, freed;
    int handles; /* open ones; the last close frees */
    struct process_end end;
};

static void close_one(uv_handle_t *handle) {
    struct process *process = handle->data;
    if (--process->handles > 0)
        return;
    buf_free(&process->output);
    buf_free(&process->error_text);
    free(process);
}

static void close_handle(void *handle) {
    if (!uv_is_closing(handle))
        uv_close(handle, close_one);
}

static void exited(uv_process_t *child, int64_t code, int signum) {
    struct process *process = child->data;
    process->ended = true;
    process->end.code = (int)code;
    process->end.signum = signum;
    if (process->killed)
        loop_release(process->loop);
    if (process->freed) {
        close_handle(child); /* not earlier: libuv reaps only children whose handle is open */
        return;
    }
    timer_stop(process->watchdog);
    process->events.changed(process->ctx);
}

static int kill_child(struct process *process, int signum) {
    int rc = uv_process_kill(&process->child, signum);
    if (!rc && signum == SIGKILL && !process->killed) {
        process->killed = true;
        loop_hold(process->loop);
    }
    return rc;
}

static void watchdog_fired(void *ctx) {
    struct process *process = ctx;
    if (!process->second_look) {
        process->second_look = true;
        timer_start(process->watchdog, WATCHDOG_SECOND_LOOK);
        return;
    }
    process->end.overdue = kill_child(process, SIGKILL) == 0;
}

void process_watchdog(struct process *process, int64_t ns) {
    timer_stop(process->watchdog);
    process->second_look = false;
    if (ns >= 0 && !process->ended)
        timer_start(process->watchdog, ns);
}

/* Reading */

static void offer_space(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    struct process *process = handle->data;
    struct buf *into = handle == (uv_handle_t *)&process->out ? &process->output : &process->error_text;
    *out = uv_buf_init(NULL, 0); /* then libuv reports UV_ENOBUFS */
    if (buf_reserve(into, READ_CHUNK) == 0)
        *out = uv_buf_init(into->data + into->len, READ_CHUNK);
}

static void pause_output(struct process *process) {
    (void)uv_read_stop((uv_stream_t *)&process->out);
    process->output_paused = true;
}

static void output_arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *space) {
    (void)space;
    struct process *process = stream->data;
    if (n == 0)
        return;
    if (n < 0) {
        (void)uv_read_stop(stream);
        process->output_over = true;
    } else {
        process->output.len += (size_t)n;
        if (process->output.len - process->given >= PROCESS_LINE_MAX)
            pause_output(process);
    }
    process->events.changed(process->ctx);
}

static void give_error_lines(struct process *process, bool over) {
    struct buf *text = &process->error_text;
    while (text->len > 0 && !process->freed) {
        const char *end = memchr(text->data, '\n', text->len);
        size_t len = end ? (size_t)(end - text->data) : text->len;
        bool cut = len > PROCESS_STDERR_MAX;
        if (!end && !cut && !over)
            return;
        if (cut)
            len = PROCESS_STDERR_MAX;
        process->events.error_line(process->ctx, text->data, len);
        buf_consume(text, end && !cut ? len + 1 : len);
    }
}

static void errors_arrived(uv_stream_t *stream, ssize_t n, const uv_buf_t *space) {
    (void)space;
    struct process *process = stream->data;
    if (n < 0)
        (void)uv_read_stop(stream);
    else
        process->error_text.len += (size_t)n;
    give_error_lines(process, n < 0);
}

static void resume_output(struct process *process) {
    if (!process->output_paused || process->output_over)
        return;
    process->output_paused = false;
    (void)uv_read_start((uv_stream_t *)&process->out, offer_space, output_arrived);
}

/* Moves what is left to the front, seldom enough to cost little for each line. */
static void drop_given(struct process *process) {
    if (process->given < process->output.len / 2)
        return;
    buf_consume(&process->output, process->given);
    process->searched -= process->given;
    process->given = 0;
}

int process_read_line(struct process *process, const char **line, size_t *len) {
    drop_given(process);
    struct buf *output = &process->output;
    const char *end = NULL;
    if (output->len > process->searched)
        end = memchr(output->data + process->searched, '\n', output->len - process->searched);
    if (end) {
        *line = output->data + process->given;
        *len = (size_t)(end - *line);
        process->given = process->searched = (size_t)(end - output->data) + 1;
        return 1;
    }
    process->searched = output->len;
    if (output->len - process->given >= PROCESS_LINE_MAX)
        return ERR_LIMIT;
    if (process->output_over)
        return ERR_CANCELED;
    resume_output(process);
    return 0;
}

/* Writing */

struct write {
    uv_write_t uv; /* first: the callback frees the whole */
    struct process *process;
    size_t len;
    char data[];
};

static void written(uv_write_t *uv, int status) {
    (void)status; /* a child that reads no more is seen by its end */
    struct write *write = (struct write *)uv;
    write->process->writing -= write->len;
    free(write);
}

int process_write(struct process *process, const char *data, size_t len, struct err *err) {
    if (len > PROCESS_WRITE_MAX - process->writing)
        return err_set(err, ERR_LIMIT, "process %d does not read: %zu bytes wait for it already",
                       process_pid(process), process->writing);
    if (process->ended)
        return err_set(err, ERR_IO, "process %d has ended", process_pid(process));
    struct write *write = malloc(sizeof *write + len);
    if (!write)
        return err_set(err, ERR_NOMEM, "out of memory");
    write->process = process;
    write->len = len;
    if (len > 0)
        memcpy(write->data, data, len);
    uv_buf_t chunk = uv_buf_init(write->data, (unsigned)len);
    int rc = uv_write(&write->uv, (uv_stream_t *)&process->in, &chunk, 1, written);
    if (rc) {
        free(write);
        return err_set(err, ERR_IO, "write to process %d: %s", process_pid(process), uv_strerror(rc));
    }
    process->writing += len;
    return 0;
}

/* Life */

#ifdef __SANITIZE_ADDRESS__
static void limit_memory(int pid, size_t bytes) { /* its shadow memory needs terabytes of addresses */
    (void)pid;
    (void)bytes;
}
#else
static void limit_memory(int pid, size_t bytes) {
    struct rlimit limit = {.rlim_cur = bytes, .rlim_max = bytes};
    if (bytes > 0)
        (void)prlimit(pid, RLIMIT_AS, &limit, NULL); /* fails only when the child is gone already */
}
#endif

static struct process *prepare(struct loop *loop, const struct process_events *events, void *ctx) {
    struct process *process = calloc(1, sizeof *process);
    if (!process)
        return NULL;
    if (timer_new_real(loop, watchdog_fired, process, &process->watchdog, NULL)) {
        free(process);
        return NULL;
    }
    process->loop = loop;
    process->events = *events;
    process->ctx = ctx;
    uv_pipe_t *pipes[] = {&process->in, &process->out, &process->errors};
    for (size_t i = 0; i < sizeof pipes / sizeof pipes[0]; i++) {
        (void)uv_pipe_init(loop_uv(loop), pipes[i], 0); /* always 0 without IPC */
        pipes[i]->data = process;
    }
    process->child.data = process;
    process->handles = 4; /* uv_spawn makes the fourth, also when it fails */
    return process;
}

static int spawn(struct loop *loop, struct process *process, const struct process_config *config) {
    uv_stdio_container_t stdio[3] = {
        {.flags = UV_CREATE_PIPE | UV_READABLE_PIPE, .data.stream = (uv_stream_t *)&process->in},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&process->out},
        {.flags = UV_CREATE_PIPE | UV_WRITABLE_PIPE, .data.stream = (uv_stream_t *)&process->errors},
    };
    uv_process_options_t options = {.exit_cb = exited,
                                    .file = config->argv[0],
                                    .args = config->argv,
                                    .env = config->env,
                                    .cwd = config->cwd,
                                    .stdio = stdio,
                                    .stdio_count = 3};
    return uv_spawn(loop_uv(loop), &process->child, &options);
}

int process_spawn(struct loop *loop, const struct process_config *config, const struct process_events *events,
                  void *ctx, struct process **out, struct err *err) {
    struct process *process = prepare(loop, events, ctx);
    if (!process)
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = spawn(loop, process, config);
    if (rc) {
        process->ended = true;
        process_free(process);
        return err_set(err, ERR_IO, "start %s: %s", config->argv[0], uv_strerror(rc));
    }
    limit_memory(process_pid(process), config->memory); /* uv_spawn returns after the exec */
    (void)uv_read_start((uv_stream_t *)&process->out, offer_space, output_arrived);
    (void)uv_read_start((uv_stream_t *)&process->errors, offer_space, errors_arrived);
    *out = process;
    return 0;
}

void process_free(struct process *process) {
    if (!process)
        return;
    process->freed = true;
    timer_free(process->watchdog);
    process->watchdog = NULL;
    close_handle(&process->in);
    close_handle(&process->out);
    close_handle(&process->errors);
    if (process->ended)
        close_handle(&process->child);
    else
        (void)kill_child(process, SIGKILL);
}

int process_pid(const struct process *process) {
    return process->child.pid;
}

int process_kill(struct process *process, int signum, struct err *err) {
    if (process->ended)
        return err_set(err, ERR_NOTFOUND, "process %d has ended", process_pid(process));
    int rc = kill_child(process, signum);
    return rc ? err_set(err, ERR_IO, "kill process %d: %s", process_pid(process), uv_strerror(rc)) : 0;
}

bool process_ended(const struct process *process, struct process_end *end) {
    *end = process->end;
    return process->ended;
}
