/* What a manifest means as a process on this machine: the first container's command, arguments and
 * environment, and the pod's deadline. The rest of a manifest needs a cluster and is listed in `ignored`.
 * Pure but for getenv. Thread: any. */
#ifndef KS_LOCAL_COMMAND_H
#define KS_LOCAL_COMMAND_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { COMMAND_GRACE = 10 }; /* seconds from SIGTERM to SIGKILL without a terminationGracePeriodSeconds */

struct strings {
    char **items; /* NULL-terminated once there is one */
    size_t count, capacity;
};

struct command {
    struct strings argv;
    /* "NAME=value": PATH, HOME, LANG, TZ, USER and TMPDIR as the daemon has them, then the container's */
    struct strings env;
    char *cwd;        /* NULL: the executor's */
    char *container;  /* its name */
    char *ignored;    /* "image, env KEY (valueFrom), volumes"; NULL: nothing */
    int64_t deadline; /* seconds from its start; 0: none */
    int64_t grace;    /* seconds */
};

/* ERR_INVALID with a message that says what to write, or ERR_NOMEM. command is to be freed in any case. */
int command_read(const char *manifest, size_t len, bool is_job, struct command *command, struct err *err);
void command_free(struct command *command);

int strings_add(struct strings *list, char *text); /* takes text, also when it fails; NULL is ERR_NOMEM */
void strings_free(struct strings *list);

#endif
