#include "document/yaml_scalar.h"

#include "document/number.h"

#include <string.h>
#include <strings.h>

static size_t digits(const char *text, const char *allowed) {
    return strspn(text, allowed);
}

static bool one_of(const char *text, const char *const *words) {
    for (; *words; words++)
        if (strcmp(text, *words) == 0)
            return true;
    return false;
}

static bool read_word(const char *text, struct yaml_scalar *out) {
    static const char *const null[] = {"", "~", "null", "Null", "NULL", NULL};
    static const char *const yes[] = {"true", "True", "TRUE", NULL};
    static const char *const no[] = {"false", "False", "FALSE", NULL};
    bool is_true = one_of(text, yes);
    if (one_of(text, null))
        out->kind = DOC_NULL;
    else if (is_true || one_of(text, no))
        *out = (struct yaml_scalar){.kind = DOC_BOOL, .as.boolean = is_true};
    else
        return false;
    return true;
}

struct radix {
    const char *prefix, *digits;
    unsigned base;
};

/* The digits behind sign and prefix, or NULL when the text is no integer. */
static const char *integer_digits(const char *text, const struct radix **radix) {
    static const struct radix radixes[] = {{"0x", "0123456789abcdefABCDEF", 16},
                                           {"0o", "01234567", 8},
                                           {"0", "01234567", 8},
                                           {"", "0123456789", 10}};
    if (strcmp(text, "0") == 0) {
        *radix = &radixes[3];
        return text;
    }
    for (*radix = radixes; strncmp(text, (*radix)->prefix, strlen((*radix)->prefix)) != 0; ++*radix)
        ;
    text += strlen((*radix)->prefix);
    size_t len = digits(text, (*radix)->digits);
    return len > 0 && text[len] == '\0' ? text : NULL;
}

static bool is_float(const char *text) {
    size_t whole = digits(text, "0123456789"), fraction = 0;
    if (whole > 1 && text[0] == '0')
        return false;
    text += whole;
    if (*text == '.') {
        fraction = digits(text + 1, "0123456789");
        text += 1 + fraction;
    }
    if (whole + fraction == 0)
        return false;
    if (*text == 'e' || *text == 'E') {
        text += 1 + (text[1] == '+' || text[1] == '-');
        size_t exponent = digits(text, "0123456789");
        if (exponent == 0)
            return false;
        text += exponent;
    }
    return *text == '\0';
}

/* Most texts begin like no word and no number. */
static bool is_surely_text(char first) {
    return first && !strchr("~nNtTfF+-.0123456789", first);
}

int yaml_scalar_read(const char *text, size_t len, struct yaml_scalar *out) {
    *out = (struct yaml_scalar){.kind = DOC_STRING};
    if (is_surely_text(*text) || strlen(text) != len || read_word(text, out))
        return 0;
    const char *unsigned_text = text + (*text == '-' || *text == '+');
    const struct radix *radix;
    const char *first = integer_digits(unsigned_text, &radix);
    if (first) {
        out->kind = DOC_INTEGER;
        return number_integer(first, strlen(first), radix->base, *text == '-', &out->as.integer);
    }
    if (!is_float(unsigned_text))
        return 0;
    out->kind = DOC_NUMBER;
    return number_double(text, &out->as.number);
}

bool yaml_scalar_needs_quotes(const char *text, size_t len) {
    static const char *const words[] = {"y",     "n",    "yes",  "no",   "on", "off", "true",
                                        "false", "null", ".inf", ".nan", "<<", "=",   NULL};
    if (len == 0 || strcmp(text, "~") == 0)
        return true;
    const char *rest = text + (*text == '-' || *text == '+');
    for (const char *const *word = words; *word; word++)
        if (strcasecmp(rest, *word) == 0)
            return true;
    rest += *rest == '.';
    return *rest >= '0' && *rest <= '9';
}
