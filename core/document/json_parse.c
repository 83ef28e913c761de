#include "document/build.h"

#include "document/number.h"

#include <string.h>
#include <yajl/yajl_parse.h>

struct reader {
    yajl_handle yajl;
    const char *text;
    size_t len, token;   /* where the current token begins */
    size_t end;          /* where the last token ended */
    bool complete;       /* yajl has the whole text: what it still reports ends there */
    struct doc_place at; /* of the current token */
    struct doc *doc;
    struct doc_error *error;
    int code; /* of the mistake that a callback found */
};

/* Between two tokens that yajl reports stand only these. */
static size_t skip_separators(const struct reader *r) {
    size_t at = r->end;
    while (at < r->len && strchr(" \t\r\n,:", r->text[at]) && r->text[at])
        at++;
    return at;
}

/* Called first in each callback: the token begins behind the last one, and ends where yajl is now. */
static void begin_token(struct reader *r) {
    doc_advance(r->text, &r->token, &r->at, skip_separators(r));
    r->end = r->complete ? r->len : yajl_get_bytes_consumed(r->yajl);
}

/* A callback's result: 0 stops yajl. */
static int built(struct reader *r, int code) {
    r->code = code;
    if (code)
        doc_fail_build(r->error, r->at, code);
    return code == 0;
}

static int mistake(struct reader *r, const char *text, size_t len, const char *what) {
    r->code = doc_fail(r->error, r->at, ERR_INVALID, "%.*s %s", (int)(len < 80 ? len : 80), text, what);
    return 0;
}

static int on_null(void *context) {
    struct reader *r = context;
    begin_token(r);
    return built(r, doc_put(r->doc, doc_new_node(r->doc, DOC_NULL, r->at)));
}

static int on_boolean(void *context, int value) {
    struct reader *r = context;
    begin_token(r);
    struct doc_node *node = doc_new_node(r->doc, DOC_BOOL, r->at);
    if (node)
        node->as.boolean = value;
    return built(r, doc_put(r->doc, node));
}

static int read_integer(struct reader *r, const char *text, size_t len, struct doc_node *node) {
    bool negative = *text == '-';
    if (number_integer(text + negative, len - negative, 10, negative, &node->as.integer))
        return mistake(r, text, len, "does not fit in a 64-bit integer: write it as a string");
    return 1;
}

static int read_double(struct reader *r, const char *text, size_t len, struct doc_node *node) {
    const char *copy = doc_strdup(r->doc, text, len);
    if (!copy)
        return built(r, ERR_NOMEM);
    if (number_double(copy, &node->as.number))
        return mistake(r, text, len, "is too large for a number: write it as a string");
    return 1;
}

static int on_number(void *context, const char *text, size_t len) {
    struct reader *r = context;
    begin_token(r);
    bool whole = !memchr(text, '.', len) && !memchr(text, 'e', len) && !memchr(text, 'E', len);
    struct doc_node *node = doc_new_node(r->doc, whole ? DOC_INTEGER : DOC_NUMBER, r->at);
    if (!node)
        return built(r, ERR_NOMEM);
    int ok = whole ? read_integer(r, text, len, node) : read_double(r, text, len, node);
    return ok ? built(r, doc_put(r->doc, node)) : 0;
}

/* The 16 bits of the escape \uXXXX at s, or 0 when there is none; yajl has seen that the digits are hex. */
static unsigned escape_at(const char *s, const char *end) {
    int64_t value = 0;
    if (end - s >= 6 && s[0] == '\\' && s[1] == 'u')
        (void)number_integer(s + 2, 4, 16, 0, &value);
    return (unsigned)value;
}

/* yajl would decode half a surrogate pair to something that is not UTF-8. */
static bool has_lone_surrogate(const char *s, const char *end) {
    while ((s = memchr(s, '\\', (size_t)(end - s)))) {
        unsigned first = escape_at(s, end) & 0xFC00;
        bool pair = first == 0xD800 && (escape_at(s + 6, end) & 0xFC00) == 0xDC00;
        if (first == 0xDC00 || (first == 0xD800 && !pair))
            return true;
        s += pair ? 12 : 2;
    }
    return false;
}

static int begin_string(struct reader *r) {
    begin_token(r);
    if (has_lone_surrogate(r->text + r->token, r->text + r->end))
        return mistake(r, r->text + r->token, r->end - r->token,
                       "has half of a surrogate pair: write both halves");
    return 1;
}

static int on_string(void *context, const unsigned char *text, size_t len) {
    struct reader *r = context;
    if (!begin_string(r))
        return 0;
    return built(r, doc_put(r->doc, doc_new_string(r->doc, (const char *)text, len, r->at)));
}

static int on_key(void *context, const unsigned char *text, size_t len) {
    struct reader *r = context;
    if (!begin_string(r))
        return 0;
    return built(r, doc_put_key(r->doc, (const char *)text, len, r->at));
}

static int on_start_map(void *context) {
    struct reader *r = context;
    begin_token(r);
    return built(r, doc_open(r->doc, doc_new_node(r->doc, DOC_OBJECT, r->at)));
}

static int on_start_array(void *context) {
    struct reader *r = context;
    begin_token(r);
    return built(r, doc_open(r->doc, doc_new_node(r->doc, DOC_ARRAY, r->at)));
}

static int on_end(void *context) {
    struct reader *r = context;
    begin_token(r);
    return built(r, doc_close(r->doc));
}

/* yajl has read up to and with what it did not expect; a separator too many is not skipped. */
static int syntax_error(struct reader *r) {
    size_t consumed = yajl_get_bytes_consumed(r->yajl), at = skip_separators(r);
    unsigned char *message = yajl_get_error(r->yajl, 0, NULL, 0);
    if (!message)
        return doc_fail_build(r->error, r->at, ERR_NOMEM);
    if (r->complete)
        at = r->len;
    else if (consumed > 0 && (consumed - 1 < at || strncmp((char *)message, "lexical", 7) == 0))
        at = consumed - 1;
    doc_advance(r->text, &r->token, &r->at, at > r->token ? at : r->token);
    int code = doc_fail(r->error, r->at, ERR_INVALID, "%.*s", (int)strcspn((char *)message, "\n"), message);
    yajl_free_error(r->yajl, message);
    return code;
}

static int read_text(struct reader *r) {
    yajl_status status = yajl_parse(r->yajl, (const unsigned char *)r->text, r->len);
    if (status == yajl_status_ok) {
        r->complete = true;
        status = yajl_complete_parse(r->yajl);
    }
    if (status == yajl_status_error)
        return syntax_error(r);
    return r->code;
}

int doc_parse_json(const char *text, size_t len, struct doc **out, struct doc_error *error) {
    static const yajl_callbacks callbacks = {
        .yajl_null = on_null,
        .yajl_boolean = on_boolean,
        .yajl_number = on_number,
        .yajl_string = on_string,
        .yajl_start_map = on_start_map,
        .yajl_map_key = on_key,
        .yajl_end_map = on_end,
        .yajl_start_array = on_start_array,
        .yajl_end_array = on_end,
    };
    *out = NULL;
    int rc = doc_check_text(&text, &len, error);
    if (rc)
        return rc;
    struct reader r = {.text = text, .len = len, .at = {1, 1}, .doc = doc_new(), .error = error};
    r.yajl = yajl_alloc(&callbacks, NULL, &r);
    if (!r.doc || !r.yajl)
        rc = doc_fail_build(error, r.at, ERR_NOMEM);
    else
        rc = read_text(&r);
    if (r.yajl)
        yajl_free(r.yajl);
    if (rc) {
        doc_free(r.doc);
        return rc;
    }
    doc_finish(r.doc);
    *out = r.doc;
    return 0;
}
