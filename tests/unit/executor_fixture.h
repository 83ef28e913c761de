/* What the tests of the Kubernetes executor share: a world made of fakes, linked in by --wrap (see the
 * Makefile). What the API server answers, what the watches tell, when containers end their output and how
 * time goes by is said line by line, and what the executor's owner hears is compared as text. */
#ifndef KS_TESTS_EXECUTOR_FIXTURE_H
#define KS_TESTS_EXECUTOR_FIXTURE_H

#include "base/buf.h"
#include "kube/executor.h"
#include "kube/object.h"
#include "kube/pod_log.h"
#include "kube/watch.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NOW = 1714557600 }; /* 2024-05-01T10:00:00Z; also the slot of every run */
#define SLOT "2024-05-01T10:00:00Z"

/* --- time --- */

extern int64_t since_start; /* ns */

void pass(double seconds); /* what is due meanwhile happens */

/* --- the API server --- */

struct kube_call {
    char method[8], path[160];
    char body[512];
    struct kube_request request;
    bool taken; /* its slot in calls[] is in use */
};
extern size_t sent; /* all calls ever */

size_t open_calls(void);
struct kube_call *call_of(const char *method, const char *path); /* must be under way */
void answer(const char *method, const char *path, int status, const char *reason, const char *body);
void answer_with(const char *method, const char *path, struct kube_reply reply);

/* --- the watches --- */

struct watch {
    enum kube_kind kind;
    char selector[128];
    watch_cb cb;
    void (*refused)(void *ctx, const char *why);
    void *ctx;
    bool open;
};
extern struct watch watches[8];
extern size_t watch_count;

void tell(enum kube_kind kind, enum watch_event event, const char *json);
void refuse(enum kube_kind kind); /* its list, for good: "forbidden" */

/* Objects of instance "main", as JSON that lasts until the next one. */
enum { JSON_MAX = 2048 };
const char *object(const char *kind, const char *name, const char *metadata, const char *status);
const char *annotated(const char *annotations, const char *plain);
const char *on_node(const char *node, const char *plain);
#define LABELS(more)                                                                                         \
    "\"labels\":{\"app.kubernetes.io/managed-by\":\"kube-scheduler\",\"kube-scheduler/"                      \
    "instance\":\"main\"" more "},"
#define POD(name, status) object("Pod", name, LABELS(""), status)
#define JOB(name, status) object("Job", name, LABELS(""), status)
#define POD_OF(job, name, status) object("Pod", name, LABELS(",\"job-name\":\"" job "\""), status)

/* "a", ended by a scheduler: deleted, and kept by the finalizer. */
#define HELD(more)                                                                                           \
    "\"deletionTimestamp\":\"2024-05-01T10:00:30Z\",\"finalizers\":[" more "\"kube-scheduler/name\"],"
#define HELD_POD(grace, status)                                                                              \
    object("Pod", "a", HELD("") "\"deletionGracePeriodSeconds\":" grace "," LABELS(""), status)
#define HELD_JOB(finalizers, status) object("Job", "a", HELD(finalizers) LABELS(""), status)
#define WITH_MAIN(plain) annotated("\"kube-scheduler/main-container\":\"main\",", plain)

#define PENDING "{\"phase\":\"Pending\"}"
#define RUNNING                                                                                              \
    "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":{"        \
    "\"running\":{\"startedAt\":\"2024-05-01T10:00:05Z\"}}}]}"
#define ENDED(phase, code)                                                                                   \
    "{\"phase\":\"" phase "\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":{"      \
    "\"terminated\":{\"exitCode\":" code ",\"reason\":\"Error\",\"startedAt\":\"2024-05-01T10:00:05Z\","     \
    "\"finishedAt\":\"2024-05-01T10:00:09Z\"}}}]}"
#define SUCCEEDED ENDED("Succeeded", "0")
#define FAILED(code) ENDED("Failed", code)
/* Its main container has ended, another goes on. */
#define LINGERS(code)                                                                                        \
    "{\"phase\":\"Running\",\"containerStatuses\":[{\"name\":\"main\",\"state\":{\"terminated\":{"           \
    "\"exitCode\":" code ",\"reason\":\"Error\",\"startedAt\":\"2024-05-01T10:00:05Z\",\"finishedAt\":"      \
    "\"2024-05-01T10:00:09Z\"}}},{\"name\":\"side\",\"state\":{\"running\":{}}}]}"
#define NO_IMAGE                                                                                             \
    "{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":{"        \
    "\"waiting\":{\"reason\":\"ImagePullBackOff\",\"message\":\"not found\"}}}]}"
#define BAD_IMAGE                                                                                            \
    "{\"phase\":\"Pending\",\"containerStatuses\":[{\"name\":\"main\",\"restartCount\":0,\"state\":{"        \
    "\"waiting\":{\"reason\":\"InvalidImageName\",\"message\":\"A:B:C\"}}}]}"
#define JOB_FAILED                                                                                           \
    "{\"failed\":1,\"conditions\":[{\"type\":\"Failed\",\"status\":\"True\",\"reason\":"                     \
    "\"BackoffLimitExceeded\"}]}"
#define JOB_COMPLETE                                                                                         \
    "{\"startTime\":\"2024-05-01T10:00:05Z\",\"succeeded\":1,\"conditions\":[{\"type\":\"Complete\","        \
    "\"status\":\"True\"}]}"

/* --- output --- */

struct pod_log {
    char container[32], pod[64];
    int64_t since;
    int tail;
    const struct pod_log_events *events;
    void *ctx;
    bool finish;
};
extern struct pod_log logs[64];
extern size_t log_count;

void output_ends(size_t log);

/* --- the owner --- */

extern const char *leave_alone; /* the name that `adopted` does not want */
extern char adopted_owners[8][32];

void forget_heard(void);
void expect_at(const char *wanted, int line); /* what was heard since the last time, and no more */
#define expect(wanted) expect_at(wanted, __LINE__)

/* --- the executor --- */

extern struct executor *executor;
extern char a[2]; /* the owner of run "a"; its name too */

int set_up(void **state);
int tear_down(void **state);
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#define PODS "/api/v1/namespaces/n/pods"
#define JOBS "/apis/batch/v1/namespaces/n/jobs"

void get_ready(void); /* there is nothing to adopt */
int try_start(char *name, const char *namespace_, bool is_job, struct err *err);
/* Run "a" is … */
void begin(bool is_job); /* … asked for, */
void begin_accepted(bool is_job);
void begin_running(void);
void begin_finished(void);
void stop_now(void);
/* … being ended: first its name and outcome are made to stay, then it is deleted. */
void name_is_kept(const char *path);
void name_is_freed(const char *path);

#endif
