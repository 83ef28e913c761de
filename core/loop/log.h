/* What the daemon prints: one line an event, and the output of the tasks, as text or JSON. A thread of its
 * own does the writing, so that a reader who stalls never stalls a slot; at most LOG_QUEUE_BYTES wait for it,
 * beyond that task output is dropped and the number of lost lines is printed. Every value is made valid
 * UTF-8 without control characters first. Thread: the functions may be called from any. */
#ifndef KS_LOOP_LOG_H
#define KS_LOOP_LOG_H

#include "base/err.h"
#include "loop/clock.h"

#include <stdbool.h>
#include <stddef.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };
enum log_format { LOG_TEXT, LOG_JSON };
enum { LOG_QUEUE_BYTES = 32 << 20 };

struct log;

/* Writes to fd, which stays the caller's. */
int log_new(const struct clock *clock, int fd, struct log **out, struct err *err);
void log_free(struct log *log); /* writes what waits, for 2 s at most */
void log_set_format(struct log *log, enum log_format format);
void log_set_level(struct log *log, enum log_level lowest);
bool log_takes(const struct log *log, enum log_level level); /* or is it below the lowest? */

/* A message and pairs of name and value (both const char *), ended by NULL; a NULL value leaves its pair out.
 */
void log_event(struct log *log, enum log_level level, const char *message, ...) __attribute__((sentinel));

struct log_field {
    const char *name, *value;
    size_t value_len;
};
void log_fields(struct log *log, enum log_level level, const char *message, const struct log_field *fields,
                size_t count);

/* One line of a task's output, without its line end. */
void log_output(struct log *log, const char *job, const char *run, const char *container, const char *line,
                size_t len);

#endif
