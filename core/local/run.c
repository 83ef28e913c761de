#include "local/run.h"

#include "local/nursery.h"

#include <search.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct run *local_run_new(struct local *local, const char *namespace_, const char *name, const char *job) {
    struct run *run = calloc(1, sizeof *run);
    if (!run)
        return NULL;
    *run = (struct run){.local = local, .refs = 1, .pidfd = -1, .output = -1};
    run->result.exit_code = -1;
    run->namespace_ = strdup(namespace_);
    run->name = strdup(name);
    run->job = strdup(job);
    local->refs++;
    if (run->namespace_ && run->name && run->job)
        return run;
    local_run_unref(run);
    return NULL;
}

void local_run_ref(struct run *run) {
    run->refs++;
}

static void close_fd(int fd) {
    if (fd >= 0)
        (void)close(fd);
}

void local_run_unref(struct run *run) {
    if (--run->refs > 0)
        return;
    struct local *local = run->local;
    close_fd(run->pidfd);
    close_fd(run->output);
    command_free(&run->command);
    buf_free(&run->unread);
    free(run->namespace_);
    free(run->name);
    free(run->job);
    free(run->container);
    free(run);
    local_unref(local);
}

static int compare_names(const void *a, const void *b) {
    const struct run *left = a, *right = b;
    int order = strcmp(left->name, right->name);
    return order ? order : strcmp(left->namespace_, right->namespace_);
}

static int compare_owners(const void *a, const void *b) {
    const struct run *left = a, *right = b;
    uintptr_t l = (uintptr_t)left->owner, r = (uintptr_t)right->owner;
    return (l > r) - (l < r);
}

int local_run_enter(struct run *run) {
    return tsearch(run, &run->local->by_name, compare_names) ? 0 : ERR_NOMEM;
}

int local_run_own(struct run *run, void *owner) {
    run->owner = owner;
    struct run **entered = tsearch(run, &run->local->by_owner, compare_owners);
    if (entered && *entered == run)
        return 0;
    run->owner = NULL;
    return entered ? ERR_EXISTS : ERR_NOMEM;
}

void local_run_leave(struct run *run) {
    local_run_deactivate(run);
    if (local_run_by_name(run->local, run->namespace_, run->name) == run)
        (void)tdelete(run, &run->local->by_name, compare_names);
    if (run->owner)
        (void)tdelete(run, &run->local->by_owner, compare_owners);
    run->owner = NULL;
    local_run_unref(run);
}

struct run *local_run_by_name(struct local *local, const char *namespace_, const char *name) {
    const struct run key = {.namespace_ = (char *)namespace_, .name = (char *)name};
    struct run **found = tfind(&key, &local->by_name, compare_names);
    return found ? *found : NULL;
}

struct run *local_run_by_owner(struct local *local, void *owner) {
    const struct run key = {.owner = owner};
    struct run **found = tfind(&key, &local->by_owner, compare_owners);
    return found ? *found : NULL;
}

void local_run_activate(struct run *run) {
    struct local *local = run->local;
    if (run->is_active || local->freed)
        return;
    if (local->active_count++ == 0)
        timer_start(local->ticker, TICK_NS);
    TAILQ_INSERT_TAIL(&local->active, run, link);
    run->is_active = true;
}

void local_run_deactivate(struct run *run) {
    if (!run->is_active)
        return;
    run->local->active_count--;
    TAILQ_REMOVE(&run->local->active, run, link);
    run->is_active = false;
}

void local_hurry(struct local *local) {
    local->hurried = true;
    timer_start(local->ticker, 0);
}

void local_unref(struct local *local) {
    if (--local->refs > 0)
        return;
    tdestroy(local->told, free);
    free(local->runs_dir);
    nursery_free(local->nursery);
    free(local->working_dir);
    free(local);
}

char *local_run_dir(const struct run *run) {
    struct buf path = {0};
    if (buf_printf(&path, "%s/%s/%s", run->local->runs_dir, run->namespace_, run->name)) {
        buf_free(&path);
        return NULL;
    }
    return buf_take(&path);
}
