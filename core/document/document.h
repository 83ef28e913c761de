/* YAML and JSON texts as one kind of tree that knows the line and column of everything in it, and the way
 * back to text.
 *
 * A struct doc owns an arena with all its nodes and strings; doc_free releases them at once, and every
 * pointer handed out below lives exactly as long. A finished tree is never written to, so any number of
 * threads may read it; parsing and building belong to one thread.
 *
 * Lines and columns count from 1, columns in characters; a node made by a program has 0. Texts are UTF-8,
 * with or without a byte order mark. A mistake in a text gives ERR_INVALID, or ERR_LIMIT when one of the
 * bounds below is reached, with the place and the remedy in struct doc_error.
 *
 * YAML is read like Kubernetes manifests are meant, and guesses little (yaml_scalar.c has the rules):
 *   - Without quotes, true, false, null, ~, integers and floats are values; yes, no, on, off, dates, 12:30,
 *     1_000 and .inf are strings. Quoted is always a string. An integer with a leading 0 is octal.
 *   - The tags !!str !!int !!float !!bool !!null !!map !!seq are honoured, any other is a mistake.
 *   - Keys are strings as written: `1:` is "1". A key that is a list or a mapping is a mistake.
 *   - `<<` merges a mapping or a list of mappings: own keys win, then earlier mappings.
 *   - One document a text. An empty text, or one with only comments, is null.
 * JSON is RFC 8259. An integer beyond 64 bits is a mistake in both, never a rounded number. */
#ifndef KS_DOCUMENT_DOCUMENT_H
#define KS_DOCUMENT_DOCUMENT_H

#include "base/buf.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    DOC_MAX_DEPTH = 200,       /* containers inside one another, aliases followed */
    DOC_MAX_TEXT = 256 << 20,  /* bytes */
    DOC_FREE_ALIASES = 100000, /* nodes that aliases may stand for, besides one for each byte of the text */
};

enum doc_kind { DOC_NULL, DOC_BOOL, DOC_INTEGER, DOC_NUMBER, DOC_STRING, DOC_ARRAY, DOC_OBJECT };

struct doc;

/* Read-only outside this folder; the functions below spare the caller the union. */
struct doc_node {
    uint8_t kind;   /* enum doc_kind */
    uint8_t height; /* levels of containers, itself included: 0 for a scalar */
    bool quoted;    /* a string that stands in quotes: its first character is one column further */
    uint32_t line, column;
    uint32_t weight; /* nodes it stands for, aliases expanded; 0 while a container is being built */
    union {
        bool boolean;
        int64_t integer;
        double number; /* always finite from a text */
        struct {
            const char *text; /* followed by a NUL that len does not count; may hold others */
            size_t len;
        } string;
        struct {
            struct doc_node **items;
            size_t count;
        } array;
        struct {
            struct doc_member *members; /* in source order, merged ones last; behind them the sorted order */
            size_t count;
        } object;
    } as;
};

struct doc_member {
    const char *key; /* followed by a NUL that key_len does not count */
    uint32_t key_len;
    uint32_t line, column; /* of the key */
    uint32_t first;        /* index of the first member with this key: its own, unless it is a duplicate */
    struct doc_node *value;
};

struct doc_error {
    uint32_t line, column; /* 0 when the mistake has no place, such as memory that ran out */
    struct err err;        /* the message does not repeat the place */
};

/* Both leave *out NULL when they fail; error may be NULL. The text need not end with a NUL. */
int doc_parse_yaml(const char *text, size_t len, struct doc **out, struct doc_error *error);
int doc_parse_json(const char *text, size_t len, struct doc **out, struct doc_error *error);
void doc_free(struct doc *doc); /* NULL is fine */

/* Look-ups. Every one takes NULL, or a node of another kind, for "not there", so they can be chained. With
 * duplicate keys the first counts. */
const struct doc_node *doc_root(const struct doc *doc);
enum doc_kind doc_kind(const struct doc_node *node); /* DOC_NULL for NULL */
const struct doc_node *doc_get(const struct doc_node *object, const char *key);
const struct doc_node *doc_path(const struct doc_node *object, ...)
    __attribute__((sentinel));                  /* keys, NULL */
size_t doc_length(const struct doc_node *node); /* items or members, 0 for a scalar */
const struct doc_node *doc_item(const struct doc_node *array, size_t index);
const struct doc_member *doc_member_at(const struct doc_node *object, size_t index); /* duplicates too */
const struct doc_member *doc_find(const struct doc_node *object, const char *key, size_t len);
/* The member at `rank` in the byte order of keys, duplicates behind their first. */
const struct doc_member *doc_member_sorted(const struct doc_node *object, size_t rank);
int doc_compare_keys(const char *a, size_t a_len, const char *b, size_t b_len); /* that order, like memcmp */
bool doc_is_duplicate(const struct doc_node *object, const struct doc_member *member);
const char *doc_string(const struct doc_node *node, size_t *len); /* NULL unless a string; len may be NULL */
int64_t doc_integer(const struct doc_node *node, int64_t otherwise);
double doc_number(const struct doc_node *node, double otherwise); /* integers too */
bool doc_bool(const struct doc_node *node, bool otherwise);

/* Text out, appended to buf: sorted keys, duplicates left out, so that equal trees give equal bytes. Bytes
 * that are not UTF-8 become U+FFFD. Floats are the shortest that read back exactly, whole ones without a
 * fraction. A number that is not finite is ERR_INVALID; buf may then hold a part. */
enum { DOC_INDENT = 1 }; /* two spaces a level, a final newline */
int doc_write_json(const struct doc_node *node, int flags, struct buf *buf, struct err *err);
/* Block style; a string that any YAML reader could take for something else is quoted. */
int doc_write_yaml(const struct doc_node *node, struct buf *buf, struct err *err);

#endif
