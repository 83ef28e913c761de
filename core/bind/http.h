/* The Lua module `http`: requests to any server (alerts, hooks, your own scripts), from inside a task.
 *   http.request{url=, method=, headers=, body=, timeout=, ca_file=, proxy=, insecure=, max_body=}
 *       -> {status=, headers=, body=}   any status is an answer; header names are in lower case, fields that
 *                                       come several times are joined with ", "
 *       -> nil, message, code           code: "timeout", "limit" (the answer is longer than max_body), "io",
 *                                       "invalid" (a bad URL or header)
 * method: GET, or POST when there is a body. headers: {["Content-Type"] = "…", Accept = {"a", "b"}}.
 * username, password: basic auth. mail_from, mail_to = {address, …}: url is smtp://… or smtps://… and body a
 * whole message, see loop/fetch.h. timeout: seconds for everything, fractions are fine, 30. max_body: bytes,
 * 16 MiB. */
#ifndef KS_BIND_HTTP_H
#define KS_BIND_HTTP_H

#include "base/err.h"

#include <lua.h>

int luaopen_ks_http(lua_State *L);

/* One word for enum err_code, which Lua code can compare: "notfound", "timeout", "io", … */
const char *http_code_name(int code);

/* Adds a header field to the table on top: name in lower case, joined with one that is there already. */
void http_add_header(lua_State *L, const char *name, const char *value);

#endif
