#include "sim/executor.h"

#include "base/map.h"
#include "registry/due.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct said {
    struct map_node node;
    struct sim_job how;
    char job[];
};

struct sim {
    struct executor base; /* first */
    struct loop *loop;
    struct sim_job unless_said;
    struct map said;
    struct timer *opened;
    struct map runs; /* by owner */
    struct due due;  /* runs */
    const struct executor_events *events;
    void *ctx;
    bool fenced;
};

/* What its timer waits for. */
enum stage { STAGE_START, STAGE_END, STAGE_OVER, STAGE_REPORT, STAGE_GONE };

struct sim_run {
    struct map_node node;
    struct sim *sim;
    void *owner;
    struct heap_item timer;
    enum stage stage;
    int64_t duration, started;
    enum outcome outcome; /* that it will have; the rest of a result is made at the end, for it is large */
    int exit_code;
    char reason[64];
};

static bool same_job(const struct map_node *node, const void *key) {
    return !strcmp(MAP_OWNER(node, struct said, node)->job, key);
}

static struct said *find_said(const struct sim *sim, const char *job) {
    struct map_node *node = map_find(&sim->said, map_hash(job, strlen(job)), same_job, job);
    return node ? MAP_OWNER(node, struct said, node) : NULL;
}

int sim_executor_say(struct executor *executor, const char *job, const struct sim_job *how) {
    struct sim *sim = (struct sim *)executor;
    struct said *said = find_said(sim, job);
    size_t len = strlen(job);
    if (!said) {
        said = calloc(1, sizeof *said + len + 1);
        if (!said || map_add(&sim->said, &said->node, map_hash(job, len))) {
            free(said);
            return ERR_NOMEM;
        }
        memcpy(said->job, job, len);
    }
    said->how = *how;
    return 0;
}

static uint64_t owner_hash(const void *owner) {
    return map_hash(&owner, sizeof owner);
}

static bool same_owner(const struct map_node *node, const void *key) {
    return MAP_OWNER(node, struct sim_run, node)->owner == key;
}

static void run_free(struct sim_run *run) {
    map_remove(&run->sim->runs, &run->node);
    due_clear(&run->sim->due, &run->timer);
    free(run);
}

static void wait_for(struct sim_run *run, enum stage stage, int64_t seconds) {
    run->stage = stage;
    due_set(&run->sim->due, &run->timer, seconds * NS_PER_S);
}

static void begin(struct sim_run *run) {
    const struct executor_events *events = run->sim->events;
    void *ctx = run->sim->ctx;
    run->started = clock_seconds(loop_clock(run->sim->loop));
    wait_for(run, STAGE_END, run->duration); /* first: an event may stop the run */
    events->accepted(ctx, run->owner);
    events->started(ctx, run->owner, run->started);
}

static void end(struct sim_run *run) {
    run->stage = STAGE_OVER;
    struct result result = {.outcome = run->outcome,
                            .exit_code = run->exit_code,
                            .started = run->started,
                            .finished = clock_seconds(loop_clock(run->sim->loop))};
    memcpy(result.reason, run->reason, sizeof result.reason);
    run->sim->events->finished(run->sim->ctx, run->owner, &result);
}

static void vanish(struct sim_run *run, bool reported) {
    struct sim *sim = run->sim;
    void *owner = run->owner;
    run_free(run);
    if (reported)
        sim->events->reported(sim->ctx, owner);
    sim->events->gone(sim->ctx, owner);
}

static void due(struct heap_item *item) {
    struct sim_run *run = MAP_OWNER(item, struct sim_run, timer);
    if (run->stage == STAGE_START)
        begin(run);
    else if (run->stage == STAGE_END)
        end(run);
    else
        vanish(run, run->stage == STAGE_REPORT);
}

static struct sim_run *find(const struct sim *sim, const void *owner, struct err *err) {
    struct map_node *node = map_find(&sim->runs, owner_hash(owner), same_owner, owner);
    if (node)
        return MAP_OWNER(node, struct sim_run, node);
    (void)err_set(err, ERR_NOTFOUND, "there is no such run");
    return NULL;
}

static void ready(void *ctx) {
    struct sim *sim = ctx;
    sim->events->ready(sim->ctx);
}

static int sim_open(struct executor *executor, const struct executor_events *events, void *ctx,
                    struct err *err) {
    struct sim *sim = (struct sim *)executor;
    sim->events = events;
    sim->ctx = ctx;
    int rc = timer_new(sim->loop, ready, sim, &sim->opened, err);
    if (!rc)
        timer_start(sim->opened, 0);
    return rc;
}

static struct sim_run *run_new(struct sim *sim, void *owner) {
    struct sim_run *run = calloc(1, sizeof *run);
    if (!run || due_reserve(&sim->due, sim->runs.count + 1) ||
        map_add(&sim->runs, &run->node, owner_hash(owner))) {
        free(run);
        return NULL;
    }
    run->sim = sim;
    run->owner = owner;
    return run;
}

static int sim_start(struct executor *executor, const struct run_spec *spec, void *owner, struct err *err) {
    struct sim *sim = (struct sim *)executor;
    if (sim->fenced)
        return err_set(err, ERR_CANCELED, "nothing is started any more");
    struct sim_run *run = run_new(sim, owner);
    if (!run)
        return err_set(err, ERR_NOMEM, "out of memory");
    const struct said *said = find_said(sim, spec->job);
    const struct sim_job *how = said ? &said->how : &sim->unless_said;
    run->duration = how->duration;
    run->exit_code = how->exit_code;
    run->outcome = how->exit_code == 0 ? OUTCOME_SUCCEEDED : OUTCOME_FAILED;
    wait_for(run, STAGE_START, 0);
    return 0;
}

static int sim_stop(struct executor *executor, void *owner, enum outcome as, const char *reason,
                    struct err *err) {
    struct sim_run *run = find((struct sim *)executor, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    if (run->stage > STAGE_END)
        return err_set(err, ERR_INVALID, "the run is over");
    run->outcome = as;
    run->exit_code = -1;
    (void)snprintf(run->reason, sizeof run->reason, "%s", reason);
    run->duration = 0; /* one that has not begun begins first */
    if (run->stage == STAGE_END)
        wait_for(run, STAGE_END, 0);
    return 0;
}

static int leave(struct executor *executor, const void *owner, enum stage stage, struct err *err) {
    struct sim_run *run = find((struct sim *)executor, owner, err);
    if (!run)
        return ERR_NOTFOUND;
    wait_for(run, stage, 0);
    return 0;
}

static int sim_report(struct executor *executor, void *owner, struct err *err) {
    return leave(executor, owner, STAGE_REPORT, err);
}

static int sim_discard(struct executor *executor, void *owner, struct err *err) {
    return leave(executor, owner, STAGE_GONE, err);
}

static void sim_fence(struct executor *executor) {
    ((struct sim *)executor)->fenced = true;
}

static void sim_free(struct executor *executor) {
    struct sim *sim = (struct sim *)executor;
    for (struct map_node *node = map_next(&sim->runs, NULL), *next; node; node = next) {
        next = map_next(&sim->runs, node);
        run_free(MAP_OWNER(node, struct sim_run, node));
    }
    for (struct map_node *node = map_next(&sim->said, NULL), *next; node; node = next) {
        next = map_next(&sim->said, node);
        map_remove(&sim->said, node);
        free(MAP_OWNER(node, struct said, node));
    }
    due_free(&sim->due);
    map_free(&sim->runs);
    map_free(&sim->said);
    timer_free(sim->opened);
    free(sim);
}

static const struct executor_ops ops = {.name = "simulated",
                                        .open = sim_open,
                                        .start = sim_start,
                                        .stop = sim_stop,
                                        .report = sim_report,
                                        .discard = sim_discard,
                                        .fence = sim_fence,
                                        .free = sim_free};

int sim_executor_new(struct loop *loop, const struct sim_job *unless_said, struct executor **out,
                     struct err *err) {
    struct sim *sim = calloc(1, sizeof *sim);
    if (!sim || due_init(&sim->due, loop, due, NULL)) {
        free(sim);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    sim->base.ops = &ops;
    sim->loop = loop;
    sim->unless_said = *unless_said;
    *out = &sim->base;
    return 0;
}
