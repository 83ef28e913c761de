/* The methods of a kube client that call back: joined to the others in kube.c.
 *   client:watch(kind, namespace, {selector=}, function(event, object) … end) -> watch;  watch:stop()
 *       kind: "Pod", "Job", "ConfigMap" or "Lease". namespace nil: all. event: "relist", then "object" for
 * each that there is, then "synced"; from then on "object" (new or changed) and "deleted", without an end
 * (kube/watch.h). object: a summary, {kind=, namespace=, name=, uid=, version=, phase=, reason=, message=,
 * node=, job=, slot=, attempt=, trigger=, complete=, failed=, created=, containers={{name=, state=,
 * exit_code=, reason=}, …}}; what it has not is nil. Of the last two kinds only metadata is picked.
 *   client:follow(namespace, pod, container, function(line) … end) -> log
 *       log:finish()   the container has ended: read what is left    log:wait() -> true | nil, message yields
 * client:logs (lua/kube/calls.lua) does all of that for a Pod that may still run. */
#ifndef KS_BIND_KUBE_STREAM_H
#define KS_BIND_KUBE_STREAM_H

#include <lua.h>

void kube_stream_add_methods(lua_State *L); /* to the table on top of the stack */

#endif
