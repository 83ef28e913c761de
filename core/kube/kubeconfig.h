/* Reading kubeconfig files; private to config.c. Fields follow
 * https://kubernetes.io/docs/reference/config-api/kubeconfig.v1/ */
#ifndef KS_KUBE_KUBECONFIG_H
#define KS_KUBE_KUBECONFIG_H

#include "kube/config.h"

/* Fills config from a file, or from a list of files separated by colons: the first that names a context,
 * cluster or user defines it. Files that do not exist are passed over when the list has several, as kubectl
 * does. */
int kubeconfig_read(struct kube_config *config, const char *files, bool is_list, const char *context,
                    struct err *err);

#endif
