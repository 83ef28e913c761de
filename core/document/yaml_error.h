/* What libyaml says about a text, put so that an operator knows what to change. */
#ifndef KS_DOCUMENT_YAML_ERROR_H
#define KS_DOCUMENT_YAML_ERROR_H

#include "document/build.h"

#include <yaml.h>

struct doc_place yaml_place(const yaml_mark_t *mark);

/* Fills error after the parser of text failed; returns its code. */
int yaml_syntax_error(const yaml_parser_t *parser, const char *text, size_t len, struct doc_error *error);

#endif
