#include "document/document.h"

#include "document/number.h"
#include "document/utf8.h"

#include <inttypes.h>
#include <string.h>

struct writer {
    struct buf *buf;
    int flags, level;
    struct err *err;
};

static int no_memory(struct writer *w) {
    return err_set(w->err, ERR_NOMEM, "out of memory");
}

static int put(struct writer *w, const char *text) {
    return buf_puts(w->buf, text) ? no_memory(w) : 0;
}

/* The short escapes of RFC 8259, section 7; NULL where there is none. */
static const char *short_escape(char c) {
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static size_t plain_bytes(const char *text, size_t len) {
    size_t n = 0;
    while (n < len && (unsigned char)text[n] >= 0x20 && text[n] != '"' && text[n] != '\\')
        n++;
    return n;
}

static int write_string(struct writer *w, const char *text, size_t len) {
    int rc = buf_puts(w->buf, "\"");
    while (!rc && len > 0) {
        size_t plain = plain_bytes(text, len);
        rc = utf8_append_repaired(w->buf, text, plain);
        text += plain;
        len -= plain;
        if (rc || len == 0)
            break;
        const char *escape = short_escape(*text);
        rc = escape ? buf_puts(w->buf, escape) : buf_printf(w->buf, "\\u%04x", (unsigned)*text);
        text++;
        len--;
    }
    if (!rc)
        rc = buf_puts(w->buf, "\"");
    return rc ? no_memory(w) : 0;
}

static int write_number(struct writer *w, double value) {
    char text[NUMBER_TEXT];
    int rc = number_format(value, text, w->err);
    return rc ? rc : put(w, text);
}

static int new_line(struct writer *w) {
    if (!(w->flags & DOC_INDENT))
        return 0;
    return buf_printf(w->buf, "\n%*s", w->level * 2, "") ? no_memory(w) : 0;
}

static int write_node(struct writer *w, const struct doc_node *node);

static int write_member(struct writer *w, const struct doc_member *member) {
    int rc = write_string(w, member->key, member->key_len);
    if (!rc)
        rc = put(w, w->flags & DOC_INDENT ? ": " : ":");
    return rc ? rc : write_node(w, member->value);
}

static int write_members(struct writer *w, const struct doc_node *object) {
    int rc = 0;
    for (size_t rank = 0; !rc && rank < doc_length(object); rank++) {
        const struct doc_member *member = doc_member_sorted(object, rank);
        if (doc_is_duplicate(object, member))
            continue;
        if (rank > 0 && (rc = put(w, ",")))
            break;
        if (!(rc = new_line(w)))
            rc = write_member(w, member);
    }
    return rc;
}

static int write_items(struct writer *w, const struct doc_node *array) {
    int rc = 0;
    for (size_t i = 0; !rc && i < doc_length(array); i++) {
        if (i > 0 && (rc = put(w, ",")))
            break;
        if (!(rc = new_line(w)))
            rc = write_node(w, doc_item(array, i));
    }
    return rc;
}

static int write_container(struct writer *w, const struct doc_node *node) {
    bool array = node->kind == DOC_ARRAY;
    int rc = put(w, array ? "[" : "{");
    w->level++;
    if (!rc)
        rc = array ? write_items(w, node) : write_members(w, node);
    w->level--;
    if (!rc && doc_length(node) > 0)
        rc = new_line(w);
    return rc ? rc : put(w, array ? "]" : "}");
}

static int write_node(struct writer *w, const struct doc_node *node) {
    switch (doc_kind(node)) {
    case DOC_NULL:
        return put(w, "null");
    case DOC_BOOL:
        return put(w, node->as.boolean ? "true" : "false");
    case DOC_INTEGER:
        return buf_printf(w->buf, "%" PRId64, node->as.integer) ? no_memory(w) : 0;
    case DOC_NUMBER:
        return write_number(w, node->as.number);
    case DOC_STRING:
        return write_string(w, node->as.string.text, node->as.string.len);
    case DOC_ARRAY:
    case DOC_OBJECT:
        break;
    }
    return write_container(w, node);
}

int doc_write_json(const struct doc_node *node, int flags, struct buf *buf, struct err *err) {
    struct writer w = {.buf = buf, .flags = flags, .err = err};
    int rc = write_node(&w, node);
    return rc || !(flags & DOC_INDENT) ? rc : put(&w, "\n");
}
