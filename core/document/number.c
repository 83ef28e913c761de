#include "document/number.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static int digit_value(char c) {
    if (c <= '9')
        return c - '0';
    return (c | 0x20) - 'a' + 10;
}

/* Counts downwards, since the negative numbers are one more. */
int number_integer(const char *digits, size_t len, unsigned base, int negative, int64_t *out) {
    int64_t value = 0;
    for (size_t i = 0; i < len; i++)
        if (__builtin_mul_overflow(value, (int64_t)base, &value) ||
            __builtin_sub_overflow(value, digit_value(digits[i]), &value))
            return ERR_LIMIT;
    if (!negative && value == INT64_MIN)
        return ERR_LIMIT;
    *out = negative ? value : -value;
    return 0;
}

int number_double(const char *text, double *out) {
    *out = strtod(text, NULL);
    return isfinite(*out) ? 0 : ERR_LIMIT;
}

int number_format(double value, char out[NUMBER_TEXT], struct err *err) {
    const double exact = 9007199254740992.0; /* 2^53: whole numbers up to here have a double each */
    if (!isfinite(value))
        return err_set(err, ERR_INVALID, "JSON and YAML have no number for infinity or NaN");
    if (fabs(value) < exact && value == trunc(value)) {
        (void)snprintf(out, NUMBER_TEXT, "%lld", (long long)value);
        return 0;
    }
    for (int digits = 15; digits <= 17; digits++) {
        (void)snprintf(out, NUMBER_TEXT, "%.*g", digits, value);
        if (strtod(out, NULL) == value)
            break;
    }
    return 0;
}
