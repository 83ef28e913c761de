/* Times as text, RFC 3339: 2026-11-24T08:00:00Z. Whole seconds; a fraction is read and dropped, a leap second
 * is the second after it. Functions do not allocate. Thread: any. */
#ifndef KS_BASE_RFC3339_H
#define KS_BASE_RFC3339_H

#include <stdint.h>

enum { RFC3339_BYTES = sizeof "2026-11-24T08:00:00Z" };
#define RFC3339_MIN INT64_C(-30610224000) /* the years 1000, since strftime does not fill up with zeros, */
#define RFC3339_MAX INT64_C(253402300799) /* to 9999 */

/* Unix seconds into *out. ERR_INVALID when the text is no such time, or more than one: *out is as it was. A
 * space or t may stand for the T, z for the Z, and an offset like +01:00 for either. */
int rfc3339_parse(const char *text, int64_t *out);

/* RFC3339_MIN <= seconds <= RFC3339_MAX */
void rfc3339_format(int64_t seconds, char out[RFC3339_BYTES]);

#endif
