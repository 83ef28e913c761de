/* Zones: names, files, rules of the far future, and files that are broken in every way. */
#include "cron_help.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define NEW_YORK "/usr/share/zoneinfo/America/New_York"

static void check_wall(const struct cron_zone *zone, const char *utc, const char *wall,
                       const char *abbreviation) {
    struct cron_civil c;
    char text[64];
    assert_string_equal(instant_text(zone, instant(utc), text), wall);
    cron_zone_civil(zone, instant(utc), &c);
    assert_string_equal(c.abbreviation, abbreviation);
}

static void civil_time_is_that_of_the_zone(void **state) {
    struct cron_zone *zone = must_load("America/New_York");
    struct cron_civil c;
    (void)state;
    check_wall(zone, "2024-03-10T06:59:59Z", "2024-03-10T01:59:59-05:00", "EST");
    check_wall(zone, "2024-03-10T07:00:00Z", "2024-03-10T03:00:00-04:00", "EDT");
    check_wall(zone, "1800-01-01T12:00:00Z", "1800-01-01T07:03:58-04:56", "LMT");
    check_wall(zone, "2500-07-01T12:00:00Z", "2500-07-01T08:00:00-04:00", "EDT");
    check_wall(zone, "9999-12-31T12:00:00Z", "9999-12-31T07:00:00-05:00", "EST");
    cron_zone_civil(zone, instant("2024-02-29T12:00:00Z"), &c);
    assert_int_equal(c.weekday, 4);
    assert_int_equal(c.utc_offset, -18000);
    cron_zone_unref(zone);
}

static void changes_of_the_clock_follow_each_other(void **state) {
    struct cron_zone *new_york = must_load("America/New_York"), *kolkata = must_load("Asia/Kolkata");
    struct cron_zone *utc = must_load("UTC"), *london = must_load("Europe/London");
    (void)state;
    assert_int_equal(cron_zone_next_change(new_york, instant("2024-03-10T06:59:59Z")),
                     instant("2024-03-10T07:00:00Z"));
    assert_int_equal(cron_zone_next_change(new_york, instant("2024-03-10T07:00:00Z")),
                     instant("2024-11-03T06:00:00Z"));
    assert_int_equal(cron_zone_next_change(new_york, instant("2500-01-01T00:00:00Z")),
                     instant("2500-03-14T07:00:00Z"));
    /* From 1968-10-27 on London called its summer time standard time, and its clocks stayed. */
    assert_int_equal(cron_zone_next_change(london, instant("1968-10-27T00:00:00Z")),
                     instant("1971-10-31T02:00:00Z"));
    assert_int_equal(cron_zone_next_change(kolkata, instant("2024-01-01T00:00:00Z")), CRON_NEVER);
    assert_int_equal(cron_zone_next_change(utc, 0), CRON_NEVER);
    cron_zone_unref(new_york);
    cron_zone_unref(kolkata);
    cron_zone_unref(london);
    cron_zone_unref(utc);
}

struct name_row {
    const char *name;
    int code;
    const char *message;
};

static void names_are_checked(void **state) {
    static const struct name_row rows[] = {
        {"", ERR_INVALID, "is empty"},
        {"/etc/passwd", ERR_INVALID, "not a path"},
        {"../zoneinfo/UTC", ERR_INVALID, "not a path"},
        {"Europe/../UTC", ERR_INVALID, "not a path"},
        {"Europe London", ERR_INVALID, "not a path"},
        {"Mars/Olympus", ERR_NOTFOUND, "write a name of the tz database"},
        {"Europe", ERR_NOTFOUND, "is unknown"},
        {"Europe/London/x", ERR_NOTFOUND, "is unknown"},
        {"Europe/Lodon", ERR_NOTFOUND, "did you mean Europe/London?"},
        {"europe/london", ERR_NOTFOUND, "did you mean Europe/London?"},
        {"New_York", ERR_NOTFOUND, "did you mean America/New_York?"},
        {"zone.tab", ERR_INVALID, "it is not a zone file"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cron_zone *zone;
        struct err err;
        int rc = cron_zone_load(rows[i].name, &zone, &err);
        if (rc != rows[i].code || !strstr(err.message, rows[i].message))
            fail_msg("\"%s\": %d %s", rows[i].name, rc, err.message);
        assert_int_equal(cron_zone_load(rows[i].name, &zone, NULL), rows[i].code);
    }
}

static void local_is_the_systems_zone(void **state) {
    (void)state;
    assert_int_equal(setenv("TZ", ":Asia/Tokyo", 1), 0);
    struct cron_zone *zone = must_load("Local");
    check_wall(zone, "2024-01-01T00:00:00Z", "2024-01-01T09:00:00+09:00", "JST");
    cron_zone_unref(zone);
    assert_int_equal(setenv("TZ", "Local", 1), 0); /* does not ask itself for ever */
    cron_zone_unref(must_load("Local"));
    assert_int_equal(unsetenv("TZ"), 0);
    cron_zone_unref(must_load("Local"));
}

static void zones_are_found_in_tzdir(void **state) {
    struct cron_zone *zone;
    (void)state;
    assert_int_equal(setenv("TZDIR", "/nonexistent", 1), 0);
    assert_int_equal(cron_zone_load("Europe/London", &zone, NULL), ERR_NOTFOUND);
    cron_zone_unref(must_load("UTC")); /* built in */
    assert_int_equal(setenv("TZDIR", "/usr/share/zoneinfo/America", 1), 0);
    cron_zone_unref(must_load("New_York"));
    assert_int_equal(unsetenv("TZDIR"), 0);
}

static void a_set_loads_each_zone_once(void **state) {
    struct cron_zones *set = cron_zones_new();
    struct cron_zone *a, *b, *c;
    (void)state;
    assert_int_equal(cron_zones_load(set, "Asia/Tokyo", &a, NULL), 0);
    assert_int_equal(cron_zones_load(set, "Asia/Kolkata", &b, NULL), 0);
    assert_int_equal(cron_zones_load(set, "Asia/Tokyo", &c, NULL), 0);
    assert_ptr_equal(a, c);
    assert_ptr_not_equal(a, b);
    assert_int_equal(cron_zones_load(set, "Asia/Nowhere", &c, NULL), ERR_NOTFOUND);
    struct cron_options options = {.zones = set};
    struct cron_schedule *s = must_parse("TZ=Asia/Tokyo 0 0 * * *", &options);
    assert_ptr_equal(cron_schedule_zone(s), a);
    cron_zones_free(set);
    assert_string_equal(cron_zone_name(a), "Asia/Tokyo");
    cron_free(s);
    cron_zone_unref(a);
    cron_zone_unref(b);
    cron_zone_unref(a);
}

/* A file in the making. */
struct image {
    unsigned char data[8192];
    size_t len;
};

static void put(struct image *image, const void *data, size_t len) {
    memcpy(image->data + image->len, data, len);
    image->len += len;
}

static void put_u32(struct image *image, uint32_t v) {
    unsigned char bytes[] = {(unsigned char)(v >> 24), (unsigned char)(v >> 16), (unsigned char)(v >> 8),
                             (unsigned char)v};
    put(image, bytes, 4);
}

static void put_header(struct image *image, char version, uint32_t times, uint32_t types, uint32_t chars) {
    char head[20] = {'T', 'Z', 'i', 'f', version};
    uint32_t counts[] = {0, 0, 0, times, types, chars};
    put(image, head, sizeof head);
    for (size_t i = 0; i < 6; i++)
        put_u32(image, counts[i]);
}

/* A version 2 file without transitions: one type, and the rule. */
static void make_rule_file(struct image *image, const char *rule, int32_t offset) {
    image->len = 0;
    put_header(image, '2', 0, 0, 0);
    put_header(image, '2', 0, 1, 4);
    put_u32(image, (uint32_t)offset);
    put(image, "\0\0STD\0", 6);
    put(image, "\n", 1);
    put(image, rule, strlen(rule));
    put(image, "\n", 1);
}

static struct cron_zone *zone_of_rule(const char *rule, int32_t offset) {
    struct image image;
    struct cron_zone *zone = NULL;
    struct err err;
    make_rule_file(&image, rule, offset);
    if (cron_zone_from_tzif("Test/Rule", image.data, image.len, &zone, &err))
        fail_msg("%s: %s", rule, err.message);
    return zone;
}

static void rules_alone_make_a_zone(void **state) {
    (void)state;
    struct cron_zone *zone = zone_of_rule("EST5EDT,M3.2.0,M11.1.0", -18000),
                     *real = must_load("America/New_York");
    struct cron_civil a, b;
    for (int64_t t = instant("2008-01-01T00:00:00Z"); t < instant("2900-01-01T00:00:00Z"); t += 40000) {
        cron_zone_civil(zone, t, &a);
        cron_zone_civil(real, t, &b);
        assert_int_equal(a.utc_offset, b.utc_offset);
    }
    cron_zone_unref(real);
    cron_zone_unref(zone);
}

/* Where the 400 years of the rule start again, the offset before is that of the rule, not of the first type.
 */
static void a_rule_repeats_from_its_own_end(void **state) {
    struct cron_options options = {.zone = zone_of_rule("EST5EDT,M3.2.0,M11.1.0", 0)};
    struct cron_schedule *s = must_parse("30 2 11 3 *", &options);
    (void)state;
    assert_int_equal(cron_next(s, instant("2001-01-01T00:00:00Z")), instant("2001-03-11T03:00:00-04:00"));
    assert_int_equal(cron_previous(s, instant("2001-06-01T00:00:00Z")), instant("2001-03-11T03:00:00-04:00"));
    cron_free(s);
    cron_zone_unref(options.zone);
}

struct rule_row {
    const char *rule;
    int32_t offset;
    const char *utc, *wall, *abbreviation;
};

static void every_kind_of_rule_is_read(void **state) {
    static const struct rule_row rows[] = {
        {"<+0330>-3:30", 12600, "2030-06-01T00:00:00Z", "2030-06-01T03:30:00+03:30", "STD"},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", 36000, "2030-01-01T00:00:00Z", "2030-01-01T11:00:00+11:00", "AEDT"},
        {"AEST-10AEDT,M10.1.0,M4.1.0/3", 36000, "2030-07-01T00:00:00Z", "2030-07-01T10:00:00+10:00", "AEST"},
        {"EST5EDT", -18000, "2030-07-01T00:00:00Z", "2030-06-30T20:00:00-04:00", "EDT"},
        {"IST-1GMT0,M10.5.0,M3.5.0/1", 3600, "2030-01-01T00:00:00Z", "2030-01-01T00:00:00+00:00", "GMT"},
        {"AAA-2BBB-3:15,J60/0,J61/0", 7200, "2028-03-01T00:00:00Z", "2028-03-01T03:15:00+03:15", "BBB"},
        {"AAA-2BBB-3:15,J60/0,J61/0", 7200, "2028-02-29T12:00:00Z", "2028-02-29T14:00:00+02:00", "AAA"},
        {"AAA0BBB,59/0,60/0", 0, "2028-02-29T12:00:00Z", "2028-02-29T13:00:00+01:00", "BBB"},
        {"AAA0BBB,59/0,60/0", 0, "2027-03-01T12:00:00Z", "2027-03-01T13:00:00+01:00", "BBB"},
        {"AAA3BBB,M3.5.0/-2,M10.5.0/-1", -10800, "2030-03-31T00:59:59Z", "2030-03-30T21:59:59-03:00", "AAA"},
        {"AAA3BBB,M3.5.0/-2,M10.5.0/-1", -10800, "2030-03-31T01:00:00Z", "2030-03-30T23:00:00-02:00", "BBB"},
        {"EST5EDT4,0/0,J365/25", -18000, "2030-01-01T05:00:00Z", "2030-01-01T01:00:00-04:00", "EDT"},
        {"EST5EDT4,0/0,J365/25", -18000, "2500-12-31T05:00:00Z", "2500-12-31T01:00:00-04:00", "EDT"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct cron_zone *zone = zone_of_rule(rows[i].rule, rows[i].offset);
        check_wall(zone, rows[i].utc, rows[i].wall, rows[i].abbreviation);
        cron_zone_unref(zone);
    }
}

static void broken_rules_are_refused(void **state) {
    static const char *const bad[] = {"E5",
                                      "EST",
                                      "EST5EDT,",
                                      "EST5EDT,M3.2.0",
                                      "EST5EDT,M13.2.0,M11.1.0",
                                      "EST5EDT,M3.6.0,M11.1.0",
                                      "EST5EDT,M3.2.7,M11.1.0",
                                      "EST5EDT,J0,J1",
                                      "EST5EDT,366,1",
                                      "EST5EDT,M3.2.0/168,M11.1.0",
                                      "EST5EDT,M3.2.0,M11.1.0x",
                                      "EST999",
                                      "<EST5EDT",
                                      "EST5:60"};
    struct image image;
    struct cron_zone *zone;
    struct err err;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        make_rule_file(&image, bad[i], 0);
        if (cron_zone_from_tzif("Test/Rule", image.data, image.len, &zone, &err) != ERR_INVALID)
            fail_msg("%s was not refused", bad[i]);
        assert_non_null(strstr(err.message, "is not a POSIX TZ string"));
    }
}

static void version_1_files_are_read(void **state) {
    struct image image = {.len = 0};
    struct cron_zone *zone;
    (void)state;
    put_header(&image, '\0', 1, 2, 8);
    put_u32(&image, 86400);
    put(&image, "\1", 1);
    put_u32(&image, 0);
    put(&image, "\0\0", 2);
    put_u32(&image, 3600);
    put(&image, "\1\4", 2);
    put(&image, "AAA\0BBB\0", 8);
    assert_int_equal(cron_zone_from_tzif("Test/One", image.data, image.len, &zone, NULL), 0);
    check_wall(zone, "1970-01-01T23:59:59Z", "1970-01-01T23:59:59+00:00", "AAA");
    check_wall(zone, "1970-01-02T00:00:00Z", "1970-01-02T01:00:00+01:00", "BBB");
    cron_zone_unref(zone);
}

static size_t read_new_york(unsigned char *data, size_t size) {
    FILE *f = fopen(NEW_YORK, "rb");
    assert_non_null(f);
    size_t len = fread(data, 1, size, f);
    (void)fclose(f);
    assert_true(len > 1000 && len < size);
    return len;
}

/* What was accepted must still answer, and move on. */
static void use_zone(struct cron_zone *zone) {
    struct cron_options options = {.zone = zone};
    struct cron_schedule *s = must_parse("30 2 * * *", &options);
    int64_t t = 0;
    for (int i = 0; i < 20 && t != CRON_NEVER; i++) {
        int64_t next = cron_next(s, t);
        assert_true(next > t);
        t = next;
    }
    assert_true(cron_previous(s, 0) < 0);
    cron_free(s);
    cron_zone_unref(zone);
}

static void files_cut_anywhere_are_refused(void **state) {
    unsigned char data[8192];
    size_t len = read_new_york(data, sizeof data);
    struct cron_zone *zone;
    struct err err;
    (void)state;
    for (size_t cut = 0; cut < len; cut++) {
        unsigned char *copy = malloc(cut + 1); /* exact, so that a read past the end is seen */
        assert_non_null(copy);
        memcpy(copy, data, cut);
        assert_int_equal(cron_zone_from_tzif("Test/Cut", copy, cut, &zone, &err), ERR_INVALID);
        assert_true(err.message[0] != '\0');
        free(copy);
    }
    assert_int_equal(cron_zone_from_tzif("Test/Whole", data, len, &zone, &err), 0);
    cron_zone_unref(zone);
}

static void files_with_any_byte_changed_do_no_harm(void **state) {
    unsigned char data[8192];
    static const unsigned char values[] = {0x00, 0x7F, 0xFF};
    size_t len = read_new_york(data, sizeof data), accepted = 0;
    (void)state;
    for (size_t at = 0; at < len; at++)
        for (size_t i = 0; i < sizeof values; i++) {
            unsigned char old = data[at];
            struct cron_zone *zone;
            data[at] = values[i];
            if (cron_zone_from_tzif("Test/Flip", data, len, &zone, NULL) == 0) {
                use_zone(zone);
                accepted++;
            }
            data[at] = old;
        }
    assert_true(accepted > 0 && accepted < 3 * len);
}

struct patch {
    size_t at;
    const char *bytes;
    size_t len;
    int code;
    const char *message;
};

/* Offsets into a file made by make_rule_file: the second header is at 44, its counts at 64, its type at 88.
 */
static void faults_are_named(void **state) {
    static const struct patch patches[] = {
        {0, "XZif", 4, ERR_INVALID, "not a zone file"},
        {44, "XZif", 4, ERR_INVALID, "cut short"},
        {64, "\0\0\1\0", 4, ERR_INVALID, "cut short"},
        {72, "\xff\xff\xff\xff", 4, ERR_INVALID, "cut short"},
        {80, "\0\0\0\0", 4, ERR_INVALID, "0 types"},
        {88, "\x7f\xff\xff\xff", 4, ERR_INVALID, "seconds off UTC"},
        {93, "\4", 1, ERR_INVALID, "no abbreviation"},
        {97, "X", 1, ERR_INVALID, "no abbreviation"},
        {98, "X", 1, ERR_INVALID, "footer is missing"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof patches / sizeof *patches; i++) {
        struct image image;
        struct cron_zone *zone;
        struct err err;
        make_rule_file(&image, "STD0", 0);
        memcpy(image.data + patches[i].at, patches[i].bytes, patches[i].len);
        int rc = cron_zone_from_tzif("Test/Fault", image.data, image.len, &zone, &err);
        if (rc != patches[i].code || !strstr(err.message, patches[i].message))
            fail_msg("patch at %zu: %d %s", patches[i].at, rc, err.message);
    }
}

static void files_that_count_leap_seconds_are_refused(void **state) {
    struct cron_zone *zone;
    struct err err;
    (void)state;
    if (access("/usr/share/zoneinfo/right/Europe/London", R_OK) != 0)
        fail_msg("tzdata has no right/: its file is needed here");
    assert_int_equal(cron_zone_load("right/Europe/London", &zone, &err), ERR_INVALID);
    assert_non_null(strstr(err.message, "leap seconds"));
}

static void a_huge_file_is_refused(void **state) {
    char dir[] = "/tmp/cron_zone_XXXXXX", path[64];
    struct cron_zone *zone;
    struct err err;
    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(path, sizeof path, "%s/Huge", dir);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_int_equal(ftruncate(fileno(f), 2 << 20), 0);
    (void)fclose(f);
    assert_int_equal(setenv("TZDIR", dir, 1), 0);
    assert_int_equal(cron_zone_load("Huge", &zone, &err), ERR_IO);
    assert_int_equal(unsetenv("TZDIR"), 0);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(dir), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(civil_time_is_that_of_the_zone),
        cmocka_unit_test(changes_of_the_clock_follow_each_other),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(local_is_the_systems_zone),
        cmocka_unit_test(zones_are_found_in_tzdir),
        cmocka_unit_test(a_set_loads_each_zone_once),
        cmocka_unit_test(rules_alone_make_a_zone),
        cmocka_unit_test(a_rule_repeats_from_its_own_end),
        cmocka_unit_test(every_kind_of_rule_is_read),
        cmocka_unit_test(broken_rules_are_refused),
        cmocka_unit_test(version_1_files_are_read),
        cmocka_unit_test(files_cut_anywhere_are_refused),
        cmocka_unit_test(files_with_any_byte_changed_do_no_harm),
        cmocka_unit_test(faults_are_named),
        cmocka_unit_test(files_that_count_leap_seconds_are_refused),
        cmocka_unit_test(a_huge_file_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
