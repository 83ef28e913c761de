#include "base/buf.h"
#include "registry/internal.h"

#include <search.h>
#include <stdlib.h>
#include <string.h>

static const struct job_spec ghost = {.keep_succeeded = 3, .keep_failed = 1};

static int by_name(const void *a, const void *b) {
    return strcmp(((const struct job *)a)->name, ((const struct job *)b)->name);
}

struct job *job_find(const struct registry *registry, const char *name) {
    struct job key = {.name = (char *)name};
    struct job *const *found = tfind(&key, &registry->jobs, by_name);
    return found ? *found : NULL;
}

static void free_after(struct job *job) {
    for (size_t i = 0; i < job->after_count; i++)
        free(job->after[i].job);
    free(job->after);
    job->after = NULL;
    job->after_count = 0;
}

static void job_free(struct job *job) {
    for (struct run *run = job->runs, *next; run; run = next) {
        next = run->next_;
        run_release(run);
    }
    free_after(job);
    free(job->name);
    free(job->namespace_);
    free(job->main_container);
    free(job);
}

static struct job *insert(struct registry *registry, const char *name, const char *namespace_) {
    struct job *job = calloc(1, sizeof *job);
    if (!job)
        return NULL;
    job->registry = registry;
    job->next = CRON_NEVER;
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
    job->jitter = spec->jitter;
    job->keep_succeeded = spec->keep_succeeded;
    job->keep_failed = spec->keep_failed;
    job->pending_timeout = spec->pending_timeout;
    job->timeout = spec->timeout;
    job->retry = spec->retry;
    job->max_active = spec->max_active;
    job->slot.priority = spec->priority;
}

/* What decides how its runs count. */
static void apply_counting(struct job *job, struct limit *limit, bool release_lost) {
    for (const struct run *run = job->runs; run; run = run->next_)
        run_count(run, -1);
    job->limit = limit;
    job->release_lost = release_lost;
    for (const struct run *run = job->runs; run; run = run->next_)
        run_count(run, 1);
}

struct job *job_or_ghost(struct registry *registry, const char *name, const char *namespace_) {
    struct job *job = job_find(registry, name);
    if (!job && (job = insert(registry, name, namespace_)))
        apply(job, &ghost);
    return job;
}

void job_release_if_unused(struct registry *registry, struct job *job) {
    if (!job_is_ghost(job) || job->runs)
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

static int replace_after(struct job *job, const struct job_spec *spec) {
    free_after(job);
    if (spec->after_count == 0)
        return 0;
    job->after = calloc(spec->after_count, sizeof *job->after);
    if (!job->after)
        return ERR_NOMEM;
    for (; job->after_count < spec->after_count; job->after_count++) {
        const struct upstream_rule *rule = &spec->after[job->after_count];
        struct upstream *after = &job->after[job->after_count];
        after->on = rule->on;
        if (!(after->job = strdup(rule->job)))
            return ERR_NOMEM;
    }
    return 0;
}

/* The seed of its jitter: the same in every life of the daemon. */
static int seed(const struct registry *registry, struct job *job) {
    struct buf key = {0};
    if (buf_printf(&key, "%s/%s/%s", registry->instance, job->namespace_, job->name))
        return ERR_NOMEM;
    job->jitter_seed = map_hash(key.data, key.len);
    buf_free(&key);
    return 0;
}

static int fill(struct registry *registry, struct job *job, const struct job_spec *spec) {
    if (replace_string(&job->namespace_, spec->namespace_) ||
        replace_string(&job->main_container, spec->main_container) || replace_after(job, spec) ||
        seed(registry, job) || heap_reserve(&registry->slots, registry->job_count + 1))
        return ERR_NOMEM;
    apply(job, spec);
    return 0;
}

int registry_add(struct registry *registry, const struct job_spec *spec, struct err *err) {
    struct job *job = job_find(registry, spec->name);
    struct limit *limit = spec->limit ? limit_find(registry, spec->limit) : NULL;
    if (job && !job_is_ghost(job))
        return err_set(err, ERR_EXISTS, "job '%s' is already there", spec->name);
    if (spec->limit && !limit)
        return err_set(err, ERR_NOTFOUND, "job '%s': there is no limit '%s'", spec->name, spec->limit);
    if (!job)
        job = insert(registry, spec->name, spec->namespace_);
    if (!job || fill(registry, job, spec))
        return err_set(err, ERR_NOMEM, "out of memory");
    apply_counting(job, limit, spec->release_lost);
    registry->job_count++;
    slot_plan(registry, job);
    return 0;
}

int registry_remove(struct registry *registry, const char *name) {
    if (registry_next_wake(registry) <= clock_seconds(registry->clock))
        registry_step(registry);
    struct job *job = job_find(registry, name);
    if (!job || job_is_ghost(job))
        return ERR_NOTFOUND;
    ahead_forget(registry, job);
    heap_remove(&registry->slots, &job->slot);
    job->next = CRON_NEVER;
    job->schedules = NULL;
    job->schedule_count = 0;
    registry->job_count--;
    job_release_if_unused(registry, job);
    return 0;
}

static void view(const struct job *job, struct job_view *out) {
    *out = (struct job_view){job->name, job->namespace_, job->next, job->active, job->waiting};
}

int registry_job(const struct registry *registry, const char *name, struct job_view *out) {
    const struct job *job = job_find(registry, name);
    if (!job || job_is_ghost(job))
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
    if ((which != postorder && which != leaf) || job_is_ghost(job))
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
