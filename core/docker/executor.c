#include "docker/executor.h"

#include "docker/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct docker *docker_of(struct executor *executor) {
    return (struct docker *)(void *)executor;
}

static int open_(struct executor *executor, const struct executor_events *events, void *ctx,
                 struct err *err) {
    struct docker *docker = docker_of(executor);
    docker->events = events;
    docker->ctx = ctx;
    int rc = notes_open(docker, err);
    if (!rc)
        survey_begin(docker);
    return rc;
}

/* What the body's labels say counts, so that it is the same for whoever adopts the container. */
static int read_body(struct run *run, const struct run_spec *spec, struct err *err) {
    struct doc *doc = NULL;
    struct doc_error error = {0};
    if (doc_parse_json(spec->manifest, spec->manifest_len, &doc, &error))
        return err_set(err, ERR_INVALID, "manifest, line %u: %s", error.line, error.err.message);
    docker_run_read_labels(run, doc_root(doc));
    doc_free(doc);
    run->body = malloc(spec->manifest_len + 1);
    if (!run->body || !run->container || !run->image)
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(run->body, spec->manifest, spec->manifest_len);
    run->body_len = spec->manifest_len;
    return 0;
}

static int start(struct executor *executor, const struct run_spec *spec, void *owner, struct err *err) {
    struct docker *docker = docker_of(executor);
    struct run *run = NULL;
    if (strlen(spec->name) >= NAMES_MAX)
        return err_set(err, ERR_INVALID, "a container's name has up to %d characters", NAMES_MAX - 1);
    if (docker_run_new(docker, spec->namespace_, spec->name, spec->job, &run))
        return err_set(err, ERR_NOMEM, "out of memory");
    run->owner = owner;
    run->is_job = spec->is_job;
    run->slot = spec->slot;
    run->attempt = spec->attempt;
    run->trigger = spec->trigger;
    run->start_deadline = spec->start_deadline;
    run->pending_timeout = spec->pending_timeout;
    int rc = read_body(run, spec, err);
    if (rc)
        docker_run_free(run);
    else
        docker_run_after(run, 0, step_create);
    return rc;
}

static struct run *find(struct executor *executor, const void *owner, struct err *err) {
    struct run *run = docker_run_of(docker_of(executor), owner);
    if (!run)
        (void)err_set(err, ERR_NOTFOUND, "there is no such run");
    return run;
}

static int stop(struct executor *executor, void *owner, enum outcome as, const char *reason,
                struct err *err) {
    struct run *run = find(executor, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    if (run->over || run->stopping)
        return 0;
    run->stopping = true;
    run->stop_as = as;
    (void)snprintf(run->stop_reason, sizeof run->stop_reason, "%s", reason);
    notes_stop(run, step_stop);
    return 0;
}

static int report(struct executor *executor, void *owner, struct err *err) {
    struct run *run = find(executor, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    notes_reported(run, NULL);
    return 0;
}

static int discard(struct executor *executor, void *owner, struct err *err) {
    struct run *run = find(executor, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    docker_run_after(run, 0, step_discard);
    return 0;
}

static void fence(struct executor *executor) {
    docker_of(executor)->fenced = true;
}

static void free_(struct executor *executor) {
    struct docker *docker = docker_of(executor);
    while (!TAILQ_EMPTY(&docker->runs))
        docker_run_free(TAILQ_FIRST(&docker->runs));
    fetch_pool_free(docker->pool);
    timer_free(docker->again);
    free(docker->runs_dir);
    free(docker->socket);
    free(docker->instance);
    docker->freed = true;
    if (docker->writes == 0)
        free(docker);
}

static const struct executor_ops ops = {"docker", open_, start, stop, report, discard, fence, free_};

static char *runs_dir(const char *state_dir) {
    struct buf path = {0};
    return buf_printf(&path, "%s/runs", state_dir) ? NULL : buf_take(&path);
}

int docker_executor_new(const struct docker_executor_config *config, struct executor **out, struct err *err) {
    struct docker *docker = calloc(1, sizeof *docker);
    if (!docker)
        return err_set(err, ERR_NOMEM, "out of memory");
    docker->executor.ops = &ops;
    docker->loop = config->loop;
    docker->log = config->log;
    docker->store = config->store;
    TAILQ_INIT(&docker->runs);
    docker->runs_dir = runs_dir(config->state_dir);
    docker->socket = strdup(config->socket);
    docker->instance = strdup(config->instance);
    struct fetch_pool_options options = {0};
    int rc = fetch_pool_new(config->loop, &options, &docker->pool, err);
    if (!rc)
        rc = timer_new(config->loop, survey_begin, docker, &docker->again, err);
    if (!rc && (!docker->runs_dir || !docker->socket || !docker->instance))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    if (rc) {
        free_(&docker->executor);
        return rc;
    }
    *out = &docker->executor;
    return 0;
}
