/* Limits that jobs share, and whether there is room for a run. */
#include "registry/internal.h"

#include <stdlib.h>
#include <string.h>

struct limit *limit_find(const struct registry *registry, const char *name) {
    struct limit *limit = registry->limits;
    while (limit && strcmp(limit->name, name) != 0)
        limit = limit->next;
    return limit;
}

int registry_limit(struct registry *registry, const char *name, size_t max, struct err *err) {
    struct limit *limit = limit_find(registry, name);
    if (!limit) {
        size_t len = strlen(name);
        limit = calloc(1, sizeof *limit + len + 1);
        if (!limit)
            return err_set(err, ERR_NOMEM, "out of memory");
        memcpy(limit->name, name, len);
        limit->next = registry->limits;
        registry->limits = limit;
    }
    limit->max = max;
    registry->change++;
    registry_recall(registry);
    return 0;
}

void registry_max_active(struct registry *registry, size_t max) {
    registry->max_active = max;
    registry->change++;
    registry_recall(registry);
}

void limits_free(struct registry *registry) {
    for (struct limit *limit = registry->limits, *next; limit; limit = next) {
        next = limit->next;
        free(limit);
    }
}

enum room run_room(const struct run *run) {
    const struct job *job = run->job;
    size_t own = run_is_active(run) ? 1 : 0;
    if (job->max_active > 0 && run_active_beside(run) >= job->max_active)
        return ROOM_JOB;
    if (job->limit && job->limit->active - own >= job->limit->max)
        return ROOM_LIMIT;
    if (job->registry->max_active > 0 && job->registry->active - own >= job->registry->max_active)
        return ROOM_TOTAL;
    return ROOM_FREE;
}
