#include "document/tree.h"

#include "base/map.h"
#include "document/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

struct chunk {
    struct chunk *older;
    max_align_t data[];
};

/* Chunks double, so that a small text costs little and a large one few allocations. Those of a large text are
 * huge pages where the system gives them: a page fault each 4 KiB would take as long as the parser. */
enum { FIRST_CHUNK = 1024, HUGE_PAGE = 2 << 20, LAST_CHUNK = 2 * HUGE_PAGE, ALIGNMENT = sizeof(void *) };

void doc_free(struct doc *doc) {
    if (!doc)
        return;
    for (struct chunk *chunk = doc->chunks, *older; chunk; chunk = older) {
        older = chunk->older;
        free(chunk);
    }
    builder_free(doc->builder);
    free(doc);
}

static void *allocate(size_t size) {
    if (size < HUGE_PAGE)
        return malloc(size);
    size = (size + HUGE_PAGE - 1) / HUGE_PAGE * HUGE_PAGE;
    void *chunk = aligned_alloc(HUGE_PAGE, size);
    if (chunk)
        (void)madvise(chunk, size, MADV_HUGEPAGE); /* where it fails there are small pages */
    return chunk;
}

/* A large request gets a chunk of its own; what was left of the old chunk is given up. */
static int add_chunk(struct doc *doc, size_t size) {
    if (doc->chunk_size < LAST_CHUNK)
        doc->chunk_size = doc->chunk_size ? doc->chunk_size * 2 : FIRST_CHUNK;
    size_t room =
        (size > doc->chunk_size - sizeof(struct chunk) ? size + sizeof(struct chunk) : doc->chunk_size);
    struct chunk *chunk = allocate(room);
    if (!chunk)
        return ERR_NOMEM;
    chunk->older = doc->chunks;
    doc->chunks = chunk;
    doc->free = (char *)chunk->data;
    doc->end = (char *)chunk + room;
    return 0;
}

void *doc_alloc(struct doc *doc, size_t size) {
    if (size > SIZE_MAX / 2)
        return NULL;
    size = (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    if (size > (size_t)(doc->end - doc->free) && add_chunk(doc, size))
        return NULL;
    void *data = doc->free;
    doc->free += size;
    return data;
}

const char *doc_intern(struct doc *doc, const char *text, size_t len) {
    struct builder *builder = doc->builder;
    if (len > INTERN_MAX || !builder)
        return doc_strdup(doc, text, len);
    struct interned *slot = builder_slot(builder, map_hash(text, len));
    if (slot->text && slot->len == len && memcmp(slot->text, text, len) == 0)
        return slot->text;
    slot->text = doc_strdup(doc, text, len);
    slot->len = len;
    return slot->text;
}

char *doc_strdup(struct doc *doc, const char *text, size_t len) {
    char *copy = doc_alloc(doc, len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

struct doc_node *doc_new_node(struct doc *doc, enum doc_kind kind, struct doc_place at) {
    struct doc_node *node = doc_alloc(doc, sizeof *node);
    if (node)
        *node = (struct doc_node){
            .kind = (uint8_t)kind, .line = at.line, .column = at.column, .weight = kind < DOC_ARRAY};
    return node;
}

struct doc_node *doc_new_string(struct doc *doc, const char *text, size_t len, struct doc_place at) {
    struct doc_node *node = doc_new_node(doc, DOC_STRING, at);
    if (!node)
        return NULL;
    node->as.string.text = doc_intern(doc, text, len);
    node->as.string.len = len;
    return node->as.string.text ? node : NULL;
}

int doc_fail(struct doc_error *error, struct doc_place at, int code, const char *format, ...) {
    if (!error)
        return code;
    *error = (struct doc_error){.line = at.line, .column = at.column, .err = {.code = code}};
    va_list args;
    va_start(args, format);
    (void)vsnprintf(error->err.message, sizeof error->err.message, format, args);
    va_end(args);
    return code;
}

int doc_fail_build(struct doc_error *error, struct doc_place at, int code) {
    if (code == ERR_LIMIT)
        return doc_fail(error, at, code, "nested more than %d levels deep", DOC_MAX_DEPTH);
    if (code == ERR_INVALID)
        return doc_fail(error, at, code, "<< takes a mapping or a list of mappings");
    return doc_fail(error, (struct doc_place){0}, ERR_NOMEM, "out of memory");
}

int doc_check_text(const char **text, size_t *len, struct doc_error *error) {
    struct doc_place at = {1, 1};
    if (*len > DOC_MAX_TEXT)
        return doc_fail(error, at, ERR_LIMIT, "longer than %d MiB", DOC_MAX_TEXT >> 20);
    if (*len >= 3 && memcmp(*text, "\xEF\xBB\xBF", 3) == 0) {
        *text += 3;
        *len -= 3;
    }
    size_t good = utf8_valid(*text, *len), from = 0;
    if (good == *len)
        return 0;
    doc_advance(*text, &from, &at, good);
    return doc_fail(error, at, ERR_INVALID, "byte 0x%02x is not UTF-8: save the text in that encoding",
                    (unsigned)(unsigned char)(*text)[good]);
}

void doc_advance(const char *text, size_t *from, struct doc_place *at, size_t to) {
    for (; *from < to; ++*from) {
        unsigned char byte = (unsigned char)text[*from];
        if (byte == '\n')
            *at = (struct doc_place){at->line + 1, 1};
        else if ((byte & 0xC0) != 0x80) /* not in the middle of a character */
            at->column++;
    }
}
