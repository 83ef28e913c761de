/* What runs are called. A name is a function of instance, namespace, job, slot and attempt alone, so that
 * whoever decides a slot again arrives at the same object, and the API server refuses the second (DESIGN
 * decision 2). Names are RFC 1123 labels of at most 63 characters. Thread: any. */
#ifndef KS_REGISTRY_NAME_H
#define KS_REGISTRY_NAME_H

#include "base/err.h"

#include <stdint.h>

enum { NAME_MAX_LENGTH = 63, NAME_REQUEST_MAX = 16 };
typedef char name_text[NAME_MAX_LENGTH + 1];

/* Who asked for a run: "" for the schedule, "m<request>" for a manual one, "b<id>" for a backfill. */
typedef char name_origin[NAME_REQUEST_MAX + 2];

struct name_owner {
    const char *instance, *namespace_, *job;
};

/* Lower-case letters, digits and single dashes; "job" when nothing is left. */
void name_slug(const char *job, name_text out);

/* A value for the label kube-scheduler/job: the slug, with a hash behind it when it differs from the job's
 * name, so that two jobs never share it. */
int name_label(const char *job, name_text out, struct err *err);

/* kind: 'm' or 'b'. The id was made by the asker, so a repeated request is one run: [a-z0-9], 1 to 16. */
int name_make_origin(char kind, const char *id, name_origin out, struct err *err);

/* <slug, cut>-<8 hex of SHA-256(instance/namespace/job)>-<unix seconds>[-r<attempt>]; instead of the seconds
 * a manual run has m<request>, a backfill b<id>-<unix seconds>. */
int name_for_run(const struct name_owner *owner, const char *origin, int64_t slot, int attempt, name_text out,
                 struct err *err);

/* The origin of the run that has this name; "" when it does not say. */
void name_read_origin(const struct name_owner *owner, const char *name, name_origin out);

#endif
