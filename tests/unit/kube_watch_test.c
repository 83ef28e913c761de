/* List and watch against the fake API server, and how it goes on after every kind of break. */
#include "kube_fixture.h"

#include "kube/watch.h"

static struct fixture fixture;
static int64_t silence_ns; /* of the next watch; 0: as usual */

/* What the callbacks saw, as text: "F" refused for good, "R" relist, "S" synced, "+name:phase" object,
 * "-name" deleted. */
static struct {
    struct buf text;
    struct watch *watch;
    const char *until; /* stop the loop when the text ends with this */
    bool free_at_sync;
} seen;

static void on_event(void *ctx, enum watch_event event, struct kube_object *object) {
    (void)ctx;
    int rc = 0;
    if (event == WATCH_RELIST || event == WATCH_SYNCED)
        rc = buf_puts(&seen.text, event == WATCH_RELIST ? "R " : "S ");
    else if (event == WATCH_DELETED)
        rc = buf_printf(&seen.text, "-%s ", object->name);
    else
        rc = buf_printf(&seen.text, "+%s:%s ", object->name, object->phase ? object->phase : "");
    assert_int_equal(rc, 0);
    if (event == WATCH_SYNCED && seen.free_at_sync)
        watch_free(seen.watch);
    size_t len = seen.until ? strlen(seen.until) : 0;
    if (seen.until && seen.text.len >= len && !strcmp(seen.text.data + seen.text.len - len, seen.until))
        loop_stop(fixture.loop);
}

static void on_refused(void *ctx, const char *why) {
    (void)ctx;
    assert_string_equal(why, "no Role");
    assert_int_equal(buf_puts(&seen.text, "F "), 0);
}

static int set_up(void **state) {
    (void)state;
    memset(&seen, 0, sizeof seen);
    silence_ns = 0;
    fixture_open(&fixture, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    watch_free(seen.watch);
    buf_free(&seen.text);
    fixture_close(&fixture);
    return 0;
}

static void start(void) {
    struct err err = {0};
    const struct watch_options options = {.kind = KUBE_POD,
                                          .namespace_ = "default",
                                          .label_selector = "app=x",
                                          .silence_ns = silence_ns,
                                          .refused = on_refused};
    assert_int_equal(watch_start(fixture.client, fixture.log, &options, on_event, NULL, &seen.watch, &err),
                     0);
}

static void until(const char *end) {
    seen.until = end;
    fixture_run(&fixture);
    seen.until = NULL;
}

static void make(const char *name) {
    char text[512];
    (void)snprintf(
        text, sizeof text,
        "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"%s\",\"labels\":{\"app\":\"x\"}},"
        "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"x\"}]}}",
        name);
    free(fixture_ask(&fixture, "POST", "/api/v1/namespaces/default/pods", text));
}

static void set_phase(const char *name, const char *phase) {
    char text[256];
    (void)snprintf(text, sizeof text, "{\"name\":\"%s\",\"phase\":\"%s\"}", name, phase);
    fixture_control(&fixture, "pod-phase", text);
}

static void started_with_one_pod(void) {
    make("a");
    start();
    until("S ");
    assert_string_equal(seen.text.data, "R +a:Pending S ");
    fixture_pass(&fixture, 100); /* the watch is open now */
    buf_clear(&seen.text);
}

static void objects_come_change_and_go(void **state) {
    (void)state;
    started_with_one_pod();
    make("b");
    until("+b:Pending ");
    set_phase("b", "Running");
    until("+b:Running ");
    free(fixture_ask(&fixture, "DELETE", "/api/v1/namespaces/default/pods/b?gracePeriodSeconds=0", ""));
    until("-b ");
    assert_null(strchr(seen.text.data, 'R') == seen.text.data ? seen.text.data : NULL);
    assert_int_equal(fixture_count(&fixture, "requests", "\"labelSelector\": \"app=x\""), 2);
    assert_int_equal(fixture_count(&fixture, "requests", "\"limit\": \"500\""), 1);
    assert_int_equal(fixture_count(&fixture, "requests", "\"allowWatchBookmarks\": \"true\""), 1);
}

static void long_lists_come_in_pages(void **state) {
    (void)state;
    char name[16];
    for (int i = 0; i < 501; i++) {
        (void)snprintf(name, sizeof name, "p%03d", i);
        make(name);
    }
    start();
    until("S ");
    assert_non_null(strstr(seen.text.data, "R +p000:"));
    assert_non_null(strstr(seen.text.data, "+p500:Pending S "));
    assert_int_equal(fixture_count(&fixture, "requests", "\"continue\": "), 1);
}

static void expired_page_starts_the_list_anew(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture,
                  "{\"action\":\"answer\",\"status\":410,\"reason\":\"Expired\",\"path\":\"limit\"}");
    start();
    until("S ");
    assert_string_equal(seen.text.data, "R R +a:Pending S ");
}

/* After each of these the watch goes on where it was: no relist, nothing lost. */
static void breaks_are_bridged(void **state) {
    (void)state;
    static const char *const faults[] = {
        "{\"action\":\"close\",\"in_flight\":true,\"path\":\"watch=\"}",
        "{\"action\":\"close\",\"reset\":true,\"in_flight\":true,\"path\":\"watch=\"}",
        "{\"action\":\"end\",\"in_flight\":true,\"path\":\"watch=\"}",
        "{\"action\":\"cut-watch-mid-line\",\"in_flight\":true,\"path\":\"watch=\"}",
        "{\"action\":\"watch-garbage\",\"in_flight\":true,\"path\":\"watch=\"}",
    };
    char name[8], end[32];
    started_with_one_pod();
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        fixture_fault(&fixture, faults[i]);
        (void)snprintf(name, sizeof name, "b%zu", i);
        (void)snprintf(end, sizeof end, "+%s:Pending ", name);
        make(name);
        until(end);
        fixture_pass(&fixture, 100);
    }
    assert_string_equal(seen.text.data, "+b0:Pending +b1:Pending +b2:Pending +b3:Pending +b4:Pending ");
    assert_int_equal(fixture_count(&fixture, "requests", "\"limit\": \"500\""), 1);
}

static void bookmarks_move_the_point_of_return(void **state) {
    (void)state;
    started_with_one_pod();
    free(fixture_ask(&fixture, "POST", "/api/v1/namespaces/default/pods",
                     "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"other\"},"
                     "\"spec\":{\"containers\":[{\"name\":\"main\",\"image\":\"x\"}]}}"));
    fixture_control(&fixture, "bookmarks", "{}");
    fixture_pass(&fixture, 100);
    fixture_fault(&fixture, "{\"action\":\"close\",\"in_flight\":true,\"path\":\"watch=\"}");
    make("b");
    until("+b:Pending ");
    char *text = fixture_ask(&fixture, "GET", "/_test/requests", "");
    const char *first = strstr(text, "\"resourceVersion\": \""),
               *second = strstr(first + 1, "\"resourceVersion\": \"");
    assert_non_null(second);
    assert_true(strtol(second + 20, NULL, 10) > strtol(first + 20, NULL, 10));
    free(text);
}

static void forgotten_versions_relist(void **state) {
    (void)state;
    static const char *const ways[] = {"{\"answer\":\"event\"}", "{\"answer\":\"http\"}"};
    started_with_one_pod();
    for (size_t i = 0; i < 2; i++) {
        buf_clear(&seen.text);
        /* the version that the watch would go on from is forgotten while it is away */
        fixture_fault(&fixture, "{\"action\":\"delay\",\"seconds\":0.3,\"path\":\"watch=\"}");
        fixture_fault(&fixture, "{\"action\":\"close\",\"in_flight\":true,\"path\":\"watch=\"}");
        make(i ? "c" : "b");
        fixture_control(&fixture, "compact", ways[i]);
        until("S ");
        assert_string_equal(seen.text.data,
                            i ? "R +a:Pending +b:Pending +c:Pending S " : "R +a:Pending +b:Pending S ");
        fixture_pass(&fixture, 100);
    }
}

#define CUT "{\"action\":\"close\",\"in_flight\":true,\"path\":\"watch=\"}"

/* Whatever the server has against going on from our version, a list gets us out of it. */
static void refused_watches_relist(void **state) {
    (void)state;
    static const char *const refusals[] = {
        "{\"action\":\"answer\",\"path\":\"watch=\",\"status\":403,\"reason\":\"Forbidden\"}",
        "{\"action\":\"answer\",\"path\":\"watch=\",\"status\":400,\"reason\":\"BadRequest\"}",
        "{\"action\":\"answer\",\"path\":\"watch=\",\"status\":500}",
        "{\"action\":\"answer\",\"path\":\"watch=\",\"status\":200,\"body\":\"{\\\"type\\\":\\\"ERROR\\\","
        "\\\"object\\\":{\\\"kind\\\":\\\"Status\\\",\\\"code\\\":500,\\\"message\\\":\\\"etcd\\\"}}\"}"};
    make("a");
    for (size_t i = 0; i < sizeof refusals / sizeof refusals[0]; i++) {
        fixture_fault(&fixture, refusals[i]);
        start();
        until("S R +a:Pending S ");
        watch_free(seen.watch);
        seen.watch = NULL;
    }
}

static void a_busy_server_is_asked_again_for_the_watch(void **state) {
    (void)state;
    started_with_one_pod();
    fixture_fault(&fixture, "{\"action\":\"answer\",\"path\":\"watch=\",\"status\":429}");
    fixture_fault(&fixture, CUT);
    make("b");
    until("+b:Pending ");
    assert_string_equal(seen.text.data, "+b:Pending ");
}

static void a_silent_watch_is_left(void **state) {
    (void)state;
    silence_ns = 2 * NS_PER_S;
    started_with_one_pod();
    fixture_fault(&fixture, "{\"action\":\"stall\",\"in_flight\":true,\"path\":\"watch=\"}");
    make("b");
    until("+b:Pending ");
    assert_string_equal(seen.text.data, "+b:Pending ");
}

static void refused_lists_are_tried_again(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture, "{\"action\":\"answer\",\"status\":500,\"times\":2,\"path\":\"limit\"}");
    start();
    until("S ");
    assert_string_equal(seen.text.data, "R R R +a:Pending S ");
}

static void lists_refused_for_good_are_told_once(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture, "{\"action\":\"answer\",\"status\":403,\"reason\":\"Forbidden\",\"message\":"
                            "\"no Role\",\"times\":3,\"path\":\"limit\"}");
    start();
    until("S ");
    assert_string_equal(seen.text.data, "R R F R R +a:Pending S ");
}

static void a_list_cut_short_is_no_list(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture, "{\"action\":\"cut-body\",\"path\":\"limit\"}");
    start();
    until("S ");
    assert_non_null(strstr(seen.text.data, "R +a:Pending S "));
    assert_int_equal(fixture_count(&fixture, "requests", "\"limit\": \"500\""), 2);
}

/* Some proxy's 200 must not look as if all objects were gone, nor be asked again without a pause. */
static void an_answer_that_is_no_list_is_tried_again(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture,
                  "{\"action\":\"answer\",\"status\":200,\"body\":\"{}\",\"times\":2,\"path\":\"limit\"}");
    start();
    until("+a:Pending S ");
    assert_string_equal(seen.text.data, "R R R +a:Pending S ");
}

static void freed_from_its_callback(void **state) {
    (void)state;
    make("a");
    seen.free_at_sync = true;
    start();
    until("S ");
    seen.watch = NULL;
    make("b");
    fixture_pass(&fixture, 200);
    assert_string_equal(seen.text.data, "R +a:Pending S ");
}

static void nothing(void *ctx, const struct kube_reply *reply) {
    (void)ctx;
    (void)reply;
}

static void lists_do_not_wait_behind_creates(void **state) {
    (void)state;
    fixture_fault(&fixture, "{\"action\":\"hold\",\"times\":0,\"path\":\"held\"}");
    for (int i = 0; i < 120; i++) {
        struct kube_request request = {
            .lane = KUBE_CREATE, .method = "GET", .path = "/version?held", .done = nothing};
        assert_int_equal(kube_send(fixture.client, &request, NULL, NULL), 0);
    }
    fixture_pass(&fixture, 200);
    start();
    until("S ");
    assert_string_equal(seen.text.data, "R S ");
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(objects_come_change_and_go),
        CASE(long_lists_come_in_pages),
        CASE(expired_page_starts_the_list_anew),
        CASE(breaks_are_bridged),
        CASE(bookmarks_move_the_point_of_return),
        CASE(forgotten_versions_relist),
        CASE(refused_watches_relist),
        CASE(a_busy_server_is_asked_again_for_the_watch),
        CASE(a_silent_watch_is_left),
        CASE(refused_lists_are_tried_again),
        CASE(lists_refused_for_good_are_told_once),
        CASE(a_list_cut_short_is_no_list),
        CASE(an_answer_that_is_no_list_is_tried_again),
        CASE(lists_do_not_wait_behind_creates),
        CASE(freed_from_its_callback),
    };
    return cmocka_run_group_tests_name("kube_watch", tests, NULL, NULL);
}
