/* A job that is taken out and put in again, as a reload does it. */
#include "registry_fixture.h"

static void change(struct fixture *f, const char *expr, int64_t baseline) {
    assert_int_equal(registry_remove(f->registry, "a"), 0);
    add_spec(f, expr, (struct job_spec){.name = "a", .baseline = baseline, .max_active = 1});
}

static int64_t next_of(struct fixture *f) {
    struct job_view view;
    assert_int_equal(registry_job(f->registry, "a", &view), 0);
    return view.next;
}

static void the_next_slot_stays(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, 0);
    begin(f, START);
    step(f, 41);
    assert_int_equal(f->asked_count, 1);
    int64_t next = next_of(f);
    change(f, "* * * * *", 0);
    assert_int_equal(next_of(f), next);
    step(f, 0);
    assert_int_equal(f->asked_count, 1); /* the one that was decided is not asked for again */
}

static void runs_go_on_and_count(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, 0);
    begin(f, START);
    step(f, 41);
    void *owner = start_running(f, 0);
    assert_int_equal(registry_remove(f->registry, "a"), 0);
    struct job_view view;
    assert_int_equal(registry_job(f->registry, "a", &view), ERR_NOTFOUND);
    add_spec(f, "* * * * *", (struct job_spec){.name = "a", .max_active = 1});
    assert_int_equal(registry_job(f->registry, "a", &view), 0);
    assert_int_equal(view.active, 1);
    finish(f, owner, OUTCOME_SUCCEEDED);
    assert_int_equal(registry_job(f->registry, "a", &view), 0);
    assert_int_equal(view.active, 0);
}

static void new_slots_count_from_the_baseline(void **state) {
    struct fixture *f = *state;
    add(f, "a", "0 0 1 1 *", CATCH_UP_LATEST, 0);
    begin(f, START);
    step(f, 100);
    change(f, "* * * * *", START + 100);
    assert_int_equal(next_of(f), START + 160);
}

/* The loop is on its way to it when the new version's slots begin to count. */
static void a_slot_that_is_due_is_the_old_versions(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, 0);
    begin(f, START);
    pass(f, 40);
    change(f, "*/2 * * * *", START + 40);
    assert_int_equal(f->asked_count, 1);
    assert_int_equal(f->asked[0].slot, START + 40);
    step(f, 0);
    assert_int_equal(f->asked_count, 1);
}

static void a_limit_of_all_can_change(void **state) {
    struct fixture *f = *state;
    add(f, "a", "* * * * *", CATCH_UP_LATEST, 0);
    add(f, "b", "* * * * *", CATCH_UP_LATEST, 0);
    begin(f, START);
    step(f, 41);
    (void)start_running(f, 0);
    const struct run *other = registry_run(f->registry, f->asked[1].id);
    assert_int_equal(run_room(other), ROOM_FREE);
    registry_max_active(f->registry, 1);
    assert_int_equal(run_room(other), ROOM_TOTAL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_next_slot_stays, setup, teardown),
        cmocka_unit_test_setup_teardown(runs_go_on_and_count, setup, teardown),
        cmocka_unit_test_setup_teardown(new_slots_count_from_the_baseline, setup, teardown),
        cmocka_unit_test_setup_teardown(a_slot_that_is_due_is_the_old_versions, setup, teardown),
        cmocka_unit_test_setup_teardown(a_limit_of_all_can_change, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
