/* A line of a watch as the API server writes it for the Pod of a run: 5 KB, half of it managedFields. */
#ifndef KS_BENCH_POD_EVENT_H
#define KS_BENCH_POD_EVENT_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { EVENTS = 2000 };

static const char pod_head[] =
    "{\"type\":\"MODIFIED\",\"object\":{\"kind\":\"Pod\",\"apiVersion\":\"v1\",\"metadata\":{\"name\":"
    "\"nightly-0a1b2c3d-1714557600\",\"namespace\":\"default\",\"uid\":\"3f0c1f6e-9d2a-4d6f-8f35-"
    "0d7a1c2b3e4f\","
    "\"resourceVersion\":\"1234567\",\"creationTimestamp\":\"2024-05-01T10:00:00Z\",\"labels\":{"
    "\"app.kubernetes.io/managed-by\":\"kube-scheduler\",\"kube-scheduler/instance\":\"main\","
    "\"kube-scheduler/job\":\"nightly\"},\"annotations\":{\"kube-scheduler/job-name\":\"nightly\","
    "\"kube-scheduler/slot\":\"2024-05-01T10:00:00Z\",\"kube-scheduler/attempt\":\"0\","
    "\"kube-scheduler/trigger\":\"schedule\"},\"managedFields\":[";
static const char pod_manager[] =
    "{\"manager\":\"kubelet\",\"operation\":\"Update\",\"apiVersion\":\"v1\",\"time\":\"2024-05-01T10:00:"
    "05Z\","
    "\"fieldsType\":\"FieldsV1\",\"fieldsV1\":{\"f:status\":{\"f:conditions\":{\"k:{\\\"type\\\":"
    "\\\"Ready\\\"}\":{"
    "\".\":{},\"f:lastProbeTime\":{},\"f:lastTransitionTime\":{},\"f:status\":{},\"f:type\":{}},"
    "\"k:{\\\"type\\\":\\\"Initialized\\\"}\":{\".\":{},\"f:lastProbeTime\":{},\"f:lastTransitionTime\":{},"
    "\"f:status\":{},\"f:type\":{}}},\"f:containerStatuses\":{},\"f:hostIP\":{},\"f:phase\":{},\"f:podIP\":{}"
    ","
    "\"f:startTime\":{}}},\"subresource\":\"status\"}";
static const char pod_tail[] =
    "]},\"spec\":{\"volumes\":[{\"name\":\"kube-api-access-x2x7k\",\"projected\":{\"sources\":[{"
    "\"serviceAccountToken\":{\"expirationSeconds\":3607,\"path\":\"token\"}},{\"configMap\":{\"name\":"
    "\"kube-root-ca.crt\",\"items\":[{\"key\":\"ca.crt\",\"path\":\"ca.crt\"}]}}],\"defaultMode\":420}}],"
    "\"containers\":[{\"name\":\"main\",\"image\":\"registry.example.com/team/"
    "nightly:1.2.3\",\"command\":[\"/bin/"
    "nightly\",\"--all\"],\"env\":[{\"name\":\"KUBE_SCHEDULER_JOB\",\"value\":\"nightly\"},{\"name\":"
    "\"KUBE_SCHEDULER_SLOT\",\"value\":\"2024-05-01T10:00:00Z\"}],\"resources\":{\"limits\":{\"cpu\":\"1\","
    "\"memory\":\"512Mi\"},\"requests\":{\"cpu\":\"100m\",\"memory\":\"128Mi\"}},\"volumeMounts\":[{\"name\":"
    "\"kube-api-access-x2x7k\",\"readOnly\":true,\"mountPath\":\"/var/run/secrets/kubernetes.io/"
    "serviceaccount\"}],\"terminationMessagePath\":\"/dev/"
    "termination-log\",\"imagePullPolicy\":\"IfNotPresent\"}],"
    "\"restartPolicy\":\"Never\",\"terminationGracePeriodSeconds\":30,\"dnsPolicy\":\"ClusterFirst\","
    "\"nodeName\":"
    "\"node-1\",\"tolerations\":[{\"key\":\"node.kubernetes.io/"
    "not-ready\",\"operator\":\"Exists\",\"effect\":"
    "\"NoExecute\",\"tolerationSeconds\":300}],\"priority\":0},\"status\":{\"phase\":\"Running\","
    "\"conditions\":[{"
    "\"type\":\"Initialized\",\"status\":\"True\",\"lastProbeTime\":null,\"lastTransitionTime\":"
    "\"2024-05-01T10:00:00Z\"},{\"type\":\"PodScheduled\",\"status\":\"True\",\"lastProbeTime\":null,"
    "\"lastTransitionTime\":\"2024-05-01T10:00:00Z\"}],\"hostIP\":\"10.0.0.1\",\"podIP\":\"10.1.0.7\","
    "\"startTime\":"
    "\"2024-05-01T10:00:00Z\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"running\":{"
    "\"startedAt\":"
    "\"2024-05-01T10:00:05Z\"}},\"lastState\":{},\"ready\":true,\"restartCount\":0,\"image\":"
    "\"registry.example.com/team/nightly:1.2.3\",\"started\":true}],\"qosClass\":\"Burstable\"}}}\n";

/* The caller's; NULL: out of memory. */
static inline char *pod_event(void) {
    enum { MANAGERS = 6 };
    char *text = malloc(sizeof pod_head + MANAGERS * (sizeof pod_manager + 1) + sizeof pod_tail);
    if (!text)
        return NULL;
    char *at = stpcpy(text, pod_head);
    for (int i = 0; i < MANAGERS; i++)
        at = stpcpy(stpcpy(at, i ? "," : ""), pod_manager);
    (void)stpcpy(at, pod_tail);
    return text;
}

#endif
