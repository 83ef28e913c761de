#include "bind/digest.h"

#include "base/err.h"

#include <openssl/evp.h>

int digest_sha256(const void *bytes, size_t len, char out[DIGEST_HEX]) {
    static const char digits[] = "0123456789abcdef";
    unsigned char sum[EVP_MAX_MD_SIZE];
    unsigned int size = 0;
    if (!EVP_Digest(bytes, len, sum, &size, EVP_sha256(), NULL))
        return ERR_NOMEM;
    for (size_t i = 0; i < size; i++) {
        out[2 * i] = digits[sum[i] >> 4];
        out[2 * i + 1] = digits[sum[i] & 15];
    }
    out[2 * (size_t)size] = '\0';
    return 0;
}
