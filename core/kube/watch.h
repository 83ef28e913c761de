/* One list-and-watch of a kind: pages, bookmarks, back-off between tries. A connection that breaks, a server
 * that falls silent, ends the watch or is too busy (429) is asked to go on from the last resourceVersion; one
 * that refuses the watch in any other way (410, 403, 500, an ERROR event) is asked for the list again. It
 * never ends by itself. Callbacks on the loop's thread. */
#ifndef KS_KUBE_WATCH_H
#define KS_KUBE_WATCH_H

#include "kube/client.h"
#include "kube/object.h"

enum watch_event {
    WATCH_RELIST, /* a list is about to be asked for: what follows until WATCH_SYNCED is all that there was
                     after this moment (object NULL); again when the list fails and starts anew */
    WATCH_OBJECT, /* this is how the object is now: from the list, ADDED or MODIFIED */
    WATCH_DELETED,
    WATCH_SYNCED /* the list was complete; whoever did not appear is gone (object NULL) */
};
/* The object may be kept by moving its fields out; what is left is freed after the call. */
typedef void (*watch_cb)(void *ctx, enum watch_event event, struct kube_object *object);

struct watch;

/* watch_options.refused: the list was refused for good (403, 404) twice in a row, as it is without a Role. It
 * is asked for again all the same; once for each time that it was not listed. */
struct watch_options {
    enum kube_kind kind;
    const char *namespace_;     /* NULL: all */
    const char *label_selector; /* NULL: any */
    int64_t silence_ns;         /* without a byte: the server does not live; 0: 90 s, for bookmarks come about
                                   once a minute */
    void (*refused)(void *ctx, const char *why); /* NULL is fine */
};

/* Copies the options. A list without resourceVersion is a quorum read, 500 objects a page. Two failures in a
 * row are logged, once a minute at most. client outlives the watch; cb may free it. */
int watch_start(struct kube_client *client, struct log *log, const struct watch_options *options, watch_cb cb,
                void *ctx, struct watch **out, struct err *err);
void watch_free(struct watch *watch);

#endif
