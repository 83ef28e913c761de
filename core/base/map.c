#include "base/map.h"

#include "base/err.h"

#include <stdlib.h>

uint64_t map_hash(const void *bytes, size_t len) {
    const unsigned char *at = bytes;
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ at[i]) * UINT64_C(1099511628211);
    return hash;
}

static struct map_node **bucket(const struct map *map, uint64_t hash) {
    return &map->buckets[hash & (map->capacity - 1)];
}

struct map_node *map_find(const struct map *map, uint64_t hash, map_same same, const void *key) {
    if (!map->count)
        return NULL;
    for (struct map_node *node = *bucket(map, hash); node; node = node->next)
        if (node->hash == hash && same(node, key))
            return node;
    return NULL;
}

static void link_node(struct map *map, struct map_node *node) {
    struct map_node **head = bucket(map, node->hash);
    node->next = *head;
    *head = node;
}

static int grow(struct map *map) {
    struct map larger = {.capacity = map->capacity ? map->capacity * 2 : 16, .count = map->count};
    larger.buckets = calloc(larger.capacity, sizeof(struct map_node *));
    if (!larger.buckets)
        return ERR_NOMEM;
    for (size_t i = 0; i < map->capacity; i++)
        for (struct map_node *node = map->buckets[i], *next; node; node = next) {
            next = node->next;
            link_node(&larger, node);
        }
    free(map->buckets);
    *map = larger;
    return 0;
}

int map_add(struct map *map, struct map_node *node, uint64_t hash) {
    if (map->count == map->capacity && grow(map))
        return ERR_NOMEM;
    node->hash = hash;
    link_node(map, node);
    map->count++;
    return 0;
}

void map_remove(struct map *map, struct map_node *node) {
    if (!map->capacity)
        return;
    for (struct map_node **at = bucket(map, node->hash); *at; at = &(*at)->next)
        if (*at == node) {
            *at = node->next;
            map->count--;
            return;
        }
}

struct map_node *map_next(const struct map *map, const struct map_node *node) {
    if (node && node->next)
        return node->next;
    size_t i = node ? (node->hash & (map->capacity - 1)) + 1 : 0;
    for (; i < map->capacity; i++)
        if (map->buckets[i])
            return map->buckets[i];
    return NULL;
}

void map_free(struct map *map) {
    free(map->buckets);
    *map = (struct map){0};
}
