/* Starts Lua, the loop, and the program that the command line names: scripts/daemon.lua when it names none,
 * scripts/WORD.lua for a word, the user's own file for a path that ends in .lua. All else is in those. */
#include "bind/hook_host.h"
#include "bind/lua_call.h"
#include "bind/modules.h"
#include "bind/task.h"
#include "local/executor.h"

#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { EXIT_USAGE = 2 };

struct command {
    const char *lua_path;
    const char *script; /* a file of the user's, or NULL */
    char bundled[64];   /* else "scripts/NAME.lua" */
    const char *word;   /* as typed, for messages; NULL for the daemon without a word */
    int first_arg;
};

static bool ends_with(const char *text, const char *end) {
    size_t len = strlen(text), end_len = strlen(end);
    return len > end_len && !strcmp(text + len - end_len, end);
}

/* The value of a --lua-path at argv[at] and how many words it takes; NULL when something else stands there.
 */
static const char *lua_path_at(int argc, char **argv, int at, int *words) {
    if (at >= argc || argv[at][0] != '-')
        return NULL;
    const char *name = argv[at] + (argv[at][1] == '-' ? 2 : 1);
    *words = strcmp(name, "lua-path") ? 1 : 2;
    if (*words == 2)
        return argv[at + 1]; /* NULL behind the last: the command says what is missing */
    return strncmp(name, "lua-path=", 9) ? NULL : name + 9;
}

/* Takes a --lua-path out of argv at `at`, if it stands there; returns how many words are left. */
static int take_lua_path(int argc, char **argv, int at, struct command *command) {
    int words = 0;
    const char *path = lua_path_at(argc, argv, at, &words);
    if (!path)
        return argc;
    command->lua_path = path;
    memmove(argv + at, argv + at + words, (size_t)(argc + 1 - at - words) * sizeof *argv);
    return argc - words;
}

static int take_lua_paths(int argc, char **argv, int at, struct command *command) {
    while (at < argc && strcmp(argv[at], "--") != 0) {
        int left = take_lua_path(argc, argv, at, command);
        at += left == argc;
        argc = left;
    }
    return argc;
}

/* --lua-path may stand before a command or among its options: it decides which Lua the command itself is, so
 * it is taken out here. What stands behind a program of the user's belongs to that. */
static int parse_command(int *count, char **argv, struct command *command) {
    int at = 1;
    command->lua_path = getenv("KUBE_SCHEDULER_LUA");
    int argc = *count = take_lua_path(*count, argv, at, command);
    const char *word = at < argc && argv[at][0] != '-' ? argv[at++] : NULL;
    if (!word && at < argc && (!strcmp(argv[at], "--help") || !strcmp(argv[at], "-h")))
        word = "help";
    if (!word && at < argc && !strcmp(argv[at], "--version"))
        word = "version";
    command->first_arg = at;
    command->word = word;
    if (word && ends_with(word, ".lua")) {
        command->script = word;
        return 0;
    }
    if (!word || !strcmp(word, "run"))
        word = "daemon";
    if (strlen(word) > 32 || strspn(word, "abcdefghijklmnopqrstuvwxyz-") != strlen(word))
        return -1;
    (void)snprintf(command->bundled, sizeof command->bundled, "scripts/%s.lua", word);
    *count = take_lua_paths(argc, argv, at, command);
    return 0;
}

static int load_script(lua_State *L, const struct command *command) {
    if (command->script)
        return luaL_loadfilex(L, command->script, "t");
    return modules_load(L, command->lua_path, command->bundled);
}

/* The global `arg`, as the lua program has it: arguments from 1 on, the script's name at 0. */
static void push_arguments(lua_State *L, int argc, char **argv, const struct command *command) {
    lua_createtable(L, argc, 1);
    lua_pushstring(L, command->script ? command->script : command->bundled);
    lua_rawseti(L, -2, 0);
    for (int i = command->first_arg; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - command->first_arg + 1);
    }
    lua_setglobal(L, "arg");
}

static int no_command(const struct command *command) {
    (void)fprintf(stderr, "kube-scheduler: there is no command '%s'; see kube-scheduler --help\n",
                  command->word ? command->word : "");
    return EXIT_USAGE;
}

static int run(struct host *host, lua_State *L, int argc, char **argv, const struct command *command) {
    luaL_openlibs(L);
    modules_install(L, command->lua_path);
    push_arguments(L, argc, argv, command);
    int rc = load_script(L, command);
    if (rc == LUA_ERRFILE && !command->script)
        return no_command(command);
    if (rc != LUA_OK) {
        (void)fprintf(stderr, "kube-scheduler: %s\n", lua_tostring(L, -1));
        return rc == LUA_ERRFILE ? EXIT_USAGE : EXIT_FAILURE;
    }
    task_main(L);
    if (host->main_ref != LUA_NOREF)
        loop_run(host->loop);
    if (host->main_ref == LUA_NOREF)
        return host->exit_code;
    (void)fprintf(stderr, "kube-scheduler: %s waits for something that cannot happen any more\n",
                  command->script ? command->script : command->bundled);
    return EXIT_FAILURE;
}

int main(int argc, char **argv) {
    if (argc == 2 && !strcmp(argv[1], "--supervise"))
        return local_supervise(); /* needs nothing of the rest */
    (void)signal(SIGPIPE, SIG_IGN);
    if (argc > 1 && !strcmp(argv[1], "--hook-host"))
        return hook_host_main(argc, argv);
    struct err err = {0};
    static struct host host = {.main_ref =
                                   LUA_NOREF}; /* static: what the loop still holds at exit is no leak */
    struct command command = {0};
    if (parse_command(&argc, argv, &command))
        return no_command(&command);
    /* The daemon's log is its output; a command's output is what was asked for, and its log is talk. */
    bool daemon = !command.script && !strcmp(command.bundled, "scripts/daemon.lua");
    lua_State *L = NULL;
    int code = EXIT_FAILURE;
    if (loop_new(&clock_system, &random_system, &host.loop, &err) ||
        log_new(&clock_system, daemon ? STDOUT_FILENO : STDERR_FILENO, &host.log, &err))
        goto out;
    L = luaL_newstate();
    if (!L) {
        (void)err_set(&err, ERR_NOMEM, "out of memory");
        goto out;
    }
    host_attach(L, &host);
    code = run(&host, L, argc, argv, &command);
out:
    if (err.code)
        (void)fprintf(stderr, "kube-scheduler: %s\n", err.message);
    /* The finalizers run: children end, files close. The loop itself goes with the process. */
    if (L)
        lua_close(L);
    log_free(host.log);
    return code;
}
