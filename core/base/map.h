/* An intrusive hash map: the owner embeds a struct map_node, the map only links it, so a lookup touches no
 * other memory and removing never fails. Keys are the owner's business: it hashes them with map_hash and
 * compares them in `same`. A zeroed struct map is an empty map. Thread: one at a time. */
#ifndef KS_BASE_MAP_H
#define KS_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_node {
    struct map_node *next;
    uint64_t hash;
};

struct map {
    struct map_node **buckets; /* a power of two */
    size_t capacity, count;
};

uint64_t map_hash(const void *bytes, size_t len); /* FNV-1a, 64 bits */

typedef bool (*map_same)(const struct map_node *node, const void *key);
struct map_node *map_find(const struct map *map, uint64_t hash, map_same same, const void *key);
/* Sets node->hash. Does not look whether the key is there. 0 or ERR_NOMEM. */
int map_add(struct map *map, struct map_node *node, uint64_t hash);
void map_remove(struct map *map, struct map_node *node); /* fine when it is not in it */
/* All nodes in no order: NULL gives the first. Removing the given node before asking for the next is not
 * allowed; adding may show a node twice or never. */
struct map_node *map_next(const struct map *map, const struct map_node *node);
void map_free(struct map *map); /* the nodes stay the owner's */

/* The struct that embeds the node. */
#define MAP_OWNER(node, type, member) ((type *)(void *)((char *)(node)-offsetof(type, member)))

#endif
