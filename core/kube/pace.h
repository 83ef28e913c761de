/* How fast requests may leave: a token bucket for creates, for whoever must be gentle (--kube-qps), and a
 * window of requests in flight that follows the server: halved when it says 429 or is slow, grown by one with
 * each good answer. Pure; nanoseconds of the monotonic clock. Thread: the loop's. */
#ifndef KS_KUBE_PACE_H
#define KS_KUBE_PACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { PACE_LEAST = 4, PACE_MOST = 100 }; /* in flight; DESIGN decision 4 */
/* Slow: longer than Kubernetes' own service level for a call that changes one object (1 s, 99th percentile:
 * sig-scalability/slos/api_call_latency.md). */
#define PACE_SLOW_NS INT64_C(1000000000)

struct pace {
    double qps, burst; /* creates a second, and at once after a rest; qps 0: no limit */
    double tokens;
    int64_t filled_at;
    size_t window;
    int64_t shrunk_at; /* what left before that was answered by the server as it was then */
};

void pace_start(struct pace *pace, double qps, double burst, int64_t now);
int64_t pace_wait(struct pace *pace, int64_t now); /* until a create may leave; 0: now */
void pace_take(struct pace *pace);                 /* one leaves */
/* busy: 429. well: an answer that says that the server could do its work. */
void pace_answered(struct pace *pace, int64_t left_at, int64_t now, bool busy, bool well);

#endif
