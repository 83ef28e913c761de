/* UTF-8 as RFC 3629 has it: no overlong forms, no surrogates, nothing above U+10FFFF. */
#ifndef KS_DOCUMENT_UTF8_H
#define KS_DOCUMENT_UTF8_H

#include "base/buf.h"

size_t utf8_valid(const char *text,
                  size_t len); /* bytes before the first that is not UTF-8; len when all are */
int utf8_append_repaired(struct buf *buf, const char *text, size_t len); /* each bad byte becomes U+FFFD */

#endif
