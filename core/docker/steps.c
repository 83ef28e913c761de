/* A run's way: create, start, wait, judge; in between a look says where it is. */
#include "base/rfc3339.h"
#include "docker/run.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { SIGNALLED = 128 }; /* what engines add to a signal for the exit code */

static int64_t now(const struct run *run) {
    return clock_seconds(loop_clock(run->docker->loop));
}

static const char *path_of(const struct run *run, const char *rest, char out[NAMES_MAX + 64]) {
    (void)snprintf(out, NAMES_MAX + 64, "/containers/%s%s", run->name, rest);
    return out;
}

/* There is no container: a note that one would have needed goes too. */
static void forget(struct run *run) {
    if (run->stopping)
        notes_delete(run, docker_run_free, forget);
    else
        docker_run_free(run);
}

/* Over: told with its output, once. */
static void finish(struct run *run) {
    bool accepted = run->accepted;
    timer_stop(run->deadline_timer);
    output_end(run);
    run->over = true;
    RUN_TELL(run, finished, &run->result);
    if (!accepted)
        run->owner = NULL;
    if (accepted)
        survey_told(run);
    else
        forget(run);
}

static void judge_as(struct run *run, enum outcome outcome, const char *reason, const char *message) {
    run->result.outcome = outcome;
    (void)snprintf(run->result.reason, sizeof run->result.reason, "%s", reason);
    (void)snprintf(run->result.message, sizeof run->result.message, "%s", message);
}

/* It never ran. Where its container exists, a later daemon must not start it: that is noted first. */
static void refuse(struct run *run, const char *reason, const char *message) {
    judge_as(run, OUTCOME_START_FAILED, reason, message);
    run->result.finished = now(run);
    if (!run->accepted || run->stopping) {
        finish(run);
        return;
    }
    run->stopping = true;
    run->stop_as = OUTCOME_START_FAILED;
    (void)snprintf(run->stop_reason, sizeof run->stop_reason, "%s", reason);
    notes_stop(run, finish);
}

static void end_as_asked(struct run *run) {
    judge_as(run, run->stop_as, run->stop_reason, "it was ended before it began");
    run->result.finished = now(run);
    finish(run);
}

static void create_later(struct run *run) {
    RUN_TELL(run, delayed, run->trouble);
    docker_run_after(run, RETRY_NS, step_create);
}

static void delay(struct run *run, const struct fetch_result *result) {
    engine_complaint(result, run->trouble);
    create_later(run);
}

static void take_over(struct run *run) {
    if (run->accepted)
        return;
    run->accepted = true;
    free(run->body);
    run->body = NULL;
    RUN_TELL(run, accepted);
}

static void start(struct run *run);

static void started(void *ctx, const struct fetch_result *result) {
    struct run *run = ctx;
    char why[512];
    run->call = NULL;
    if (result->status < 300 && !result->code) {
        step_look(run);
    } else if (result->status == 0 || result->status == 503) {
        docker_run_after(run, RETRY_NS, step_look);
    } else {
        engine_complaint(result, why);
        refuse(run, "StartError", why);
    }
}

static void start(struct run *run) {
    char path[NAMES_MAX + 64];
    if (run->stopping)
        end_as_asked(run);
    else
        docker_run_call(run, &run->call, "POST", path_of(run, "/start", path), started, step_look);
}

/* The answer is 200 whatever becomes of it, and then one object a line; an error is one of them. */
static void pulled(void *ctx, const struct fetch_result *result) {
    struct run *run = ctx;
    char why[768], said[512];
    run->call = NULL;
    const char *error = strstr(result->body, "\"error\":");
    if (result->status == 200 && !result->code && !error) {
        run->pulled = true;
        step_create(run);
        return;
    }
    if (result->status == 0 && result->code != ERR_TIMEOUT) {
        delay(run, result);
        return;
    }
    engine_complaint(result, said);
    (void)snprintf(why, sizeof why, "image %.200s cannot be pulled: %.500s", run->image,
                   error ? error : said);
    refuse(run, "ErrImagePull", why);
}

static int add_escaped(struct buf *out, const char *text) {
    int rc = 0;
    for (; *text && !rc; text++)
        rc = buf_printf(out, "%%%02X", (unsigned char)*text);
    return rc;
}

static void pull(struct run *run) {
    struct buf path = {0};
    struct fetch_request request = {
        .done = pulled, .ctx = run, .timeout_ns = run->pending_timeout * NS_PER_S};
    if (buf_puts(&path, "/images/create?fromImage=") || add_escaped(&path, run->image) ||
        engine_call(run->docker, "POST", path.data, &request, &run->call))
        docker_run_after(run, RETRY_NS, step_create);
    buf_free(&path);
}

static void created(void *ctx, const struct fetch_result *result) {
    struct run *run = ctx;
    char why[512];
    run->call = NULL;
    engine_complaint(result, why);
    if (result->code)
        delay(run, result);
    else if (result->status == 201) {
        take_over(run);
        start(run);
    } else if (result->status == 409 ||
               result->status >= 500) { /* Podman 4 says 500 of a name that is taken */
        (void)snprintf(run->trouble, sizeof run->trouble, "%s", why);
        step_look(run); /* ours, when an answer was lost */
    } else if (result->status != 404)
        refuse(run, "InvalidTemplate", why);
    else if (run->pull_never)
        refuse(run, "ErrImageNeverPull", "the image is not there, and imagePullPolicy is Never");
    else if (run->pulled)
        refuse(run, "ErrImagePull", why);
    else
        pull(run);
}

void step_create(struct run *run) {
    char path[NAMES_MAX + 64];
    if (run->docker->fenced) {
        docker_run_free(run);
    } else if (run->stopping) {
        end_as_asked(run);
    } else if (now(run) > run->start_deadline) {
        refuse(run, "StartDeadline", run->trouble);
    } else if (run->pull_always && !run->pulled) {
        pull(run);
    } else {
        (void)snprintf(path, sizeof path, "/containers/create?name=%s", run->name);
        struct fetch_request request = {
            .body = run->body, .body_len = run->body_len, .done = created, .ctx = run};
        if (engine_call(run->docker, "POST", path, &request, &run->call))
            docker_run_after(run, RETRY_NS, step_create);
    }
}

static int64_t time_of(const struct doc_node *state, const char *key) {
    const char *text = doc_string(doc_get(state, key), NULL);
    int64_t seconds = 0;
    return text && !rfc3339_parse(text, &seconds) && seconds > 0 ? seconds : 0;
}

static void read_state(struct run *run, const struct doc_node *state) {
    struct result *result = &run->result;
    result->started = time_of(state, "StartedAt");
    result->finished = time_of(state, "FinishedAt");
    result->exit_code = (int)doc_integer(doc_get(state, "ExitCode"), -1);
    if (doc_bool(doc_get(state, "OOMKilled"), false))
        judge_as(run, OUTCOME_FAILED, "OOMKilled", "it took more memory than resources.limits.memory");
    else if (result->exit_code == SIGNALLED + SIGKILL)
        judge_as(run, OUTCOME_FAILED, "Killed", "SIGKILL from elsewhere, perhaps out of memory");
    else if (result->exit_code == 0)
        judge_as(run, OUTCOME_SUCCEEDED, "Completed", "");
    else
        judge_as(run, OUTCOME_FAILED, "Error", "");
    if (result->outcome != OUTCOME_SUCCEEDED && run->stopping)
        judge_as(run, run->stop_as, run->stop_reason, "");
}

static bool is_one_of(const char *word, const char *const *words) {
    while (*words && strcmp(*words, word) != 0)
        words++;
    return *words;
}

static bool is_over(const char *status) {
    static const char *const words[] = {"exited", "dead", "stopped", NULL};
    return is_one_of(status, words);
}

static bool is_new(const char *status) {
    static const char *const words[] = {"created", "configured", "initialized", NULL};
    return is_one_of(status, words);
}

/* Same job, slot and attempt: what an answer that was lost made. */
static bool is_ours(const struct run *run, const struct doc_node *config) {
    const char *job = docker_run_label(config, "kube-scheduler/job-name");
    const char *slot = docker_run_label(config, "kube-scheduler/slot");
    const char *attempt = docker_run_label(config, "kube-scheduler/attempt");
    const char *instance = docker_run_label(config, "kube-scheduler/instance");
    int64_t at = 0;
    return job && slot && attempt && instance && !strcmp(job, run->job) && !rfc3339_parse(slot, &at) &&
           at == run->slot && strtol(attempt, NULL, 10) == run->attempt &&
           !strcmp(instance, run->docker->instance);
}

static void say_started(struct run *run) {
    if (run->started || !run->result.started)
        return;
    run->started = true;
    RUN_TELL(run, started, run->result.started);
    int64_t left = run->result.started + run->deadline - now(run);
    if (run->deadline > 0)
        timer_start(run->deadline_timer, (left > 0 ? left : 0) * NS_PER_S);
}

static void waited(void *ctx, const struct fetch_result *result) {
    struct run *run = ctx;
    run->call = NULL;
    if (result->status == 200 && !result->code)
        step_look(run);
    else
        docker_run_after(run, RETRY_NS, step_look);
}

static void follow(struct run *run) {
    char path[NAMES_MAX + 64];
    say_started(run);
    output_follow(run);
    survey_told(run);
    if (run->stopping && !run->stop_sent)
        step_stop(run);
    docker_run_call(run, &run->call, "POST", path_of(run, "/wait?condition=not-running", path), waited,
                    step_look);
}

void step_settle(struct run *run) {
    if (run->output)
        fetch_cancel(run->output);
    run->output = NULL;
    timer_stop(run->timer);
    finish(run);
}

static void wait_for_output(struct run *run) {
    say_started(run);
    run->ended = true;
    output_follow(run);
    if (run->output)
        docker_run_after(run, OUTPUT_WAIT_NS, step_settle);
    else
        step_settle(run);
}

/* Offers what the survey found to the owner; false: nobody wants it. One whose outcome is not told yet is
 * offered as if it ran on, so that its last lines are told too. */
static bool offer(struct run *run, const char *status) {
    bool never_ran = is_new(status) && run->stopping;
    bool known = run->reported && (is_over(status) || never_ran);
    if (never_ran)
        judge_as(run, run->stop_as, run->stop_reason, "");
    struct adopted_run adopted = {.namespace_ = run->namespace_,
                                  .name = run->name,
                                  .job = run->job,
                                  .is_job = run->is_job,
                                  .slot = run->slot,
                                  .attempt = run->attempt,
                                  .trigger = run->trigger,
                                  .started = !is_new(status),
                                  .finished = known,
                                  .reported = run->reported,
                                  .result = run->result};
    run->accepted = true;
    run->started = adopted.started;
    run->owner = run->docker->events->adopted(run->docker->ctx, &adopted);
    run->over = known;
    return run->owner && !known;
}

static void begin_or_end(struct run *run, const char *status) {
    if (is_over(status)) {
        wait_for_output(run);
    } else if (!is_new(status)) {
        follow(run);
    } else if (run->stopping) {
        end_as_asked(run);
    } else if (run->is_adopted) {
        refuse(run, "Interrupted", "the scheduler ended before it had started the container");
    } else {
        start(run);
    }
}

static void go_on(struct run *run, const struct doc_node *container) {
    const struct doc_node *state = doc_get(container, "State");
    const char *status = doc_string(doc_get(state, "Status"), NULL);
    bool first = run->found && !run->owner;
    if (!status)
        status = "running";
    if (!run->accepted && !first && !is_ours(run, doc_get(container, "Config"))) {
        refuse(run, "NameTaken", "a container of this name is there that is not this run's");
        return;
    }
    read_state(run, state);
    if (first) {
        docker_run_read_labels(run, doc_get(container, "Config"));
        if (!offer(run, status)) {
            survey_told(run);
            if (!run->owner)
                docker_run_free(run);
            return;
        }
        if (run->started && run->deadline > 0) {
            int64_t left = run->result.started + run->deadline - now(run);
            timer_start(run->deadline_timer, (left > 0 ? left : 0) * NS_PER_S);
        }
    }
    take_over(run);
    begin_or_end(run, status);
}

static void is_gone(struct run *run) {
    if (!run->accepted && !run->found) {
        create_later(run);
        return;
    }
    if (!run->accepted) { /* found by the survey, and removed since */
        survey_told(run);
        docker_run_free(run);
        return;
    }
    judge_as(run, run->stopping ? run->stop_as : OUTCOME_DELETED,
             run->stopping ? run->stop_reason : "Deleted", "somebody removed the container");
    run->result.exit_code = -1;
    finish(run);
}

static void looked(void *ctx, const struct fetch_result *result) {
    struct run *run = ctx;
    struct doc *doc = NULL;
    char why[512];
    run->call = NULL;
    if (result->status == 404) {
        is_gone(run);
    } else if (result->status != 200 || result->code ||
               doc_parse_json(result->body, result->body_len, &doc, NULL)) {
        engine_complaint(result, why);
        if (!run->accepted && !run->found)
            delay(run, result);
        else
            docker_run_after(run, RETRY_NS, step_look);
    } else {
        go_on(run, doc_root(doc));
    }
    doc_free(doc);
}

void step_look(struct run *run) {
    char path[NAMES_MAX + 64];
    if (!run->call)
        docker_run_call(run, &run->call, "GET", path_of(run, "/json", path), looked, step_look);
}

static void stopped(void *ctx, const struct fetch_result *result) {
    struct run *run = ctx;
    run->stop_call = NULL;
    if (result->code || result->status >= 500)
        run->stop_sent = false; /* without a wait the next look sends it again */
    if (!run->stop_sent && run->call)
        docker_run_after(run, RETRY_NS, step_stop);
}

/* SIGTERM, and SIGKILL after the container's StopTimeout. */
void step_stop(struct run *run) {
    char path[NAMES_MAX + 64];
    if (run->over || run->stop_sent || !run->started)
        return; /* the step under way sees that it is not wanted */
    run->stop_sent = true;
    docker_run_call(run, &run->stop_call, "POST", path_of(run, "/stop", path), stopped, step_stop);
}

static void tell_gone(struct run *run) {
    output_remove(run);
    RUN_TELL(run, gone);
    docker_run_free(run);
}

static void discarded(void *ctx, const struct fetch_result *result) {
    struct run *run = ctx;
    run->call = NULL;
    if (!result->code && (result->status < 300 || result->status == 404))
        notes_delete(run, tell_gone, step_discard);
    else
        docker_run_after(run, RETRY_NS, step_discard);
}

void step_discard(struct run *run) {
    char path[NAMES_MAX + 64];
    if (!run->call)
        docker_run_call(run, &run->call, "DELETE", path_of(run, "?force=true&v=true", path), discarded,
                        step_discard);
}
