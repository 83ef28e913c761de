/* Child processes with pipes on the loop. What the child prints is pulled line by line; a reader that stalls
 * stops the child, not the daemon. Descriptors of this process do not reach the child; its environment is the
 * caller's choice. SIGPIPE must be ignored (main does). Strings are copied. Thread: the loop's. */
#ifndef KS_LOOP_PROCESS_H
#define KS_LOOP_PROCESS_H

#include "loop/loop.h"

#include <stddef.h>

enum {
    PROCESS_LINE_MAX = 8 << 20,   /* bytes of one line of standard output, and of what waits to be read */
    PROCESS_WRITE_MAX = 16 << 20, /* bytes that may wait to be written */
    PROCESS_STDERR_MAX = 4096     /* longer lines of standard error come in pieces */
};

struct process;

struct process_events {
    /* A line may be there, standard output ended, or the child ended: look with the functions below. */
    void (*changed)(void *ctx);
    void (*error_line)(void *ctx, const char *line, size_t len);
};

struct process_config {
    char **argv;   /* NULL-terminated; argv[0] is looked up on PATH */
    char **env;    /* NULL-terminated "NAME=value"; NULL: this process's */
    char *cwd;     /* NULL: this process's */
    size_t memory; /* bytes of address space (RLIMIT_AS), 0: no limit; not kept under AddressSanitizer */
};

/* ctx must live until process_free. */
int process_spawn(struct loop *loop, const struct process_config *config, const struct process_events *events,
                  void *ctx, struct process **out, struct err *err);
/* Kills (SIGKILL) what still runs; no event comes any more. NULL is fine. */
void process_free(struct process *process);

int process_pid(const struct process *process);
int process_kill(struct process *process, int signum, struct err *err); /* ERR_NOTFOUND: it has ended */
/* SIGKILL after ns, unless called again before; < 0: no more watchdog. */
void process_watchdog(struct process *process, int64_t ns);

/* Queues data for the child's standard input. ERR_LIMIT: too much waits; ERR_IO: the child reads no more. */
int process_write(struct process *process, const char *data, size_t len, struct err *err);

/* 1: a line without its end, valid until the next call. 0: none yet, `changed` will come. ERR_CANCELED:
 * standard output has ended (a last line without line end is not given). ERR_LIMIT: the line is longer than
 * PROCESS_LINE_MAX, nothing more can be read. */
int process_read_line(struct process *process, const char **line, size_t *len);

struct process_end {
    int code;     /* exit code; 0 when a signal ended it */
    int signum;   /* 0: none */
    bool overdue; /* by the watchdog */
};
bool process_ended(const struct process *process, struct process_end *end);

#endif
