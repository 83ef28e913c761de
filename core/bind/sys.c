/* Module sys: the little of the operating system that bundled Lua needs. Reading files and folders blocks;
 * it is for start, reload and commands. */
#include "base/buf.h"
#include "bind/task.h"

#include <dirent.h>
#include <errno.h>
#include <lauxlib.h>
#include <limits.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_FILE = 256 << 20 };

static int failed(lua_State *L, const char *what) {
    int code = errno;
    lua_pushnil(L);
    lua_pushfstring(L, "%s: %s", what, strerror(code));
    lua_pushstring(L, code == ENOENT ? "notfound" : "failed");
    return 3;
}

/* sys.read(path) -> text, or nil, message, "notfound" | "failed" */
static int l_read(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    FILE *file = fopen(path, "re");
    if (!file)
        return failed(L, path);
    struct buf text = {0};
    char piece[16384];
    size_t got;
    int rc = 0;
    while (!rc && text.len < MAX_FILE && (got = fread(piece, 1, sizeof piece, file)) > 0)
        rc = buf_append(&text, piece, got);
    int broken = ferror(file), code = errno;
    (void)fclose(file);
    if (rc || broken) {
        buf_free(&text);
        errno = rc ? ENOMEM : code;
        return failed(L, path);
    }
    lua_pushlstring(L, text.data ? text.data : "", text.len);
    buf_free(&text);
    return 1;
}

/* sys.list(folder) -> the names in it, sorted; or nil, message, code */
static int l_list(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    struct dirent **names = NULL;
    int count = scandir(path, &names, NULL, alphasort);
    if (count < 0)
        return failed(L, path);
    lua_createtable(L, count, 0);
    lua_Integer n = 0;
    for (int i = 0; i < count; i++) {
        if (strcmp(names[i]->d_name, ".") != 0 && strcmp(names[i]->d_name, "..") != 0) {
            lua_pushstring(L, names[i]->d_name);
            lua_rawseti(L, -2, ++n);
        }
        free(names[i]);
    }
    free(names);
    return 1;
}

/* sys.kind(path) -> "file", "folder", "other", or nil */
static int l_kind(lua_State *L) {
    struct stat st;
    if (stat(luaL_checkstring(L, 1), &st))
        return 0;
    lua_pushstring(L, S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "folder" : "other");
    return 1;
}

/* sys.real(path) -> the absolute path without links, or nil, message, code */
static int l_real(lua_State *L) {
    const char *path = luaL_checkstring(L, 1);
    char real[PATH_MAX];
    if (!realpath(path, real))
        return failed(L, path);
    lua_pushstring(L, real);
    return 1;
}

/* sys.mkdir(path): with its parents, for the owner alone. true, or nil, message */
static int l_mkdir(lua_State *L) {
    char path[PATH_MAX];
    if (snprintf(path, sizeof path, "%s", luaL_checkstring(L, 1)) >= (int)sizeof path) {
        errno = ENAMETOOLONG;
        return failed(L, "path");
    }
    for (char *slash = path + 1; *slash; slash++)
        if (*slash == '/') {
            *slash = '\0';
            if (mkdir(path, 0700) && errno != EEXIST)
                return failed(L, path);
            *slash = '/';
        }
    if (mkdir(path, 0700) && errno != EEXIST)
        return failed(L, path);
    lua_pushboolean(L, 1);
    return 1;
}

static int l_isatty(lua_State *L) {
    lua_pushboolean(L, isatty((int)luaL_checkinteger(L, 1)));
    return 1;
}

/* sys.columns(fd) -> how wide the terminal is, or nil when it is none */
static int l_columns(lua_State *L) {
    struct winsize size;
    if (ioctl((int)luaL_checkinteger(L, 1), TIOCGWINSZ, &size) || !size.ws_col)
        return 0;
    lua_pushinteger(L, size.ws_col);
    return 1;
}

static int l_hostname(lua_State *L) {
    char name[HOST_NAME_MAX + 1] = "localhost";
    (void)gethostname(name, sizeof name);
    name[sizeof name - 1] = '\0';
    lua_pushstring(L, name);
    return 1;
}

/* sys.user(uid?) -> the user's name, by default ours; "uid 1000" when it has none */
static int l_user(lua_State *L) {
    uid_t uid = lua_isnoneornil(L, 1) ? getuid() : (uid_t)luaL_checkinteger(L, 1);
    char text[4096];
    struct passwd entry, *found = NULL;
    if (!getpwuid_r(uid, &entry, text, sizeof text, &found) && found)
        lua_pushstring(L, found->pw_name);
    else
        lua_pushfstring(L, "uid %I", (lua_Integer)uid);
    return 1;
}

static int l_pid(lua_State *L) {
    lua_pushinteger(L, getpid());
    return 1;
}

/* sys.program() -> the path of this binary */
static int l_program(lua_State *L) {
    char path[PATH_MAX];
    ssize_t len = readlink("/proc/self/exe", path, sizeof path - 1);
    if (len < 0)
        return failed(L, "/proc/self/exe");
    lua_pushlstring(L, path, (size_t)len);
    return 1;
}

/* sys.random(bytes) -> that many random bytes as hex */
static int l_random(lua_State *L) {
    unsigned char bytes[64];
    lua_Integer count = luaL_checkinteger(L, 1);
    luaL_argcheck(L, count > 0 && count <= (lua_Integer)sizeof bytes, 1, "1 to 64 bytes");
    const struct random_source *random = loop_random(host_of(L)->loop);
    if (random->fill(random->ctx, bytes, (size_t)count))
        return luaL_error(L, "no randomness");
    char hex[2 * sizeof bytes + 1];
    for (size_t i = 0; i < (size_t)count; i++)
        (void)snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
    lua_pushstring(L, hex);
    return 1;
}

struct handler {
    lua_State *L; /* the main state */
    int ref;
};

static void on_signal(void *ctx, int signum) {
    struct handler *handler = ctx;
    (void)signum;
    lua_rawgeti(handler->L, LUA_REGISTRYINDEX, handler->ref);
    task_start(handler->L, 0);
}

/* sys.on_signal("TERM" | "INT" | "HUP", function): called as a task, each time, for as long as we live. */
static int l_on_signal(lua_State *L) {
    static const char *const names[] = {"TERM", "INT", "HUP", "USR1", NULL};
    static const int numbers[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};
    int signum = numbers[luaL_checkoption(L, 1, NULL, names)];
    luaL_checktype(L, 2, LUA_TFUNCTION);
    lua_settop(L, 2);
    struct handler *handler = lua_newuserdatauv(L, sizeof *handler, 0);
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    handler->L = lua_tothread(L, -1);
    lua_pop(L, 1);
    luaL_ref(L, LUA_REGISTRYINDEX); /* the handler itself: it lives as long as the state */
    handler->ref = luaL_ref(L, LUA_REGISTRYINDEX);
    struct loop_signal *signal = NULL;
    struct err err = {0};
    if (loop_signal_new(host_of(L)->loop, signum, on_signal, handler, &signal, &err))
        return luaL_error(L, "%s", err.message);
    return 0;
}

static const luaL_Reg functions[] = {{"read", l_read},
                                     {"list", l_list},
                                     {"kind", l_kind},
                                     {"real", l_real},
                                     {"mkdir", l_mkdir},
                                     {"isatty", l_isatty},
                                     {"columns", l_columns},
                                     {"hostname", l_hostname},
                                     {"pid", l_pid},
                                     {"user", l_user},
                                     {"program", l_program},
                                     {"random", l_random},
                                     {"on_signal", l_on_signal},
                                     {NULL, NULL}};

int luaopen_ks_sys(lua_State *L);
int luaopen_ks_sys(lua_State *L) {
    luaL_newlib(L, functions);
    lua_pushstring(L, KS_VERSION);
    lua_setfield(L, -2, "version");
    return 1;
}
