#include "document/document.h"

#include "document/number.h"
#include "document/utf8.h"
#include "document/yaml_scalar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

struct writer {
    yaml_emitter_t emitter;
    struct buf repaired; /* scratch for one string */
    struct err *err;
};

static int append(void *buf, unsigned char *data, size_t len) {
    return buf_append(buf, data, len) == 0;
}

/* made: whether initializing the event worked. The emitter frees the event, also when it fails. */
static int emit(struct writer *w, yaml_event_t *event, int made) {
    if (made && yaml_emitter_emit(&w->emitter, event))
        return 0;
    if (made && w->emitter.error == YAML_EMITTER_ERROR)
        return err_set(w->err, ERR_INVALID, "cannot write YAML: %s", w->emitter.problem);
    return err_set(w->err, ERR_NOMEM, "out of memory");
}

static int write_text(struct writer *w, const char *text, size_t len, yaml_scalar_style_t style) {
    yaml_event_t event;
    bool plain = style == YAML_PLAIN_SCALAR_STYLE;
    int made = yaml_scalar_event_initialize(&event, NULL, NULL, (const yaml_char_t *)text, (int)len, plain, 1,
                                            style);
    return emit(w, &event, made);
}

/* Lines are kept readable where the emitter can; it falls back to double quotes where it cannot. */
static yaml_scalar_style_t string_style(const char *text, size_t len) {
    if (memchr(text, '\n', len))
        return YAML_LITERAL_SCALAR_STYLE;
    return yaml_scalar_needs_quotes(text, len) ? YAML_DOUBLE_QUOTED_SCALAR_STYLE : YAML_PLAIN_SCALAR_STYLE;
}

static int write_string(struct writer *w, const char *text, size_t len) {
    if (len > DOC_MAX_TEXT)
        return err_set(w->err, ERR_LIMIT, "a string longer than %d MiB", DOC_MAX_TEXT >> 20);
    buf_clear(&w->repaired);
    if (utf8_append_repaired(&w->repaired, text, len))
        return err_set(w->err, ERR_NOMEM, "out of memory");
    return write_text(w, w->repaired.data, w->repaired.len, string_style(w->repaired.data, w->repaired.len));
}

static int write_plain(struct writer *w, const char *text) {
    return write_text(w, text, strlen(text), YAML_PLAIN_SCALAR_STYLE);
}

static int write_integer(struct writer *w, int64_t value) {
    char text[NUMBER_TEXT];
    (void)snprintf(text, sizeof text, "%" PRId64, value);
    return write_plain(w, text);
}

static int write_number(struct writer *w, double value) {
    char text[NUMBER_TEXT];
    int rc = number_format(value, text, w->err);
    return rc ? rc : write_plain(w, text);
}

static int write_node(struct writer *w, const struct doc_node *node);

static int write_items(struct writer *w, const struct doc_node *array) {
    int rc = 0;
    for (size_t i = 0; !rc && i < doc_length(array); i++)
        rc = write_node(w, doc_item(array, i));
    return rc;
}

static int write_members(struct writer *w, const struct doc_node *object) {
    int rc = 0;
    for (size_t rank = 0; !rc && rank < doc_length(object); rank++) {
        const struct doc_member *member = doc_member_sorted(object, rank);
        if (doc_is_duplicate(object, member))
            continue;
        rc = write_string(w, member->key, member->key_len);
        if (!rc)
            rc = write_node(w, member->value);
    }
    return rc;
}

static int write_array(struct writer *w, const struct doc_node *array) {
    yaml_event_t event;
    int rc = emit(w, &event,
                  yaml_sequence_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_SEQUENCE_STYLE));
    if (!rc)
        rc = write_items(w, array);
    return rc ? rc : emit(w, &event, yaml_sequence_end_event_initialize(&event));
}

static int write_object(struct writer *w, const struct doc_node *object) {
    yaml_event_t event;
    int rc =
        emit(w, &event, yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE));
    if (!rc)
        rc = write_members(w, object);
    return rc ? rc : emit(w, &event, yaml_mapping_end_event_initialize(&event));
}

static int write_node(struct writer *w, const struct doc_node *node) {
    switch (doc_kind(node)) {
    case DOC_NULL:
        return write_plain(w, "null");
    case DOC_BOOL:
        return write_plain(w, node->as.boolean ? "true" : "false");
    case DOC_INTEGER:
        return write_integer(w, node->as.integer);
    case DOC_NUMBER:
        return write_number(w, node->as.number);
    case DOC_STRING:
        return write_string(w, node->as.string.text, node->as.string.len);
    case DOC_ARRAY:
        return write_array(w, node);
    case DOC_OBJECT:
        break;
    }
    return write_object(w, node);
}

static int write_document(struct writer *w, const struct doc_node *node) {
    yaml_event_t event;
    int rc = emit(w, &event, yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING));
    if (!rc)
        rc = emit(w, &event, yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1));
    if (!rc)
        rc = write_node(w, node);
    if (!rc)
        rc = emit(w, &event, yaml_document_end_event_initialize(&event, 1));
    return rc ? rc : emit(w, &event, yaml_stream_end_event_initialize(&event));
}

int doc_write_yaml(const struct doc_node *node, struct buf *buf, struct err *err) {
    struct writer w = {.err = err};
    if (!yaml_emitter_initialize(&w.emitter))
        return err_set(err, ERR_NOMEM, "out of memory");
    yaml_emitter_set_output(&w.emitter, append, buf);
    yaml_emitter_set_unicode(&w.emitter, 1);
    yaml_emitter_set_width(&w.emitter, -1);
    int rc = write_document(&w, node);
    yaml_emitter_delete(&w.emitter);
    buf_free(&w.repaired);
    return rc;
}
