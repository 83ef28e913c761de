/* What an earlier daemon left: the engine's containers with our labels, and the notes in the store. */
#include "base/rfc3339.h"
#include "docker/run.h"

#include <stdlib.h>
#include <string.h>

static void become_ready(struct docker *docker) {
    if (docker->ready || docker->unready > 0)
        return;
    docker->ready = true;
    docker->events->ready(docker->ctx);
}

void survey_told(struct run *run) {
    if (!run->found)
        return;
    run->found = false;
    run->docker->unready--;
    become_ready(run->docker);
}

static void read_note(struct run *run, const struct store_value *note) {
    run->reported = !strcmp(note[3].text, "1");
    run->stopping = !outcome_parse(note[1].text, &run->stop_as);
    strncpy(run->stop_reason, note[2].text, sizeof run->stop_reason - 1);
}

static void enter(struct docker *docker, const struct doc_node *listed) {
    const char *name = doc_string(doc_item(doc_get(listed, "Names"), 0), NULL);
    const char *job = docker_run_label(listed, "kube-scheduler/job-name");
    const char *slot = docker_run_label(listed, "kube-scheduler/slot");
    const char *attempt = docker_run_label(listed, "kube-scheduler/attempt");
    const char *trigger = docker_run_label(listed, "kube-scheduler/trigger");
    const char *namespace_ = docker_run_label(listed, "kube-scheduler/namespace");
    const char *kind = docker_run_label(listed, "kube-scheduler/kind");
    int64_t at = 0;
    struct run *run = NULL;
    if (!name || !job || !slot || !namespace_ || rfc3339_parse(slot, &at) ||
        docker_run_new(docker, namespace_, name + (*name == '/'), job, &run))
        return;
    run->slot = at;
    run->attempt = attempt ? (int)strtol(attempt, NULL, 10) : 1;
    run->is_job = kind && !strcmp(kind, "Job");
    if (!trigger || trigger_parse(trigger, &run->trigger))
        run->trigger = TRIGGER_SCHEDULE;
    run->found = run->is_adopted = true;
    docker->unready++;
}

static void again(struct docker *docker, const char *why) {
    if (!docker->troubled)
        log_event(docker->log, LOG_ERROR, "earlier runs cannot be found; tried again every second", "error",
                  why, NULL);
    docker->troubled = true;
    timer_start(docker->again, RETRY_NS);
}

static void noted(void *ctx, const struct store_value *values, size_t rows, size_t columns,
                  const struct err *err) {
    struct docker *docker = ctx;
    docker->writes--;
    if (docker->freed) {
        if (docker->writes == 0)
            free(docker);
        return;
    }
    if (err) {
        again(docker, err->message);
        return;
    }
    struct run *run;
    docker->unready++; /* no ready while they are begun */
    TAILQ_FOREACH(run, &docker->runs, link) {
        for (size_t i = 0; i < rows; i++)
            if (!strcmp(values[i * columns].text, run->name))
                read_note(run, values + i * columns);
        if (run->found)
            step_look(run);
    }
    docker->unready--;
    become_ready(docker);
}

static void listed(void *ctx, const struct fetch_result *result) {
    struct docker *docker = ctx;
    struct doc *doc = NULL;
    struct err err = {0};
    char why[512];
    if (result->status != 200 || result->code || doc_parse_json(result->body, result->body_len, &doc, NULL)) {
        engine_complaint(result, why);
        again(docker, why);
        return;
    }
    for (size_t i = 0; i < doc_length(doc_root(doc)); i++)
        enter(docker, doc_item(doc_root(doc), i));
    doc_free(doc);
    if (notes_load(docker, noted, &err))
        again(docker, err.message);
    else
        docker->writes++;
}

/* {"label":["kube-scheduler/instance=NAME"]} */
void survey_begin(void *ctx) {
    struct docker *docker = ctx;
    struct buf path = {0};
    struct fetch_request request = {.done = listed, .ctx = docker};
    struct fetch *fetch;
    while (!TAILQ_EMPTY(&docker->runs))
        docker_run_free(TAILQ_FIRST(&docker->runs));
    docker->unready = 0;
    if (buf_printf(&path,
                   "/containers/json?all=true&filters=%%7B%%22label%%22%%3A%%5B%%22kube-scheduler%%2Finstance"
                   "%%3D%s%%22%%5D%%7D",
                   docker->instance) ||
        engine_call(docker, "GET", path.data, &request, &fetch))
        timer_start(docker->again, RETRY_NS);
    buf_free(&path);
}
