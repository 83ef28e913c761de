#include "kube/object.h"

#include "base/rfc3339.h"
#include "kube/object_reader.h"

#include <stdlib.h>

void kube_container_free(struct kube_container *container) {
    free(container->name);
    free(container->reason);
    free(container->message);
    *container = (struct kube_container){0};
}

void kube_object_free(struct kube_object *object) {
    char *texts[] = {object->namespace_,
                     object->name,
                     object->uid,
                     object->resource_version,
                     object->managed_by,
                     object->instance,
                     object->job_slug,
                     object->job,
                     object->slot,
                     object->attempt,
                     object->trigger,
                     object->reported,
                     object->owner_job,
                     object->phase,
                     object->reason,
                     object->message,
                     object->node,
                     object->main,
                     object->unschedulable,
                     object->disruption,
                     object->condition_reason,
                     object->condition_message,
                     object->outcome,
                     object->end_reason,
                     object->end_message,
                     object->main_container,
                     object->restart_policy};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (size_t i = 0; i < object->container_count; i++)
        kube_container_free(&object->containers[i]);
    *object = (struct kube_object){0};
}

bool kube_object_is_remnant(const struct kube_object *object) {
    if (!object->held || !object->deletion)
        return false;
    return object->kind == KUBE_JOB ? object->finalizers == 1 : object->grace == 0;
}

struct wanted {
    struct kube_object *out;
    bool found;
};

static void take(void *ctx, struct object_event *event) {
    struct wanted *wanted = ctx;
    wanted->found = event->known;
    if (!event->known)
        return;
    *wanted->out = event->object;
    event->object = (struct kube_object){0};
}

int kube_object_parse(const char *json, size_t len, struct kube_object *out, struct err *err) {
    struct object_reader *reader = NULL;
    struct wanted wanted = {.out = out};
    *out = (struct kube_object){0};
    int rc = object_reader_new(SHAPE_OBJECT, KUBE_POD, take, &wanted, &reader, err);
    if (!rc)
        rc = object_reader_feed(reader, json, len, err);
    if (!rc)
        rc = object_reader_end(reader, err);
    if (!rc && !wanted.found)
        rc = err_set(err, ERR_INVALID, "the API server sent something that is neither a Pod nor a Job");
    object_reader_free(reader);
    if (rc)
        kube_object_free(out);
    return rc;
}

int64_t kube_time(const char *text) {
    int64_t t = 0;
    return rfc3339_parse(text, &t) ? 0 : t;
}
