#include "document/build.h"

#include "document/yaml_error.h"
#include "document/yaml_scalar.h"

#include <search.h>
#include <string.h>
#include <yaml.h>

struct reader {
    yaml_parser_t parser;
    const char *text;
    size_t len;
    struct doc *doc;
    void *anchors;    /* a tsearch tree of struct anchor, which live in the doc */
    size_t aliased;   /* nodes that aliases stood for so far */
    size_t documents; /* begun so far */
    struct doc_error *error;
};

struct anchor {
    const char *name;
    struct doc_node *node;
};

static struct doc_place place(const yaml_event_t *event) {
    return yaml_place(&event->start_mark);
}

/* Turns what the builder returned into a message. */
static int built(struct reader *r, const yaml_event_t *event, int code) {
    return code ? doc_fail_build(r->error, place(event), code) : 0;
}

static int compare_anchors(const void *a, const void *b) {
    return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

static void keep_anchor(void *anchor) {
    (void)anchor;
}

/* The latest node with a name is the one that aliases mean. */
static int remember(struct reader *r, const yaml_char_t *name, struct doc_node *node) {
    if (!name)
        return 0;
    struct anchor *anchor = doc_alloc(r->doc, sizeof *anchor);
    if (!anchor || !node)
        return ERR_NOMEM;
    *anchor = (struct anchor){doc_strdup(r->doc, (const char *)name, strlen((const char *)name)), node};
    struct anchor **found = anchor->name ? tsearch(anchor, &r->anchors, compare_anchors) : NULL;
    if (!found)
        return ERR_NOMEM;
    (*found)->node = node;
    return 0;
}

static int put_shared(struct reader *r, const yaml_event_t *event, struct doc_node *node) {
    if (!doc_wants_key(r->doc))
        return built(r, event, doc_put(r->doc, node));
    size_t len;
    const char *key = doc_string(node, &len);
    if (!key)
        return doc_fail(r->error, place(event), ERR_INVALID,
                        "an alias used as a key must stand for a string");
    return built(r, event, doc_put_key(r->doc, key, len, place(event)));
}

static int read_alias(struct reader *r, const yaml_event_t *event) {
    const char *name = (const char *)event->data.alias.anchor;
    struct anchor **found = tfind(&(struct anchor){.name = name}, &r->anchors, compare_anchors);
    if (!found)
        return doc_fail(r->error, place(event), ERR_INVALID,
                        "*%s refers to an anchor that is not above: define it with &%s, or quote a text that "
                        "begins with *",
                        name, name);
    struct doc_node *node = (*found)->node;
    if (node->weight == 0)
        return doc_fail(r->error, place(event), ERR_INVALID, "*%s stands inside what it refers to", name);
    r->aliased += node->weight;
    if (r->aliased > DOC_FREE_ALIASES + r->len)
        return doc_fail(r->error, place(event), ERR_LIMIT,
                        "aliases expand to more than %zu values: write fewer aliases inside aliased values",
                        DOC_FREE_ALIASES + r->len);
    return put_shared(r, event, node);
}

/* Whether `tag` is the core schema's `name`. */
static bool is_tag(const yaml_char_t *tag, const char *name) {
    static const char prefix[] = "tag:yaml.org,2002:";
    const char *text = (const char *)tag;
    return strncmp(text, prefix, sizeof prefix - 1) == 0 && strcmp(text + sizeof prefix - 1, name) == 0;
}

static int unknown_tag(struct reader *r, const yaml_event_t *event, const yaml_char_t *tag) {
    return doc_fail(r->error, place(event), ERR_INVALID,
                    "unknown tag %s: remove it, or quote a text that begins with !", (const char *)tag);
}

/* The kind that a tag demands; DOC_OBJECT for a tag that is not a scalar's. */
static enum doc_kind tagged_kind(const yaml_char_t *tag) {
    static const struct {
        const char *name;
        enum doc_kind kind;
    } tags[] = {{"str", DOC_STRING},
                {"int", DOC_INTEGER},
                {"float", DOC_NUMBER},
                {"bool", DOC_BOOL},
                {"null", DOC_NULL}};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++)
        if (is_tag(tag, tags[i].name))
            return tags[i].kind;
    return strcmp((const char *)tag, "!") == 0 ? DOC_STRING : DOC_OBJECT;
}

static int apply_tag(struct reader *r, const yaml_event_t *event, enum doc_kind want,
                     struct yaml_scalar *scalar) {
    if (want == DOC_NUMBER && scalar->kind == DOC_INTEGER)
        *scalar = (struct yaml_scalar){.kind = DOC_NUMBER, .as.number = (double)scalar->as.integer};
    if (want != scalar->kind)
        return doc_fail(r->error, place(event), ERR_INVALID, "\"%.80s\" is not what its tag !!%s says",
                        (const char *)event->data.scalar.value,
                        strrchr((const char *)event->data.scalar.tag, ':') + 1);
    return 0;
}

static int read_value(struct reader *r, const yaml_event_t *event, struct yaml_scalar *scalar) {
    const char *text = (const char *)event->data.scalar.value;
    const yaml_char_t *tag = event->data.scalar.tag;
    enum doc_kind want = tag ? tagged_kind(tag) : DOC_STRING;
    *scalar = (struct yaml_scalar){.kind = DOC_STRING};
    if (want == DOC_OBJECT)
        return unknown_tag(r, event, tag);
    if (tag ? want == DOC_STRING : event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return 0;
    if (yaml_scalar_read(text, event->data.scalar.length, scalar))
        return doc_fail(r->error, place(event), ERR_INVALID,
                        "%.80s does not fit in a 64-bit number: quote it to keep it as text", text);
    return tag ? apply_tag(r, event, want, scalar) : 0;
}

static struct doc_node *new_scalar(struct reader *r, const yaml_event_t *event,
                                   const struct yaml_scalar *scalar) {
    yaml_scalar_style_t style = event->data.scalar.style;
    struct doc_node *node = scalar->kind == DOC_STRING
                                ? doc_new_string(r->doc, (const char *)event->data.scalar.value,
                                                 event->data.scalar.length, place(event))
                                : doc_new_node(r->doc, scalar->kind, place(event));
    if (!node)
        return NULL;
    if (scalar->kind == DOC_STRING)
        node->quoted = style == YAML_SINGLE_QUOTED_SCALAR_STYLE || style == YAML_DOUBLE_QUOTED_SCALAR_STYLE;
    else if (scalar->kind == DOC_BOOL)
        node->as.boolean = scalar->as.boolean;
    else if (scalar->kind == DOC_INTEGER)
        node->as.integer = scalar->as.integer;
    else if (scalar->kind == DOC_NUMBER)
        node->as.number = scalar->as.number;
    return node;
}

static bool is_merge_key(const yaml_event_t *event) {
    return event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE && !event->data.scalar.tag &&
           strcmp((const char *)event->data.scalar.value, "<<") == 0;
}

static int read_key(struct reader *r, const yaml_event_t *event) {
    if (is_merge_key(event)) {
        if (doc_put_merge_key(r->doc))
            return doc_fail(r->error, place(event), ERR_INVALID,
                            "a second << in one mapping: write one with a list, <<: [*a, *b]");
        return 0;
    }
    const yaml_char_t *tag = event->data.scalar.tag;
    if (tag && tagged_kind(tag) == DOC_OBJECT)
        return unknown_tag(r, event, tag);
    const char *text = (const char *)event->data.scalar.value;
    size_t len = event->data.scalar.length;
    int rc = 0;
    if (event->data.scalar.anchor)
        rc = remember(r, event->data.scalar.anchor, doc_new_string(r->doc, text, len, place(event)));
    return built(r, event, rc ? rc : doc_put_key(r->doc, text, len, place(event)));
}

static int read_scalar(struct reader *r, const yaml_event_t *event) {
    if (doc_wants_key(r->doc))
        return read_key(r, event);
    struct yaml_scalar scalar;
    int rc = read_value(r, event, &scalar);
    if (rc)
        return rc;
    struct doc_node *node = new_scalar(r, event, &scalar);
    rc = remember(r, event->data.scalar.anchor, node);
    return built(r, event, rc ? rc : doc_put(r->doc, node));
}

static int read_container(struct reader *r, const yaml_event_t *event, enum doc_kind kind,
                          const yaml_char_t *tag, const yaml_char_t *anchor) {
    if (tag && !is_tag(tag, kind == DOC_ARRAY ? "seq" : "map"))
        return unknown_tag(r, event, tag);
    if (doc_wants_key(r->doc))
        return doc_fail(r->error, place(event), ERR_INVALID,
                        "a key must be a plain text, not a list or a mapping: quote a text that begins with "
                        "[ or {");
    struct doc_node *node = doc_new_node(r->doc, kind, place(event));
    int rc = remember(r, anchor, node);
    return built(r, event, rc ? rc : doc_open(r->doc, node));
}

static int begin_document(struct reader *r, const yaml_event_t *event) {
    if (r->documents++ == 0)
        return 0;
    return doc_fail(
        r->error, place(event), ERR_INVALID,
        "a second document begins here: only one is read, so remove the line ---, or use another file");
}

/* A text without a document is null. */
static int end_stream(struct reader *r, const yaml_event_t *event) {
    if (r->documents > 0)
        return 0;
    return built(r, event, doc_put(r->doc, doc_new_node(r->doc, DOC_NULL, (struct doc_place){1, 1})));
}

static int read_event(struct reader *r, const yaml_event_t *event) {
    switch (event->type) {
    case YAML_DOCUMENT_START_EVENT:
        return begin_document(r, event);
    case YAML_ALIAS_EVENT:
        return read_alias(r, event);
    case YAML_SCALAR_EVENT:
        return read_scalar(r, event);
    case YAML_SEQUENCE_START_EVENT:
        return read_container(r, event, DOC_ARRAY, event->data.sequence_start.tag,
                              event->data.sequence_start.anchor);
    case YAML_MAPPING_START_EVENT:
        return read_container(r, event, DOC_OBJECT, event->data.mapping_start.tag,
                              event->data.mapping_start.anchor);
    case YAML_SEQUENCE_END_EVENT:
    case YAML_MAPPING_END_EVENT:
        return built(r, event, doc_close(r->doc));
    case YAML_STREAM_END_EVENT:
        return end_stream(r, event);
    default:
        return 0;
    }
}

static int read_events(struct reader *r) {
    for (;;) {
        yaml_event_t event;
        if (!yaml_parser_parse(&r->parser, &event))
            return yaml_syntax_error(&r->parser, r->text, r->len, r->error);
        int rc = read_event(r, &event);
        bool done = event.type == YAML_STREAM_END_EVENT;
        yaml_event_delete(&event);
        if (rc || done)
            return rc;
    }
}

int doc_parse_yaml(const char *text, size_t len, struct doc **out, struct doc_error *error) {
    *out = NULL;
    int rc = doc_check_text(&text, &len, error);
    if (rc)
        return rc;
    struct reader r = {.text = text, .len = len, .doc = doc_new(), .error = error};
    if (!r.doc || !yaml_parser_initialize(&r.parser)) {
        doc_free(r.doc);
        return doc_fail_build(error, (struct doc_place){0}, ERR_NOMEM);
    }
    yaml_parser_set_encoding(&r.parser, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&r.parser, (const unsigned char *)text, len);
    rc = read_events(&r);
    yaml_parser_delete(&r.parser);
    tdestroy(r.anchors, keep_anchor);
    doc_finish(r.doc);
    if (rc)
        doc_free(r.doc);
    else
        *out = r.doc;
    return rc;
}
