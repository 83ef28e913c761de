/* Tells when something directly in a folder changes: a file written, made, replaced, gone. It is a hint: it
 * may come late, twice, or (on a network's file system) never, so whoever relies on it looks at times
 * himself. Thread: the loop's. */
#ifndef KS_LOOP_WATCH_H
#define KS_LOOP_WATCH_H

#include "loop/loop.h"

struct folder_watch;
/* name: of what changed, without the folder; NULL when that is unknown, or when the folder itself is gone. */
typedef void (*folder_watch_cb)(void *ctx, const char *name);
int folder_watch_new(struct loop *loop, const char *path, folder_watch_cb cb, void *ctx,
                     struct folder_watch **out, struct err *err);
void folder_watch_free(struct folder_watch *watch); /* NULL is fine */

#endif
