/* Looking at runs, for whoever only wants to know. */
#include "registry/internal.h"

#include <string.h>

void registry_each_run_of(const struct registry *registry, const char *job,
                          void (*each)(void *ctx, const struct run *run), void *ctx) {
    const struct job *found = job_find(registry, job);
    for (const struct run *run = found ? found->runs : NULL; run; run = run->next_)
        each(ctx, run);
}

static bool is_open(const struct run *run) {
    return run->state != RUN_FINISHED && run->state != RUN_SKIPPED;
}

size_t registry_each_open_run(const struct registry *registry, size_t from, size_t places,
                              void (*each)(void *ctx, const struct run *run), void *ctx) {
    size_t place = from;
    for (; place < registry->runs.count && place - from < places; place++) {
        const struct run *run = ids_at(&registry->runs, place);
        if (run && is_open(run))
            each(ctx, run);
    }
    return place < registry->runs.count ? place : 0;
}

const struct run *registry_run_named(const struct registry *registry, const char *name) {
    for (size_t place = 0; place < registry->runs.count; place++) {
        const struct run *run = ids_at(&registry->runs, place);
        if (run && !strcmp(run->name, name))
            return run;
    }
    return NULL;
}

void registry_count_runs(const struct registry *registry, size_t counts[RUN_SKIPPED + 1]) {
    memset(counts, 0, (RUN_SKIPPED + 1) * sizeof *counts);
    for (size_t place = 0; place < registry->runs.count; place++) {
        const struct run *run = ids_at(&registry->runs, place);
        if (run)
            counts[run->state]++;
    }
}
