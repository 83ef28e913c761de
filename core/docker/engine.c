#include "docker/run.h"

#include <stdio.h>
#include <string.h>

int engine_call(struct docker *docker, const char *method, const char *path, const struct fetch_request *more,
                struct fetch **out) {
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    struct fetch_request request = *more;
    struct buf url = {0};
    struct err err = {0};
    request.method = method;
    request.unix_socket = docker->socket;
    request.headers = request.body ? headers : NULL;
    int rc = buf_printf(&url, "http://engine%s", path);
    if (!rc) {
        request.url = url.data;
        rc = fetch_start(docker->pool, &request, out, &err);
    }
    buf_free(&url);
    if (rc)
        log_event(docker->log, LOG_ERROR, "the container engine cannot be asked", "error", err.message, NULL);
    return rc;
}

void docker_run_call(struct run *run, struct fetch **slot, const char *method, const char *path,
                     answer_cb done, run_step again) {
    struct fetch_request request = {.done = done, .ctx = run};
    if (engine_call(run->docker, method, path, &request, slot))
        docker_run_after(run, RETRY_NS, again);
}

void engine_complaint(const struct fetch_result *result, char out[512]) {
    struct doc *doc = NULL;
    const char *message = NULL;
    if (result->status && !doc_parse_json(result->body, result->body_len, &doc, NULL))
        message = doc_string(doc_get(doc_root(doc), "message"), NULL);
    if (result->code)
        (void)snprintf(out, 512, "the container engine does not answer: %s", result->error);
    else
        (void)snprintf(out, 512, "%s (HTTP status %d)", message ? message : "no reason given",
                       result->status);
    doc_free(doc);
}
