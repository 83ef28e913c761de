/* The Lua module `kube`: one API server, from inside a task. What each call gives: core/kube/client.h.
 *   kube.connect{path=, context=, qps=, burst=} -> client | nil, message, code
 *       code "notfound": no cluster is configured; "failed": one is, wrongly. Where it looks: kube/config.h
 *       qps: creates a second (0, the default: no limit), burst: at once after a rest (default: qps)
 *   client:namespace(), client:server()   of the configuration
 *   client:skew()                         seconds that the server's clock is ahead of ours
 *   client.escape(text)                   percent-encoded, for a query or a path segment
 *   client:request(method, path [, {body=, content_type=, lane=, timeout=, not_after=}])
 *       -> {status=, body=, reason=, message=}   yields. Always a table; status 0: no answer, see message
 *       lane: "lease", "create", "delete", "other" (the default). timeout: seconds, fractions are fine, 60
 *       not_after: by clock.boottime(); from then on it is neither sent nor waited for
 * What calls back (client:watch, :follow): bind/kube_stream.h. Calls on objects (client:get, :create, :list,
 * …) are Lua: lua/kube/calls.lua. */
#ifndef KS_BIND_KUBE_H
#define KS_BIND_KUBE_H

#include "kube/client.h"

#include <lua.h>

/* The client at the stack's index; raises when there is none, or it is closed (which only the end of the Lua
 * state does). Owned by Lua: the value must stay referenced while the client is used. */
struct kube_client *kube_check_client(lua_State *L, int index);

int luaopen_ks_kube(lua_State *L);

#endif
