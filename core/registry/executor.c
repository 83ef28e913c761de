#include "registry/executor.h"

#include <string.h>

static const char *const outcome_names[] = {"succeeded", "failed", "timeout", "start_failed",
                                            "evicted",   "lost",   "deleted", "unknown"};
static const char *const trigger_names[] = {"schedule", "manual", "catch-up", "backfill", "retry"};

const char *outcome_name(enum outcome outcome) {
    return outcome_names[outcome];
}

const char *trigger_name(enum trigger trigger) {
    return trigger_names[trigger];
}

static int find(const char *name, const char *const *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!strcmp(name, names[i]))
            return (int)i;
    return ERR_NOTFOUND;
}

int outcome_parse(const char *name, enum outcome *out) {
    int found = find(name, outcome_names, sizeof outcome_names / sizeof outcome_names[0]);
    if (found >= 0)
        *out = (enum outcome)found;
    return found < 0 ? found : 0;
}

int trigger_parse(const char *name, enum trigger *out) {
    int found = find(name, trigger_names, sizeof trigger_names / sizeof trigger_names[0]);
    if (found >= 0)
        *out = (enum trigger)found;
    return found < 0 ? found : 0;
}
