/* What we need to know of an object, picked from its JSON by SAX without building a tree. Strings are
 * owned by the object; kube_object_free releases them. */
#ifndef KS_KUBE_OBJECT_H
#define KS_KUBE_OBJECT_H

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of the last two only metadata is picked. */
enum kube_kind { KUBE_POD, KUBE_JOB, KUBE_CONFIG_MAP, KUBE_LEASE_OBJECT };
enum { KUBE_MAX_CONTAINERS = 16 };
#define KUBE_NAME_FINALIZER "kube-scheduler/name"

/* One element of status.containerStatuses (or initContainerStatuses, then init is true). */
struct kube_container {
    char *name;
    bool init;
    enum { CONTAINER_WAITING, CONTAINER_RUNNING, CONTAINER_TERMINATED } state;
    int exit_code, signal; /* terminated */
    char *reason, *message;
    int64_t started, finished; /* unix seconds, 0: not said */
    int restarts;
};

struct kube_object {
    enum kube_kind kind;
    char *namespace_, *name, *uid, *resource_version;
    int64_t deletion; /* deletionTimestamp: when its grace ends, unix seconds; 0: nobody deletes it */
    int64_t grace;    /* deletionGracePeriodSeconds: so it was deleted at deletion - grace */
    int64_t created;
    /* our labels (managed_by, instance, job_slug) and annotations; NULL when absent. job is the full name */
    char *managed_by, *instance, *job_slug, *job, *slot, *attempt, *trigger, *reported;
    char *outcome, *end_reason, *end_message; /* annotations: ending.h */
    char *main_container;                     /* annotation: the container that decides, when it is named */
    char *owner_job;                          /* a Pod's label job-name: the Job that made it */
    int finalizers;                           /* their number */
    bool held;                                /* KUBE_NAME_FINALIZER is one of them */
    /* Pod */
    char *phase, *reason, *message, *node, *restart_policy;
    char *main;          /* spec.containers[0].name; statuses come sorted by name, not in this order */
    char *unschedulable; /* message of condition PodScheduled=False, or NULL */
    char *disruption;    /* reason of condition DisruptionTarget=True (PreemptionByScheduler, …), or NULL */
    struct kube_container containers[KUBE_MAX_CONTAINERS];
    size_t container_count;
    /* Job */
    bool complete, failed;
    char *condition_reason, *condition_message;
    int64_t start_time, completion_time;
    int active, succeeded_pods, failed_pods;
};

/* ERR_INVALID: the text is not the JSON of a Pod or Job. On failure *out is empty. */
int kube_object_parse(const char *json, size_t len, struct kube_object *out, struct err *err);
void kube_object_free(struct kube_object *object);
void kube_container_free(struct kube_container *container);
/* Whether nothing but our finalizer keeps it: it was deleted, and the kubelet, or for a Job the garbage
 * collector that deletes its Pods first (propagation Foreground), has done its work. */
bool kube_object_is_remnant(const struct kube_object *object);

/* RFC 3339 to unix seconds; 0 when it is none. */
int64_t kube_time(const char *text);

#endif
