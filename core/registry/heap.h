/* The jobs by their next slot: a binary heap that knows where each job stands in it. */
#ifndef KS_REGISTRY_HEAP_H
#define KS_REGISTRY_HEAP_H

#include <stddef.h>

struct job; /* its fields next and heap_index are used */

#define HEAP_OUTSIDE ((size_t)-1) /* heap_index of a job that is not in it */

struct heap {
    struct job **jobs;
    size_t count, capacity;
};

struct job *heap_first(const struct heap *heap); /* NULL when empty */
/* Puts the job in its place after its `next` changed, or in for the first time; a job whose next is
 * CRON_NEVER is taken out. 0 or ERR_NOMEM (only when it was outside). */
int heap_update(struct heap *heap, struct job *job);
void heap_remove(struct heap *heap, struct job *job); /* fine when it is outside */
void heap_free(struct heap *heap);

#endif
