/* SHA-256 in hex, for the bindings. Thread: any. */
#ifndef KS_BIND_DIGEST_H
#define KS_BIND_DIGEST_H

#include <stddef.h>

enum { DIGEST_HEX = 65 };

int digest_sha256(const void *bytes, size_t len, char out[DIGEST_HEX]); /* 0 or ERR_NOMEM */

#endif
