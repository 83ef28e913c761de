/* What parses, to the same schedule as what; and what does not, with which message at which column. */
#include "cron_help.h"

#define ROWS(table) (sizeof(table) / sizeof *(table))

struct refusal {
    const char *expr;
    size_t column, length;
    const char *message; /* a part of it */
};

static void check_refusals(const struct refusal *rows, size_t count, enum cron_dialect dialect) {
    struct cron_options options = {.dialect = dialect};
    for (size_t i = 0; i < count; i++) {
        struct cron_schedule *s = (struct cron_schedule *)&options;
        struct cron_error error = {0};
        if (cron_parse(rows[i].expr, strlen(rows[i].expr), &options, &s, &error) != ERR_INVALID)
            fail_msg("\"%s\" was not refused", rows[i].expr);
        assert_null(s);
        if (!strstr(error.message, rows[i].message) || error.column != rows[i].column ||
            error.length != rows[i].length)
            fail_msg("\"%s\": got %zu+%zu \"%s\"", rows[i].expr, error.column, error.length, error.message);
    }
}

static void errors_name_place_range_and_fix(void **state) {
    static const struct refusal rows[] = {
        {"", 1, 0, "empty; expected 5 fields: minute hour day month weekday"},
        {"* * * *", 8, 0, "4 fields are too few"},
        {"*", 2, 0, "1 field is too few"},
        {"* * * * * * * * *", 15, 3, "9 fields are too many"},
        {"60 * * * *", 1, 2, "minute 60 is out of range: write 0-59"},
        {"0 24 * * *", 3, 2, "hour 24 is out of range: write 0-23"},
        {"0 0 0 * *", 5, 1, "day of month 0 is out of range: write 1-31"},
        {"0 0 1 13 *", 7, 2, "month 13 is out of range: write 1-12 or JAN-DEC"},
        {"0 0 * * 8", 9, 1, "weekday 8 is out of range: write 0-7 or SUN-SAT"},
        {"0 0 0 1 1 * 1969", 13, 4, "year 1969 is out of range: write 1970-2199"},
        {"99999999999999999999 * * * *", 1, 20, "out of range: write 0-59"},
        {"5-70 * * * *", 3, 2, "minute 70 is out of range"},
        {"a * * * *", 1, 1, "unexpected 'a'; allowed is 0-59"},
        {"0 0 * FOO *", 7, 1, "month: unexpected 'F'; allowed is 1-12 or JAN-DEC"},
        {"0 0 * JANUARY *", 10, 1, "month: unexpected 'U'"},
        {"\x01 * * * *", 1, 1, "unexpected byte 0x01"},
        {"0 0\n* * *", 4, 1, "an expression is one line"},
        {"1,,2 * * * *", 3, 1, "remove the comma"},
        {", * * * *", 1, 1, "remove the comma"},
        {"1, * * * *", 3, 0, "a value is missing here"},
        {"+5 * * * *", 1, 1, "remove the +"},
        {"-5 * * * *", 1, 1, "a range needs its first value"},
        {"5- * * * *", 3, 0, "a value is missing here"},
        {"*-10 * * * *", 1, 2, "a range cannot start with a star; write 0-"},
        {"/5 * * * *", 1, 1, "a step needs a range in front"},
        {"*/ * * * *", 3, 0, "a step is missing after '/'; write a number from 1 to 60"},
        {"*/0 * * * *", 3, 1, "step 0 never moves on"},
        {"*/100 * * * *", 3, 3, "longer than the whole field; write 1 to 60"},
        {"? * * * *", 1, 1, "'?' belongs to the two day fields; write *"},
        {"0 0 31 2 *", 5, 2, "never fires"},
        {"0 0 30 2 &MON", 5, 2, "never fires"},
        {"0 0 0 29 2 * 2100", 7, 2, "never fires"},
        {"0 0 31W 4 *", 5, 3, "never fires"},
        {"0 0 0 1 1 * 2030-2020", 13, 9, "write 2020-2030"},
        {"0 0 l * *", 5, 1, "L, W and H are capital letters"},
        {"0 0 1-15W * *", 9, 1, "W follows one day of the month"},
        {"0 0 W * *", 5, 1, "W follows one day of the month"},
        {"0 0 L-31 * *", 6, 3, "n is 0-30"},
        {"0 0 * * L", 9, 1, "write FRIL or 5L"},
        {"0 0 * * 5#6", 11, 1, "'#' takes 1-5"},
        {"0 0 * * 5#", 11, 0, "'#' takes 1-5"},
        {"0 0 1#2 * *", 6, 1, "# follows one weekday"},
        {"0 0 1 * MON+", 12, 1, "remove the +"},
        {"0 0 &1 * MON", 5, 1, "unexpected '&'"},
        {"H * * * *", 1, 1, "H needs a name to hash"},
        {"@reboot", 1, 7, "trigger the job by hand"},
        {"@Daily", 1, 6, "in lower case"},
        {"@daily 5", 8, 1, "remove the rest"},
        {"@every", 7, 0, "a duration such as 30s"},
        {"@every 5", 8, 1, "a duration such as 30s"},
        {"@every 0s", 8, 2, "a positive duration"},
        {"@every -1h", 8, 3, "a positive duration"},
        {"@every 9999999999h", 8, 11, "a duration such as 30s"},
        {"@at 2030-01-31", 5, 10, "with its UTC offset"},
        {"@at 2030-02-29T00:00:00Z", 5, 20, "with its UTC offset"},
        {"@at 2030-01-31T09:00:00", 5, 19, "with its UTC offset"},
        {"TZ=Europe/Lodon 0 0 * * *", 4, 12, "did you mean Europe/London?"},
        {"CRON_TZ=../etc/passwd 0 0 * * *", 9, 13, "not a path"},
        {"TZ= 0 0 * * *", 4, 0, "the time zone is empty"},
        {"TZ=UTC", 7, 0, "the expression is empty"},
    };
    (void)state;
    check_refusals(rows, ROWS(rows), CRON_STANDARD);
}

static void robfig_refuses_what_robfig_refuses(void **state) {
    static const struct refusal rows[] = {
        {"", 1, 0, "5 or 6 fields: second minute hour day month [weekday]"},
        {"* * * * * * *", 13, 1, "7 fields are too many"},
        {"0 0 0 * * 7", 11, 1, "robfig-v1 takes 0-6 or a name"},
        {"22-2 * * * * *", 1, 4, "robfig-v1 takes 0-59"},
        {"0 0 0 L * *", 7, 1, "robfig-v1 takes 1-31"},
        {"0 0 0 15W * *", 7, 3, "robfig-v1 takes 1-31"},
        {"0 0 0 * * FRI#2", 11, 5, "robfig-v1 takes 0-6"},
        {"H 0 0 * * *", 1, 1, "robfig-v1 takes 0-59"},
        {"*/0 * * * * *", 3, 1, "one step of 1 or more"},
        {"*/2/3 * * * * *", 3, 3, "one step of 1 or more"},
        {"1-2-3 * * * * *", 1, 5, "robfig-v1 takes 0-59"},
        {"-5 * * * * *", 1, 2, "robfig-v1 takes 0-59"},
        {"99999999999 * * * * *", 1, 11, "robfig-v1 takes 0-59"},
        {"@reboot", 1, 7, "@reboot has no time"},
        {"@at 2030-01-31T09:00:00Z", 5, 20, "remove the rest"},
        {"TZ=UTC 0 0 0 * *", 1, 3, "set the job's timezone"},
    };
    (void)state;
    check_refusals(rows, ROWS(rows), CRON_ROBFIG_V1);
}

/* Two spellings of one schedule: the second is in the standard dialect with six or seven fields. */
struct pair {
    const char *expr, *same;
};

static void check_pairs(const struct pair *rows, size_t count, enum cron_dialect dialect) {
    struct cron_options options = {.dialect = dialect}, standard = {0};
    for (size_t i = 0; i < count; i++) {
        struct cron_schedule *a = must_parse(rows[i].expr, &options),
                             *b = must_parse(rows[i].same, &standard);
        int64_t t = instant("2023-12-31T23:59:59Z");
        for (int step = 0; step < 50 && t != CRON_NEVER; step++) {
            int64_t next = cron_next(b, t);
            if (cron_next(a, t) != next)
                fail_msg("\"%s\" and \"%s\" differ", rows[i].expr, rows[i].same);
            t = next;
        }
        cron_free(a);
        cron_free(b);
    }
}

static void spellings_of_one_schedule_agree(void **state) {
    static const struct pair rows[] = {
        {"5 4 * * *", "0 5 4 * * *"},
        {" \t5  4\t* * * \n", "0 5 4 * * *"},
        {"05 04 * * *", "0 5 4 * * *"},
        {"0 22-2 * * *", "0 0 22,23,0,1,2 * * *"},
        {"0 22-4/3 * * *", "0 0 22,1,4 * * *"},
        {"0 0 28-2 * *", "0 0 0 28,29,30,31,1,2 * *"},
        {"0 0 * nov-FEB *", "0 0 0 * 11,12,1,2 *"},
        {"0 0 * * Fri-mon", "0 0 0 * * 5,6,0,1"},
        {"0 0 * * 5-7", "0 0 0 * * 5,6,0"},
        {"0 0 * * 7-2", "0 0 0 * * 0,1,2"},
        {"0 0 * * 0-7", "0 0 0 * * *"},
        {"0 0 * * SUN-SUN", "0 0 0 * * 0"},
        {"10/25 * * * *", "0 10,35 * * * *"},
        {"*/60 * * * *", "0 0 * * * *"},
        {"0 0 0 1 1 * 2030-2036/3", "0 0 0 1 1 * 2030,2033,2036"},
        {"0 0 0 1 1 * */4", "0 0 0 1 1 * 2026-2199/4"},
        {"0 0 1 * */1", "0 0 0 1 * *"},
        {"0 0 1 * */2", "0 0 0 1 * 0,2,4,6"},
        {"0 0 ? * MON", "0 0 0 * * 1"},
        {"0 0 * * FRI#L", "0 0 0 * * 5L"},
        {"0 0 * * 0#1,7L", "0 0 0 * * SUN#1,SUN#L"},
        {"0 0 L-0 * *", "0 0 0 L * *"},
        {"@hourly", "0 0 * * * *"},
        {"@daily", "0 0 0 * * *"},
        {"@midnight", "0 0 0 * * *"},
        {"@weekly", "0 0 0 * * 0"},
        {"@monthly", "0 0 0 1 * *"},
        {"@yearly", "0 0 0 1 1 *"},
        {"@annually", "0 0 0 1 1 *"},
        {"@every 1h30m", "@every 5400s"},
        {"@every 1.5m", "@every 90s"},
        {"@every 2500ms", "@every 2s"},
        {"@every 1us", "@every 1s"},
        {"@at 2030-01-31T09:00:00.75+02:00", "@at 2030-01-31T07:00:00Z"},
        {"TZ=America/New_York 30 12 * * *", "CRON_TZ=America/New_York 0 30 12 * * *"},
        {"TZ=Asia/Kolkata 30 12 * * *", "0 0 7 * * *"},
    };
    (void)state;
    check_pairs(rows, ROWS(rows), CRON_STANDARD);
}

static void robfig_takes_its_oddities(void **state) {
    static const struct pair rows[] = {
        {"5 4 3 * *", "5 4 3 * * *"},
        {"5\n4\f3\r*\v*", "5 4 3 * * *"},
        {"*-10 +5 05 1,,2 * *", "* 5 5 1,2 * *"},
        {"*/100 0 0 * * *", "0 0 0 * * *"},
        {"0 0 0 , * MON", "0 0 0 * * MON"},
        {"0 0 0 */2 * MON", "0 0 0 */2 * &MON"},
        {"0 0 0 1 * */2", "0 0 0 1 * &*/2"},
        {"? ?/20 5/9 1-31 jan-DEC sun-6/2", "* */20 5,14,23 1-31 * 0,2,4,6"},
        {"@every -5m", "@every 1s"},
        {"@every 0", "@every 1s"},
    };
    (void)state;
    check_pairs(rows, ROWS(rows), CRON_ROBFIG_V1);
}

static void robfig_takes_what_never_fires(void **state) {
    static const char *const never[] = {", * * * * *", "0 0 0 31 2 *", "0 0 0 , * ,"};
    struct cron_options options = {.dialect = CRON_ROBFIG_V1};
    (void)state;
    for (size_t i = 0; i < ROWS(never); i++) {
        struct cron_schedule *s = must_parse(never[i], &options);
        assert_int_equal(cron_next(s, 0), CRON_NEVER);
        assert_int_equal(cron_previous(s, 0), CRON_NEVER);
        cron_free(s);
    }
}

static void cronie_looks_at_the_first_star(void **state) {
    static const struct pair rows[] = {
        {"0 0 */2 * MON", "0 0 0 */2 * &MON"},
        {"0 0 1-31/2 * MON", "0 0 0 1-31/2 * MON"},
        {"0 0 5,* * MON", "0 0 0 * * *"},
    };
    (void)state;
    check_pairs(rows, ROWS(rows), CRON_CRONIE);
}

/* These values are a promise: a new release must not move anyone's jobs. */
static void hashes_are_stable(void **state) {
    static const struct pair rows[] = {
        {"H H * * *", "0 50 8 * * *"},
        {"H(10-19) * * * *", "0 10 * * * *"},
        {"H/20 * * * *", "0 10,30,50 * * * *"},
    };
    struct cron_options options = {.hash_key = "report"}, other = {.hash_key = "report2"}, plain = {0};
    (void)state;
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct cron_schedule *a = must_parse(rows[i].expr, &options), *b = must_parse(rows[i].same, &plain);
        assert_int_equal(cron_next(a, 0), cron_next(b, 0));
        assert_int_equal(cron_next(a, cron_next(a, 0)), cron_next(b, cron_next(b, 0)));
        cron_free(a);
        cron_free(b);
    }
    struct cron_schedule *a = must_parse("H H * * *", &options), *b = must_parse("H H * * *", &other);
    assert_int_not_equal(cron_next(a, 0), cron_next(b, 0));
    cron_free(a);
    cron_free(b);
}

static void hashed_days_exist_in_every_month(void **state) {
    char key[32];
    (void)state;
    for (int i = 0; i < 500; i++) {
        (void)snprintf(key, sizeof key, "job-%d", i);
        struct cron_options options = {.hash_key = key};
        struct cron_schedule *s = must_parse("0 0 H 2 *", &options);
        assert_true(cron_next(s, 0) < INT64_C(366) * 86400);
        cron_free(s);
    }
}

static void hash_bounds_are_checked(void **state) {
    static const char *const bad[] = {"H(5-60) * * * *", "H(9-5) * * * *", "H(5) * * * *", "H(1-2 * * * *",
                                      "H/0 * * * *",     "H/61 * * * *",   "0 0 0 1 1 * H"};
    struct cron_options options = {.hash_key = "report"};
    struct cron_schedule *s;
    struct cron_error error;
    (void)state;
    for (size_t i = 0; i < ROWS(bad); i++)
        assert_int_equal(cron_parse(bad[i], strlen(bad[i]), &options, &s, &error), ERR_INVALID);
}

static void length_counts_not_the_terminator(void **state) {
    struct cron_options options = {0};
    struct cron_schedule *s;
    struct cron_error error;
    (void)state;
    assert_int_equal(cron_parse("0 0 * * *7", 9, &options, &s, &error), 0);
    cron_free(s);
    char longer[2000];
    memset(longer, '1', sizeof longer);
    assert_int_equal(cron_parse(longer, sizeof longer, &options, &s, &error), ERR_INVALID);
    assert_int_equal(cron_parse("0 0\0* * *", 9, &options, &s, &error), ERR_INVALID);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_name_place_range_and_fix),
        cmocka_unit_test(robfig_refuses_what_robfig_refuses),
        cmocka_unit_test(spellings_of_one_schedule_agree),
        cmocka_unit_test(robfig_takes_its_oddities),
        cmocka_unit_test(robfig_takes_what_never_fires),
        cmocka_unit_test(cronie_looks_at_the_first_star),
        cmocka_unit_test(hashes_are_stable),
        cmocka_unit_test(hashed_days_exist_in_every_month),
        cmocka_unit_test(hash_bounds_are_checked),
        cmocka_unit_test(length_counts_not_the_terminator),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
