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

int trigger_parse(const char *name, enum trigger *out) {
    for (size_t i = 0; i < sizeof trigger_names / sizeof trigger_names[0]; i++)
        if (!strcmp(name, trigger_names[i])) {
            *out = (enum trigger)i;
            return 0;
        }
    return ERR_NOTFOUND;
}
