/* Module editline: lines typed at a terminal, edited by libedit while the loop goes on.
 *   local e = editline.open {complete = function(before) … end, history = FILE or nil}
 *   local line, why = e:read(prompt)      -- waits; nil, "end" (Ctrl-D) or "interrupt" (Ctrl-C)
 *   e:remember(line)                      -- in the history, which the file keeps for the next session
 *   e:interrupted()                       -- Ctrl-C since it was last asked, also while Lua computes
 *   e:on_interrupt(f)                     -- f() for a Ctrl-C while no line is read
 *   e:close()                             -- give the terminal back; until then the editor lives
 * complete gets the line up to the cursor, and gives what to insert there and what to list below it, either
 * nil.
 *
 * The terminal is raw only while a line is read. Ctrl-C raises a signal in either case; besides libuv's
 * handler one of our own takes note, since libuv tells only on the loop's next turn. */
#include "bind/task.h"
#include "bind/type.h"

#include <errno.h>
#include <histedit.h>
#include <lauxlib.h>
#include <locale.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HISTORY_LINES = 1000 };
enum { USER_COMPLETE = 1, USER_HISTORY, USER_ON_INTERRUPT, USER_VALUES = USER_ON_INTERRUPT };
static const char type_name[] = "editline";

struct editor {
    EditLine *edit;
    History *history;
    lua_State *L; /* the main state */
    int self;     /* the userdata, in the registry until it is closed */
    uv_poll_t *input;
    struct loop_signal *interrupt;
    struct task_wait *reader; /* who waits for a line; NULL: nobody */
    char prompt[64];
};

/* A signal handler can reach nothing but these. */
static volatile sig_atomic_t interrupts;
static void (*libuv_handler)(int signum);

static void note_interrupt(int signum) {
    interrupts = 1;
    libuv_handler(signum);
}

/* Goes before the handler that libuv has installed. */
static void note_interrupts(void) {
    struct sigaction action;
    if (sigaction(SIGINT, NULL, &action) || action.sa_handler == note_interrupt)
        return;
    libuv_handler = action.sa_handler;
    action.sa_handler = note_interrupt;
    (void)sigaction(SIGINT, &action, NULL);
}

static struct editor *check(lua_State *L) {
    struct editor *editor = luaL_checkudata(L, 1, type_name);
    if (!editor->edit)
        luaL_error(L, "the editor is closed");
    return editor;
}

static struct editor *editor_of(EditLine *edit) {
    struct editor *editor = NULL;
    (void)el_get(edit, EL_CLIENTDATA, &editor);
    return editor;
}

static char *prompt_of(EditLine *edit) {
    return editor_of(edit)->prompt;
}

/* Pushes a value that belongs to the editor. */
static void push_own(struct editor *editor, int which) {
    lua_rawgeti(editor->L, LUA_REGISTRYINDEX, editor->self);
    lua_getiuservalue(editor->L, -1, which);
    lua_remove(editor->L, -2);
}

/* The key TAB. */
static unsigned char complete(EditLine *edit, int key) {
    (void)key;
    struct editor *editor = editor_of(edit);
    lua_State *L = editor->L;
    const LineInfo *line = el_line(edit);
    struct err err = {0};
    push_own(editor, USER_COMPLETE);
    lua_pushlstring(L, line->buffer, (size_t)(line->cursor - line->buffer));
    if (lua_call_protected(L, 1, 2, &err))
        return CC_ERROR;
    const char *insert = lua_tostring(L, -2), *list = lua_tostring(L, -1);
    unsigned char next = insert || list ? CC_REFRESH : CC_ERROR;
    if (insert && el_insertstr(edit, insert))
        next = CC_ERROR;
    if (list) {
        (void)fprintf(stdout, "\n%s\n", list);
        (void)fflush(stdout);
        next = CC_REDISPLAY;
    }
    lua_pop(L, 2);
    return next;
}

/* Reading */

static void stop_reading(struct editor *editor) {
    (void)uv_poll_stop(editor->input);
    (void)el_set(editor->edit, EL_UNBUFFERED, 0); /* the terminal is as it was */
}

/* The reader goes on with line, or with nil and why. */
static void give(struct editor *editor, const char *line, size_t len, const char *why) {
    struct task_wait *reader = editor->reader;
    lua_State *co = task_wait_state(reader);
    editor->reader = NULL;
    if (line)
        lua_pushlstring(co, line, len);
    else
        lua_pushnil(co);
    lua_pushstring(co, why);
    task_wait_resume(reader, 2);
}

static void end_of_input(struct editor *editor) {
    (void)fputc('\n', stdout);
    stop_reading(editor);
    give(editor, NULL, 0, "end");
}

/* A key was pressed: libedit takes one at a time, and gives the line so far. */
static void typed(uv_poll_t *input, int status, int events) {
    (void)events;
    struct editor *editor = input->data;
    int count = 0;
    errno = 0;
    const char *line = status < 0 ? NULL : el_gets(editor->edit, &count);
    if (!line || count <= 0) {
        if (status < 0 || (errno && errno != EINTR && errno != EAGAIN))
            end_of_input(editor); /* the terminal is gone */
        return;
    }
    char last = line[count - 1];
    if (count == 1 && last == ('D' & 0x1f)) {
        end_of_input(editor);
    } else if (last == '\n' || last == '\r') {
        stop_reading(editor); /* leaves the line where it is */
        give(editor, line, (size_t)count - 1, NULL);
    }
}

static void interrupted(void *ctx, int signum) {
    (void)signum;
    struct editor *editor = ctx;
    if (!interrupts)
        return; /* it has ended what computed; the loop tells of it only now */
    interrupts = 0;
    if (editor->reader) {
        (void)fputs("^C\n", stdout);
        stop_reading(editor);
        el_reset(editor->edit);
        give(editor, NULL, 0, "interrupt");
        return;
    }
    push_own(editor, USER_ON_INTERRUPT);
    if (lua_isfunction(editor->L, -1))
        task_start(editor->L, 0);
    else
        lua_pop(editor->L, 1);
}

static int l_on_interrupt(lua_State *L) {
    (void)check(L);
    lua_settop(L, 2);
    lua_setiuservalue(L, 1, USER_ON_INTERRUPT);
    return 0;
}

static int l_read(lua_State *L) {
    struct editor *editor = check(L);
    const char *prompt = luaL_checkstring(L, 2);
    if (editor->reader)
        return luaL_error(L, "a line is being read already");
    struct task_wait *wait = task_wait_new(L);
    (void)snprintf(editor->prompt, sizeof editor->prompt, "%s", prompt);
    editor->reader = wait;
    (void)fflush(stdout);
    (void)el_set(editor->edit, EL_UNBUFFERED, 1); /* raw, and the prompt is shown */
    (void)uv_poll_start(editor->input, UV_READABLE, typed);
    return task_wait_yield(L, wait);
}

/* History */

static int l_remember(lua_State *L) {
    struct editor *editor = check(L);
    HistEvent event;
    (void)history(editor->history, &event, H_ENTER, luaL_checkstring(L, 2));
    lua_getiuservalue(L, 1, USER_HISTORY);
    const char *path = lua_tostring(L, -1);
    if (path) /* at once: a session may end in any way. A file that cannot be written is not worth a word */
        (void)history(editor->history, &event, H_SAVE, path);
    return 0;
}

static int l_interrupted(lua_State *L) {
    (void)check(L);
    lua_pushboolean(L, interrupts != 0);
    interrupts = 0;
    return 1;
}

/* Opening and closing */

static void close_input(uv_handle_t *handle) {
    free(handle);
}

static int l_gc(lua_State *L) {
    struct editor *editor = luaL_checkudata(L, 1, type_name);
    if (!editor->edit)
        return 0;
    loop_signal_free(editor->interrupt);
    if (editor->input)
        uv_close((uv_handle_t *)editor->input, close_input);
    if (editor->history)
        history_end(editor->history);
    (void)el_set(editor->edit, EL_UNBUFFERED, 0);
    el_end(editor->edit);
    luaL_unref(L, LUA_REGISTRYINDEX, editor->self);
    *editor = (struct editor){.self = LUA_NOREF};
    return 0;
}

static void set_up_history(struct editor *editor, const char *path) {
    HistEvent event;
    editor->history = history_init();
    if (!editor->history)
        return;
    (void)history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    (void)history(editor->history, &event, H_SETUNIQUE, 1);
    if (path)
        (void)history(editor->history, &event, H_LOAD, path); /* a first session has none */
    (void)el_set(editor->edit, EL_HIST, history, editor->history);
}

static void set_up_keys(EditLine *edit, struct editor *editor) {
    (void)el_set(edit, EL_CLIENTDATA, editor);
    (void)el_set(edit, EL_EDITOR, "emacs");
    (void)el_set(edit, EL_PROMPT, prompt_of);
    (void)el_wset(edit, EL_ADDFN, L"complete", L"complete the word", complete); /* el_set would leak both */
    (void)el_set(edit, EL_BIND, "^I", "complete", NULL);
    (void)el_set(edit, EL_BIND, "^R", "em-inc-search-prev", NULL);
    (void)el_source(edit, NULL); /* ~/.editrc */
}

static int set_up_input(struct editor *editor, struct loop *loop, struct err *err) {
    uv_poll_t *input = calloc(1, sizeof *input);
    if (!input)
        return err_set(err, ERR_NOMEM, "out of memory");
    input->data = editor;
    int rc = uv_poll_init(loop_uv(loop), input, STDIN_FILENO);
    if (rc) {
        free(input);
        return err_set(err, ERR_IO, "standard input: %s", uv_strerror(rc));
    }
    editor->input = input;
    rc = loop_signal_new(loop, SIGINT, interrupted, editor, &editor->interrupt, err);
    if (!rc)
        note_interrupts();
    return rc;
}

static lua_State *main_state(lua_State *L) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
    lua_State *main = lua_tothread(L, -1);
    lua_pop(L, 1);
    return main;
}

static int l_open(lua_State *L) {
    luaL_checktype(L, 1, LUA_TTABLE);
    struct editor *editor = lua_newuserdatauv(L, sizeof *editor, USER_VALUES);
    *editor = (struct editor){.self = LUA_NOREF, .L = main_state(L)};
    luaL_setmetatable(L, type_name);
    (void)setlocale(LC_CTYPE, ""); /* how wide and long the letters are that are typed */
    editor->edit = el_init("kube-scheduler", stdin, stdout, stderr);
    if (!editor->edit)
        return luaL_error(L, "this terminal cannot be edited on");
    lua_getfield(L, 1, "complete");
    luaL_checktype(L, -1, LUA_TFUNCTION);
    lua_setiuservalue(L, -2, USER_COMPLETE);
    lua_getfield(L, 1, "history");
    const char *path = lua_tostring(L, -1);
    set_up_history(editor, path);
    lua_setiuservalue(L, -2, USER_HISTORY);
    set_up_keys(editor->edit, editor);
    struct err err = {0};
    if (!editor->history || set_up_input(editor, host_of(L)->loop, &err))
        return luaL_error(L, "%s", err.code ? err.message : "out of memory");
    lua_pushvalue(L, -1);
    editor->self = luaL_ref(L, LUA_REGISTRYINDEX);
    return 1;
}

static const luaL_Reg methods[] = {{"read", l_read},
                                   {"remember", l_remember},
                                   {"interrupted", l_interrupted},
                                   {"on_interrupt", l_on_interrupt},
                                   {"close", l_gc},
                                   {NULL, NULL}};
static const luaL_Reg functions[] = {{"open", l_open}, {NULL, NULL}};

int luaopen_ks_editline(lua_State *L);
int luaopen_ks_editline(lua_State *L) {
    type_register(L, type_name, methods, l_gc);
    luaL_newlib(L, functions);
    return 1;
}
