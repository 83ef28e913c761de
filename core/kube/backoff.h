/* How long to wait before trying again: doubling, with jitter, so that many clients do not come back at once.
 */
#ifndef KS_KUBE_BACKOFF_H
#define KS_KUBE_BACKOFF_H

#include "loop/loop.h"

struct backoff {
    int64_t first_ns, most_ns;
    int64_t next_ns; /* 0: begin at first_ns */
};

/* Half of the step is fixed, half is chance. */
static inline int64_t backoff_next(struct backoff *backoff, const struct random_source *random) {
    int64_t step = backoff->next_ns ? backoff->next_ns : backoff->first_ns;
    backoff->next_ns = step * 2 < backoff->most_ns ? step * 2 : backoff->most_ns;
    uint32_t chance = 0;
    (void)random->fill(random->ctx, &chance, sizeof chance); /* without it the wait is merely shorter */
    return step / 2 + step / 2 * (int64_t)(chance >> 16) / 65536;
}

static inline void backoff_reset(struct backoff *backoff) {
    backoff->next_ns = 0;
}

#endif
