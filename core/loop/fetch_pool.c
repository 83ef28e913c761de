#include "loop/fetch_pool.h"

#include <stdlib.h>
#include <string.h>

/* curl tells which sockets and which timeout to wait for; libuv waits. Transfers that have news are queued,
 * and their owners called when curl has returned. */

struct watched {
    uv_poll_t uv; /* first: the close callback frees the whole */
    struct channel *channel;
    curl_socket_t fd;
};

static int64_t now(const struct fetch_pool *pool) {
    return clock_monotonic(loop_clock(pool->loop));
}

static void collect_finished(struct channel *channel) {
    int left = 0;
    CURLMsg *message;
    while ((message = curl_multi_info_read(channel->multi, &left))) {
        struct fetch *fetch = NULL;
        (void)curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&fetch);
        fetch->finished = true;
        fetch->code = message->data.result;
        if (!fetch->code)
            fetch_pool_heard(fetch);
        fetch_pool_ready(fetch);
    }
}

static void act(struct channel *channel, curl_socket_t fd, int events) {
    int running = 0;
    (void)curl_multi_socket_action(channel->multi, fd, events, &running);
    collect_finished(channel);
    fetch_pool_settle(channel->pool); /* may free the channel */
}

static void socket_ready(uv_poll_t *uv, int status, int events) {
    const struct watched *watched = (const struct watched *)uv;
    int flags = status < 0 ? CURL_CSELECT_ERR : 0;
    if (events & UV_READABLE)
        flags |= CURL_CSELECT_IN;
    if (events & UV_WRITABLE)
        flags |= CURL_CSELECT_OUT;
    act(watched->channel, watched->fd, flags);
}

static void timer_due(void *ctx) {
    act(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static void free_watched(uv_handle_t *handle) {
    free(handle);
}

static void unwatch(struct watched *watched) {
    (void)uv_poll_stop(&watched->uv); /* curl closes the descriptor right after this */
    uv_close((uv_handle_t *)&watched->uv, free_watched);
}

static struct watched *watch_socket(struct channel *channel, curl_socket_t fd) {
    struct watched *watched = calloc(1, sizeof *watched);
    if (!watched)
        return NULL;
    if (uv_poll_init_socket(loop_uv(channel->pool->loop), &watched->uv, fd)) {
        free(watched);
        return NULL;
    }
    watched->channel = channel;
    watched->fd = fd;
    (void)curl_multi_assign(channel->multi, fd, watched);
    return watched;
}

static int socket_changed(CURL *easy, curl_socket_t fd, int what, void *ctx, void *known) {
    (void)easy;
    struct channel *channel = ctx;
    struct watched *watched = known;
    if (what == CURL_POLL_REMOVE) {
        if (watched)
            unwatch(watched);
        (void)curl_multi_assign(channel->multi, fd, NULL);
        return 0;
    }
    if (!watched && !(watched = watch_socket(channel, fd)))
        return -1;
    int events = (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);
    return uv_poll_start(&watched->uv, events, socket_ready) ? -1 : 0;
}

static int timeout_changed(CURLM *multi, long ms, void *ctx) {
    (void)multi;
    const struct channel *channel = ctx;
    if (ms < 0)
        timer_stop(channel->timer);
    else
        timer_start(channel->timer, ms * NS_PER_MS);
    return 0;
}

static int set_up_multi(struct channel *channel) {
    CURLM *multi = channel->multi = curl_multi_init();
    if (!multi)
        return -1;
    return curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, socket_changed) ||
           curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, channel) ||
           curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, timeout_changed) ||
           curl_multi_setopt(multi, CURLMOPT_TIMERDATA, channel) ||
           curl_multi_setopt(multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX) ||
           curl_multi_setopt(multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, channel->pool->max_connections);
}

static void free_channel(struct channel *channel) {
    (void)curl_multi_cleanup(channel->multi); /* NULL is refused, nothing else */
    timer_free(channel->timer);
    free(channel);
}

static int open_channel(struct fetch_pool *pool) {
    struct channel *channel = calloc(1, sizeof *channel);
    if (!channel)
        return ERR_NOMEM;
    channel->pool = pool;
    if (timer_new_real(pool->loop, timer_due, channel, &channel->timer, NULL) || set_up_multi(channel)) {
        free_channel(channel);
        return ERR_NOMEM;
    }
    channel->next = pool->channels;
    if (pool->channels)
        pool->channels->previous = channel;
    pool->channels = pool->channel = channel;
    return 0;
}

static void close_channel(struct channel *channel) {
    struct fetch_pool *pool = channel->pool;
    if (channel->previous)
        channel->previous->next = channel->next;
    else
        pool->channels = channel->next;
    if (channel->next)
        channel->next->previous = channel->previous;
    free_channel(channel);
}

static void destroy(struct fetch_pool *pool) {
    for (size_t i = 0; i < pool->spare_count; i++)
        curl_easy_cleanup(pool->spare[i]);
    for (struct channel *channel = pool->channels, *next; channel; channel = next) {
        next = channel->next;
        free_channel(channel);
    }
    free(pool->user_agent);
    free(pool);
    curl_global_cleanup(); /* counted by curl */
}

int fetch_pool_new(struct loop *loop, const struct fetch_pool_options *options, struct fetch_pool **out,
                   struct err *err) {
    struct fetch_pool *pool = calloc(1, sizeof *pool);
    if (!pool)
        return err_set(err, ERR_NOMEM, "out of memory");
    (void)curl_global_init(CURL_GLOBAL_DEFAULT); /* a failure shows in curl_multi_init */
    pool->loop = loop;
    pool->multiplex = options->multiplex;
    pool->max_connections = options->max_connections;
    pool->ready_end = &pool->ready;
    pool->user_agent = strdup(options->user_agent ? options->user_agent : "kube-scheduler/" KS_VERSION);
    if (!pool->user_agent || open_channel(pool)) {
        destroy(pool);
        return err_set(err, ERR_NOMEM, "HTTP client: out of memory");
    }
    *out = pool;
    return 0;
}

void fetch_pool_free(struct fetch_pool *pool) {
    if (!pool)
        return;
    while (pool->all)
        fetch_cancel(pool->all);
    if (pool->settling)
        pool->freed = true; /* called from a callback: settle ends it */
    else
        destroy(pool);
}

CURL *fetch_pool_handle(struct fetch_pool *pool) {
    return pool->spare_count > 0 ? pool->spare[--pool->spare_count] : curl_easy_init();
}

void fetch_pool_keep_handle(struct fetch_pool *pool, CURL *easy) {
    if (pool->spare_count == FETCH_SPARE_HANDLES) {
        curl_easy_cleanup(easy);
        return;
    }
    curl_easy_reset(easy);
    pool->spare[pool->spare_count++] = easy;
}

int fetch_pool_add(struct fetch_pool *pool, struct fetch *fetch, struct err *err) {
    if (!pool->channel && open_channel(pool))
        return err_set(err, ERR_NOMEM, "HTTP client: out of memory");
    CURLMcode rc = curl_multi_add_handle(pool->channel->multi, fetch->easy);
    if (rc)
        return err_set(err, ERR_IO, "HTTP client: %s", curl_multi_strerror(rc));
    fetch->pool = pool;
    fetch->channel = pool->channel;
    fetch->channel->users++;
    fetch->started = now(pool);
    fetch->next = pool->all;
    if (pool->all)
        pool->all->previous = fetch;
    pool->all = fetch;
    return 0;
}

static void forget_ready(struct fetch_pool *pool, const struct fetch *fetch) {
    struct fetch **at = &pool->ready;
    while (*at && *at != fetch)
        at = &(*at)->next_ready;
    if (!*at)
        return;
    *at = fetch->next_ready;
    if (!*at)
        pool->ready_end = at;
}

void fetch_pool_remove(struct fetch *fetch) {
    struct fetch_pool *pool = fetch->pool;
    (void)curl_multi_remove_handle(fetch->channel->multi, fetch->easy);
    if (--fetch->channel->users == 0 && fetch->channel != pool->channel)
        close_channel(fetch->channel);
    if (fetch->previous)
        fetch->previous->next = fetch->next;
    else
        pool->all = fetch->next;
    if (fetch->next)
        fetch->next->previous = fetch->previous;
    if (fetch->ready)
        forget_ready(pool, fetch);
    if (pool->current == fetch)
        pool->current = NULL;
}

void fetch_pool_heard(struct fetch *fetch) {
    fetch->channel->heard = now(fetch->pool);
}

void fetch_pool_doubt(struct fetch *fetch) {
    struct fetch_pool *pool = fetch->pool;
    if (fetch->channel == pool->channel && fetch->channel->heard < fetch->started)
        pool->channel = NULL;
}

void fetch_pool_ready(struct fetch *fetch) {
    if (fetch->ready)
        return;
    fetch->ready = true;
    fetch->next_ready = NULL;
    *fetch->pool->ready_end = fetch;
    fetch->pool->ready_end = &fetch->next_ready;
}

void fetch_pool_settle(struct fetch_pool *pool) {
    pool->settling = true;
    while (pool->ready) {
        struct fetch *fetch = pool->ready;
        pool->ready = fetch->next_ready;
        if (!pool->ready)
            pool->ready_end = &pool->ready;
        fetch->ready = false;
        fetch_deliver(fetch);
    }
    pool->settling = false;
    if (pool->freed)
        destroy(pool);
}
