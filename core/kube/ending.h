/* What an object that the scheduler ends carries until its name may be used again (DESIGN decision 2,
 * retention): a finalizer of ours, so that the object stays although its work is stopped, and annotations
 * with the outcome that was decided, so that a later daemon can tell it. Pure. Thread: any. */
#ifndef KS_KUBE_ENDING_H
#define KS_KUBE_ENDING_H

#include "base/buf.h"
#include "kube/object.h"
#include "registry/executor.h"

/* Both are strategic merge patches, which add and remove one finalizer among others without a race; uid NULL:
 * of whatever object has the name. */
#define ENDING_PATCH_TYPE "application/strategic-merge-patch+json"
int ending_hold_patch(const char *uid, const struct result *as, struct buf *out);
int ending_release_patch(const char *uid, struct buf *out);

/* The outcome, reason and message that an object carries; false: none. */
bool ending_read(const struct kube_object *object, struct result *out);

#endif
