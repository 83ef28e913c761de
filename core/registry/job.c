#include "registry/internal.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static const struct job_spec ghost = {.keep_succeeded = 3, .keep_failed = 1};

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct job *)a)->name, ((const struct job *)b)->name);
}

struct job *job_find(const struct registry *registry, const char *name) {
    struct job key = {.name = (char *)(uintptr_t)name};
    struct job *const *found = tfind(&key, &registry->jobs, by_name);
    return found ? *found : NULL;
}

static void job_free(struct job *job) {
    for (struct run *run = job->runs, *next; run; run = next) {
        next = run->next_;
        tail_free(run->tail);
        free(run);
    }
    free(job->name);
    free(job->namespace_);
    free(job->main_container);
    free(job);
}

static struct job *insert(struct registry *registry, const char *name, const char *namespace_) {
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->next = CRON_NEVER;
    job->heap_index = HEAP_OUTSIDE;
    job->name = strdup(name);
    job->namespace_ = strdup(namespace_);
    if (!job->name || !job->namespace_ || !tsearch(job, &registry->jobs, by_name)) {
        job_free(job);
        return NULL;
    }
    return job;
}

static void apply(struct job *job, const struct job_spec *spec) {
    job->schedules = spec->schedules;
    job->schedule_count = spec->schedule_count;
    job->baseline = spec->baseline;
    job->catch_up = spec->catch_up;
    job->catch_up_max =
        spec->catch_up_max < REGISTRY_CATCH_UP_MAX ? spec->catch_up_max : REGISTRY_CATCH_UP_MAX;
    job->deadline = spec->deadline;
    job->keep_succeeded = spec->keep_succeeded;
    job->keep_failed = spec->keep_failed;
    job->pending_timeout = spec->pending_timeout;
}

struct job *job_or_ghost(struct registry *registry, const char *name, const char *namespace_) {
    struct job *job = job_find(registry, name);
    if (!job && (job = insert(registry, name, namespace_)))
        apply(job, &ghost);
    return job;
}

void job_release_if_unused(struct registry *registry, struct job *job) {
    if (job->schedule_count > 0 || job->runs)
        return;
    tdelete(job, &registry->jobs, by_name);
    job_free(job);
}

/* A ghost may have had another. text NULL: none. */
static int replace_string(char **at, const char *text) {
    char *copy = text ? strdup(text) : NULL;
    if (text && !copy)
        return ERR_NOMEM;
    free(*at);
    *at = copy;
    return 0;
}

int registry_add(struct registry *registry, const struct job_spec *spec, struct err *err) {
    struct job *job = job_find(registry, spec->name);
    if (job && job->schedule_count > 0)
        return err_set(err, ERR_EXISTS, "job '%s' is already there", spec->name);
    if (!job)
        job = insert(registry, spec->name, spec->namespace_);
    if (!job || replace_string(&job->namespace_, spec->namespace_) ||
        replace_string(&job->main_container, spec->main_container))
        return err_set(err, ERR_NOMEM, "out of memory");
    apply(job, spec);
    int64_t after = job->baseline > registry->scanned ? job->baseline : registry->scanned;
    job->next = cron_set_next(job->schedules, job->schedule_count, after);
    if (heap_update(&registry->heap, job))
        return err_set(err, ERR_NOMEM, "out of memory");
    return 0;
}

int registry_remove(struct registry *registry, const char *name) {
    struct job *job = job_find(registry, name);
    if (!job || job->schedule_count == 0)
        return ERR_NOTFOUND;
    heap_remove(&registry->heap, job);
    job->next = CRON_NEVER;
    job->schedules = NULL;
    job->schedule_count = 0;
    job_release_if_unused(registry, job);
    return 0;
}

static void view(const struct job *job, struct job_view *out) {
    *out = (struct job_view){job->name, job->namespace_, job->next, job->active};
}

int registry_job(const struct registry *registry, const char *name, struct job_view *out) {
    const struct job *job = job_find(registry, name);
    if (!job || job->schedule_count == 0)
        return ERR_NOTFOUND;
    view(job, out);
    return 0;
}

struct job_visit {
    void (*each)(void *ctx, const struct job_view *job);
    void *ctx;
};

static void visit_job(const void *node, VISIT which, void *closure) {
    const struct job_visit *visit = closure;
    const struct job *job = *(struct job *const *)node;
    if ((which != postorder && which != leaf) || job->schedule_count == 0)
        return;
    struct job_view out;
    view(job, &out);
    visit->each(visit->ctx, &out);
}

void registry_each_job(const struct registry *registry, void (*each)(void *ctx, const struct job_view *job),
                       void *ctx) {
    struct job_visit visit = {each, ctx};
    twalk_r(registry->jobs, visit_job, &visit);
}

struct run_visit {
    void (*each)(void *ctx, const struct run *run);
    void *ctx;
};

static void visit_runs(const void *node, VISIT which, void *closure) {
    const struct run_visit *visit = closure;
    if (which != postorder && which != leaf)
        return;
    for (const struct run *run = (*(struct job *const *)node)->runs; run; run = run->next_)
        visit->each(visit->ctx, run);
}

void registry_each_run(const struct registry *registry, void (*each)(void *ctx, const struct run *run),
                       void *ctx) {
    struct run_visit visit = {each, ctx};
    twalk_r(registry->jobs, visit_runs, &visit);
}

static void free_node(void *node) {
    job_free(node);
}

void jobs_free(struct registry *registry) {
    tdestroy(registry->jobs, free_node);
    registry->jobs = NULL;
}
