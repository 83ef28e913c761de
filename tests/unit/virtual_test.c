/* Time driven by hand. */
#include "loop/virtual.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { START = 1000 }; /* unix seconds */

struct world {
    struct loop *loop;
    struct virtual *clock;
    char trace[2048]; /* names and seconds of what fired */
    bool arrived;
};

/* One timer or alarm of a test. */
struct entry {
    struct world *world;
    const char *name;
    struct timer *timer;
    struct alarm *alarm;
    int again;           /* times to start the timer once more, a second later */
    struct timer *other; /* started for 1 ms when this fires; or NULL */
};

static int64_t now(const struct world *world) {
    return clock_seconds(loop_clock(world->loop)) - START;
}

static void fired(void *ctx) {
    struct entry *entry = ctx;
    size_t used = strlen(entry->world->trace);
    (void)snprintf(entry->world->trace + used, sizeof entry->world->trace - used, "%s%d ", entry->name,
                   (int)now(entry->world));
    if (entry->again-- > 0)
        timer_start(entry->timer, NS_PER_S);
    if (entry->other)
        timer_start(entry->other, NS_PER_MS);
}

static void arrived(void *ctx) {
    ((struct world *)ctx)->arrived = true;
}

static int setup(void **state) {
    static struct world world;
    world = (struct world){0};
    *state = &world;
    return loop_new(&clock_system, &random_system, &world.loop, NULL) ||
           virtual_new(world.loop, START * NS_PER_S, &world.clock, NULL);
}

static int teardown(void **state) {
    loop_free(((struct world *)*state)->loop);
    return 0;
}

static void timer_in(struct world *world, struct entry *entry, const char *name, int64_t seconds) {
    *entry = (struct entry){.world = world, .name = name};
    assert_int_equal(timer_new(world->loop, fired, entry, &entry->timer, NULL), 0);
    timer_start(entry->timer, seconds * NS_PER_S);
}

static void alarm_at(struct world *world, struct entry *entry, const char *name, int64_t seconds) {
    *entry = (struct entry){.world = world, .name = name};
    assert_int_equal(alarm_new(world->loop, fired, entry, &entry->alarm, NULL), 0);
    assert_int_equal(alarm_set(entry->alarm, (START + seconds) * NS_PER_S, NULL), 0);
}

static void run_until(struct world *world, int64_t seconds) {
    world->arrived = false;
    assert_int_equal(virtual_run(world->clock, (START + seconds) * NS_PER_S, arrived, world, NULL), 0);
    assert_false(world->arrived); /* not from inside the call */
    loop_run(world->loop);
    assert_true(world->arrived);
    assert_int_equal(now(world), seconds);
}

static void test_order(void **state) {
    struct world *world = *state;
    struct entry a, b, c, d;
    alarm_at(world, &a, "a", 5); /* set first, yet last among equals */
    timer_in(world, &b, "b", 5);
    timer_in(world, &c, "c", 5);
    timer_in(world, &d, "d", 2);
    run_until(world, 4);
    assert_string_equal(world->trace, "d2 ");
    run_until(world, 5); /* the end itself included */
    assert_string_equal(world->trace, "d2 b5 c5 a5 ");
    timer_free(b.timer);
    timer_free(c.timer);
    timer_free(d.timer);
    alarm_free(a.alarm);
}

static void test_timers_that_go_on(void **state) {
    struct world *world = *state;
    struct entry a, b;
    timer_in(world, &a, "a", 1);
    timer_in(world, &b, "b", 3);
    a.again = 4;
    timer_stop(b.timer);
    run_until(world, 3);
    timer_start(b.timer, 0);
    run_until(world, 9);
    assert_string_equal(world->trace, "a1 a2 a3 b3 a4 a5 ");
    timer_free(a.timer);
    timer_free(b.timer);
}

static void test_many(void **state) { /* any order of setting, clearing, firing keeps the heap */
    enum { COUNT = 500 };
    static struct entry entries[COUNT];
    struct world *world = *state;
    for (int i = 0; i < COUNT; i++)
        timer_in(world, &entries[i], "", i * 7919 % COUNT);
    for (int i = 0; i < COUNT; i += 3)
        timer_stop(entries[i].timer);
    for (int i = 0; i < COUNT; i++)
        timer_start(entries[i].timer, i % 10 * NS_PER_S);
    run_until(world, 9);
    int64_t last = 0;
    size_t count = 0;
    for (const char *at = world->trace; *at; at = strchr(at, ' ') + 1, count++) {
        assert_true(*at - '0' >= last);
        last = *at - '0';
    }
    assert_int_equal(count, COUNT);
    for (int i = 0; i < COUNT; i++)
        timer_free(entries[i].timer);
}

static void test_a_real_timer_holds_time(void **state) {
    struct world *world = *state;
    struct entry a, b, real = {.world = world, .name = "real"};
    assert_int_equal(timer_new_real(world->loop, fired, &real, &real.timer, NULL), 0);
    timer_in(world, &a, "a", 1);
    timer_in(world, &b, "b", 2);
    a.other = real.timer;
    run_until(world, 3);
    assert_string_equal(world->trace, "a1 real1 b2 ");
    timer_free(a.timer);
    timer_free(b.timer);
    timer_free(real.timer);
}

static void test_step(void **state) {
    struct world *world = *state;
    struct entry a, b;
    alarm_at(world, &a, "a", 100);
    timer_in(world, &b, "b", 2);
    virtual_step(world->clock, (START + 50) * NS_PER_S);
    assert_int_equal(now(world), 50);
    run_until(world, 60); /* the alarm looks at once, the timer waits its 2 s */
    assert_string_equal(world->trace, "a50 b52 ");
    virtual_step(world->clock, START * NS_PER_S);
    run_until(world, 0);
    alarm_free(a.alarm);
    timer_free(b.timer);
}

static void test_only_forward(void **state) {
    struct world *world = *state;
    struct err err = {0};
    struct virtual *other;
    assert_int_equal(virtual_run(world->clock, (START - 1) * NS_PER_S, arrived, world, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "passed"));
    assert_int_equal(virtual_run(world->clock, START * NS_PER_S, arrived, world, &err), 0);
    assert_int_equal(virtual_run(world->clock, START * NS_PER_S, arrived, world, &err), ERR_INVALID);
    assert_int_equal(virtual_new(world->loop, 0, &other, &err), ERR_EXISTS);
    loop_run(world->loop);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_timers_that_go_on, setup, teardown),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_real_timer_holds_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_step, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_forward, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
