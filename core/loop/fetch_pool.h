/* Between fetch.c (requests, answers) and fetch_pool.c (sockets, timers, who is called back when); private to
 * them. */
#ifndef KS_LOOP_FETCH_POOL_H
#define KS_LOOP_FETCH_POOL_H

#include "base/buf.h"
#include "loop/fetch.h"

#include <curl/curl.h>

enum { FETCH_SPARE_HANDLES = 100 };

struct fetch {
    struct fetch_pool *pool;
    struct fetch *previous, *next; /* all fetches of the pool */
    struct fetch *next_ready;      /* those with something to tell their owner */
    bool ready;
    CURL *easy;
    struct curl_slist *headers, *connect_to;
    struct buf out; /* the request's body */
    size_t out_at;
    struct buf in; /* the answer's: collected, or not yet handed on */
    size_t max_body;
    struct timer *silence;
    int64_t silence_ns;
    char error[CURL_ERROR_SIZE];
    bool too_long, silent, finished;
    CURLcode code;
    void (*data)(void *ctx, const char *bytes, size_t len);
    void (*done)(void *ctx, const struct fetch_result *result);
    void *ctx;
};

struct fetch_pool {
    struct loop *loop;
    CURLM *multi;
    struct timer *timer;
    char *user_agent;
    bool multiplex;
    struct fetch *all;
    struct fetch *ready, **ready_end;
    struct fetch *current; /* whose callback runs; NULL again when that callback cancelled it */
    bool settling, freed;
    CURL *spare[FETCH_SPARE_HANDLES];
    size_t spare_count;
};

CURL *fetch_pool_handle(struct fetch_pool *pool); /* NULL: out of memory */
void fetch_pool_keep_handle(struct fetch_pool *pool, CURL *easy);
int fetch_pool_add(struct fetch_pool *pool, struct fetch *fetch, struct err *err);
void fetch_pool_remove(struct fetch *fetch); /* its handle stays with it */
void fetch_pool_ready(struct fetch *fetch);  /* its owner is called in the next settling */
void fetch_pool_settle(struct fetch_pool *pool);

/* fetch.c: hands on what came. May free fetch. */
void fetch_deliver(struct fetch *fetch);

#endif
