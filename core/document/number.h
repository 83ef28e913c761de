/* Numbers between text and memory, exactly. Assumes LC_NUMERIC is "C", as it is unless a program sets it. */
#ifndef KS_DOCUMENT_NUMBER_H
#define KS_DOCUMENT_NUMBER_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

enum { NUMBER_TEXT = 32 }; /* room for number_format */

/* digits in the base (2 to 16), all valid; 0, or ERR_LIMIT when the value does not fit in 64 bits. */
int number_integer(const char *digits, size_t len, unsigned base, int negative, int64_t *out);
/* A decimal float that ends with a NUL; 0, or ERR_LIMIT when it is too large. */
int number_double(const char *text, double *out);
/* The shortest text that reads back as value; ERR_INVALID when it is not finite. */
int number_format(double value, char out[NUMBER_TEXT], struct err *err);

#endif
