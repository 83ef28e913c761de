#include "document/tree.h"

#include <stdarg.h>
#include <string.h>

const struct doc_node *doc_root(const struct doc *doc) {
    return doc ? doc->root : NULL;
}

enum doc_kind doc_kind(const struct doc_node *node) {
    return node ? (enum doc_kind)node->kind : DOC_NULL;
}

int doc_compare_keys(const char *a, size_t a_len, const char *b, size_t b_len) {
    int order = memcmp(a, b, a_len < b_len ? a_len : b_len);
    if (order)
        return order;
    return (a_len > b_len) - (a_len < b_len);
}

uint32_t *doc_order(const struct doc_node *object) {
    return (uint32_t *)(object->as.object.members + object->as.object.count);
}

/* The lowest rank whose key is not below the wanted one; of equal keys that is the first in the text. */
static size_t lower_bound(const struct doc_node *object, const char *key, size_t len) {
    size_t low = 0, high = object->as.object.count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct doc_member *member = doc_member_sorted(object, middle);
        if (doc_compare_keys(member->key, member->key_len, key, len) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct doc_member *doc_find(const struct doc_node *object, const char *key, size_t len) {
    if (doc_kind(object) != DOC_OBJECT || !key)
        return NULL;
    const struct doc_member *member = doc_member_sorted(object, lower_bound(object, key, len));
    return member && doc_compare_keys(member->key, member->key_len, key, len) == 0 ? member : NULL;
}

const struct doc_node *doc_get(const struct doc_node *object, const char *key) {
    const struct doc_member *member = doc_find(object, key, key ? strlen(key) : 0);
    return member ? member->value : NULL;
}

const struct doc_node *doc_path(const struct doc_node *object, ...) {
    va_list keys;
    va_start(keys, object);
    const char *key;
    while (object && (key = va_arg(keys, const char *)))
        object = doc_get(object, key);
    va_end(keys);
    return object;
}

size_t doc_length(const struct doc_node *node) {
    switch (doc_kind(node)) {
    case DOC_ARRAY:
        return node->as.array.count;
    case DOC_OBJECT:
        return node->as.object.count;
    default:
        return 0;
    }
}

const struct doc_node *doc_item(const struct doc_node *array, size_t index) {
    return doc_kind(array) == DOC_ARRAY && index < array->as.array.count ? array->as.array.items[index]
                                                                         : NULL;
}

const struct doc_member *doc_member_at(const struct doc_node *object, size_t index) {
    return doc_kind(object) == DOC_OBJECT && index < object->as.object.count
               ? &object->as.object.members[index]
               : NULL;
}

const struct doc_member *doc_member_sorted(const struct doc_node *object, size_t rank) {
    if (doc_kind(object) != DOC_OBJECT || rank >= object->as.object.count)
        return NULL;
    return &object->as.object.members[doc_order(object)[rank]];
}

bool doc_is_duplicate(const struct doc_node *object, const struct doc_member *member) {
    return &object->as.object.members[member->first] != member;
}

const char *doc_string(const struct doc_node *node, size_t *len) {
    if (doc_kind(node) != DOC_STRING)
        return NULL;
    if (len)
        *len = node->as.string.len;
    return node->as.string.text;
}

int64_t doc_integer(const struct doc_node *node, int64_t otherwise) {
    return doc_kind(node) == DOC_INTEGER ? node->as.integer : otherwise;
}

double doc_number(const struct doc_node *node, double otherwise) {
    switch (doc_kind(node)) {
    case DOC_INTEGER:
        return (double)node->as.integer;
    case DOC_NUMBER:
        return node->as.number;
    default:
        return otherwise;
    }
}

bool doc_bool(const struct doc_node *node, bool otherwise) {
    return doc_kind(node) == DOC_BOOL ? node->as.boolean : otherwise;
}
