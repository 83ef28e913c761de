/* core/local/command.c: what a manifest means as a process. */
#include "local/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct command read_container(const char *container) {
    char manifest[2048];
    struct command command;
    struct err err;
    int len = snprintf(manifest, sizeof manifest, "{\"spec\": {\"containers\": [%s]}}", container);
    if (command_read(manifest, (size_t)len, false, &command, &err))
        fail_msg("%s: %s", container, err.message);
    return command;
}

static const char *value_of(const struct command *command, const char *name) {
    size_t len = strlen(name);
    for (size_t i = 0; i < command->env.count; i++)
        if (!strncmp(command->env.items[i], name, len) && command->env.items[i][len] == '=')
            return command->env.items[i] + len + 1;
    return NULL;
}

static void expands_variables_as_kubernetes_does(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"$(A)", "one"},        {"-$(A)$(B)-", "-onetwo-"},
                                           {"$$(A)", "$(A)"},      {"$$$(A)", "$one"},
                                           {"$(NONE)", "$(NONE)"}, {"$(A", "$(A"},
                                           {"$A ${A}", "$A ${A}"}, {"$", "$"},
                                           {"a$$", "a$"},          {"$()", "$()"},
                                           {"$(PATH)", "$(PATH)"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char container[512];
        snprintf(container, sizeof container,
                 "{\"env\": [{\"name\": \"A\", \"value\": \"one\"}, {\"name\": \"B\", \"value\": \"two\"}],"
                 " \"command\": [\"%s\"], \"args\": [\"%s\"]}",
                 cases[i][0], cases[i][0]);
        struct command command = read_container(container);
        assert_int_equal(command.argv.count, 2);
        assert_string_equal(command.argv.items[0], cases[i][1]);
        assert_string_equal(command.argv.items[1], cases[i][1]);
        assert_null(command.argv.items[2]);
        command_free(&command);
    }
}

static void expands_values_with_earlier_variables_only(void **state) {
    (void)state;
    struct command command =
        read_container("{\"command\": [\"x\"], \"env\": [{\"name\": \"A\", \"value\": \"$(B)\"},"
                       " {\"name\": \"B\", \"value\": \"2\"}, {\"name\": \"C\", \"value\": \"$(B)$(C)\"},"
                       " {\"name\": \"B\", \"value\": \"3\"}, {\"name\": \"D\"}]}");
    assert_string_equal(value_of(&command, "A"), "$(B)");
    assert_string_equal(value_of(&command, "B"), "3");
    assert_string_equal(value_of(&command, "C"), "2$(C)");
    assert_string_equal(value_of(&command, "D"), "");
    command_free(&command);
}

static void inherits_little_and_lets_the_container_win(void **state) {
    (void)state;
    setenv("HOME", "/of/the/daemon", 1);
    setenv("TZ", "UTC", 1);
    setenv("KUBECONFIG", "/secret", 1);
    unsetenv("PATH");
    struct command command =
        read_container("{\"command\": [\"x\"], \"env\": [{\"name\": \"TZ\", \"value\": \"Asia/Tokyo\"}]}");
    assert_string_equal(value_of(&command, "HOME"), "/of/the/daemon");
    assert_string_equal(value_of(&command, "TZ"), "Asia/Tokyo");
    assert_non_null(strstr(value_of(&command, "PATH"), "/usr/bin"));
    assert_null(value_of(&command, "KUBECONFIG"));
    command_free(&command);
}

static void lists_what_needs_a_cluster(void **state) {
    (void)state;
    struct command command =
        read_container("{\"name\": \"c\", \"image\": \"perl\", \"command\": [\"x\"], \"workingDir\": \"/w\", "
                       "\"envFrom\": [],"
                       " \"env\": [{\"name\": \"K\", \"valueFrom\": {}}]}, {\"name\": \"sidecar\"}");
    assert_string_equal(command.ignored, "env K (valueFrom), image, envFrom, container sidecar");
    assert_string_equal(command.container, "c");
    assert_string_equal(command.cwd, "/w");
    assert_null(value_of(&command, "K"));
    command_free(&command);
    command = read_container("{\"command\": [\"x\"]}");
    assert_null(command.ignored);
    command_free(&command);
}

static void takes_the_shorter_deadline(void **state) {
    (void)state;
    static const struct {
        const char *job, *pod;
        int64_t deadline;
    } cases[] = {{"", "", 0},
                 {"\"activeDeadlineSeconds\": 5,", "", 5},
                 {"", "\"activeDeadlineSeconds\": 6,", 6},
                 {"\"activeDeadlineSeconds\": 5,", "\"activeDeadlineSeconds\": 6,", 5},
                 {"\"activeDeadlineSeconds\": 7,", "\"activeDeadlineSeconds\": 6,", 6}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char manifest[512];
        struct command command;
        int len = snprintf(
            manifest, sizeof manifest,
            "{\"spec\": {%s \"template\": {\"spec\": {%s \"containers\": [{\"command\": [\"x\"]}]}}}}",
            cases[i].job, cases[i].pod);
        assert_int_equal(command_read(manifest, (size_t)len, true, &command, NULL), 0);
        assert_int_equal(command.deadline, cases[i].deadline);
        assert_int_equal(command.grace, COMMAND_GRACE);
        command_free(&command);
    }
}

static void says_what_to_write_instead(void **state) {
    (void)state;
    static const char *const cases[][2] = {
        {"{\"image\": \"perl\"}", "set 'command' in the template's first container"},
        {"{\"image\": \"perl\", \"args\": [\"-e\", \"1\"]}", "set 'command'"},
        {"{\"command\": []}", "set 'command'"},
        {"{\"command\": \"perl\"}", "'command' must be a list of strings"},
        {"{\"command\": [\"x\"], \"args\": [\"y\", 1]}", "args[1] must be a string: put it in quotes"},
        {"{\"command\": [\"x\\u0000\"]}", "command[0] must be a string"},
        {"{\"command\": [\"x\"], \"env\": [{\"value\": \"1\"}]}", "needs a name"},
        {"{\"command\": [\"x\"], \"env\": [{\"name\": \"A=B\"}]}", "without '='"},
        {"{\"command\": [\"x\"], \"env\": [{\"name\": \"A\", \"value\": 1}]}",
         "the value of env A must be a string"},
        {"", "set 'command'"},
        {"{]", "manifest, line 1"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char manifest[512];
        struct command command;
        struct err err = {0};
        int len = snprintf(manifest, sizeof manifest, "{\"spec\": {\"containers\": [%s]}}", cases[i][0]);
        assert_int_equal(command_read(manifest, (size_t)len, false, &command, &err), ERR_INVALID);
        if (!strstr(err.message, cases[i][1]))
            fail_msg("\"%s\" is not in \"%s\"", cases[i][1], err.message);
        command_free(&command);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expands_variables_as_kubernetes_does),
        cmocka_unit_test(expands_values_with_earlier_variables_only),
        cmocka_unit_test(inherits_little_and_lets_the_container_win),
        cmocka_unit_test(lists_what_needs_a_cluster),
        cmocka_unit_test(takes_the_shorter_deadline),
        cmocka_unit_test(says_what_to_write_instead),
    };
    return cmocka_run_group_tests_name("local command", tests, NULL, NULL);
}
