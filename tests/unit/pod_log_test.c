/* Output of containers, followed through every kind of break: no line twice, none lost. */
#include "kube_fixture.h"

#include "kube/pod_log.h"

static struct fixture fixture;

static struct {
    struct pod_log *log;
    int lines, done;
    size_t longest;
    struct err err;
    bool free_in_line;
} seen; /* beside the lines, each with a | behind it, in fixture.seen */

static void on_line(void *ctx, const char *line, size_t len) {
    (void)ctx;
    seen.lines++;
    seen.longest = len > seen.longest ? len : seen.longest;
    assert_int_equal(buf_append(&fixture.seen, line, len), 0);
    if (seen.free_in_line) {
        pod_log_free(seen.log);
        seen.log = NULL;
    }
    fixture_saw(&fixture, "|");
}

static void on_done(void *ctx, const struct err *err) {
    (void)ctx;
    seen.done++;
    seen.err = err ? *err : (struct err){0};
    loop_stop(fixture.loop);
}

static int set_up(void **state) {
    (void)state;
    memset(&seen, 0, sizeof seen);
    fixture_open(&fixture, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    pod_log_free(seen.log);
    fixture_close(&fixture);
    return 0;
}

static void make(const char *name) {
    fixture_make_pod(&fixture, name, "{}");
}

static void set_phase(const char *name, const char *phase) {
    fixture_set_phase(&fixture, name, phase);
}

static void print(const char *name, const char *text) {
    struct buf json = {0};
    assert_int_equal(buf_printf(&json, "{\"name\":\"%s\",\"text\":\"%s\"}", name, text), 0);
    fixture_control(&fixture, "log", json.data);
    buf_free(&json);
}

static struct pod_log *follow(const char *pod, int64_t since) {
    static const struct pod_log_events events = {.line = on_line, .done = on_done};
    struct pod_log *log = NULL;
    struct err err = {0};
    assert_int_equal(
        pod_log_follow(fixture.client, "default", pod, "main", since, 0, &events, NULL, &log, &err), 0);
    return log;
}

static void until(const char *end) {
    fixture_until(&fixture, end);
}

static void running(void) {
    make("a");
    set_phase("a", "Running");
    seen.log = follow("a", 0);
}

static void finished(void) {
    set_phase("a", "Succeeded");
    pod_log_finish(seen.log);
    if (!seen.done)
        fixture_run(&fixture);
    assert_int_equal(seen.done, 1);
    assert_int_equal(seen.err.code, 0);
}

static void lines_come_as_they_are_written(void **state) {
    (void)state;
    running();
    print("a", "one\\n\\n2024-01-01T00:00:00Z in the text");
    until("text|");
    print("a", "two");
    until("two|");
    assert_int_equal(seen.done, 0);
    finished();
    assert_string_equal(fixture.seen.data, "one||2024-01-01T00:00:00Z in the text|two|");
}

static void ended_before_it_was_followed(void **state) {
    (void)state;
    make("a");
    set_phase("a", "Running");
    print("a", "one\\ntwo");
    set_phase("a", "Succeeded");
    seen.log = follow("a", 0);
    pod_log_finish(seen.log);
    fixture_run(&fixture);
    assert_int_equal(seen.done, 1);
    assert_string_equal(fixture.seen.data, "one|two|");
}

static void not_started_yet(void **state) {
    (void)state;
    seen.log = follow("a", 0); /* 404, and then 400 ContainerCreating */
    fixture_pass(&fixture, 100);
    make("a");
    fixture_pass(&fixture, 400);
    set_phase("a", "Running");
    print("a", "one");
    until("one|");
    finished();
}

static void breaks_are_bridged(void **state) {
    (void)state;
    static const char *const faults[] = {
        "{\"action\":\"close\",\"in_flight\":true,\"path\":\"/log\"}",
        "{\"action\":\"close\",\"reset\":true,\"in_flight\":true,\"path\":\"/log\"}",
        "{\"action\":\"cut-watch-mid-line\",\"in_flight\":true,\"path\":\"/log\"}",
        "{\"action\":\"end\",\"in_flight\":true,\"path\":\"/log\"}", /* while the container goes on */
    };
    char text[32], end[32];
    running();
    print("a", "one\\ntwo\\nthree");
    until("three|");
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        fixture_fault(&fixture, faults[i]);
        (void)snprintf(text, sizeof text, "a%zu\\nb%zu", i, i);
        (void)snprintf(end, sizeof end, "b%zu|", i);
        print("a", text);
        until(end);
        fixture_pass(&fixture, 50);
    }
    finished();
    assert_string_equal(fixture.seen.data, "one|two|three|a0|b0|a1|b1|a2|b2|a3|b3|");
}

static void the_end_is_read_although_the_follow_broke(void **state) {
    (void)state;
    running();
    print("a", "one");
    until("one|");
    fixture_fault(&fixture, "{\"action\":\"close\",\"in_flight\":true,\"path\":\"/log\"}");
    print("a", "two");
    finished();
    assert_string_equal(fixture.seen.data, "one|two|");
}

/* Behind a proxy a follow can stand still for ever; the end is had all the same. */
static void the_end_is_read_although_the_follow_stands_still(void **state) {
    (void)state;
    running();
    print("a", "one");
    until("one|");
    fixture_fault(&fixture, "{\"action\":\"stall\",\"in_flight\":true,\"path\":\"/log\"}");
    print("a", "two");
    finished();
    assert_string_equal(fixture.seen.data, "one|two|");
}

static void much_output_arrives_whole(void **state) {
    (void)state;
    struct buf text = {0}, expected = {0};
    running();
    for (int round = 0; round < 10; round++) {
        buf_clear(&text);
        for (int i = 0; i < 2000; i++) {
            assert_int_equal(buf_printf(&text, "%d line %d\\n", round, i), 0);
            assert_int_equal(buf_printf(&expected, "%d line %d|", round, i), 0);
        }
        print("a", text.data);
    }
    finished();
    assert_int_equal(seen.lines, 20000);
    assert_string_equal(fixture.seen.data, expected.data);
    buf_free(&text);
    buf_free(&expected);
}

static void long_lines_come_in_pieces(void **state) {
    (void)state;
    struct buf text = {0};
    running();
    assert_int_equal(buf_puts(&text, "x"), 0); /* so that each limit falls into an ä */
    for (int i = 0; i < 20000; i++)
        assert_int_equal(buf_puts(&text, "\xc3\xa4"), 0);
    print("a", text.data);
    print("a", "after");
    until("after|");
    finished();
    assert_int_equal(seen.lines, 4);
    assert_int_equal(seen.longest, POD_LOG_LINE_MAX);
    assert_int_equal(fixture.seen.data[POD_LOG_LINE_MAX - 1], '|');
    assert_int_equal(fixture.seen.len, text.len + 3 + 6);
    assert_non_null(strstr(fixture.seen.data, "\xc3\xa4|\xc3\xa4"));
    buf_free(&text);
}

/* A break behind the first pieces of a long line: they do not come again, the rest does. */
static void long_line_cut_short(void **state) {
    (void)state;
    struct buf text = {0};
    running();
    print("a", "before");
    until("before|");
    fixture_fault(&fixture, "{\"action\":\"cut-watch-mid-line\",\"in_flight\":true,\"path\":\"/log\"}");
    for (int i = 0; i < 50000; i++)
        assert_int_equal(buf_puts(&text, "y"), 0);
    print("a", text.data);
    print("a", "after");
    until("after|");
    finished();
    assert_int_equal(fixture.seen.len, 7 + 50000 + 4 + 6);
    buf_free(&text);
}

static void last_line_without_an_end(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture,
                  "{\"action\":\"answer\",\"status\":200,\"times\":0,\"path\":\"/log\","
                  "\"body\":\"2024-01-01T00:00:00.1Z one\\n2024-01-01T00:00:00.2Z two\\nno stamp\"}");
    seen.log = follow("a", 0);
    until("two|");
    fixture_pass(&fixture, 50);
    pod_log_finish(seen.log);
    fixture_run(&fixture);
    assert_int_equal(seen.done, 1);
    assert_string_equal(fixture.seen.data, "one|two|no stamp|");
}

/* A container that is started again within a second has a log of its own. */
static void lines_of_a_second_start_are_not_taken_for_old_ones(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture, "{\"action\":\"answer\",\"status\":200,\"path\":\"/log\","
                            "\"body\":\"2024-01-01T00:00:00.1Z one\\n2024-01-01T00:00:00.2Z two\\n\"}");
    fixture_fault(&fixture,
                  "{\"action\":\"answer\",\"status\":200,\"path\":\"sinceTime=2024-01-01T00:00:00Z\","
                  "\"body\":\"2024-01-01T00:00:00.3Z three\\n\"}");
    seen.log = follow("a", 0);
    until("three|");
    assert_string_equal(fixture.seen.data, "one|two|three|");
}

static void since_leaves_out_what_is_older(void **state) {
    (void)state;
    make("a");
    set_phase("a", "Running");
    print("a", "old");
    fixture_pass(&fixture, 1100);
    seen.log = follow("a", clock_seconds(&clock_system));
    print("a", "new");
    until("new|");
    assert_string_equal(fixture.seen.data, "new|");
}

static void gone_pod_is_an_error(void **state) {
    (void)state;
    running();
    print("a", "one");
    until("one|");
    fixture_delete_pod(&fixture, "a");
    pod_log_finish(seen.log);
    fixture_run(&fixture);
    assert_int_equal(seen.err.code, ERR_IO);
    assert_non_null(strstr(seen.err.message, "not found"));
}

static void waiting_logs_are_read_when_finished(void **state) {
    (void)state;
    struct pod_log *logs[51];
    make("a");
    set_phase("a", "Running");
    for (size_t i = 0; i < 51; i++)
        logs[i] = follow("a", 0);
    fixture_pass(&fixture, 500);
    assert_int_equal(fixture_count(&fixture, "requests", "\"follow\": \"true\""), 50);
    print("a", "one");
    fixture_pass(&fixture, 200);
    assert_int_equal(seen.lines, 50);
    pod_log_finish(logs[50]);
    fixture_run(&fixture);
    assert_int_equal(seen.lines, 51);
    assert_int_equal(seen.done, 1);
    for (size_t i = 0; i < 51; i++)
        pod_log_free(logs[i]);
}

static void freed_from_its_callback(void **state) {
    (void)state;
    seen.free_in_line = true;
    running();
    print("a", "one\\ntwo");
    fixture_pass(&fixture, 300);
    assert_string_equal(fixture.seen.data, "one|");
    assert_int_equal(seen.done, 0);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(lines_come_as_they_are_written),
        CASE(ended_before_it_was_followed),
        CASE(not_started_yet),
        CASE(breaks_are_bridged),
        CASE(the_end_is_read_although_the_follow_broke),
        CASE(the_end_is_read_although_the_follow_stands_still),
        CASE(much_output_arrives_whole),
        CASE(long_lines_come_in_pieces),
        CASE(long_line_cut_short),
        CASE(last_line_without_an_end),
        CASE(lines_of_a_second_start_are_not_taken_for_old_ones),
        CASE(since_leaves_out_what_is_older),
        CASE(gone_pod_is_an_error),
        CASE(waiting_logs_are_read_when_finished),
        CASE(freed_from_its_callback),
    };
    return cmocka_run_group_tests_name("pod_log", tests, NULL, NULL);
}
