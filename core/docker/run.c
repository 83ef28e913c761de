#include "docker/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void step(void *ctx) {
    struct run *run = ctx;
    run->again(run);
}

static void overdue(void *ctx) {
    struct run *run = ctx;
    if (run->over || run->stopping)
        return;
    run->stopping = true;
    run->stop_as = OUTCOME_TIMEOUT;
    (void)snprintf(run->stop_reason, sizeof run->stop_reason, "DeadlineExceeded");
    notes_stop(run, step_stop);
}

int docker_run_new(struct docker *docker, const char *namespace_, const char *name, const char *job,
                   struct run **out) {
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return ERR_NOMEM;
    run->docker = docker;
    run->id = ++docker->last_id;
    run->file = -1;
    run->attempt = 1;
    run->result.exit_code = -1;
    TAILQ_INSERT_TAIL(&docker->runs, run, link);
    run->namespace_ = strdup(namespace_);
    run->name = strdup(name);
    run->job = strdup(job);
    if (!run->namespace_ || !run->name || !run->job ||
        timer_new(docker->loop, step, run, &run->timer, NULL) ||
        timer_new(docker->loop, overdue, run, &run->deadline_timer, NULL)) {
        docker_run_free(run);
        return ERR_NOMEM;
    }
    *out = run;
    return 0;
}

static void cancel(struct fetch **call) {
    if (*call)
        fetch_cancel(*call);
    *call = NULL;
}

void docker_run_free(struct run *run) {
    cancel(&run->call);
    cancel(&run->stop_call);
    cancel(&run->output);
    timer_free(run->timer);
    timer_free(run->deadline_timer);
    if (run->file >= 0)
        (void)close(run->file);
    TAILQ_REMOVE(&run->docker->runs, run, link);
    buf_free(&run->frames);
    buf_free(&run->lines);
    free(run->namespace_);
    free(run->name);
    free(run->job);
    free(run->container);
    free(run->image);
    free(run->body);
    free(run);
}

struct run *docker_run_of(struct docker *docker, const void *owner) {
    struct run *run;
    TAILQ_FOREACH(run, &docker->runs, link)
    if (run->owner == owner)
        return run;
    return NULL;
}

void docker_run_log(const struct run *run, enum log_level level, const char *message, const char *why) {
    log_event(run->docker->log, level, message, "job", run->job, "run", run->name, "error", why, NULL);
}

void docker_run_after(struct run *run, int64_t delay, run_step step_) {
    run->again = step_;
    timer_start(run->timer, delay);
}

char *docker_run_dir(const struct run *run) {
    struct buf path = {0};
    if (buf_printf(&path, "%s/%s/%s", run->docker->runs_dir, run->namespace_, run->name)) {
        buf_free(&path);
        return NULL;
    }
    return buf_take(&path);
}

const char *docker_run_label(const struct doc_node *config, const char *name) {
    return doc_string(doc_get(doc_get(config, "Labels"), name), NULL);
}

void docker_run_read_labels(struct run *run, const struct doc_node *config) {
    const char *deadline = docker_run_label(config, "kube-scheduler/deadline");
    const char *pull = docker_run_label(config, "kube-scheduler/pull");
    const char *container = docker_run_label(config, "kube-scheduler/container");
    const char *image = doc_string(doc_get(config, "Image"), NULL);
    run->deadline = deadline ? strtoll(deadline, NULL, 10) : 0;
    run->pull_always = pull && !strcmp(pull, "Always");
    run->pull_never = pull && !strcmp(pull, "Never");
    free(run->container);
    free(run->image);
    run->container = strdup(container ? container : "main");
    run->image = strdup(image ? image : "");
}
