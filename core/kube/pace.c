#include "kube/pace.h"

void pace_start(struct pace *pace, double qps, double burst, int64_t now) {
    *pace = (struct pace){.qps = qps,
                          .burst = burst,
                          .tokens = burst,
                          .filled_at = now,
                          .window = PACE_MOST,
                          .shrunk_at = INT64_MIN};
}

static void fill(struct pace *pace, int64_t now) {
    pace->tokens += (double)(now - pace->filled_at) / 1e9 * pace->qps;
    if (pace->tokens > pace->burst)
        pace->tokens = pace->burst;
    pace->filled_at = now;
}

int64_t pace_wait(struct pace *pace, int64_t now) {
    if (pace->qps <= 0)
        return 0;
    fill(pace, now);
    return pace->tokens >= 1 ? 0 : (int64_t)((1 - pace->tokens) / pace->qps * 1e9) + 1;
}

void pace_take(struct pace *pace) {
    if (pace->qps > 0)
        pace->tokens -= 1;
}

static void shrink(struct pace *pace, int64_t now) {
    pace->window = pace->window / 2 > PACE_LEAST ? pace->window / 2 : PACE_LEAST;
    pace->shrunk_at = now;
}

void pace_answered(struct pace *pace, int64_t left_at, int64_t now, bool busy, bool well) {
    if (busy || now - left_at > PACE_SLOW_NS) {
        if (left_at >= pace->shrunk_at)
            shrink(pace, now);
    } else if (well && pace->window < PACE_MOST) {
        pace->window++;
    }
}
