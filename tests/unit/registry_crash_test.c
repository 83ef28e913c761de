/* Daemons die between any two steps of their work, and others take over: for every slot, retry and request
 * there is exactly one object ever. The world outlives the daemons: objects, and what was written last. The
 * order of steps is made from a seed, which a failure names. */
#include "registry_fixture.h"

enum { MAX_OBJECTS = 256, SEEDS = 600, STEPS = 400, SETTLING = 200 };

struct object {
    name_text name;
    char job[8];
    int64_t slot;
    int attempt, creations;
    enum trigger trigger;
    bool there, over, reported;
    int64_t over_at;
    struct result result;
    void *owner; /* NULL: nobody's */
};

struct entry {
    char job[8], reason[128], data[16];
    name_origin origin;
    struct open_entry is;
};

struct world {
    struct fixture f; /* first */
    struct object objects[MAX_OBJECTS];
    size_t object_count;
    struct entry written[REGISTRY_OPEN_MAX], draft[REGISTRY_OPEN_MAX];
    size_t written_count, draft_count;
    int64_t mark, draft_mark;
    size_t answered, told;  /* of f.asked and f.outcomes */
    bool sent, carried_out; /* a write is on its way; has arrived */
};

static struct object *object_named(struct world *w, const char *name) {
    for (size_t i = 0; i < w->object_count; i++)
        if (!strcmp(w->objects[i].name, name))
            return &w->objects[i];
    return NULL;
}

static struct object *object_of(struct world *w, const void *owner) {
    for (size_t i = 0; i < w->object_count; i++)
        if (w->objects[i].owner == owner)
            return &w->objects[i];
    return NULL;
}

/* Creating: at once in the world; the daemon hears of it later, or never. */
static int create(struct executor *e, const struct run_spec *spec, void *owner, struct err *err) {
    struct world *w = (struct world *)e;
    (void)err;
    struct object *object = object_named(w, spec->name);
    if (!object) {
        object = &w->objects[w->object_count++];
        assert_in_range(w->object_count, 1, MAX_OBJECTS);
        memcpy(object->name, spec->name, strlen(spec->name) + 1);
        (void)snprintf(object->job, sizeof object->job, "%s", spec->job);
        object->slot = spec->slot;
        object->attempt = spec->attempt;
        object->trigger = spec->trigger;
    }
    if (!object->there) {
        object->there = true;
        object->creations++;
    }
    object->owner = owner;
    return 0;
}

static int mark_reported(struct executor *e, void *owner, struct err *err) {
    struct world *w = (struct world *)e;
    (void)err;
    object_of(w, owner)->reported = true;
    w->f.events->reported(w->f.events_ctx, owner);
    return 0;
}

static int delete_object(struct executor *e, void *owner, struct err *err) {
    (void)err;
    object_of((struct world *)e, owner)->there = false; /* and nobody is told any more */
    return 0;
}

static const struct executor_ops world_ops = {.open = fake_open,
                                              .start = create,
                                              .report = mark_reported,
                                              .discard = delete_object,
                                              .fence = fake_fence};

static void write_entry(void *ctx, const struct run *run) {
    struct world *w = ctx;
    struct entry *entry = &w->draft[w->draft_count++];
    *entry = (struct entry){.is = registry_open_entry(run)};
    (void)snprintf(entry->job, sizeof entry->job, "%s", entry->is.job);
    (void)snprintf(entry->origin, sizeof entry->origin, "%s", entry->is.origin);
    (void)snprintf(entry->reason, sizeof entry->reason, "%s", entry->is.reason ? entry->is.reason : "");
    (void)snprintf(entry->data, sizeof entry->data, "%s", entry->is.data ? entry->is.data : "");
}

/* What an owner does with a slot: it waits for room, else it starts. */
static void answer(struct world *w) {
    for (; w->answered < w->f.asked_count; w->answered++) {
        uint64_t id = w->f.asked[w->answered].id;
        const struct run *run = registry_run(w->f.registry, id);
        if (run && run->state == RUN_DECIDING && run_room(run) != ROOM_FREE)
            assert_int_equal(registry_wait(w->f.registry, id, "queue", 0, NULL, NULL), 0);
        else if (run && run->state == RUN_DECIDING)
            assert_int_equal(registry_start(w->f.registry, id, "{}", 2, false, NULL), 0);
    }
}

static void accept(struct world *w) {
    for (size_t i = 0; i < w->object_count; i++)
        if (w->objects[i].there && w->objects[i].owner && !w->objects[i].over)
            w->f.events->accepted(w->f.events_ctx, w->objects[i].owner);
}

/* First attempts of jobs "flaky" fail. What ends is told when a daemon has it. */
static void end_one(struct world *w) {
    for (size_t i = 0; i < w->object_count; i++) {
        struct object *object = &w->objects[i];
        if (!object->there || object->over)
            continue;
        object->over = true;
        object->over_at = w->f.now_ns / NS_PER_S;
        bool bad = !strcmp(object->job, "flaky") && object->attempt == 0;
        object->result.outcome = bad ? OUTCOME_FAILED : OUTCOME_SUCCEEDED;
        if (object->owner) {
            w->f.events->accepted(w->f.events_ctx, object->owner);
            w->f.events->finished(w->f.events_ctx, object->owner, &object->result);
        }
        return;
    }
}

static void tell(struct world *w) {
    for (; w->told < w->f.outcome_count; w->told++)
        if (registry_run(w->f.registry, w->f.outcomes[w->told].id))
            (void)registry_report(w->f.registry, w->f.outcomes[w->told].id, NULL);
}

static void send_write(struct world *w) {
    w->draft_count = 0;
    w->draft_mark = registry_watermark(w->f.registry, write_entry, w);
    w->sent = true;
    w->carried_out = false;
}

static void carry_out_write(struct world *w) {
    if (!w->sent)
        return;
    w->carried_out = true;
    memcpy(w->written, w->draft, sizeof w->draft);
    w->written_count = w->draft_count;
    w->mark = w->draft_mark;
}

static void hear_of_write(struct world *w) {
    if (w->carried_out)
        registry_acknowledge(w->f.registry, w->mark);
    w->sent = w->carried_out = false;
}

static void go_on(struct world *w) {
    pass(&w->f, 7);
    registry_step(w->f.registry);
}

static void (*const steps[])(struct world *) = {go_on,           answer,        accept, end_one,
                                                carry_out_write, hear_of_write, tell,   send_write};
enum { STEP_KINDS = sizeof steps / sizeof steps[0], DEATH_EVERY = 40 };

/* Numerical Recipes' linear congruential generator: the same order everywhere. */
static unsigned next_random(unsigned *state) {
    *state = *state * 1664525U + 1013904223U;
    return *state >> 8;
}

static void adopt(struct world *w) {
    for (size_t i = 0; i < w->object_count; i++) {
        struct object *object = &w->objects[i];
        object->owner = NULL;
        const struct adopted_run run = {.namespace_ = "ns",
                                        .name = object->name,
                                        .job = object->job,
                                        .slot = object->slot,
                                        .attempt = object->attempt,
                                        .trigger = object->trigger,
                                        .started = true,
                                        .finished = object->over,
                                        .reported = object->reported,
                                        .result = object->result};
        if (object->there)
            object->owner = w->f.events->adopted(w->f.events_ctx, &run);
    }
}

static void begin_life(struct world *w) {
    struct open_entry open[REGISTRY_OPEN_MAX];
    for (size_t i = 0; i < w->written_count; i++) {
        struct entry *entry = &w->written[i];
        open[i] = entry->is;
        open[i].job = entry->job;
        open[i].origin = entry->origin;
        open[i].reason = entry->reason;
        open[i].data = entry->data[0] ? entry->data : NULL;
    }
    setup_registry(&w->f);
    add_spec(&w->f, "0,30 * * * * *",
             (struct job_spec){
                 .name = "flaky",
                 .baseline = START,
                 .catch_up = CATCH_UP_ALL,
                 .deadline = 100000,
                 .retry = {.max = 2, .delay = 9, .backoff = 1, .max_delay = 9, .on = 1U << OUTCOME_FAILED}});
    add_spec(&w->f, "10,25 * * * * *",
             (struct job_spec){.name = "queued",
                               .baseline = START,
                               .catch_up = CATCH_UP_ALL,
                               .deadline = 100000,
                               .max_active = 1});
    assert_int_equal(registry_open(w->f.registry, NULL), 0);
    adopt(w);
    assert_int_equal(registry_begin(w->f.registry, w->mark, open, w->written_count, NULL), 0);
    registry_step(w->f.registry);
}

static void die(struct world *w) {
    registry_free(w->f.registry);
    w->f.registry = NULL;
    while (w->f.schedules > 0)
        cron_free(w->f.schedule[--w->f.schedules]);
    w->f.asked_count = w->f.outcome_count = w->answered = w->told = 0;
    w->sent = w->carried_out = false;
}

static struct world *new_world(void) {
    struct world *w = calloc(1, sizeof *w);
    assert_non_null(w);
    w->f.executor.ops = &world_ops;
    w->f.clock = (struct clock){read_now, read_mono, read_mono, &w->f};
    w->f.now_ns = START * NS_PER_S;
    w->f.mono_ns = 1000 * NS_PER_S;
    w->mark = START;
    return w;
}

static size_t count_of(const struct world *w, const char *job, int64_t slot, int attempt) {
    size_t count = 0;
    for (size_t i = 0; i < w->object_count; i++) {
        const struct object *object = &w->objects[i];
        count += object->slot == slot && object->attempt == attempt && (!job || !strcmp(object->job, job));
    }
    return count;
}

static void check_objects(const struct world *w, unsigned seed) {
    for (size_t i = 0; i < w->object_count; i++) {
        const struct object *object = &w->objects[i];
        bool earns =
            object->result.outcome == OUTCOME_FAILED && object->over_at < w->f.now_ns / NS_PER_S - 120;
        if (object->creations != 1)
            fail_msg("seed %u: %s was created %d times", seed, object->name, object->creations);
        if (object->attempt > 1)
            fail_msg("seed %u: %s is one attempt too many", seed, object->name);
        if (earns && count_of(w, object->job, object->slot, 1) != 1)
            fail_msg("seed %u: %s was not tried again", seed, object->name);
    }
}

/* Every slot up to a while ago has its object. */
static void check_slots(const struct world *w, unsigned seed) {
    int64_t until = w->f.now_ns / NS_PER_S - 120;
    for (int64_t slot = START + 1; slot < until; slot++) {
        int64_t second = slot % 60;
        size_t wanted = second == 0 || second == 30 || second == 10 || second == 25;
        if (count_of(w, NULL, slot, 0) != wanted)
            fail_msg("seed %u: slot %lld has %zu objects", seed, (long long)slot, count_of(w, NULL, slot, 0));
    }
}

static void live(struct world *w, unsigned seed) {
    unsigned random = seed;
    begin_life(w);
    for (int n = 0; n < STEPS; n++) {
        steps[next_random(&random) % STEP_KINDS](w);
        if (next_random(&random) % DEATH_EVERY)
            continue;
        die(w);
        begin_life(w);
    }
    for (int n = 0; n < SETTLING; n++) /* no more deaths, and more ends than slots */
        for (int kind = n % 8 ? 1 : 0; kind < STEP_KINDS; kind++)
            steps[kind](w);
}

static void one_object_whenever_the_daemon_dies(void **state) {
    (void)state;
    for (unsigned seed = 0; seed < SEEDS; seed++) {
        struct world *w = new_world();
        live(w, seed);
        check_objects(w, seed);
        check_slots(w, seed);
        die(w);
        free(w);
    }
}

/* What was asked for by hand is in the first list that is written after. */
static void a_request_survives_with_its_data(void **state) {
    (void)state;
    struct world *w = new_world();
    begin_life(w);
    assert_int_equal(registry_trigger(w->f.registry, "flaky", "r1", "[1]", NULL), 0);
    assert_int_equal(registry_backfill(w->f.registry, "flaky", "b1", START - 86400, NULL, NULL), 0);
    send_write(w);
    carry_out_write(w);
    die(w);
    begin_life(w);
    assert_int_equal(w->f.asked_count, 2);
    assert_string_equal(w->f.asked[0].origin, "mr1");
    assert_string_equal(w->f.asked[0].data, "[1]");
    assert_int_equal(w->f.asked[0].trigger, TRIGGER_MANUAL);
    assert_int_equal(w->f.asked[1].slot, START - 86400);
    assert_int_equal(w->f.asked[1].trigger, TRIGGER_BACKFILL);
    assert_int_equal(registry_trigger(w->f.registry, "flaky", "r1", NULL, NULL), ERR_EXISTS);
    answer(w);
    end_one(w); /* fails; its retry has the data, also in the next life */
    send_write(w);
    carry_out_write(w);
    die(w);
    begin_life(w);
    pass(&w->f, 9);
    registry_step(w->f.registry);
    assert_string_equal(w->f.asked[0].data, "[1]");
    assert_int_equal(w->f.asked[0].attempt, 1);
    die(w);
    free(w);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_object_whenever_the_daemon_dies),
                                       cmocka_unit_test(a_request_survives_with_its_data)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
