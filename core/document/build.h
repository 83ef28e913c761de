/* Building a tree: for the two parsers, and for whoever has values in another form. Nodes are made first
 * and then put where they belong, in source order:
 *
 *     doc_open(doc, doc_new_node(doc, DOC_OBJECT, at));
 *     doc_put_key(doc, "name", 4, at);
 *     doc_put(doc, doc_new_string(doc, "nightly", 7, at));
 *     doc_close(doc);
 *     doc_finish(doc);
 *
 * All memory is the doc's, scratch included, so doc_free at any moment releases everything. Functions return
 * 0, ERR_NOMEM (also for a NULL node, so calls nest as above), or what their comment says. The caller keeps
 * the order: a key only when doc_wants_key, one root, each open closed. */
#ifndef KS_DOCUMENT_BUILD_H
#define KS_DOCUMENT_BUILD_H

#include "document/document.h"

struct doc_place {
    uint32_t line, column;
};

struct doc *doc_new(void);                     /* NULL when out of memory */
void *doc_alloc(struct doc *doc, size_t size); /* aligned for pointers, not cleared; NULL likewise */
char *doc_strdup(struct doc *doc, const char *text, size_t len);
/* The same, or an equal one that there is already. */
const char *doc_intern(struct doc *doc, const char *text, size_t len);
struct doc_node *doc_new_node(struct doc *doc, enum doc_kind kind, struct doc_place at);
struct doc_node *doc_new_string(struct doc *doc, const char *text, size_t len, struct doc_place at);

bool doc_wants_key(
    const struct doc *doc); /* the innermost open container is an object without a pending key */
int doc_put_key(struct doc *doc, const char *text, size_t len, struct doc_place at);
int doc_put_merge_key(
    struct doc *doc); /* the next value is merged at doc_close; ERR_EXISTS for a second one */
/* A scalar, or a container that is already closed, which is then shared. ERR_LIMIT beyond DOC_MAX_DEPTH,
 * ERR_INVALID for a scalar behind a merge key. */
int doc_put(struct doc *doc, struct doc_node *node);
int doc_open(struct doc *doc, struct doc_node *container); /* ERR_LIMIT likewise */
int doc_close(struct doc *doc); /* ERR_INVALID: what the merge key names is not a mapping or a list of them */
void doc_finish(struct doc *doc); /* releases the scratch memory; nothing can be put any more */

/* Fills error (NULL is fine) and returns code. */
int doc_fail(struct doc_error *error, struct doc_place at, int code, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* The message for what the functions above return. */
int doc_fail_build(struct doc_error *error, struct doc_place at, int code);
/* What both parsers ask of a text: its length, UTF-8. Skips a byte order mark. */
int doc_check_text(const char **text, size_t *len, struct doc_error *error);
/* The line and column of a byte, given those of an earlier one (*from, *at), which move there. */
void doc_advance(const char *text, size_t *from, struct doc_place *at, size_t to);

#endif
