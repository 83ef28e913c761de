/* Inside this folder: what a struct doc is made of. */
#ifndef KS_DOCUMENT_TREE_H
#define KS_DOCUMENT_TREE_H

#include "document/build.h"

struct doc {
    struct chunk *chunks; /* the arena, newest first */
    char *free, *end;     /* of the newest chunk */
    size_t chunk_size;    /* of the newest that was not made for one large request */
    struct doc_node *root;
    struct builder *builder; /* NULL once finished */
};

/* Strings that came lately, for many come again: keys above all. */
enum { INTERN_MAX = 64 };
struct interned {
    const char *text;
    size_t len;
};
struct interned *builder_slot(struct builder *builder,
                              uint64_t hash); /* where a string with that hash is kept */

void builder_free(struct builder *builder);

/* The members' indexes in the byte order of their keys, equal keys in source order. */
uint32_t *doc_order(const struct doc_node *object);

#endif
