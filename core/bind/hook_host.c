#include "bind/hook_host.h"

#include "bind/hook_guard.h"
#include "bind/modules.h"

#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <lualib.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* The two ends of the pipe to the daemon. */
struct channel {
    FILE *in;
    int out;
    char *line;
    size_t capacity;
};

/* Moves the pipe away from descriptors 0 and 1, so that nothing printed by mistake can look like a message:
 * what goes to standard output arrives on standard error, which the daemon logs. */
static int open_channel(struct channel *channel) {
    if (close_range(3, ~0U, 0))
        return -1;
    int in = fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3);
    channel->out = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (in < 0 || channel->out < 0 || null < 0 || dup2(null, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0)
        return -1;
    (void)close(null);
    channel->in = fdopen(in, "r");
    return channel->in ? 0 : -1;
}

/* No core file (it would hold the hooks' secrets), and no life after the daemon, even in an endless loop. */
static int confine(void) {
    struct rlimit none = {0};
    (void)prctl(PR_SET_NAME, "hook-host");
    return setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_PDEATHSIG, SIGKILL);
}

/* channel.read() -> the daemon's next line, nil at the end */
static int l_read(lua_State *L) {
    struct channel *channel = lua_touserdata(L, lua_upvalueindex(1));
    ssize_t len = getline(&channel->line, &channel->capacity, channel->in);
    if (len <= 0)
        return 0;
    lua_pushlstring(L, channel->line, (size_t)len - (channel->line[len - 1] == '\n'));
    return 1;
}

/* channel.write(line) */
static int l_write(lua_State *L) {
    struct channel *channel = lua_touserdata(L, lua_upvalueindex(1));
    size_t len = 0;
    const char *text = luaL_checklstring(L, 1, &len);
    while (len > 0) {
        ssize_t n = write(channel->out, text, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return luaL_error(L, "the daemon does not listen: %s", strerror(errno));
        text += n;
        len -= (size_t)n;
    }
    return 0;
}

static const luaL_Reg functions[] = {{"read", l_read}, {"write", l_write}, {NULL, NULL}};

/* Libraries for the runner; what operators get of them, lua/hooks/sandbox.lua says. */
static void open_libraries(lua_State *L) {
    static const luaL_Reg libraries[] = {{LUA_GNAME, luaopen_base},
                                         {LUA_LOADLIBNAME, luaopen_package},
                                         {LUA_COLIBNAME, luaopen_coroutine},
                                         {LUA_TABLIBNAME, luaopen_table},
                                         {LUA_OSLIBNAME, luaopen_os},
                                         {LUA_STRLIBNAME, luaopen_string},
                                         {LUA_MATHLIBNAME, luaopen_math},
                                         {LUA_UTF8LIBNAME, luaopen_utf8},
                                         {LUA_DBLIBNAME, luaopen_debug},
                                         {"guard", luaopen_ks_hook_guard},
                                         {NULL, NULL}};
    for (const luaL_Reg *at = libraries; at->name; at++) {
        luaL_requiref(L, at->name, at->func, 1);
        lua_pop(L, 1);
    }
    modules_install(L, NULL); /* for cjson, and our own Lua */
}

static int run(lua_State *L) {
    struct channel *channel = lua_touserdata(L, 1);
    open_libraries(L);
    luaL_newlibtable(L, functions);
    lua_pushlightuserdata(L, channel);
    luaL_setfuncs(L, functions, 1);
    lua_setglobal(L, "channel");
    if (modules_load(L, NULL, "lua/hooks/host.lua"))
        return lua_error(L);
    lua_call(L, 0, 0);
    return 0;
}

static int fail(const char *what, const char *why) {
    (void)fprintf(stderr, "hook host: %s: %s\n", what, why ? why : "error without a message");
    return EXIT_FAILURE;
}

int hook_host_main(int argc, char **argv) {
    (void)argc;
    (void)argv;
    struct channel channel = {.out = -1};
    if (confine() || open_channel(&channel))
        return fail("start", strerror(errno));
    struct hook_guard guard;
    lua_State *L = hook_guard_new_state(&guard);
    if (!L)
        return fail("start", "out of memory");
    lua_pushcfunction(L, run);
    lua_pushlightuserdata(L, &channel);
    int code = EXIT_SUCCESS;
    if (lua_pcall(L, 1, 0, 0))
        code = fail("runner", lua_tostring(L, -1));
    lua_close(L); /* runs no operators' code: hooks cannot set finalizers */
    (void)fclose(channel.in);
    free(channel.line);
    return code;
}
