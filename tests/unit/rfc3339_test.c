#include "base/rfc3339.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void reads(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t seconds;
    } cases[] = {{"1970-01-01T00:00:01Z", 1},
                 {"2038-01-19T03:14:08Z", 2147483648},
                 {"2024-02-29T12:00:00.123456789Z", 1709208000},
                 {"2024-02-29t12:00:00z", 1709208000},
                 {"2024-02-29 12:00:00-00:30", 1709208000 + 1800},
                 {"2024-02-29T12:00:00.5+23:59", 1709208000 - 86340},
                 {"2016-12-31T23:59:60Z", 1483228800},
                 {"0001-01-01T00:00:00Z", -62135596800},
                 {"9999-12-31T23:59:59Z", RFC3339_MAX}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        int64_t t = 0;
        assert_int_equal(rfc3339_parse(cases[i].text, &t), 0);
        assert_int_equal(t, cases[i].seconds);
    }
}

static void refuses(void **state) {
    (void)state;
    static const char *const texts[] = {"",
                                        "null",
                                        "2024-02-29",
                                        "2024-02-29T12:00:00",
                                        "2024-02-29T12:00:00Zx",
                                        "2024-02-29T12:00:00.Z",
                                        "2024-02-29T12:00:00+1:00",
                                        "2024-02-29T12:00:00+01:00x",
                                        "2024-02-29T12:00:00+24:00",
                                        "2024-02-29T12:00:00+01:60",
                                        "2024-02-29T12:00: 0Z",
                                        "2024-02-29T12:00:+1Z",
                                        "2023-02-29T12:00:00Z",
                                        "1900-02-29T12:00:00Z",
                                        "2024-04-31T12:00:00Z",
                                        "2024-13-01T12:00:00Z",
                                        "2024-00-01T12:00:00Z",
                                        "2024-01-00T12:00:00Z",
                                        "2024-01-01T24:00:00Z",
                                        "2024-01-01T12:60:00Z",
                                        "2024-01-01T12:00:61Z",
                                        "24-01-01T12:00:00Z"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t t = 7;
        assert_int_equal(rfc3339_parse(texts[i], &t), ERR_INVALID);
        assert_int_equal(t, 7);
    }
}

static void writes(void **state) {
    (void)state;
    char text[RFC3339_BYTES];
    rfc3339_format(1709208000, text);
    assert_string_equal(text, "2024-02-29T12:00:00Z");
    rfc3339_format(RFC3339_MIN, text);
    assert_string_equal(text, "1000-01-01T00:00:00Z");
    rfc3339_format(RFC3339_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(reads), cmocka_unit_test(refuses),
                                       cmocka_unit_test(writes)};
    return cmocka_run_group_tests_name("rfc3339", tests, NULL, NULL);
}
