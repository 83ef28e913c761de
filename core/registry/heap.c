#include "registry/heap.h"

#include "base/err.h"

#include <stdbool.h>
#include <stdlib.h>

static bool is_before(const struct heap_item *a, const struct heap_item *b) {
    return a->at != b->at ? a->at < b->at : a->priority > b->priority;
}

static void put(struct heap *heap, size_t index, struct heap_item *item) {
    heap->items[index] = item;
    item->place = index + 1;
}

static void sift_up(struct heap *heap, struct heap_item *item) {
    size_t at = item->place - 1;
    while (at > 0 && is_before(item, heap->items[(at - 1) / 2])) {
        put(heap, at, heap->items[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(heap, at, item);
}

static void sift_down(struct heap *heap, struct heap_item *item) {
    size_t at = item->place - 1;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < heap->count && is_before(heap->items[child + 1], heap->items[child]))
            child++;
        if (child >= heap->count || !is_before(heap->items[child], item))
            break;
        put(heap, at, heap->items[child]);
        at = child;
    }
    put(heap, at, item);
}

struct heap_item *heap_first(const struct heap *heap) {
    return heap->count > 0 ? heap->items[0] : NULL;
}

int heap_reserve(struct heap *heap, size_t count) {
    if (count <= heap->capacity)
        return 0;
    size_t capacity = heap->capacity ? heap->capacity : 64;
    while (capacity < count)
        capacity *= 2;
    struct heap_item **items = realloc(heap->items, capacity * sizeof(struct heap_item *));
    if (!items)
        return ERR_NOMEM;
    heap->items = items;
    heap->capacity = capacity;
    return 0;
}

void heap_set(struct heap *heap, struct heap_item *item, int64_t at) {
    item->at = at;
    if (!item->place)
        put(heap, heap->count++, item);
    sift_up(heap, item);
    sift_down(heap, item);
}

void heap_remove(struct heap *heap, struct heap_item *item) {
    if (!item->place)
        return;
    size_t at = item->place - 1;
    item->place = 0;
    struct heap_item *last = heap->items[--heap->count];
    if (last == item)
        return;
    put(heap, at, last);
    sift_up(heap, last);
    sift_down(heap, last);
}

void heap_free(struct heap *heap) {
    free(heap->items);
    *heap = (struct heap){0};
}
