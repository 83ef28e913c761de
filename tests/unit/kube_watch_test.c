/* List and watch against the fake API server, and how it goes on after every kind of break. */
#include "kube_fixture.h"

#include "kube/watch.h"

static struct fixture fixture;
static int64_t silence_ns; /* of the next watch; 0: as usual */

static struct watch *watch;
static bool free_at_sync;

/* What the callbacks saw, as text: "F" refused for good, "R" relist, "S" synced, "+name:phase" object,
 * "-name" deleted. */
static void on_event(void *ctx, enum watch_event event, struct kube_object *object) {
    (void)ctx;
    char text[128];
    if (event == WATCH_RELIST || event == WATCH_SYNCED)
        (void)snprintf(text, sizeof text, "%s", event == WATCH_RELIST ? "R " : "S ");
    else if (event == WATCH_DELETED)
        (void)snprintf(text, sizeof text, "-%s ", object->name);
    else
        (void)snprintf(text, sizeof text, "+%s:%s ", object->name, object->phase ? object->phase : "");
    if (event == WATCH_SYNCED && free_at_sync)
        watch_free(watch);
    fixture_saw(&fixture, text);
}

static void on_refused(void *ctx, const char *why) {
    (void)ctx;
    assert_string_equal(why, "no Role");
    fixture_saw(&fixture, "F ");
}

static int set_up(void **state) {
    (void)state;
    silence_ns = 0;
    watch = NULL;
    free_at_sync = false;
    fixture_open(&fixture, NULL);
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    watch_free(watch);
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
    assert_int_equal(watch_start(fixture.client, fixture.log, &options, on_event, NULL, &watch, &err), 0);
}

static void until(const char *end) {
    fixture_until(&fixture, end);
}

static void make(const char *name) {
    fixture_make_pod(&fixture, name, "{\"app\":\"x\"}");
}

static void started_with_one_pod(void) {
    make("a");
    start();
    until("S ");
    assert_string_equal(fixture.seen.data, "R +a:Pending S ");
    fixture_pass(&fixture, 100); /* the watch is open now */
    buf_clear(&fixture.seen);
}

static void objects_come_change_and_go(void **state) {
    (void)state;
    started_with_one_pod();
    make("b");
    until("+b:Pending ");
    fixture_set_phase(&fixture, "b", "Running");
    until("+b:Running ");
    fixture_delete_pod(&fixture, "b");
    until("-b ");
    assert_null(strchr(fixture.seen.data, 'R') == fixture.seen.data ? fixture.seen.data : NULL);
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
    assert_non_null(strstr(fixture.seen.data, "R +p000:"));
    assert_non_null(strstr(fixture.seen.data, "+p500:Pending S "));
    assert_int_equal(fixture_count(&fixture, "requests", "\"continue\": "), 1);
}

static void expired_page_starts_the_list_anew(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture,
                  "{\"action\":\"answer\",\"status\":410,\"reason\":\"Expired\",\"path\":\"limit\"}");
    start();
    until("S ");
    assert_string_equal(fixture.seen.data, "R R +a:Pending S ");
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
    assert_string_equal(fixture.seen.data, "+b0:Pending +b1:Pending +b2:Pending +b3:Pending +b4:Pending ");
    assert_int_equal(fixture_count(&fixture, "requests", "\"limit\": \"500\""), 1);
}

static void bookmarks_move_the_point_of_return(void **state) {
    (void)state;
    started_with_one_pod();
    fixture_make_pod(&fixture, "other", "{}");
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
        buf_clear(&fixture.seen);
        /* the version that the watch would go on from is forgotten while it is away */
        fixture_fault(&fixture, "{\"action\":\"delay\",\"seconds\":0.3,\"path\":\"watch=\"}");
        fixture_fault(&fixture, "{\"action\":\"close\",\"in_flight\":true,\"path\":\"watch=\"}");
        make(i ? "c" : "b");
        fixture_control(&fixture, "compact", ways[i]);
        until("S ");
        assert_string_equal(fixture.seen.data,
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
        buf_clear(&fixture.seen);
        start();
        until("S R +a:Pending S ");
        watch_free(watch);
        watch = NULL;
    }
}

static void a_busy_server_is_asked_again_for_the_watch(void **state) {
    (void)state;
    started_with_one_pod();
    fixture_fault(&fixture, "{\"action\":\"answer\",\"path\":\"watch=\",\"status\":429}");
    fixture_fault(&fixture, CUT);
    make("b");
    until("+b:Pending ");
    assert_string_equal(fixture.seen.data, "+b:Pending ");
}

static void a_silent_watch_is_left(void **state) {
    (void)state;
    silence_ns = 2 * NS_PER_S;
    started_with_one_pod();
    fixture_fault(&fixture, "{\"action\":\"stall\",\"in_flight\":true,\"path\":\"watch=\"}");
    make("b");
    until("+b:Pending ");
    assert_string_equal(fixture.seen.data, "+b:Pending ");
}

static void refused_lists_are_tried_again(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture, "{\"action\":\"answer\",\"status\":500,\"times\":2,\"path\":\"limit\"}");
    start();
    until("S ");
    assert_string_equal(fixture.seen.data, "R R R +a:Pending S ");
}

static void lists_refused_for_good_are_told_once(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture, "{\"action\":\"answer\",\"status\":403,\"reason\":\"Forbidden\",\"message\":"
                            "\"no Role\",\"times\":3,\"path\":\"limit\"}");
    start();
    until("S ");
    assert_string_equal(fixture.seen.data, "R R F R R +a:Pending S ");
}

static void a_list_cut_short_is_no_list(void **state) {
    (void)state;
    make("a");
    fixture_fault(&fixture, "{\"action\":\"cut-body\",\"path\":\"limit\"}");
    start();
    until("S ");
    assert_non_null(strstr(fixture.seen.data, "R +a:Pending S "));
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
    assert_string_equal(fixture.seen.data, "R R R +a:Pending S ");
}

static void freed_from_its_callback(void **state) {
    (void)state;
    make("a");
    free_at_sync = true;
    start();
    until("S ");
    watch = NULL;
    make("b");
    fixture_pass(&fixture, 200);
    assert_string_equal(fixture.seen.data, "R +a:Pending S ");
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
    assert_string_equal(fixture.seen.data, "R S ");
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
