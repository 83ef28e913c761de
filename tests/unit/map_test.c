#include "base/map.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct item {
    int key;
    struct map_node node;
};

static bool has_key(const struct map_node *node, const void *key) {
    return MAP_OWNER(node, struct item, node)->key == *(const int *)key;
}

static struct item *find(const struct map *map, int key) {
    struct map_node *node = map_find(map, map_hash(&key, sizeof key), has_key, &key);
    return node ? MAP_OWNER(node, struct item, node) : NULL;
}

enum { MANY = 1000 };
static struct item items[MANY];

static void fill(struct map *map) {
    for (int i = 0; i < MANY; i++) {
        items[i].key = i;
        assert_int_equal(map_add(map, &items[i].node, map_hash(&i, sizeof i)), 0);
    }
}

static void finds_what_was_added_and_not_removed(void **state) {
    (void)state;
    struct map map = {0};
    assert_null(find(&map, 1));
    fill(&map);
    for (int i = 0; i < MANY; i += 2)
        map_remove(&map, &items[i].node);
    assert_int_equal(map.count, MANY / 2);
    for (int i = 0; i < MANY; i++)
        assert_ptr_equal(find(&map, i), i % 2 ? &items[i] : NULL);
    map_remove(&map, &items[0].node); /* not in it any more */
    assert_int_equal(map.count, MANY / 2);
    map_free(&map);
}

static void visits_each_once(void **state) {
    (void)state;
    struct map map = {0};
    int sum = 0, visits = 0;
    fill(&map);
    for (struct map_node *node = NULL; (node = map_next(&map, node)); visits++)
        sum += MAP_OWNER(node, struct item, node)->key;
    assert_int_equal(visits, MANY);
    assert_int_equal(sum, MANY * (MANY - 1) / 2);
    map_free(&map);
}

static void tells_keys_of_one_hash_apart(void **state) {
    (void)state;
    struct map map = {0};
    struct item one = {.key = 1}, two = {.key = 2};
    int key = 1;
    assert_int_equal(map_add(&map, &one.node, 7), 0);
    assert_int_equal(map_add(&map, &two.node, 7), 0);
    assert_ptr_equal(map_find(&map, 7, has_key, &key), &one.node);
    key = 2;
    assert_ptr_equal(map_find(&map, 7, has_key, &key), &two.node);
    map_free(&map);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_was_added_and_not_removed),
        cmocka_unit_test(visits_each_once),
        cmocka_unit_test(tells_keys_of_one_hash_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
