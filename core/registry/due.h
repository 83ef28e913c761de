/* Many timers at the cost of one, for executors: what each run waits for, in a heap, and one timer of the
 * loop that is set to the first. Delays are ns of the loop's monotonic clock. Of two with one time the one
 * that was set first is first. Thread: the loop's. */
#ifndef KS_REGISTRY_DUE_H
#define KS_REGISTRY_DUE_H

#include "loop/loop.h"
#include "registry/heap.h"

struct due {
    struct loop *loop;
    struct timer *timer;
    struct heap items;
    void (*then)(struct heap_item *item);
    unsigned set; /* how often one was */
};

/* An item is embedded in what waits, and zeroed at first. then is called when its time has come, and may set
 * or clear any item, and free its own. */
int due_init(struct due *due, struct loop *loop, void (*then)(struct heap_item *item), struct err *err);
void due_free(struct due *due);
int due_reserve(struct due *due, size_t count);                          /* so many may wait; or ERR_NOMEM */
void due_set(struct due *due, struct heap_item *item, int64_t delay_ns); /* instead of what it waited for */
void due_clear(struct due *due, struct heap_item *item);                 /* fine when that is nothing */

#endif
