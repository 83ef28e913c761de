#include "registry/ids.h"

#include "base/err.h"

#include <stdlib.h>

struct ids_entry {
    void *item;
    uint32_t generation; /* 21 bits, from 1 on */
    uint32_t next_free;
};

enum { GENERATION_MAX = (1 << 21) - 1 };

static int grow(struct ids *ids) {
    if (ids->count < ids->capacity)
        return 0;
    size_t capacity = ids->capacity ? ids->capacity * 2 : 64;
    if (capacity > UINT32_MAX)
        return ERR_LIMIT;
    struct ids_entry *entries = realloc(ids->entries, capacity * sizeof *entries);
    if (!entries)
        return ERR_NOMEM;
    ids->entries = entries;
    ids->capacity = capacity;
    return 0;
}

uint64_t ids_add(struct ids *ids, void *item) {
    if (!ids->free_list) {
        if (grow(ids))
            return 0;
        ids->entries[ids->count] = (struct ids_entry){.generation = 1};
        ids->free_list = (uint32_t)++ids->count;
    }
    uint32_t index = ids->free_list - 1;
    struct ids_entry *entry = &ids->entries[index];
    ids->free_list = entry->next_free;
    entry->item = item;
    return (uint64_t)entry->generation << 32 | index;
}

static struct ids_entry *find(const struct ids *ids, uint64_t id) {
    size_t index = id & UINT32_MAX;
    if (index >= ids->count)
        return NULL;
    struct ids_entry *entry = &ids->entries[index];
    return entry->item && entry->generation == id >> 32 ? entry : NULL;
}

void *ids_get(const struct ids *ids, uint64_t id) {
    struct ids_entry *entry = find(ids, id);
    return entry ? entry->item : NULL;
}

void *ids_at(const struct ids *ids, size_t place) {
    return ids->entries[place].item;
}

void ids_remove(struct ids *ids, uint64_t id) {
    struct ids_entry *entry = find(ids, id);
    if (!entry)
        return;
    entry->item = NULL;
    entry->generation = entry->generation == GENERATION_MAX ? 1 : entry->generation + 1;
    entry->next_free = ids->free_list;
    ids->free_list = (uint32_t)(entry - ids->entries) + 1;
}

void ids_free(struct ids *ids) {
    free(ids->entries);
    *ids = (struct ids){0};
}
