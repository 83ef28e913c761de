/* What the tests of core/registry share: an executor and a clock that the test moves by hand, a record of the
 * registry's events, and what is durable, so that a daemon can die and another take over. */
#ifndef KS_TESTS_REGISTRY_FIXTURE_H
#define KS_TESTS_REGISTRY_FIXTURE_H

#include "registry/registry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX_EVENTS = 700 };

struct fixture {
    struct executor executor; /* first: ops find the fixture */
    struct clock clock;
    int64_t now_ns, mono_ns;
    const struct executor_events *events;
    void *events_ctx;
    struct registry *registry;
    struct cron_schedule *schedule[4];
    size_t schedules;
    struct run asked[MAX_EVENTS];
    size_t asked_count;
    struct run skipped[MAX_EVENTS];
    size_t skipped_count;
    struct run outcomes[MAX_EVENTS];
    size_t outcome_count;
    void *started_owner[MAX_EVENTS];
    name_text started_name[MAX_EVENTS];
    int64_t started_deadline[MAX_EVENTS];
    size_t started_count;
    void *stopped[MAX_EVENTS];
    enum outcome stopped_as[MAX_EVENTS];
    size_t stopped_count;
    void *told[MAX_EVENTS]; /* reported */
    size_t told_count;
    void *discarded[MAX_EVENTS];
    size_t discarded_count;
    struct run ahead[MAX_EVENTS];
    size_t ahead_count, begun_count;
    bool prepares;       /* answers what is asked ahead */
    const char *trouble; /* the namespace that was last told of */
    bool refuse;
    size_t max_active; /* this and retention: set before setup_registry */
    int64_t retention;
};

static inline int64_t read_now(void *ctx) {
    return ((struct fixture *)ctx)->now_ns;
}
static inline int64_t read_mono(void *ctx) {
    return ((struct fixture *)ctx)->mono_ns;
}

static inline void pass(struct fixture *f, int64_t seconds) {
    f->now_ns += seconds * NS_PER_S;
    f->mono_ns += seconds * NS_PER_S;
}

static inline int fake_open(struct executor *e, const struct executor_events *events, void *ctx,
                            struct err *err) {
    struct fixture *f = (struct fixture *)e;
    (void)err;
    f->events = events;
    f->events_ctx = ctx;
    return 0;
}

static inline int fake_start(struct executor *e, const struct run_spec *spec, void *owner, struct err *err) {
    struct fixture *f = (struct fixture *)e;
    if (f->refuse)
        return err_set(err, ERR_INVALID, "refused by the test");
    memcpy(f->started_name[f->started_count], spec->name, strlen(spec->name) + 1);
    f->started_deadline[f->started_count] = spec->start_deadline;
    f->started_owner[f->started_count++] = owner;
    return 0;
}

static inline int fake_stop(struct executor *e, void *owner, enum outcome as, const char *reason,
                            struct err *err) {
    struct fixture *f = (struct fixture *)e;
    (void)reason;
    (void)err;
    f->stopped[f->stopped_count] = owner;
    f->stopped_as[f->stopped_count++] = as;
    return 0;
}

static inline int fake_report(struct executor *e, void *owner, struct err *err) {
    struct fixture *f = (struct fixture *)e;
    (void)err;
    f->told[f->told_count++] = owner;
    f->events->reported(f->events_ctx, owner);
    return 0;
}

static inline int fake_discard(struct executor *e, void *owner, struct err *err) {
    struct fixture *f = (struct fixture *)e;
    (void)err;
    f->discarded[f->discarded_count++] = owner;
    return 0;
}

static inline void fake_fence(struct executor *e) {
    (void)e;
}

static const struct executor_ops fake_ops = {.name = "fake",
                                             .open = fake_open,
                                             .start = fake_start,
                                             .stop = fake_stop,
                                             .report = fake_report,
                                             .discard = fake_discard,
                                             .fence = fake_fence};

static inline void on_slot(void *ctx, const struct run *run) {
    struct fixture *f = ctx;
    f->asked[f->asked_count++] = *run;
}
static inline void on_ahead(void *ctx, const struct run *run) {
    struct fixture *f = ctx;
    f->ahead[f->ahead_count++] = *run;
    if (f->prepares)
        assert_int_equal(registry_prepare(f->registry, "{}", 2, false, NULL), 0);
}
static inline void on_begun(void *ctx, const struct run *run) {
    (void)run;
    ((struct fixture *)ctx)->begun_count++;
}
static inline void on_skipped(void *ctx, const struct run *run) {
    struct fixture *f = ctx;
    f->skipped[f->skipped_count++] = *run;
}
static inline void on_outcome(void *ctx, const struct run *run) {
    struct fixture *f = ctx;
    f->outcomes[f->outcome_count++] = *run;
}
static inline void ignore(void *ctx, const struct run *run) {
    (void)ctx;
    (void)run;
}
static inline void ignore_line(void *ctx, const struct run *run, const char *container, const char *line,
                               size_t len) {
    (void)ctx;
    (void)run;
    (void)container;
    (void)line;
    (void)len;
}
static inline void ignore_ready(void *ctx) {
    (void)ctx;
}

static inline void on_trouble(void *ctx, const char *namespace_, const char *why) {
    (void)why;
    ((struct fixture *)ctx)->trouble = namespace_;
}

static const struct registry_events events = {.ready = ignore_ready,
                                              .slot = on_slot,
                                              .ahead = on_ahead,
                                              .begun = on_begun,
                                              .skipped = on_skipped,
                                              .started = ignore,
                                              .line = ignore_line,
                                              .outcome = on_outcome,
                                              .trouble = on_trouble};

#define START INT64_C(1700000000) /* 20 s past a minute */

static inline void setup_registry(struct fixture *f) {
    struct registry_config config = {.instance = "test",
                                     .clock = &f->clock,
                                     .executor = &f->executor,
                                     .retention = f->retention,
                                     .max_active = f->max_active,
                                     .events = &events,
                                     .ctx = f};
    assert_int_equal(registry_new(&config, &f->registry, NULL), 0);
}

static inline int setup(void **state) {
    struct fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    f->executor.ops = &fake_ops;
    f->clock = (struct clock){read_now, read_mono, read_mono, f};
    f->now_ns = START * NS_PER_S;
    f->mono_ns = 1000 * NS_PER_S;
    f->retention = 120;
    setup_registry(f);
    *state = f;
    return 0;
}

static inline int teardown(void **state) {
    struct fixture *f = *state;
    registry_free(f->registry);
    for (size_t i = 0; i < f->schedules; i++)
        cron_free(f->schedule[i]);
    free(f);
    return 0;
}

/* A job as the spec says, with an expression. */
static inline void add_spec(struct fixture *f, const char *expr, struct job_spec spec) {
    struct cron_options options = {0};
    struct cron_error error;
    assert_int_equal(cron_parse(expr, strlen(expr), &options, &f->schedule[f->schedules], &error), 0);
    spec.namespace_ = "ns";
    spec.schedules = &f->schedule[f->schedules++];
    spec.schedule_count = 1;
    spec.catch_up_max = 100;
    spec.deadline = spec.deadline ? spec.deadline : 300;
    spec.keep_succeeded = spec.keep_failed = 1;
    assert_int_equal(registry_add(f->registry, &spec, NULL), 0);
}

static inline void add(struct fixture *f, const char *name, const char *expr, enum catch_up rule,
                       int64_t baseline) {
    add_spec(f, expr, (struct job_spec){.name = name, .baseline = baseline, .catch_up = rule});
}

static inline void begin(struct fixture *f, int64_t watermark) {
    assert_int_equal(registry_open(f->registry, NULL), 0);
    assert_int_equal(registry_begin(f->registry, watermark, NULL, 0, NULL), 0);
    registry_step(f->registry);
}

static inline void count_open(void *ctx, const struct run *run) {
    (void)run;
    (*(size_t *)ctx)++;
}

static inline int64_t watermark(struct fixture *f, size_t *open) {
    *open = 0;
    return registry_watermark(f->registry, count_open, open);
}

/* A watermark is written; whatever it was, durable is what the test says. */
static inline void save(struct fixture *f, int64_t mark) {
    size_t open;
    (void)watermark(f, &open);
    registry_acknowledge(f->registry, mark);
}

static inline void finish(struct fixture *f, void *owner, enum outcome outcome) {
    struct result result = {.outcome = outcome, .exit_code = outcome == OUTCOME_SUCCEEDED ? 0 : 1};
    f->events->finished(f->events_ctx, owner, &result);
}

/* Runs slot `index` of those asked to its good end, and reports it. */
static inline void run_through(struct fixture *f, size_t index) {
    assert_int_equal(registry_start(f->registry, f->asked[index].id, "{}", 2, false, NULL), 0);
    void *owner = f->started_owner[f->started_count - 1];
    f->events->accepted(f->events_ctx, owner);
    finish(f, owner, OUTCOME_SUCCEEDED);
    assert_int_equal(registry_report(f->registry, f->asked[index].id, NULL), 0);
}

static inline void step(struct fixture *f, int64_t seconds) {
    pass(f, seconds);
    registry_step(f->registry);
}

static inline void start_run(struct fixture *f, size_t index) {
    assert_int_equal(registry_start(f->registry, f->asked[index].id, "{}", 2, false, NULL), 0);
}

/* Starts run `index` of those asked for; its owner, once it exists and has started. */
static inline void *start_running(struct fixture *f, size_t index) {
    start_run(f, index);
    void *owner = f->started_owner[f->started_count - 1];
    f->events->accepted(f->events_ctx, owner);
    f->events->started(f->events_ctx, owner, f->now_ns / NS_PER_S);
    return owner;
}

static inline void wait_run(struct fixture *f, size_t index, const char *why, int64_t not_before) {
    assert_int_equal(registry_wait(f->registry, f->asked[index].id, why, not_before, NULL, NULL), 0);
}

static inline size_t waiting_of(struct fixture *f, const char *job) {
    struct job_view view;
    assert_int_equal(registry_job(f->registry, job, &view), 0);
    return view.waiting;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
