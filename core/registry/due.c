#include "registry/due.h"

#include <limits.h>

static void call_those_due(void *ctx) {
    struct due *due = ctx;
    int64_t now = clock_monotonic(loop_clock(due->loop));
    struct heap_item *first;
    while ((first = heap_first(&due->items)) && first->at <= now) {
        due_clear(due, first);
        due->then(first);
    }
    if (first)
        timer_start(due->timer, first->at - now);
}

int due_init(struct due *due, struct loop *loop, void (*then)(struct heap_item *item), struct err *err) {
    due->loop = loop;
    due->then = then;
    return timer_new(loop, call_those_due, due, &due->timer, err);
}

void due_free(struct due *due) {
    timer_free(due->timer);
    heap_free(&due->items);
}

int due_reserve(struct due *due, size_t count) {
    return heap_reserve(&due->items, count);
}

void due_set(struct due *due, struct heap_item *item, int64_t delay_ns) {
    int64_t delay = delay_ns > 0 ? delay_ns : 0;
    due_clear(due, item);
    item->priority = -(int)(due->set++ & INT_MAX);
    heap_set(&due->items, item, clock_monotonic(loop_clock(due->loop)) + delay);
    if (heap_first(&due->items) == item)
        timer_start(due->timer, delay);
}

void due_clear(struct due *due, struct heap_item *item) {
    heap_remove(&due->items, item); /* the timer may fire once for nothing */
}
