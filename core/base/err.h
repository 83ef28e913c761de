/* Errors as values. A function that can fail returns 0, or a negative enum err_code after filling the
 * caller's struct err; a NULL err is allowed where the caller needs only the code. Messages are for the
 * operator: they name the place and the remedy, start in lower case, have no final period, never hold a
 * secret. No function here allocates. Thread: any. */
#ifndef KS_BASE_ERR_H
#define KS_BASE_ERR_H

enum err_code {
    ERR_OK = 0,
    ERR_NOMEM = -1,   /* out of memory */
    ERR_INVALID = -2, /* bad input: the message says where and what to write instead */
    ERR_IO = -3,      /* the system or the network refused */
    ERR_NOTFOUND = -4,
    ERR_EXISTS = -5,
    ERR_TIMEOUT = -6,
    ERR_CANCELED = -7, /* by us: the owner went away */
    ERR_DENIED = -8,
    ERR_LIMIT = -9,  /* a documented bound was reached */
    ERR_SCRIPT = -10 /* Lua raised; the message holds the traceback */
};

struct err {
    int code;           /* enum err_code */
    char message[1024]; /* NUL-terminated, cut when longer */
};

/* Fills err (if not NULL) and returns code, so that `return err_set(err, ERR_INVALID, "…")` is one line. */
int err_set(struct err *err, int code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with ": <strerror(errnum)>" appended. */
int err_set_errno(struct err *err, int code, int errnum, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Puts "<context>: " in front of the message that err already has; returns err's code. */
int err_prefix(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
