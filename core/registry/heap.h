/* What comes next: a binary heap of times. Its owner embeds an item in what is to be found again
 * (MAP_OWNER of base/map.h leads back), and the item knows where it stands. Of two with one time the higher
 * priority is first. */
#ifndef KS_REGISTRY_HEAP_H
#define KS_REGISTRY_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_item {
    int64_t at; /* in its owner's unit */
    int priority;
    size_t place; /* 0: outside, else index + 1 */
};

struct heap {
    struct heap_item **items;
    size_t count, capacity;
};

struct heap_item *heap_first(const struct heap *heap); /* NULL when empty */
int heap_reserve(struct heap *heap, size_t count);     /* so many fit without memory; or ERR_NOMEM */
/* Puts the item where its new time belongs, or in for the first time (which was reserved). */
void heap_set(struct heap *heap, struct heap_item *item, int64_t at);
void heap_remove(struct heap *heap, struct heap_item *item); /* fine when it is outside */
void heap_free(struct heap *heap);

#endif
