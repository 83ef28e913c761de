/* Runs as objects in a cluster: create, watch, follow the output, judge, delete (registry/executor.h).
 *
 * A manifest carries DESIGN's labels and annotations in its metadata; a Job's also has the labels
 * app.kubernetes.io/managed-by and kube-scheduler/instance in spec.template.metadata, or its Pods are neither
 * seen nor are their logs followed. A run with such labels that shows up after `ready` without a start (the
 * late create of an earlier leader) comes as `adopted` too. One that ended while no daemon was there, and
 * whose outcome nobody has told, is adopted as running; its last 50 lines and `finished` come before `ready`.
 *
 * A run that is ended (stop, pending_timeout) gets the finalizer kube-scheduler/name and annotations with its
 * outcome, and is deleted: a Job with propagation Foreground, so that its Pods go although the Job stays. Its
 * work stops, its name stays taken, and a later daemon tells that outcome; discard removes the finalizer.
 * Until then a deletion of its namespace waits, which is why no other run has that finalizer: what somebody
 * else deletes goes, with its name (scripts/OPERATIONS.md, assumptions). Ended before its container started,
 * it is over when the API server has accepted the deletion; else when its containers have ended or only its
 * name is left. What is still there 60 s after its grace period is lost: its node does not answer. One that
 * succeeded before the deletion reached it has succeeded. */
#ifndef KS_KUBE_EXECUTOR_H
#define KS_KUBE_EXECUTOR_H

#include "kube/client.h"
#include "registry/executor.h"

struct kube_executor_config {
    struct kube_client *client; /* stays the caller's, outlives the executor */
    struct loop *loop;
    struct log *log;
    const char *instance;          /* the label that marks our objects */
    const char *const *namespaces; /* to watch, NULL-terminated; NULL: all (needs a ClusterRole) */
    /* An adopted run that had started prints what it wrote since then (unix seconds): the last sign of life
     * of the daemon that printed the rest. 0: since it is adopted. */
    int64_t adopted_output_since;
    int64_t adopted_pending_timeout; /* seconds from its creation, for adopted runs; 0: none */
};

/* Copies the config's strings. */
int kube_executor_new(const struct kube_executor_config *config, struct executor **out, struct err *err);

/* Creates are sent only before this instant of CLOCK_BOOTTIME (ns): the lease's end. What comes later waits
 * and is tried again, until its start deadline. INT64_MAX, and at first: no fence. */
void kube_executor_set_fence(struct executor *executor, int64_t boottime_ns);

#endif
