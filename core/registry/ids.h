/* Handles that can die: an id holds an index and a generation, so an id kept too long finds nothing instead
 * of somebody else. 0 is never an id; ids fit in 53 bits, so every JSON reader keeps them exact. */
#ifndef KS_REGISTRY_IDS_H
#define KS_REGISTRY_IDS_H

#include <stddef.h>
#include <stdint.h>

struct ids {
    struct ids_entry *entries;
    size_t count, capacity;
    uint32_t free_list; /* index + 1 of the first free entry, 0: none */
};

uint64_t ids_add(struct ids *ids, void *item); /* 0: out of memory */
void *ids_get(const struct ids *ids, uint64_t id);
void *ids_at(const struct ids *ids, size_t place); /* place < count; NULL: it is free */
void ids_remove(struct ids *ids, uint64_t id);
void ids_free(struct ids *ids);

#endif
