/* One line asked, one line answered, over a Unix stream socket: how a command reaches the daemon on the same
 * machine. Lines are without their end; lengths exclude it. Thread: the loop's. */
#ifndef KS_LOOP_SOCKET_H
#define KS_LOOP_SOCKET_H

#include "loop/loop.h"

#include <stddef.h>
#include <sys/types.h>

enum {
    SOCKET_ASK_MAX = 1 << 20,    /* bytes of a question */
    SOCKET_ANSWER_MAX = 8 << 20, /* bytes of an answer */
    SOCKET_CALLERS = 32          /* at a time; more wait in the kernel's queue */
};
#define SOCKET_ASK_NS (5 * NS_PER_S)     /* a caller that has not asked by then is let go */
#define SOCKET_ANSWER_NS (60 * NS_PER_S) /* and so is one that has not read its answer */

struct socket_server;

/* A question came, of the user by the kernel's word; answer it by socket_answer, now or later. line lives
 * during the callback. */
typedef void (*socket_ask_cb)(void *ctx, uint64_t call, uid_t user, const char *line, size_t len);

/* Listens at the path for the owner alone (mode 0600). What stands at the path is removed: whoever calls this
 * holds the lock of the folder (store_open), so it is left over from a daemon that was killed. ERR_INVALID:
 * the path is longer than the 107 bytes that a socket's may have. */
int socket_server_new(struct loop *loop, const char *path, socket_ask_cb cb, void *ctx,
                      struct socket_server **out, struct err *err);
/* Removes the path and lets every caller go. NULL is fine. */
void socket_server_free(struct socket_server *server);
/* A caller that has gone meanwhile, or was answered, is no mistake. */
void socket_answer(struct socket_server *server, uint64_t call, const char *line, size_t len);

/* The answer; line NULL: none, err says why. ERR_NOTFOUND: there is no such path, or nobody listens there;
 * ERR_DENIED: it is another user's; ERR_TIMEOUT. */
typedef void (*socket_answer_cb)(void *ctx, const char *line, size_t len, const struct err *err);
int socket_ask(struct loop *loop, const char *path, const char *line, size_t len, int64_t timeout_ns,
               socket_answer_cb cb, void *ctx, struct err *err);

#endif
