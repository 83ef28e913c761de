/* Objects picked out of a stream of JSON as it arrives, byte by byte if need be: one object, a list of them,
 * or the events of a watch. Nothing but the fields of struct kube_object is kept. Thread: the loop's. */
#ifndef KS_KUBE_OBJECT_READER_H
#define KS_KUBE_OBJECT_READER_H

#include "kube/object.h"

enum object_shape {
    SHAPE_OBJECT, /* the text is the object */
    SHAPE_LIST,   /* its `items`; their kind is not in the text */
    SHAPE_EVENTS  /* {"type", "object"} one after another */
};

struct object_reader;

struct object_event {
    const char *type;          /* ADDED, MODIFIED, DELETED, BOOKMARK, ERROR; "" unless SHAPE_EVENTS */
    struct kube_object object; /* may be moved out; what is left is freed after the call */
    bool known;                /* the text itself says that this is a Pod or Job */
    int code;                  /* of an ERROR's Status: 410, … */
    const char *message;
};
typedef void (*object_event_cb)(void *ctx, struct object_event *event);

int object_reader_new(enum object_shape shape, enum kube_kind kind, object_event_cb cb, void *ctx,
                      struct object_reader **out, struct err *err);
void object_reader_free(struct object_reader *reader); /* NULL is fine; not from the callback */

/* ERR_INVALID: this is not JSON. Nothing can be fed after an error. */
int object_reader_feed(struct object_reader *reader, const char *bytes, size_t len, struct err *err);
/* The text is over: ERR_INVALID when something was still open. */
int object_reader_end(struct object_reader *reader, struct err *err);
void object_reader_stop(struct object_reader *reader); /* from the callback: feed ends with ERR_CANCELED */

/* Of a list; "" until they were read. */
const char *object_reader_version(const struct object_reader *reader);
const char *object_reader_continue(const struct object_reader *reader);

#endif
