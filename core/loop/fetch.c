#include "loop/fetch.h"

#include "loop/fetch_pool.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

enum { DEAD_PEER_MS = 20000, KEEPALIVE_IDLE_S = 15, KEEPALIVE_INTERVAL_S = 5 };

/* curl's callbacks. They only note what came: owners are called when curl has returned. */

static size_t take_body(char *bytes, size_t size, size_t count, void *ctx) {
    struct fetch *fetch = ctx;
    size_t len = size * count;
    long status = 0;
    (void)curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    bool streams = fetch->data && status / 100 == 2;
    fetch->too_long = !streams && len > fetch->max_body - fetch->in.len;
    if (fetch->too_long || buf_append(&fetch->in, bytes, len))
        return 0;
    fetch_pool_heard(fetch);
    if (fetch->silence)
        timer_start(fetch->silence, fetch->silence_ns);
    if (streams)
        fetch_pool_ready(fetch);
    return len;
}

static size_t give_body(char *bytes, size_t size, size_t count, void *ctx) {
    struct fetch *fetch = ctx;
    size_t len = fetch->out.len - fetch->out_at;
    if (len > size * count)
        len = size * count;
    memcpy(bytes, fetch->out.data + fetch->out_at, len);
    fetch->out_at += len;
    return len;
}

/* curl asks for this to send a request again on another connection; the server may have acted already. */
static int refuse_repeat(void *ctx, curl_off_t offset, int origin) {
    const struct fetch *fetch = ctx;
    return fetch->out_at == 0 && offset == 0 && origin == SEEK_SET ? CURL_SEEKFUNC_OK : CURL_SEEKFUNC_FAIL;
}

static int set_up_socket(void *ctx, curl_socket_t fd, curlsocktype purpose) {
    (void)ctx;
    (void)purpose;
    const unsigned ms = DEAD_PEER_MS;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
    return CURL_SOCKOPT_OK;
}

static void fell_silent(void *ctx) {
    struct fetch *fetch = ctx;
    fetch->silent = fetch->finished = true;
    fetch_pool_ready(fetch);
    fetch_pool_settle(fetch->pool);
}

/* Setting up. The first failure sticks in *rc; curl copies strings. */

static void set_long(CURLcode *rc, CURL *easy, CURLoption option, long value) {
    if (!*rc)
        *rc = curl_easy_setopt(easy, option, value);
}

static void set_text(CURLcode *rc, CURL *easy, CURLoption option, const char *value) {
    if (!*rc && value)
        *rc = curl_easy_setopt(easy, option, value);
}

static void set_pem(CURLcode *rc, CURL *easy, CURLoption option, const char *pem) {
    if (*rc || !pem)
        return;
    struct curl_blob blob = {(void *)pem, strlen(pem), CURL_BLOB_COPY};
    *rc = curl_easy_setopt(easy, option, &blob);
}

static void set_method(CURLcode *rc, struct fetch *fetch, const struct fetch_request *request) {
    CURL *easy = fetch->easy;
    bool has_body = request->body_len > 0 || strcmp(request->method, "POST") == 0 ||
                    strcmp(request->method, "PUT") == 0 || strcmp(request->method, "PATCH") == 0;
    if (strcmp(request->method, "HEAD") == 0)
        set_long(rc, easy, CURLOPT_NOBODY, 1);
    else if (has_body)
        set_long(rc, easy, CURLOPT_POST, 1);
    if (!*rc && has_body)
        *rc = curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)request->body_len);
    set_text(rc, easy, CURLOPT_CUSTOMREQUEST, request->method);
}

static void set_tls(CURLcode *rc, CURL *easy, const struct fetch_tls *tls) {
    if (tls->ca_file || tls->ca_pem) {
        /* Only that authority, not also the system's; and read anew, since it may rotate. */
        if (!*rc)
            *rc = curl_easy_setopt(easy, CURLOPT_CAPATH, NULL);
        set_long(rc, easy, CURLOPT_CA_CACHE_TIMEOUT, 0);
    }
    set_text(rc, easy, CURLOPT_CAINFO, tls->ca_file);
    set_pem(rc, easy, CURLOPT_CAINFO_BLOB, tls->ca_pem);
    set_text(rc, easy, CURLOPT_SSLCERT, tls->cert_file);
    set_pem(rc, easy, CURLOPT_SSLCERT_BLOB, tls->cert_pem);
    set_text(rc, easy, CURLOPT_SSLKEY, tls->key_file);
    set_pem(rc, easy, CURLOPT_SSLKEY_BLOB, tls->key_pem);
    if (tls->insecure) {
        set_long(rc, easy, CURLOPT_SSL_VERIFYPEER, 0);
        set_long(rc, easy, CURLOPT_SSL_VERIFYHOST, 0);
    }
}

static void set_limits(CURLcode *rc, CURL *easy, const struct fetch_request *request) {
    int64_t connect_ns = request->connect_ns ? request->connect_ns : FETCH_CONNECT_NS;
    set_long(rc, easy, CURLOPT_CONNECTTIMEOUT_MS, (long)(connect_ns / NS_PER_MS));
    set_long(rc, easy, CURLOPT_TIMEOUT_MS, (long)((request->timeout_ns + NS_PER_MS - 1) / NS_PER_MS));
    set_long(rc, easy, CURLOPT_TCP_KEEPALIVE, 1);
    set_long(rc, easy, CURLOPT_TCP_KEEPIDLE, KEEPALIVE_IDLE_S);
    set_long(rc, easy, CURLOPT_TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S);
}

static void set_callbacks(CURLcode *rc, struct fetch *fetch) {
    CURL *easy = fetch->easy;
    if (*rc)
        return;
    if ((*rc = curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body)) ||
        (*rc = curl_easy_setopt(easy, CURLOPT_WRITEDATA, fetch)) ||
        (*rc = curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body)) ||
        (*rc = curl_easy_setopt(easy, CURLOPT_READDATA, fetch)) ||
        (*rc = curl_easy_setopt(easy, CURLOPT_SEEKFUNCTION, refuse_repeat)) ||
        (*rc = curl_easy_setopt(easy, CURLOPT_SEEKDATA, fetch)) ||
        (*rc = curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, set_up_socket)) ||
        (*rc = curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, fetch->error)))
        return;
    *rc = curl_easy_setopt(easy, CURLOPT_PRIVATE, fetch);
}

static int set_options(struct fetch_pool *pool, struct fetch *fetch, const struct fetch_request *request,
                       struct err *err) {
    CURL *easy = fetch->easy;
    CURLcode code = CURLE_OK, *rc = &code;
    set_callbacks(rc, fetch);
    set_text(rc, easy, CURLOPT_URL, request->url); /* a server name may replace it */
    set_text(rc, easy, CURLOPT_PROTOCOLS_STR, request->mail ? "smtp,smtps" : "http,https");
    set_text(rc, easy, CURLOPT_USERAGENT, pool->user_agent);
    set_text(rc, easy, CURLOPT_USERNAME, request->username);
    set_text(rc, easy, CURLOPT_PASSWORD, request->password);
    set_text(rc, easy, CURLOPT_PROXY, request->unix_socket ? "" : request->proxy);
    set_text(rc, easy, CURLOPT_UNIX_SOCKET_PATH, request->unix_socket);
    set_long(rc, easy, CURLOPT_NOSIGNAL, 1);
    set_long(rc, easy, CURLOPT_QUICK_EXIT, 1); /* or cancelling waits for the resolver's thread */
    set_long(rc, easy, CURLOPT_PATH_AS_IS, 1);
    /* In the clear curl would wait for a first answer to know whether it is HTTP/2. */
    set_long(rc, easy, CURLOPT_PIPEWAIT, pool->multiplex && strncmp(request->url, "https:", 6) == 0);
    set_long(rc, easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
    if (!request->mail)
        set_method(rc, fetch, request);
    set_limits(rc, easy, request);
    if (request->tls)
        set_tls(rc, easy, request->tls);
    return code ? err_set(err, code == CURLE_OUT_OF_MEMORY ? ERR_NOMEM : ERR_INVALID, "HTTP client: %s",
                          curl_easy_strerror(code))
                : 0;
}

static int append(struct curl_slist **list, const char *line, struct err *err) {
    struct curl_slist *longer = curl_slist_append(*list, line);
    if (!longer)
        return err_set(err, ERR_NOMEM, "out of memory");
    *list = longer;
    return 0;
}

/* A line from a caller, who may have put somebody's text in it. curl takes "Name:" for "leave Name out". */
static int append_header(struct fetch *fetch, const char *line, struct err *err) {
    size_t name = strcspn(line, ":");
    if (name == 0 || !line[name] || strcspn(line, "\r\n") < strlen(line))
        return err_set(err, ERR_INVALID,
                       "HTTP header \"%.*s\": expected \"Name: value\" without a line break", (int)name,
                       line);
    if (line[name + 1 + strspn(line + name + 1, " \t")])
        return append(&fetch->headers, line, err);
    char *empty = strndup(line, name + 1);
    if (!empty)
        return err_set(err, ERR_NOMEM, "out of memory");
    empty[name] = ';';
    int rc = append(&fetch->headers, empty, err);
    free(empty);
    return rc;
}

static int set_headers(struct fetch *fetch, const struct fetch_request *request, struct err *err) {
    bool typed = false;
    int rc = append(&fetch->headers, "Expect:", err); /* no extra turn before a body */
    for (size_t i = 0; !rc && request->headers && request->headers[i]; i++) {
        typed = typed || strncasecmp(request->headers[i], "Content-Type:", 13) == 0;
        rc = append_header(fetch, request->headers[i], err);
    }
    if (!rc && !typed)
        rc = append(&fetch->headers, "Content-Type:", err); /* curl would say it is a form */
    if (!rc)
        (void)curl_easy_setopt(fetch->easy, CURLOPT_HTTPHEADER, fetch->headers);
    return rc;
}

/* curl puts these between < and > on a line of the dialogue. */
static bool is_address(const char *text) {
    return *text && !text[strcspn(text, "\r\n<> ")];
}

static int set_mail(struct fetch *fetch, const struct fetch_mail *mail, struct err *err) {
    CURLcode code = CURLE_OK, *rc = &code;
    if (!is_address(mail->from))
        return err_set(err, ERR_INVALID, "the sender of a mail is not an address");
    for (size_t i = 0; mail->to[i]; i++) {
        if (!is_address(mail->to[i]))
            return err_set(err, ERR_INVALID, "the recipient of a mail is not an address");
        if (append(&fetch->recipients, mail->to[i], err))
            return ERR_NOMEM;
    }
    set_text(rc, fetch->easy, CURLOPT_MAIL_FROM, mail->from);
    if (!code)
        code = curl_easy_setopt(fetch->easy, CURLOPT_MAIL_RCPT, fetch->recipients);
    set_long(rc, fetch->easy, CURLOPT_MAIL_RCPT_ALLLOWFAILS, 1); /* so spelt before 8.2, and after it too */
    set_long(rc, fetch->easy, CURLOPT_USE_SSL, CURLUSESSL_ALL);
    set_long(rc, fetch->easy, CURLOPT_UPLOAD, 1);
    if (!code)
        code = curl_easy_setopt(fetch->easy, CURLOPT_INFILESIZE_LARGE, (curl_off_t)fetch->out.len);
    return code ? err_set(err, ERR_INVALID, "mail: %s", curl_easy_strerror(code)) : 0;
}

/* curl asks for, and expects, the name in the URL: put server_name there and connect to the real host. */
static int set_server_name(struct fetch *fetch, const struct fetch_request *request, struct err *err) {
    char *host = NULL, *port = NULL, *url = NULL;
    struct buf target = {0};
    int rc = ERR_NOMEM;
    CURLU *parts = curl_url();
    if (!parts)
        return err_set(err, ERR_NOMEM, "out of memory");
    if (curl_url_set(parts, CURLUPART_URL, request->url, CURLU_PATH_AS_IS) ||
        curl_url_get(parts, CURLUPART_HOST, &host, 0) ||
        curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) ||
        curl_url_set(parts, CURLUPART_HOST, request->tls->server_name, 0) ||
        curl_url_get(parts, CURLUPART_URL, &url, 0)) {
        rc = err_set(err, ERR_INVALID, "cannot expect the server name \"%s\" at %s",
                     request->tls->server_name, request->url);
        goto out;
    }
    if (buf_printf(&target, "::%s:%s", host, port) || append(&fetch->connect_to, target.data, NULL) ||
        curl_easy_setopt(fetch->easy, CURLOPT_URL, url) ||
        curl_easy_setopt(fetch->easy, CURLOPT_CONNECT_TO, fetch->connect_to))
        rc = err_set(err, ERR_NOMEM, "out of memory");
    else
        rc = 0;
out:
    buf_free(&target);
    curl_free(host);
    curl_free(port);
    curl_free(url);
    curl_url_cleanup(parts);
    return rc;
}

static void release(struct fetch_pool *pool, struct fetch *fetch) {
    if (fetch->easy)
        fetch_pool_keep_handle(pool, fetch->easy);
    curl_slist_free_all(fetch->headers);
    curl_slist_free_all(fetch->connect_to);
    curl_slist_free_all(fetch->recipients);
    buf_free(&fetch->out);
    buf_free(&fetch->in);
    timer_free(fetch->silence);
    free(fetch);
}

static int prepare(struct fetch_pool *pool, struct fetch *fetch, const struct fetch_request *request,
                   struct err *err) {
    fetch->data = request->data;
    fetch->done = request->done;
    fetch->ctx = request->ctx;
    fetch->max_body = request->max_body ? request->max_body : FETCH_MAX_BODY;
    fetch->silence_ns = request->silence_ns;
    if (!fetch->easy || buf_append(&fetch->out, request->body, request->body_len) ||
        (request->silence_ns && timer_new_real(pool->loop, fell_silent, fetch, &fetch->silence, NULL)))
        return err_set(err, ERR_NOMEM, "out of memory");
    int rc = set_options(pool, fetch, request, err);
    if (!rc)
        rc = request->mail ? set_mail(fetch, request->mail, err) : set_headers(fetch, request, err);
    if (!rc && request->tls && request->tls->server_name)
        rc = set_server_name(fetch, request, err);
    return rc;
}

int fetch_start(struct fetch_pool *pool, const struct fetch_request *request, struct fetch **out,
                struct err *err) {
    struct fetch *fetch = calloc(1, sizeof *fetch);
    if (!fetch)
        return err_set(err, ERR_NOMEM, "out of memory");
    fetch->easy = fetch_pool_handle(pool);
    int rc = prepare(pool, fetch, request, err);
    if (!rc)
        rc = fetch_pool_add(pool, fetch, err);
    if (rc) {
        release(pool, fetch);
        return rc;
    }
    if (fetch->silence)
        timer_start(fetch->silence, fetch->silence_ns);
    *out = fetch;
    return 0;
}

void fetch_cancel(struct fetch *fetch) {
    fetch_pool_remove(fetch);
    release(fetch->pool, fetch);
}

static int code_of(const struct fetch *fetch) {
    if (fetch->silent || fetch->code == CURLE_OPERATION_TIMEDOUT)
        return ERR_TIMEOUT;
    if (fetch->too_long)
        return ERR_LIMIT;
    if (fetch->code == CURLE_OUT_OF_MEMORY)
        return ERR_NOMEM;
    return fetch->code ? ERR_IO : 0;
}

static const char *error_of(const struct fetch *fetch) {
    if (fetch->silent)
        return "the server fell silent";
    if (fetch->too_long)
        return "the answer is too long";
    if (fetch->code == CURLE_SEND_FAIL_REWIND)
        return "the connection broke after the request was sent";
    if (fetch->code && fetch->error[0])
        return fetch->error;
    return fetch->code ? curl_easy_strerror(fetch->code) : "";
}

static int64_t date_of(CURL *easy) {
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, "Date", 0, CURLH_HEADER, -1, &header))
        return 0;
    time_t date = curl_getdate(header->value, NULL);
    return date < 0 ? 0 : (int64_t)date;
}

/* Seconds, or a date (RFC 9110, 10.2.3), which is counted from the server's own. */
static int64_t retry_after_of(CURL *easy, int64_t date) {
    struct curl_header *header = NULL;
    if (curl_easy_header(easy, "Retry-After", 0, CURLH_HEADER, -1, &header))
        return -1;
    char *end = NULL;
    long long seconds = strtoll(header->value, &end, 10);
    if (end != header->value && *end == '\0')
        return seconds < 0 ? -1 : seconds;
    time_t until = curl_getdate(header->value, NULL);
    if (until < 0 || date == 0)
        return -1;
    return until < date ? 0 : until - date;
}

static void finish(struct fetch *fetch) {
    long status = 0, sent = 0;
    (void)curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    (void)curl_easy_getinfo(fetch->easy, CURLINFO_REQUEST_SIZE, &sent);
    int64_t date = date_of(fetch->easy);
    struct fetch_result result = {.code = code_of(fetch),
                                  .error = error_of(fetch),
                                  .status = (int)status,
                                  .body = fetch->in.data ? fetch->in.data : "",
                                  .body_len = fetch->in.len,
                                  .retry_after = retry_after_of(fetch->easy, date),
                                  .date = date,
                                  .sent = sent > 0};
    if (result.code == ERR_TIMEOUT)
        fetch_pool_doubt(fetch);
    fetch_pool_remove(fetch); /* first: done may free the pool */
    fetch->done(fetch->ctx, &result);
    release(fetch->pool, fetch);
}

void fetch_deliver(struct fetch *fetch) {
    struct fetch_pool *pool = fetch->pool;
    long status = 0;
    (void)curl_easy_getinfo(fetch->easy, CURLINFO_RESPONSE_CODE, &status);
    pool->current = fetch;
    if (fetch->data && status / 100 == 2 && fetch->in.len > 0) {
        struct buf piece = fetch->in;
        fetch->in = (struct buf){0};
        fetch->data(fetch->ctx, piece.data, piece.len);
        if (pool->current != fetch) { /* cancelled by its owner */
            buf_free(&piece);
            return;
        }
        buf_clear(&piece);
        fetch->in = piece;
    }
    if (fetch->finished)
        finish(fetch);
    pool->current = NULL;
}

bool fetch_next_header(const struct fetch *fetch, struct fetch_header *header) {
    struct curl_header *next = curl_easy_nextheader(fetch->easy, CURLH_HEADER, -1, header->position);
    if (next)
        *header = (struct fetch_header){next->name, next->value, next};
    return next != NULL;
}
