#include "document/build.h"

#include "document/tree.h"

#include <stdlib.h>
#include <string.h>

/* A container that is open. Its children are gathered behind those of the containers around it, and moved
 * to the arena when it is closed and their number is known. */
struct frame {
    struct doc_node *node;
    size_t base; /* index of its first child */
    struct doc_node *merge;
    bool has_merge_key;
};

enum { MOVES_A_KEY = 8, INTERNED = 1024 };

struct builder {
    struct frame frames[DOC_MAX_DEPTH];
    size_t depth;
    struct doc_member *children; /* items of arrays have no key */
    size_t count, capacity;
    struct interned interned[INTERNED];
};

struct interned *builder_slot(struct builder *builder, uint64_t hash) {
    return &builder->interned[hash % INTERNED];
}

enum { FROM_MERGE = UINT32_MAX }; /* in doc_member.first until the object is closed: gives way to its like */

struct doc *doc_new(void) {
    struct doc *doc = calloc(1, sizeof *doc);
    if (!doc)
        return NULL;
    doc->builder = calloc(1, sizeof *doc->builder);
    if (!doc->builder) {
        free(doc);
        return NULL;
    }
    return doc;
}

void builder_free(struct builder *builder) {
    if (!builder)
        return;
    free(builder->children);
    free(builder);
}

void doc_finish(struct doc *doc) {
    builder_free(doc->builder);
    doc->builder = NULL;
}

static struct frame *innermost(const struct doc *doc) {
    struct builder *b = doc->builder;
    return b->depth ? &b->frames[b->depth - 1] : NULL;
}

static bool has_pending_key(const struct builder *b, const struct frame *frame) {
    return b->count > frame->base && !b->children[b->count - 1].value;
}

bool doc_wants_key(const struct doc *doc) {
    const struct frame *frame = innermost(doc);
    if (!frame || frame->node->kind != DOC_OBJECT)
        return false;
    return !has_pending_key(doc->builder, frame) && !(frame->has_merge_key && !frame->merge);
}

static int add_child(struct builder *b, const struct doc_member *child) {
    if (b->count == b->capacity) {
        size_t capacity = b->capacity ? b->capacity * 2 : 64;
        struct doc_member *grown = reallocarray(b->children, capacity, sizeof *grown);
        if (!grown)
            return ERR_NOMEM;
        b->children = grown;
        b->capacity = capacity;
    }
    b->children[b->count++] = *child;
    return 0;
}

int doc_put_key(struct doc *doc, const char *text, size_t len, struct doc_place at) {
    const char *key = doc_intern(doc, text, len);
    if (!key)
        return ERR_NOMEM;
    struct doc_member member = {.key = key, .key_len = (uint32_t)len, .line = at.line, .column = at.column};
    return add_child(doc->builder, &member);
}

int doc_put_merge_key(struct doc *doc) {
    struct frame *frame = innermost(doc);
    if (frame->has_merge_key)
        return ERR_EXISTS;
    frame->has_merge_key = true;
    return 0;
}

int doc_put(struct doc *doc, struct doc_node *node) {
    struct builder *b = doc->builder;
    struct frame *frame = innermost(doc);
    if (!node)
        return ERR_NOMEM;
    if (b->depth + node->height > DOC_MAX_DEPTH)
        return ERR_LIMIT;
    if (!frame)
        doc->root = node;
    else if (frame->node->kind == DOC_ARRAY)
        return add_child(b, &(struct doc_member){.value = node});
    else if (has_pending_key(b, frame))
        b->children[b->count - 1].value = node;
    else if (node->kind < DOC_ARRAY)
        return ERR_INVALID;
    else
        frame->merge = node;
    return 0;
}

int doc_open(struct doc *doc, struct doc_node *container) {
    struct builder *b = doc->builder;
    if (b->depth == DOC_MAX_DEPTH)
        return ERR_LIMIT;
    int rc = doc_put(doc, container);
    if (rc)
        return rc;
    b->frames[b->depth++] = (struct frame){.node = container, .base = b->count};
    return 0;
}

static int merge_object(struct builder *b, const struct doc_node *from) {
    if (doc_kind(from) != DOC_OBJECT || from->weight == 0)
        return ERR_INVALID;
    for (size_t i = 0; i < from->as.object.count; i++) {
        struct doc_member member = from->as.object.members[i];
        if (doc_is_duplicate(from, &from->as.object.members[i]))
            continue;
        member.first = FROM_MERGE;
        int rc = add_child(b, &member);
        if (rc)
            return rc;
    }
    return 0;
}

static int merge(struct builder *b, const struct doc_node *from) {
    if (doc_kind(from) != DOC_ARRAY)
        return merge_object(b, from);
    for (size_t i = 0; i < doc_length(from); i++) {
        int rc = merge_object(b, doc_item(from, i));
        if (rc)
            return rc;
    }
    return 0;
}

static int by_key(const void *left, const void *right, void *context) {
    const struct doc_member *members = context;
    uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
    int order = doc_compare_keys(members[a].key, members[a].key_len, members[b].key, members[b].key_len);
    return order ? order : (a > b) - (a < b);
}

/* Insertion sort for few keys, and for many that are nearly in order, as in most files; false when it would
 * take long. */
static bool sort_by_insertion(uint32_t *order, size_t count, struct doc_member *members) {
    size_t moves = MOVES_A_KEY * count;
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && by_key(&order[j - 1], &order[j], members) > 0; j--) {
            uint32_t later = order[j - 1];
            order[j - 1] = order[j];
            order[j] = later;
            if (--moves == 0)
                return false;
        }
    return true;
}

static void sort(struct doc_node *object) {
    uint32_t *order = doc_order(object);
    struct doc_member *members = object->as.object.members;
    size_t count = object->as.object.count;
    for (size_t i = 0; i < count; i++)
        order[i] = (uint32_t)i;
    if (!sort_by_insertion(order, count, members))
        qsort_r(order, count, sizeof *order, by_key, members);
}

/* Tells each member which is the first with its key, and clears the value of a merged one that is not the
 * first; returns how many those are. */
static size_t mark_duplicates(struct doc_node *object) {
    struct doc_member *members = object->as.object.members, *first = NULL;
    size_t dropped = 0;
    for (size_t rank = 0; rank < object->as.object.count; rank++) {
        struct doc_member *member = &members[doc_order(object)[rank]];
        bool same = first && doc_compare_keys(first->key, first->key_len, member->key, member->key_len) == 0;
        if (!same)
            first = member;
        else if (member->first == FROM_MERGE) {
            member->value = NULL;
            dropped++;
        }
        member->first = (uint32_t)(first - members);
    }
    return dropped;
}

/* Closes the gaps; the indexes behind them change, so order and firsts are made again. */
static void drop_valueless(struct doc_node *object) {
    struct doc_member *members = object->as.object.members;
    size_t kept = 0;
    for (size_t i = 0; i < object->as.object.count; i++)
        if (members[i].value)
            members[kept++] = members[i];
    object->as.object.count = kept;
    sort(object);
    (void)mark_duplicates(object);
}

static int close_object(struct doc *doc, struct doc_node *object, const struct doc_member *children,
                        size_t count) {
    struct doc_member *members = doc_alloc(doc, count * (sizeof *members + sizeof(uint32_t)));
    if (!members)
        return ERR_NOMEM;
    if (count)
        memcpy(members, children, count * sizeof *members);
    object->as.object.members = members;
    object->as.object.count = count;
    sort(object);
    if (mark_duplicates(object))
        drop_valueless(object);
    return 0;
}

static int close_array(struct doc *doc, struct doc_node *array, const struct doc_member *children,
                       size_t count) {
    array->as.array.items = doc_alloc(doc, count * sizeof(struct doc_node *));
    if (!array->as.array.items)
        return ERR_NOMEM;
    for (size_t i = 0; i < count; i++)
        array->as.array.items[i] = children[i].value;
    array->as.array.count = count;
    return 0;
}

static void weigh(struct doc_node *container) {
    uint64_t weight = 1;
    unsigned height = 0;
    for (size_t i = 0; i < doc_length(container); i++) {
        const struct doc_node *child = container->kind == DOC_ARRAY ? container->as.array.items[i]
                                                                    : container->as.object.members[i].value;
        weight += child->weight;
        height = child->height > height ? child->height : height;
    }
    container->weight = weight < UINT32_MAX ? (uint32_t)weight : UINT32_MAX;
    container->height = (uint8_t)(height + 1);
}

int doc_close(struct doc *doc) {
    struct builder *b = doc->builder;
    struct frame *frame = innermost(doc);
    int rc = frame->has_merge_key ? merge(b, frame->merge) : 0;
    if (rc)
        return rc;
    size_t count = b->count - frame->base;
    const struct doc_member *children = count ? b->children + frame->base : NULL;
    rc = frame->node->kind == DOC_OBJECT ? close_object(doc, frame->node, children, count)
                                         : close_array(doc, frame->node, children, count);
    if (rc)
        return rc;
    weigh(frame->node);
    b->count = frame->base;
    b->depth--;
    return 0;
}
