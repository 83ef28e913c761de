/* Both parsers on any bytes: the first byte chooses. What they accept must be written, and read back to the
 * same bytes, in both languages. */
#include "document/document.h"

#include <stdlib.h>
#include <string.h>

static struct buf json_of(const struct doc *doc) {
    struct buf buf = {0};
    if (doc_write_json(doc_root(doc), 0, &buf, NULL))
        abort();
    return buf;
}

static void check_reads_back(const struct buf *text,
                             int (*parse)(const char *, size_t, struct doc **, struct doc_error *),
                             const struct buf *json) {
    struct doc *doc;
    struct doc_error error;
    if (parse(text->data, text->len, &doc, &error))
        abort();
    struct buf again = json_of(doc);
    if (again.len != json->len || memcmp(again.data, json->data, json->len) != 0)
        abort();
    buf_free(&again);
    doc_free(doc);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t len) {
    struct doc *doc;
    struct doc_error error;
    if (len == 0)
        return 0;
    const char *text = (const char *)data + 1;
    int rc =
        *data & 1 ? doc_parse_yaml(text, len - 1, &doc, &error) : doc_parse_json(text, len - 1, &doc, &error);
    if (rc)
        return error.err.message[0] ? 0 : (abort(), 0);
    struct buf json = json_of(doc), yaml = {0};
    if (doc_write_yaml(doc_root(doc), &yaml, NULL))
        abort();
    doc_free(doc);
    check_reads_back(&json, doc_parse_json, &json);
    check_reads_back(&yaml, doc_parse_yaml, &json);
    buf_free(&json);
    buf_free(&yaml);
    return 0;
}
