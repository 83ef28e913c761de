/* What a YAML scalar without quotes means: the core schema of YAML 1.2, plus a leading 0 for octal as
 * kubectl reads it (`defaultMode: 0644`). */
#ifndef KS_DOCUMENT_YAML_SCALAR_H
#define KS_DOCUMENT_YAML_SCALAR_H

#include "document/document.h"

struct yaml_scalar {
    enum doc_kind kind; /* never DOC_ARRAY or DOC_OBJECT */
    union {
        bool boolean;
        int64_t integer;
        double number;
    } as;
};

/* text ends with a NUL at len. ERR_LIMIT: a number too large to be kept. */
int yaml_scalar_read(const char *text, size_t len, struct yaml_scalar *out);

/* Whether some reader of YAML (1.1 knows yes, 12:30, 1_000, dates and more) could take the string, written
 * without quotes, for something else. Syntax is the emitter's to care for. */
bool yaml_scalar_needs_quotes(const char *text, size_t len);

#endif
