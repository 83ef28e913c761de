/* Judges what a Pod or Job says about itself: does it wait, run, or is it over, and how did it end? Pure: no
 * clock, no state. Where Kubernetes documents no contract, the rules follow what kubelet, scheduler and
 * controllers write (1.20 to 1.34). Thread: any. */
#ifndef KS_KUBE_OUTCOME_H
#define KS_KUBE_OUTCOME_H

#include "kube/object.h"
#include "registry/executor.h"

enum stage {
    STAGE_PENDING,  /* result: what it waits for (reason "" when that is nothing special), if it stays so */
    STAGE_HOPELESS, /* still pending, and will be for ever: remove it; result: why */
    STAGE_RUNNING,  /* result: only started holds */
    STAGE_OVER      /* result: how it ended */
};

/* The first container decides: it was started, its exit code is the Pod's; another's failure counts when the
 * first one did well and the Pod failed all the same. Where the annotation kube-scheduler/main-container
 * names one, that one alone decides, and when it has ended the Pod is over, whatever runs beside it. A Pod
 * that ended because somebody deleted it is evicted, lost or deleted, whatever its containers' exit codes. */
enum stage outcome_of_pod(const struct kube_object *pod, struct result *out);

/* A Pod that is no more, by its last state: evicted, lost or deleted, or how it had ended before. */
void outcome_of_gone(const struct kube_object *pod, struct result *out);

/* PENDING for an active Job, whatever its Pods do. last_pod: how the last of its Pods ended that did not
 * succeed, or NULL; a failed Job has its outcome and exit code. */
enum stage outcome_of_job(const struct kube_object *job, const struct result *last_pod, struct result *out);

/* Whether it is over by its main container only, and others run on. */
bool outcome_leaves_work(const struct kube_object *pod);

/* The container that decides, NULL while there is no status. */
const struct kube_container *outcome_main_container(const struct kube_object *pod);
/* Whether it runs or ran. */
bool outcome_has_started(const struct kube_container *container);

#endif
