#include "kube/executor.h"

#include "kube/run.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct kube_executor *of(struct executor *executor) {
    return (struct kube_executor *)executor;
}

static int open_executor(struct executor *base, const struct executor_events *events, void *ctx,
                         struct err *err) {
    struct kube_executor *executor = of(base);
    executor->events = *events;
    executor->ctx = ctx;
    return feeds_open(executor, err);
}

/* --- the interface; what it asks for begins on the loop's next turn --- */

static int make_way(struct kube_executor *executor, const struct run_spec *spec, struct err *err) {
    if (!feeds_watch(executor, spec->namespace_))
        return err_set(err, ERR_INVALID,
                       "%s: namespace %s is not watched: add it to the namespaces of this scheduler",
                       spec->job, spec->namespace_);
    struct run *run = run_find(executor, spec->is_job ? KUBE_JOB : KUBE_POD, spec->namespace_, spec->name);
    bool is_ours = run && run->state != RUN_IGNORED && run->state != RUN_FOUND;
    if (is_ours)
        return err_set(err, ERR_EXISTS, "%s: run %s/%s is there already", spec->job, spec->namespace_,
                       spec->name);
    if (run)
        kube_run_free(run);
    return 0;
}

static int fill(struct run *run, const struct run_spec *spec, void *owner, struct err *err) {
    run->state = RUN_CREATING;
    run->slot = spec->slot;
    run->attempt = spec->attempt;
    run->start_deadline = spec->start_deadline;
    run->pending_timeout = spec->pending_timeout;
    run->manifest_len = spec->manifest_len;
    run->manifest = malloc(spec->manifest_len + 1);
    run->job = strdup(spec->job);
    if (!run->manifest || !run->job || run_set_owner(run, owner))
        return err_set(err, ERR_NOMEM, "out of memory");
    memcpy(run->manifest, spec->manifest, spec->manifest_len);
    return 0;
}

static int start(struct executor *base, const struct run_spec *spec, void *owner, struct err *err) {
    struct kube_executor *executor = of(base);
    struct run *run = NULL;
    if (executor->fenced)
        return err_set(err, ERR_CANCELED, "%s: no run is started any more", spec->job);
    int code = make_way(executor, spec, err);
    if (!code)
        code = kube_run_new(executor, spec->is_job ? KUBE_JOB : KUBE_POD, spec->namespace_, spec->name, &run,
                            err);
    if (code)
        return code;
    code = fill(run, spec, owner, err);
    if (code) {
        kube_run_free(run);
        return code;
    }
    run_after(run, 0, create_send);
    return 0;
}

static struct run *find_owned(struct executor *base, void *owner, struct err *err) {
    struct run *run = run_of_owner(of(base), owner);
    if (!run)
        (void)err_set(err, ERR_NOTFOUND, "no such run");
    return run;
}

static void begin_stop(struct run *run) {
    remove_begin(run, run->stop);
}

static int stop(struct executor *base, void *owner, enum outcome as, const char *reason, struct err *err) {
    struct run *run = find_owned(base, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    if (run->state == RUN_FINISHED)
        return err_set(err, ERR_INVALID, "run %s is over already", run->key);
    if (run->stop || run->state == RUN_DRAINING)
        return 0; /* ends already */
    struct result result = {.outcome = as, .exit_code = -1};
    (void)snprintf(result.reason, sizeof result.reason, "%s", reason);
    (void)snprintf(result.message, sizeof result.message, "ended by the scheduler: %s", reason);
    run_note(&run->stop, &result);
    if (!run->stop)
        return err_set(err, ERR_NOMEM, "out of memory");
    run->stopping = true;
    if (run->state == RUN_ACTIVE)
        run_after(run, 0, begin_stop);
    else if (!run->call) /* else its answer tells whether there is something to end */
        run_after(run, 0, create_give_up);
    return 0;
}

static int settle(struct executor *base, void *owner, bool report, struct err *err) {
    struct run *run = find_owned(base, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    if (run->state != RUN_FINISHED)
        return err_set(err, ERR_INVALID, "run %s is not over yet", run->key);
    run->want_report |= report;
    run->want_discard |= !report;
    run_after(run, 0, remove_settle);
    return 0;
}

static int report(struct executor *base, void *owner, struct err *err) {
    return settle(base, owner, true, err);
}

static int discard(struct executor *base, void *owner, struct err *err) {
    return settle(base, owner, false, err);
}

static void fence(struct executor *base) {
    of(base)->fenced = true; /* create.c looks at it before each try, and drops the run */
}

static void free_strings(char **list) {
    for (char **at = list; at && *at; at++)
        free(*at);
    free(list);
}

static void free_runs(struct map *runs) {
    for (struct map_node *node; (node = map_next(runs, NULL));)
        kube_run_free(MAP_OWNER(node, struct run, by_name));
    map_free(runs);
}

static void free_executor(struct executor *base) {
    struct kube_executor *executor = of(base);
    feeds_free(executor);
    free_runs(&executor->runs[KUBE_POD]);
    free_runs(&executor->runs[KUBE_JOB]);
    due_free(&executor->timers);
    map_free(&executor->owners);
    map_free(&executor->pods);
    free(executor->instance);
    free(executor->selector);
    free_strings(executor->namespaces);
    free(executor);
}

static const struct executor_ops ops = {.name = "kubernetes",
                                        .open = open_executor,
                                        .start = start,
                                        .stop = stop,
                                        .report = report,
                                        .discard = discard,
                                        .fence = fence,
                                        .free = free_executor};

static int copy_strings(const char *const *list, char ***out) {
    size_t n = 0;
    while (list[n])
        n++;
    *out = calloc(n + 1, sizeof **out);
    if (!*out)
        return ERR_NOMEM;
    for (size_t i = 0; i < n; i++)
        if (!((*out)[i] = strdup(list[i])))
            return ERR_NOMEM;
    return 0;
}

static int copy_config(struct kube_executor *executor, const struct kube_executor_config *config) {
    struct buf selector = {0};
    executor->client = config->client;
    executor->loop = config->loop;
    executor->log = config->log;
    executor->output_since = config->adopted_output_since;
    executor->pending_timeout = config->adopted_pending_timeout;
    executor->instance = strdup(config->instance);
    if (!executor->instance ||
        buf_printf(&selector, "app.kubernetes.io/managed-by=kube-scheduler,kube-scheduler/instance=%s",
                   config->instance))
        return ERR_NOMEM;
    executor->selector = buf_take(&selector);
    if (config->namespaces && copy_strings(config->namespaces, &executor->namespaces))
        return ERR_NOMEM;
    return executor->selector ? feeds_new(executor) : ERR_NOMEM;
}

int kube_executor_new(const struct kube_executor_config *config, struct executor **out, struct err *err) {
    if (config->namespaces && !config->namespaces[0])
        return err_set(err, ERR_INVALID, "no namespace is watched: name one, or watch all");
    struct kube_executor *executor = calloc(1, sizeof *executor);
    if (!executor)
        return err_set(err, ERR_NOMEM, "out of memory");
    executor->base.ops = &ops;
    executor->fence = INT64_MAX;
    TAILQ_INIT(&executor->unfollowed);
    if (copy_config(executor, config) || due_init(&executor->timers, config->loop, run_is_due, NULL)) {
        free_executor(&executor->base);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    *out = &executor->base;
    return 0;
}

void kube_executor_set_fence(struct executor *executor, int64_t boottime_ns) {
    of(executor)->fence = boottime_ns;
}
