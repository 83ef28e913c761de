#include "http/internal.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BACKLOG = 128 };

union address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

static int parse(const char *text, unsigned port, union address *out, socklen_t *len, struct err *err) {
    *out = (union address){0};
    if (inet_pton(AF_INET, text, &out->v4.sin_addr) == 1) {
        out->v4.sin_family = AF_INET;
        out->v4.sin_port = htons((uint16_t)port);
        *len = sizeof out->v4;
        return 0;
    }
    if (inet_pton(AF_INET6, text, &out->v6.sin6_addr) == 1) {
        out->v6.sin6_family = AF_INET6;
        out->v6.sin6_port = htons((uint16_t)port);
        *len = sizeof out->v6;
        return 0;
    }
    return err_set(err, ERR_INVALID,
                   "'%s' is no address to listen on: 127.0.0.1, 0.0.0.0, ::1 or so expected", text);
}

static unsigned port_of(const union address *address) {
    return ntohs(address->any.sa_family == AF_INET ? address->v4.sin_port : address->v6.sin6_port);
}

int listen_on(const char *text, unsigned *port, int *fd, struct err *err) {
    union address address;
    socklen_t len = 0;
    int on = 1, rc = parse(text, *port, &address, &len, err);
    if (rc)
        return rc;
    *fd = socket(address.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (*fd < 0 || setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) ||
        bind(*fd, &address.any, len) || listen(*fd, BACKLOG) || getsockname(*fd, &address.any, &len)) {
        rc = err_set_errno(err, ERR_IO, errno, "cannot listen on %s port %u", text, *port);
        if (*fd >= 0)
            (void)close(*fd);
        return rc;
    }
    *port = port_of(&address);
    return 0;
}

void address_text(const struct sockaddr *address, char *out, size_t size) {
    const union address *a = (const union address *)(const void *)address;
    const void *bytes = a->any.sa_family == AF_INET ? (const void *)&a->v4.sin_addr : &a->v6.sin6_addr;
    if (!inet_ntop(a->any.sa_family, bytes, out, (socklen_t)size))
        *out = '\0';
}
