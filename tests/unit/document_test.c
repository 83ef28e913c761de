#include "document/build.h"
#include "document/document.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

typedef int parse_fn(const char *, size_t, struct doc **, struct doc_error *);

/* Parses a copy that ends at the end of its memory, so that reading beyond the text is seen. */
static int parse_bytes(parse_fn *parse, const char *text, size_t len, struct doc **doc,
                       struct doc_error *error) {
    char *copy = malloc(len ? len : 1);
    assert_non_null(copy);
    memcpy(copy, text, len);
    int rc = parse(copy, len, doc, error);
    free(copy);
    return rc;
}

static struct doc *parsed(parse_fn *parse, const char *text) {
    struct doc *doc;
    struct doc_error error;
    if (parse_bytes(parse, text, strlen(text), &doc, &error))
        fail_msg("%u:%u: %s in: %s", error.line, error.column, error.err.message, text);
    return doc;
}

static void check_json(parse_fn *parse, const char *text, const char *json) {
    struct doc *doc = parsed(parse, text);
    struct buf buf = {0};
    assert_int_equal(doc_write_json(doc_root(doc), 0, &buf, NULL), 0);
    assert_string_equal(buf.data, json);
    buf_free(&buf);
    doc_free(doc);
}

static void check_error_bytes(parse_fn *parse, const char *text, size_t len, int code, unsigned line,
                              unsigned column, const char *part) {
    struct doc *doc;
    struct doc_error error;
    assert_int_equal(parse_bytes(parse, text, len, &doc, &error), code);
    assert_null(doc);
    assert_int_equal(error.err.code, code);
    if (error.line != line || error.column != column || !strstr(error.err.message, part))
        fail_msg("%u:%u: %s, not %u:%u: …%s… in: %s", error.line, error.column, error.err.message, line,
                 column, part, text);
    assert_int_equal(parse_bytes(parse, text, len, &doc, NULL), code);
}

static void check_error(parse_fn *parse, const char *text, unsigned line, unsigned column, const char *part) {
    check_error_bytes(parse, text, strlen(text), ERR_INVALID, line, column, part);
}

static void check_place(const struct doc_node *node, unsigned line, unsigned column) {
    assert_non_null(node);
    assert_int_equal(node->line, line);
    assert_int_equal(node->column, column);
}

static void yaml_resolves_plain_scalars(void **state) {
    (void)state;
    static const struct {
        const char *yaml, *json;
    } cases[] = {
        {"true", "true"},
        {"False", "false"},
        {"~", "null"},
        {"Null", "null"},
        {"yes", "\"yes\""},
        {"On", "\"On\""},
        {"n", "\"n\""},
        {"12:30", "\"12:30\""},
        {"1_000", "\"1_000\""},
        {"2024-01-01", "\"2024-01-01\""},
        {".inf", "\".inf\""},
        {".nan", "\".nan\""},
        {"0", "0"},
        {"-0", "0"},
        {"+5", "5"},
        {"0644", "420"},
        {"0o17", "15"},
        {"0x1f", "31"},
        {"-0x10", "-16"},
        {"08", "\"08\""},
        {"0o8", "\"0o8\""},
        {"0x", "\"0x\""},
        {"00", "0"},
        {"1.50", "1.5"},
        {"1.", "1"},
        {".5", "0.5"},
        {"-.5e1", "-5"},
        {"1e3", "1000"},
        {"1e", "\"1e\""},
        {".", "\".\""},
        {"-.", "\"-.\""},
        {"+", "\"+\""},
        {"+.e3", "\"+.e3\""},
        {"1.2.3", "\"1.2.3\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"'5'", "\"5\""},
        {"\"true\"", "\"true\""},
        {"|\n 5", "\"5\""},
        {"!!str 5", "\"5\""},
        {"! 5", "\"5\""},
        {"!!int \"7\"", "7"},
        {"!!float 3", "3"},
        {"!!bool 'true'", "true"},
        {"!!null ''", "null"},
        {"!!map {}", "{}"},
        {"!!seq []", "[]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        check_json(doc_parse_yaml, cases[i].yaml, cases[i].json);
}

static void yaml_keys_are_strings_as_written(void **state) {
    (void)state;
    check_json(doc_parse_yaml, "1: a\ntrue: b\n0644: c\n~: d\n'<<': e\n",
               "{\"0644\":\"c\",\"1\":\"a\",\"<<\":\"e\",\"true\":\"b\",\"~\":\"d\"}");
    check_json(doc_parse_yaml, "&k key: *k\nother: {*k : 1}\n", "{\"key\":\"key\",\"other\":{\"key\":1}}");
}

static void an_empty_yaml_text_is_null(void **state) {
    (void)state;
    static const char *const texts[] = {"", "# only a comment\n", "---\n", "\xEF\xBB\xBF", "\n\n"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        check_json(doc_parse_yaml, texts[i], "null");
}

static void a_byte_order_mark_and_crlf_are_read_in_both(void **state) {
    (void)state;
    check_json(doc_parse_yaml,
               "\xEF\xBB\xBF"
               "a: 1\r\nb:\r\n  - x\r\n",
               "{\"a\":1,\"b\":[\"x\"]}");
    check_json(doc_parse_json, "\xEF\xBB\xBF{\"a\":\r\n1}\r\n", "{\"a\":1}");
    check_error(doc_parse_yaml, "a: 1\r\nb: [\r\n", 3, 1, "close the list");
    check_error(doc_parse_json, "{\r\n  x}", 2, 3, "invalid char");
}

static void yaml_merges(void **state) {
    (void)state;
    check_json(
        doc_parse_yaml,
        "d: &d {x: 1, y: 2}\ne: &e {y: 3, z: 4}\nf: {<<: [*d, *e], x: 9}\ng: {<<: *d}\nh: {<<: {q: 1}}\n",
        "{\"d\":{\"x\":1,\"y\":2},\"e\":{\"y\":3,\"z\":4},\"f\":{\"x\":9,\"y\":2,\"z\":4},\"g\":{\"x\":1,"
        "\"y\":2},\"h\":{\"q\":1}}");
    check_json(doc_parse_yaml, "a: &a {k: 1}\nb: &b {<<: *a, l: 2}\nc: {<<: *b, k: 3}\n",
               "{\"a\":{\"k\":1},\"b\":{\"k\":1,\"l\":2},\"c\":{\"k\":3,\"l\":2}}");
    check_error(doc_parse_yaml, "a: {<<: 3}\n", 1, 9, "list of mappings");
    check_error(doc_parse_yaml, "a: {<<: [3]}\n", 1, 12, "list of mappings");
    check_error(doc_parse_yaml, "a: &a {}\nb: {<<: *a, <<: *a}\n", 2, 13, "a second <<");
}

/* Keys are sorted in place while they are nearly in order, else by a sort for many. */
static void many_keys_are_found_in_any_order(void **state) {
    (void)state;
    enum { KEYS = 1000 };
    for (unsigned step = 1; step < 400;
         step += 198) { /* 1 and 199, 397: none has a factor in common with KEYS */
        struct buf text = {0};
        for (unsigned i = 0; i < KEYS; i++)
            assert_int_equal(buf_printf(&text, "k%03u: %u\n", i * step % KEYS, i * step % KEYS), 0);
        struct doc *doc = parsed(doc_parse_yaml, text.data);
        for (unsigned i = 0; i < KEYS; i++) {
            char key[8];
            (void)snprintf(key, sizeof key, "k%03u", i);
            assert_int_equal(doc_integer(doc_get(doc_root(doc), key), -1), i);
            assert_string_equal(doc_member_sorted(doc_root(doc), i)->key, key);
        }
        doc_free(doc);
        buf_free(&text);
    }
}

static void merged_members_keep_their_place_and_are_no_duplicates(void **state) {
    (void)state;
    struct doc *doc = parsed(doc_parse_yaml, "a: &a\n  k: 1\n  l: 2\nb:\n  <<: *a\n  k: 3\n  m: 4\n");
    const struct doc_node *b = doc_get(doc_root(doc), "b");
    assert_int_equal(doc_length(b), 3);
    check_place(doc_get(b, "k"), 6, 6);
    check_place(doc_get(b, "l"), 3, 6);
    assert_int_equal(doc_find(b, "l", 1)->line, 3);
    for (size_t i = 0; i < doc_length(b); i++)
        assert_false(doc_is_duplicate(b, doc_member_at(b, i)));
    doc_free(doc);
}

static void the_latest_anchor_counts(void **state) {
    (void)state;
    check_json(doc_parse_yaml, "[&a 1, *a, &a 2, *a]", "[1,1,2,2]");
}

static void yaml_mistakes_name_place_and_remedy(void **state) {
    (void)state;
    check_error(doc_parse_yaml, "a: 1\nb:\n\tc: 2\n", 3, 1, "indent with spaces");
    check_error(doc_parse_yaml, "a: 1\n  b: 2\n", 2, 4, "check the indentation");
    check_error(doc_parse_yaml, "schedule: * * * * *\n", 1, 11, "quote a text that begins with *");
    check_error(doc_parse_yaml, "schedule: */5 * * * *\n", 1, 11, "'*/5 * * * *'");
    check_error(doc_parse_yaml, "schedule: @every 5m\n", 1, 11, "quote a text that begins with @");
    check_error(doc_parse_yaml, "a: \"x\\d\"\n", 1, 6, "single quotes");
    check_error(doc_parse_yaml, "a: 'x\nb: 2\n", 1, 4, "close the quote");
    check_error(doc_parse_yaml, "---\na: 1\n---\nb: 2\n", 3, 1, "remove the line ---");
    check_error(doc_parse_yaml, "a: *x\n", 1, 4, "&x");
    check_error(doc_parse_yaml, "a: &x [*x]\n", 1, 8, "inside what it refers to");
    check_error(doc_parse_yaml, "a: !ruby/object x\n", 1, 4, "unknown tag !ruby/object");
    check_error(doc_parse_yaml, "a: !x []\n", 1, 4, "unknown tag !x");
    check_error(doc_parse_yaml, "!x a: 1\n", 1, 1, "unknown tag !x");
    check_error(doc_parse_yaml, "a: !!int x\n", 1, 4, "not what its tag !!int says");
    check_error(doc_parse_yaml, "? [a]\n: b\n", 1, 3, "a key must be a plain text");
    check_error(doc_parse_yaml, "a: 9223372036854775808\n", 1, 4, "9223372036854775808");
    check_error(doc_parse_yaml, "a: -9223372036854775809\n", 1, 4, "quote it");
    check_error(doc_parse_yaml, "a: 1e999\n", 1, 4, "1e999");
    check_error(doc_parse_yaml, "b: 1\na: \x01\n", 2, 4, "control characters");
    check_error(doc_parse_yaml, "ä: ä\xff\n", 1, 5, "0xff is not UTF-8");
    check_error(doc_parse_yaml, "key: 0123456789 ü 0123456789\xff 0123456789\n", 1, 29, "0xff is not UTF-8");
}

static void json_reads_numbers_exactly(void **state) {
    (void)state;
    check_json(doc_parse_json, "[9223372036854775807,-9223372036854775808,0,-0]",
               "[9223372036854775807,-9223372036854775808,0,0]");
    check_json(doc_parse_json, "[0.1,1.0,1e3,1e300,-2.5E-3,9007199254740993.0]",
               "[0.1,1,1000,1e+300,-0.0025,9007199254740992]");
    check_error(doc_parse_json, "[9223372036854775808]", 1, 2, "9223372036854775808");
    check_error(doc_parse_json, "{\"a\":-9223372036854775809}", 1, 6, "-9223372036854775809");
    check_error(doc_parse_json, "[1e999]", 1, 2, "too large");
    check_json(doc_parse_json, "12", "12");
}

static void json_reads_strings(void **state) {
    (void)state;
    check_json(doc_parse_json, "\"\\ud83d\\ude00 \\u0000\\u001f\\/\\\\ud83d\\\"\\n\"",
               "\"😀 \\u0000\\u001f/\\\\ud83d\\\"\\n\"");
    check_error(doc_parse_json, "[\"\\ud83d\"]", 1, 2, "half of a surrogate pair");
    check_error(doc_parse_json, "[\"\\ude00\"]", 1, 2, "half of a surrogate pair");
    check_error(doc_parse_json, "[\"\\ud83d\\ud83d\"]", 1, 2, "half of a surrogate pair");
    check_error(doc_parse_json, "{\"\\ud83d\\n\":1}", 1, 2, "half of a surrogate pair");
    check_error(doc_parse_json, "\"\xC0\x80\"", 1, 2, "0xc0 is not UTF-8");
    check_error(doc_parse_json, "\"\xED\xA0\x80\"", 1, 2, "0xed is not UTF-8");
    check_error(doc_parse_json, "\"\xF4\x90\x80\x80\"", 1, 2, "0xf4 is not UTF-8");
    check_error(doc_parse_json, "\"\xE2\x82", 1, 2, "0xe2 is not UTF-8");
}

static void json_mistakes_name_the_place(void **state) {
    (void)state;
    check_error(doc_parse_json, "", 1, 1, "premature EOF");
    check_error(doc_parse_json, "{\"a\": 1", 1, 8, "premature EOF");
    check_error(doc_parse_json, "{\"a\":1,\n }", 2, 2, "invalid object key");
    check_error(doc_parse_json, "[1,,2]", 1, 4, "unallowed token");
    check_error(doc_parse_json, "{\"a\" 1}", 1, 6, "colon");
    check_error(doc_parse_json, "[1 2]", 1, 4, "I expect ','");
    check_error(doc_parse_json, "{\"a\": 1} x", 1, 10, "trailing garbage");
    check_error(doc_parse_json, "[\n  NaN]", 2, 3, "invalid char");
    check_error(doc_parse_json, "// x\n1", 1, 1, "comment");
}

/* len bytes of text that open and close `levels` lists. */
static char *nested(size_t levels, size_t *len) {
    *len = levels * 2;
    char *text = malloc(*len + 1);
    assert_non_null(text);
    memset(text, '[', levels);
    memset(text + levels, ']', levels);
    text[*len] = '\0';
    return text;
}

static void depth_is_bounded(void **state) {
    (void)state;
    parse_fn *parsers[] = {doc_parse_yaml, doc_parse_json};
    for (size_t i = 0; i < 2; i++) {
        size_t len;
        char *text = nested(DOC_MAX_DEPTH, &len);
        check_json(parsers[i], text, text);
        free(text);
        text = nested(DOC_MAX_DEPTH + 1, &len);
        check_error_bytes(parsers[i], text, len, ERR_LIMIT, 1, DOC_MAX_DEPTH + 1, "nested");
        free(text);
    }
}

/* Aliases nest what is short in the text: each level of this one is one line. */
static void depth_through_aliases_is_bounded(void **state) {
    (void)state;
    struct buf text = {0};
    assert_int_equal(buf_puts(&text, "- &a0 []\n"), 0);
    for (int i = 1; i < DOC_MAX_DEPTH; i++)
        assert_int_equal(buf_printf(&text, "- &a%d [*a%d]\n", i, i - 1), 0);
    check_error_bytes(doc_parse_yaml, text.data, text.len, ERR_LIMIT, DOC_MAX_DEPTH, 10, "nested");
    buf_free(&text);
}

static void an_alias_bomb_is_refused(void **state) {
    (void)state;
    struct buf text = {0};
    assert_int_equal(buf_puts(&text, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n"), 0);
    for (int i = 1; i < 9; i++)
        assert_int_equal(buf_printf(&text, "a%d: &a%d [*a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d, *a%d]\n", i,
                                    i, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1, i - 1),
                         0);
    struct doc *doc;
    struct doc_error error;
    assert_int_equal(doc_parse_yaml(text.data, text.len, &doc, &error), ERR_LIMIT);
    assert_non_null(strstr(error.err.message, "aliases expand"));
    buf_free(&text);
}

/* The same with merge keys, which copy members: 300 times 1,000 of them. */
static void a_merge_bomb_is_refused(void **state) {
    (void)state;
    struct buf text = {0};
    assert_int_equal(buf_puts(&text, "a: &a\n"), 0);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(buf_printf(&text, "  k%d:\n", i), 0);
    for (int i = 0; i < 300; i++)
        assert_int_equal(buf_printf(&text, "b%d: {<<: *a}\n", i), 0);
    struct doc *doc;
    assert_int_equal(doc_parse_yaml(text.data, text.len, &doc, NULL), ERR_LIMIT);
    buf_free(&text);
}

static void everything_knows_its_place(void **state) {
    (void)state;
    struct doc *doc = parsed(doc_parse_yaml, "ä:\n  - ü: 1\n    \"b c\": [x, yy]\n");
    const struct doc_node *item = doc_item(doc_get(doc_root(doc), "ä"), 0);
    check_place(doc_root(doc), 1, 1);
    check_place(item, 2, 5);
    check_place(doc_get(item, "ü"), 2, 8);
    check_place(doc_item(doc_get(item, "b c"), 1), 3, 16);
    assert_int_equal(doc_find(item, "b c", 3)->line, 3);
    assert_int_equal(doc_find(item, "b c", 3)->column, 5);
    doc_free(doc);

    doc = parsed(doc_parse_json, " {\"ä\\n\": [1,\n\t{\"b\" :true}, null], \"c\": \"x\"}");
    check_place(doc_root(doc), 1, 2);
    const struct doc_node *list = doc_get(doc_root(doc), "ä\n");
    check_place(list, 1, 10);
    check_place(doc_item(list, 0), 1, 11);
    check_place(doc_item(list, 1), 2, 2);
    check_place(doc_get(doc_item(list, 1), "b"), 2, 8);
    check_place(doc_item(list, 2), 2, 15);
    check_place(doc_get(doc_root(doc), "c"), 2, 27);
    doc_free(doc);
}

static void duplicates_are_kept_and_the_first_counts(void **state) {
    (void)state;
    parse_fn *parsers[] = {doc_parse_yaml, doc_parse_json};
    for (size_t i = 0; i < 2; i++) {
        struct doc *doc = parsed(parsers[i], "{\"b\": 1,\n \"a\": 2,\n \"b\": 3,\n \"b\": 4}");
        const struct doc_node *root = doc_root(doc);
        assert_int_equal(doc_length(root), 4);
        assert_int_equal(doc_integer(doc_get(root, "b"), 0), 1);
        const struct doc_member *last = doc_member_at(root, 3);
        assert_true(doc_is_duplicate(root, last));
        assert_int_equal(last->first, 0);
        assert_int_equal(last->line, 4);
        assert_int_equal(last->column, 2);
        assert_false(doc_is_duplicate(root, doc_member_at(root, 1)));
        doc_free(doc);
    }
    check_json(doc_parse_json, "{\"b\":1,\"a\":2,\"b\":3}", "{\"a\":2,\"b\":1}");
}

static void lookups_chain_through_what_is_not_there(void **state) {
    (void)state;
    struct doc *doc = parsed(doc_parse_json, "{\"spec\":{\"n\":7,\"list\":[\"x\"],\"f\":1.5,\"t\":true}}");
    const struct doc_node *root = doc_root(doc), *spec = doc_get(root, "spec");
    size_t len = 0;
    assert_string_equal(doc_string(doc_item(doc_path(root, "spec", "list", NULL), 0), &len), "x");
    assert_int_equal(len, 1);
    assert_int_equal(doc_integer(doc_path(root, "spec", "n", NULL), 0), 7);
    assert_true(doc_number(doc_get(spec, "f"), 0) == 1.5 && doc_number(doc_get(spec, "n"), 0) == 7);
    assert_true(doc_bool(doc_get(spec, "t"), false));
    assert_null(doc_path(root, "no", "list", NULL));
    assert_null(doc_get(doc_item(doc_get(spec, "n"), 0), "x"));
    assert_null(doc_item(doc_get(spec, "list"), 1));
    assert_null(doc_string(doc_get(spec, "n"), NULL));
    assert_int_equal(doc_length(NULL), 0);
    assert_int_equal(doc_integer(NULL, -1), -1);
    doc_free(doc);
}

static void yaml_out_quotes_what_looks_like_something_else(void **state) {
    (void)state;
    struct doc *doc = parsed(doc_parse_json,
                             "[\"yes\",\"NO\",\"5\",\"1_0\",\"0x1\",\"\",\"~\",\"null\",\"12:30\",\"-.inf\","
                             "\"<<\",\"a\",\"a: b\",\"* * *\",\"a\\nb\\n\",\"1.2\",5,true,null,[],{}]");
    struct buf buf = {0};
    assert_int_equal(doc_write_yaml(doc_root(doc), &buf, NULL), 0);
    assert_string_equal(buf.data,
                        "- \"yes\"\n- \"NO\"\n- \"5\"\n- \"1_0\"\n- \"0x1\"\n- \"\"\n- \"~\"\n- \"null\"\n"
                        "- \"12:30\"\n- \"-.inf\"\n- \"<<\"\n- a\n- 'a: b'\n- '* * *'\n- |\n  a\n  b\n"
                        "- \"1.2\"\n- 5\n- true\n- null\n- []\n- {}\n");
    buf_free(&buf);
    doc_free(doc);
}

static void json_out_is_indented_on_request(void **state) {
    (void)state;
    struct doc *doc = parsed(doc_parse_json, "{\"b\":[1,{}],\"a\":[]}");
    struct buf buf = {0};
    assert_int_equal(doc_write_json(doc_root(doc), DOC_INDENT, &buf, NULL), 0);
    assert_string_equal(buf.data, "{\n  \"a\": [],\n  \"b\": [\n    1,\n    {}\n  ]\n}\n");
    buf_free(&buf);
    doc_free(doc);
}

/* Values that only a program can make. */
static void writers_repair_utf8_and_refuse_infinity(void **state) {
    (void)state;
    struct doc *doc = doc_new();
    assert_non_null(doc);
    struct doc_place at = {0, 0};
    assert_int_equal(doc_open(doc, doc_new_node(doc, DOC_ARRAY, at)), 0);
    assert_int_equal(doc_put(doc, doc_new_string(doc,
                                                 "a\xff"
                                                 "b\xE2\x82",
                                                 5, at)),
                     0);
    struct doc_node *number = doc_new_node(doc, DOC_NUMBER, at);
    assert_int_equal(doc_put(doc, number), 0);
    number->as.number = 0.1;
    assert_int_equal(doc_close(doc), 0);
    doc_finish(doc);
    struct buf buf = {0};
    assert_int_equal(doc_write_json(doc_root(doc), 0, &buf, NULL), 0);
    assert_string_equal(buf.data, "[\"a\uFFFDb\uFFFD\uFFFD\",0.1]");
    buf_clear(&buf);
    assert_int_equal(doc_write_yaml(doc_root(doc), &buf, NULL), 0);
    assert_string_equal(buf.data, "- a\uFFFDb\uFFFD\uFFFD\n- 0.1\n");
    number->as.number = 1 / 0.0;
    struct err err;
    assert_int_equal(doc_write_json(doc_root(doc), 0, &buf, &err), ERR_INVALID);
    assert_int_equal(doc_write_yaml(doc_root(doc), &buf, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "infinity"));
    buf_free(&buf);
    doc_free(doc);
}

/* What is written reads back the same, in both languages: strings that tempt YAML most of all. */
static void what_is_written_reads_back(void **state) {
    (void)state;
    static const char *const texts[] = {
        "[\"\",\" \",\"a \",\"\\ta\",\"a\\n\\n\",\"\\n\",\"\\na\",\"a\\r\\nb\",\"- a\",\"? a\",\": "
        "a\",\"#a\",\"a #b\"]",
        "[\"---\",\"...\",\"%a\",\"@a\",\"`a\",\"!a\",\"&a\",\"*a\",\"|\",\">\",\"'\",\"\\\"\",\"[a\",\"{a\","
        "\"a,b\"]",
        "[\"\\u0000\",\"\\u001b\",\"\\u007f\",\"\\u0085\",\"\\u2028\",\"\\ufeff\",\"😀\",\"\\uffff\",\" \\n "
        "a\\n\"]",
        "[1e-7,123456789012.5,-1.7976931348623157e308,2.2250738585072014e-308,0.30000000000000004]",
        "{\"\":1,\"<<\":{\"a\":1},\"a\\nb\":2,\"yes\":3,\"5\":4,\"* a\":[{\"x\":[[]]}]}",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct doc *doc = parsed(doc_parse_json, texts[i]);
        struct buf json = {0}, yaml = {0};
        assert_int_equal(doc_write_json(doc_root(doc), 0, &json, NULL), 0);
        assert_int_equal(doc_write_yaml(doc_root(doc), &yaml, NULL), 0);
        check_json(doc_parse_json, json.data, json.data);
        check_json(doc_parse_yaml, yaml.data, json.data);
        buf_free(&json);
        buf_free(&yaml);
        doc_free(doc);
    }
}

/* Enough members that order, duplicates and look-ups need more than luck. */
static void large_objects_find_every_key(void **state) {
    (void)state;
    enum { KEYS = 5000 };
    struct buf text = {0};
    for (int i = 0; i < KEYS; i++)
        assert_int_equal(buf_printf(&text, "job-%d: %d\n", i * 7919 % KEYS, i), 0);
    struct doc *doc = parsed(doc_parse_yaml, text.data);
    assert_int_equal(doc_length(doc_root(doc)), KEYS);
    for (int i = 0; i < KEYS; i++) {
        char key[32];
        (void)snprintf(key, sizeof key, "job-%d", i * 7919 % KEYS);
        assert_int_equal(doc_integer(doc_get(doc_root(doc), key), -1), i);
    }
    doc_free(doc);
    buf_free(&text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(yaml_resolves_plain_scalars),
        cmocka_unit_test(yaml_keys_are_strings_as_written),
        cmocka_unit_test(an_empty_yaml_text_is_null),
        cmocka_unit_test(a_byte_order_mark_and_crlf_are_read_in_both),
        cmocka_unit_test(yaml_merges),
        cmocka_unit_test(many_keys_are_found_in_any_order),
        cmocka_unit_test(merged_members_keep_their_place_and_are_no_duplicates),
        cmocka_unit_test(the_latest_anchor_counts),
        cmocka_unit_test(yaml_mistakes_name_place_and_remedy),
        cmocka_unit_test(json_reads_numbers_exactly),
        cmocka_unit_test(json_reads_strings),
        cmocka_unit_test(json_mistakes_name_the_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(depth_through_aliases_is_bounded),
        cmocka_unit_test(an_alias_bomb_is_refused),
        cmocka_unit_test(a_merge_bomb_is_refused),
        cmocka_unit_test(everything_knows_its_place),
        cmocka_unit_test(duplicates_are_kept_and_the_first_counts),
        cmocka_unit_test(lookups_chain_through_what_is_not_there),
        cmocka_unit_test(yaml_out_quotes_what_looks_like_something_else),
        cmocka_unit_test(json_out_is_indented_on_request),
        cmocka_unit_test(writers_repair_utf8_and_refuse_infinity),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(large_objects_find_every_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
