#include "document/yaml_error.h"

#include <string.h>

struct doc_place yaml_place(const yaml_mark_t *mark) {
    return (struct doc_place){(uint32_t)mark->line + 1, (uint32_t)mark->column + 1};
}

/* The line that mark is on; empty when there is none. */
static const char *line_of(const yaml_mark_t *mark, const char *text, size_t len, size_t *line_len) {
    const char *end = text + len;
    for (size_t line = 0; line < mark->line && text < end; line++) {
        const char *newline = memchr(text, '\n', (size_t)(end - text));
        text = newline ? newline + 1 : end;
    }
    const char *newline = memchr(text, '\n', (size_t)(end - text));
    *line_len = (size_t)((newline ? newline : end) - text);
    return text;
}

static bool tab_in_indentation(const char *line, size_t len) {
    for (size_t i = 0; i < len && (line[i] == ' ' || line[i] == '\t'); i++)
        if (line[i] == '\t')
            return true;
    return false;
}

/* Problems of libyaml's scanner and parser by a part of their text, and what usually mends them. */
static const char *usual_remedy(const char *problem, const char *context) {
    static const struct {
        const char *part, *remedy;
    } remedies[] = {
        {"scanning an alias", "quote a text that begins with *, such as a schedule: '*/5 * * * *'"},
        {"scanning an anchor", "quote a text that begins with &"},
        {"cannot start any token", "quote a text that begins with @, % or `"},
        {"mapping values are not allowed", "quote a text that holds ': ', or check the indentation"},
        {"could not find expected ':'", "write 'key: value', with a space behind the colon"},
        {"did not find expected key", "check the indentation: keys of one mapping begin in one column"},
        {"did not find expected '-' indicator",
         "check the indentation: items of one list begin in one column"},
        {"did not find expected ',' or",
         "close the list or mapping with ] or }, and put commas between items"},
        {"expected node content", "put a value here, or close the list or mapping with ] or }"},
        {"block sequence entries are not allowed", "put the list on lines of its own, below the key"},
        {"unknown escape character", "in double quotes write \\\\ for \\, or use single quotes"},
        {"end of stream", "close the quote"},
        {"document indicator", "close the quote"},
        {"undefined tag handle", "quote a text that begins with !"},
        {"control characters", "write it as an escape in double quotes, such as \"\\x07\""},
    };
    for (size_t i = 0; i < sizeof remedies / sizeof *remedies; i++)
        if (strstr(problem, remedies[i].part) || strstr(context, remedies[i].part))
            return remedies[i].remedy;
    return NULL;
}

static const char *remedy(const yaml_parser_t *parser, const char *text, size_t len) {
    size_t line_len;
    const char *line = line_of(&parser->problem_mark, text, len, &line_len);
    if (tab_in_indentation(line, line_len))
        return "indent with spaces, not with tabs";
    return usual_remedy(parser->problem, parser->context ? parser->context : "");
}

static bool in_one_token(const char *context) {
    return context && strncmp(context, "while scanning a", strlen("while scanning a")) == 0;
}

/* The reader knows the byte, scanner and parser know the mark. A token that went wrong is best named by its
 * beginning, such as the quote that is never closed. */
static struct doc_place problem_place(const yaml_parser_t *parser, const char *text, size_t len) {
    if (parser->error != YAML_READER_ERROR)
        return yaml_place(in_one_token(parser->context) ? &parser->context_mark : &parser->problem_mark);
    struct doc_place at = {1, 1};
    size_t from = 0;
    doc_advance(text, &from, &at, parser->problem_offset < len ? parser->problem_offset : len);
    return at;
}

int yaml_syntax_error(const yaml_parser_t *parser, const char *text, size_t len, struct doc_error *error) {
    if (parser->error == YAML_MEMORY_ERROR || !parser->problem)
        return doc_fail_build(error, (struct doc_place){0}, ERR_NOMEM);
    struct doc_place at = problem_place(parser, text, len);
    const char *advice = remedy(parser, text, len);
    const char *context = parser->context;
    return doc_fail(error, at, ERR_INVALID, "%s%s%s%s%s", parser->problem, context ? " " : "",
                    context ? context : "", advice ? ": " : "", advice ? advice : "");
}
