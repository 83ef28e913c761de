/* Runs as objects in a cluster: create, watch, follow the output, judge, delete (registry/executor.h). */
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
};

int kube_executor_new(const struct kube_executor_config *config, struct executor **out, struct err *err);

/* Creates are sent only before this instant of CLOCK_BOOTTIME (ns): the lease's end. INT64_MAX: no fence. */
void kube_executor_set_fence(struct executor *executor, int64_t boottime_ns);

#endif
