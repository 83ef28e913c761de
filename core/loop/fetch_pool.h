/* Between fetch.c (requests, answers) and fetch_pool.c (sockets, timers, who is called back when); private to
 * them. */
#ifndef KS_LOOP_FETCH_POOL_H
#define KS_LOOP_FETCH_POOL_H

#include "base/buf.h"
#include "loop/fetch.h"

#include <curl/curl.h>

enum { FETCH_SPARE_HANDLES = 100 };

/* A set of connections. A pool uses one at a time; one that fell silent is left to those who still wait on
 * it, and goes with the last of them. */
struct channel {
    struct fetch_pool *pool;
    struct channel *previous, *next; /* all channels of the pool */
    CURLM *multi;
    struct timer *timer;
    size_t users;
    int64_t heard; /* monotonic ns of the last answer, or part of one */
};

struct fetch {
    struct fetch_pool *pool;
    struct channel *channel;
    int64_t started;               /* monotonic ns */
    struct fetch *previous, *next; /* all fetches of the pool */
    struct fetch *next_ready;      /* those with something to tell their owner */
    bool ready;
    CURL *easy;
    struct curl_slist *headers, *connect_to, *recipients;
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
    struct channel *channels, *channel; /* all of them, and that for new fetches (NULL: make one) */
    char *user_agent;
    long max_connections;
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
void fetch_pool_heard(struct fetch *fetch);
/* Nothing came for fetch in time. If nothing else came on its channel either since it began, the connections
 * are dead, whatever the kernel says (a proxy acknowledges for a server that stands still): later fetches get
 * new ones. */
void fetch_pool_doubt(struct fetch *fetch);

/* fetch.c: hands on what came. May free fetch. */
void fetch_deliver(struct fetch *fetch);

#endif
