#include "registry/heap.h"

#include "registry/internal.h"

#include <stdlib.h>

static void put(struct heap *heap, size_t index, struct job *job) {
    heap->jobs[index] = job;
    job->heap_index = index;
}

static void sift_up(struct heap *heap, struct job *job) {
    size_t at = job->heap_index;
    while (at > 0 && heap->jobs[(at - 1) / 2]->next > job->next) {
        put(heap, at, heap->jobs[(at - 1) / 2]);
        at = (at - 1) / 2;
    }
    put(heap, at, job);
}

static void sift_down(struct heap *heap, struct job *job) {
    size_t at = job->heap_index;
    for (;;) {
        size_t child = 2 * at + 1;
        if (child + 1 < heap->count && heap->jobs[child + 1]->next < heap->jobs[child]->next)
            child++;
        if (child >= heap->count || heap->jobs[child]->next >= job->next)
            break;
        put(heap, at, heap->jobs[child]);
        at = child;
    }
    put(heap, at, job);
}

struct job *heap_first(const struct heap *heap) {
    return heap->count > 0 ? heap->jobs[0] : NULL;
}

static int grow(struct heap *heap) {
    if (heap->count < heap->capacity)
        return 0;
    size_t capacity = heap->capacity ? heap->capacity * 2 : 64;
    struct job **jobs = realloc(heap->jobs, capacity * sizeof *jobs);
    if (!jobs)
        return ERR_NOMEM;
    heap->jobs = jobs;
    heap->capacity = capacity;
    return 0;
}

int heap_update(struct heap *heap, struct job *job) {
    if (job->next == CRON_NEVER) {
        heap_remove(heap, job);
        return 0;
    }
    if (job->heap_index == HEAP_OUTSIDE) {
        if (grow(heap))
            return ERR_NOMEM;
        put(heap, heap->count++, job);
    }
    sift_up(heap, job);
    sift_down(heap, job);
    return 0;
}

void heap_remove(struct heap *heap, struct job *job) {
    size_t at = job->heap_index;
    if (at == HEAP_OUTSIDE)
        return;
    job->heap_index = HEAP_OUTSIDE;
    struct job *last = heap->jobs[--heap->count];
    if (last == job)
        return;
    put(heap, at, last);
    sift_up(heap, last);
    sift_down(heap, last);
}

void heap_free(struct heap *heap) {
    free(heap->jobs);
    *heap = (struct heap){0};
}
