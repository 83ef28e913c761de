/* Instants that other schedulers gave, see the heads of tests/vectors/(name).tsv. Every row must agree. */
#include "cron_help.h"

#include <inttypes.h>
#include <stdlib.h>

#define MAX_COLUMNS 8

struct table {
    const char *file;
    size_t expected_rows; /* so that a cut file is noticed */
    FILE *stream;
    char line[65536];
    char *column[MAX_COLUMNS];
    size_t rows, failures;
};

static void table_open(struct table *table) {
    char path[256];
    (void)snprintf(path, sizeof path, "tests/vectors/%s.tsv", table->file);
    table->stream = fopen(path, "r");
    assert_non_null(table->stream);
}

/* The next row that is no comment, split at tabs. */
static int table_next(struct table *table) {
    while (fgets(table->line, sizeof table->line, table->stream)) {
        if (table->line[0] == '#')
            continue;
        char *rest = table->line;
        rest[strcspn(rest, "\n")] = '\0';
        for (size_t i = 0; i < MAX_COLUMNS; i++)
            table->column[i] = rest ? strsep(&rest, "\t") : NULL;
        table->rows++;
        return 1;
    }
    (void)fclose(table->stream);
    return 0;
}

static void table_check(struct table *table) {
    assert_int_equal(table->rows, table->expected_rows);
    assert_int_equal(table->failures, 0);
}

static struct cron_schedule *parse(const char *expr, const char *zone, struct cron_options options) {
    options.zone = must_load(zone);
    struct cron_schedule *s = parse_or_never(expr, &options);
    cron_zone_unref(options.zone);
    return s;
}

/* "a b c d", fewer then "-". What never fires is refused, so it has no schedule. */
static int instants_agree(const struct cron_schedule *s, int64_t from, char *expected, const char *row) {
    int64_t t = from;
    for (char *word; (word = strsep(&expected, " "));) {
        t = s ? cron_next(s, t) : CRON_NEVER;
        int64_t want = strcmp(word, "-") == 0 ? CRON_NEVER : strtoll(word, NULL, 10);
        if (t != want) {
            print_message("%s: expected %s, got %" PRId64 "\n", row, word, t);
            return 0;
        }
    }
    return 1;
}

/* Columns: dialect (or kind), expression, zone, from, instants. */
static void check_instants(struct table *table, enum cron_dst dst) {
    table_open(table);
    while (table_next(table)) {
        struct cron_options options = {.dst = dst};
        if (strcmp(table->column[0], "robfig-v1") == 0)
            options.dialect = CRON_ROBFIG_V1;
        struct cron_schedule *s = parse(table->column[1], table->column[2], options);
        int64_t from = strtoll(table->column[3], NULL, 10);
        table->failures += !instants_agree(s, from, table->column[4], table->column[1]);
        cron_free(s);
    }
    table_check(table);
}

static void robfig_agrees(void **state) {
    (void)state;
    check_instants(&(struct table){.file = "robfig", .expected_rows = 4000}, CRON_DST_ROBFIG);
}

static void robfig_agrees_around_transitions(void **state) {
    (void)state;
    check_instants(&(struct table){.file = "robfig-dst", .expected_rows = 1500}, CRON_DST_ROBFIG);
}

static void croner_agrees(void **state) {
    (void)state;
    check_instants(&(struct table){.file = "croner", .expected_rows = 1498}, CRON_DST_CRONIE);
}

static void quartz_agrees(void **state) {
    (void)state;
    check_instants(&(struct table){.file = "quartz", .expected_rows = 1000}, CRON_DST_CRONIE);
}

/* crond runs a fixed-time line once for each of its minutes in a gap; we run it once: repeats are dropped. */
static int window_agrees(const struct cron_schedule *s, int64_t start, int64_t end, char *expected) {
    int64_t t = start - 1, last = INT64_MIN;
    for (char *word; (word = strsep(&expected, " "));) {
        int64_t want = strcmp(word, "-") == 0 ? CRON_NEVER : strtoll(word, NULL, 10);
        if (want == last)
            continue;
        last = want;
        t = cron_next(s, t);
        if (t != want && !(want == CRON_NEVER && t >= end))
            return 0;
    }
    return last == CRON_NEVER || cron_next(s, t) >= end;
}

static void cronie_agrees_around_transitions(void **state) {
    struct table table = {.file = "cronie-dst", .expected_rows = 245};
    (void)state;
    table_open(&table);
    while (table_next(&table)) {
        struct cron_schedule *s =
            parse(table.column[2], table.column[1], (struct cron_options){.dialect = CRON_CRONIE});
        int64_t start = strtoll(table.column[3], NULL, 10), end = strtoll(table.column[4], NULL, 10);
        if (!window_agrees(s, start, end, table.column[5])) {
            print_message("%s %s differs\n", table.column[0], table.column[2]);
            table.failures++;
        }
        cron_free(s);
    }
    table_check(&table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(robfig_agrees),
        cmocka_unit_test(robfig_agrees_around_transitions),
        cmocka_unit_test(croner_agrees),
        cmocka_unit_test(quartz_agrees),
        cmocka_unit_test(cronie_agrees_around_transitions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
