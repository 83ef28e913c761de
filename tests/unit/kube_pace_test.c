/* The token bucket of creates, and the window that follows the server. */
#include "kube/pace.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

enum { MS = 1000000 };
#define S INT64_C(1000000000)

static struct pace pace;

static void without_a_rate_creates_never_wait(void **state) {
    (void)state;
    pace_start(&pace, 0, 0, 0);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(pace_wait(&pace, 0), 0);
        pace_take(&pace);
    }
}

static void a_burst_and_then_the_rate(void **state) {
    (void)state;
    pace_start(&pace, 10, 3, 0);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(pace_wait(&pace, 0), 0);
        pace_take(&pace);
    }
    assert_in_range(pace_wait(&pace, 0), 100 * MS, 100 * MS + 1);
    assert_in_range(pace_wait(&pace, 60 * MS), 39 * MS, 41 * MS);
    assert_int_equal(pace_wait(&pace, 101 * MS), 0);
    pace_take(&pace);
    for (int i = 0; i < 3; i++) { /* a long rest is worth one burst, not more */
        assert_int_equal(pace_wait(&pace, 100 * S), 0);
        pace_take(&pace);
    }
    assert_true(pace_wait(&pace, 100 * S) > 0);
}

static void busy_or_slow_halves_the_window_once_for_what_was_in_flight(void **state) {
    (void)state;
    pace_start(&pace, 0, 0, 0);
    for (int i = 0; i < 100; i++)
        pace_answered(&pace, 0, 10 * MS, true, false);
    assert_int_equal(pace.window, 50);
    pace_answered(&pace, 20 * MS, 30 * MS, true, false);
    assert_int_equal(pace.window, 25);
    pace_answered(&pace, 40 * MS, 2 * S, false, true); /* slow */
    assert_int_equal(pace.window, 12);
    for (int64_t now = 3 * S; now < 20 * S; now += S)
        pace_answered(&pace, now, now, true, false);
    assert_int_equal(pace.window, PACE_LEAST);
}

static void good_answers_open_it_again(void **state) {
    (void)state;
    pace_start(&pace, 0, 0, 0);
    pace_answered(&pace, 0, 0, true, false);
    pace_answered(&pace, 0, MS, false, false); /* an error says nothing */
    assert_int_equal(pace.window, 50);
    pace_answered(&pace, 0, MS, false, true);
    assert_int_equal(pace.window, 51);
    for (int i = 0; i < 100; i++)
        pace_answered(&pace, 0, MS, false, true);
    assert_int_equal(pace.window, PACE_MOST);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_rate_creates_never_wait),
        cmocka_unit_test(a_burst_and_then_the_rate),
        cmocka_unit_test(busy_or_slow_halves_the_window_once_for_what_was_in_flight),
        cmocka_unit_test(good_answers_open_it_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
