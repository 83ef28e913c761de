/* Executes the tables of core/cron/README.md. */
#include "cron_help.h"

#define COLUMNS 5

struct readme {
    FILE *stream;
    char line[1024];
    char *column[COLUMNS];
};

static void open_at(struct readme *readme, const char *heading) {
    readme->stream = fopen("core/cron/README.md", "r");
    assert_non_null(readme->stream);
    while (fgets(readme->line, sizeof readme->line, readme->stream))
        if (strncmp(readme->line, heading, strlen(heading)) == 0)
            return;
    fail_msg("README.md has no heading %s", heading);
}

static char *trim(char *text) {
    static const char edge[] = " `\n";
    text += strspn(text, edge);
    for (size_t len = strlen(text); len && strchr(edge, text[len - 1]); len--)
        text[len - 1] = '\0';
    return text;
}

/* The next row of the table below the heading, without its head; 0 at the next heading. */
static int next_row(struct readme *readme) {
    while (fgets(readme->line, sizeof readme->line, readme->stream) && readme->line[0] != '#') {
        if (readme->line[0] != '|' || !strchr(readme->line, '`'))
            continue;
        char *rest = readme->line + 1;
        for (size_t i = 0; i < COLUMNS; i++)
            readme->column[i] = rest ? trim(strsep(&rest, "|")) : NULL;
        return 1;
    }
    (void)fclose(readme->stream);
    return 0;
}

static enum cron_dst policy(const char *name) {
    if (strcmp(name, "robfig") == 0)
        return CRON_DST_ROBFIG;
    if (strcmp(name, "skip") == 0)
        return CRON_DST_SKIP;
    assert_string_equal(name, "cronie");
    return CRON_DST_CRONIE;
}

/* Zone, expression, policy, after, next slots. */
static void check_case(char *column[COLUMNS]) {
    char text[64];
    struct cron_options options = {.zone = must_load(column[0]), .dst = policy(column[2])};
    struct cron_schedule *s = must_parse(column[1], &options);
    int64_t t = instant(column[3]);
    for (char *slot; (slot = strsep(&column[4], ","));) {
        t = cron_next(s, t);
        slot = trim(slot);
        if (strcmp(instant_text(options.zone, t, text), slot) != 0)
            fail_msg("%s %s %s: expected %s, got %s", column[0], column[1], column[2], slot, text);
    }
    cron_free(s);
    cron_zone_unref(options.zone);
}

static void daylight_saving_cases_hold(void **state) {
    struct readme readme;
    size_t rows = 0;
    (void)state;
    open_at(&readme, "### Cases");
    for (; next_row(&readme); rows++)
        check_case(readme.column);
    assert_true(rows >= 40);
}

/* Expression, meaning, first slot. */
static void check_example(char *column[COLUMNS]) {
    struct cron_options options = {.hash_key = "report"};
    struct buf meaning = {0};
    struct cron_schedule *s = must_parse(column[0], &options);
    assert_int_equal(cron_describe(s, &meaning), 0);
    assert_string_equal(meaning.data, column[1]);
    assert_int_equal(cron_next(s, instant("2024-01-01T00:00:00Z") - 1), instant(column[2]));
    buf_free(&meaning);
    cron_free(s);
}

static void examples_hold(void **state) {
    struct readme readme;
    size_t rows = 0;
    (void)state;
    open_at(&readme, "### Examples");
    for (; next_row(&readme); rows++)
        check_example(readme.column);
    assert_true(rows >= 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(daylight_saving_cases_hold),
        cmocka_unit_test(examples_hold),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
