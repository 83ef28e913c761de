#include "kube/ending.h"

#include <stdio.h>
#include <string.h>
#include <yajl/yajl_gen.h>

static void put(yajl_gen json, const char *text) {
    (void)yajl_gen_string(json, (const unsigned char *)text, strlen(text));
}

static void put_pair(yajl_gen json, const char *key, const char *value) {
    put(json, key);
    put(json, value);
}

static void put_finalizers(yajl_gen json, const char *key) {
    put(json, key);
    (void)yajl_gen_array_open(json);
    put(json, KUBE_NAME_FINALIZER);
    (void)yajl_gen_array_close(json);
}

static void put_outcome(yajl_gen json, const struct result *as) {
    put(json, "annotations");
    (void)yajl_gen_map_open(json);
    put_pair(json, "kube-scheduler/outcome", outcome_name(as->outcome));
    put_pair(json, "kube-scheduler/reason", as->reason);
    put_pair(json, "kube-scheduler/message", as->message);
    (void)yajl_gen_map_close(json);
}

static int write_patch(const char *uid, const struct result *as, struct buf *out) {
    const unsigned char *text = NULL;
    size_t len = 0;
    yajl_gen json = yajl_gen_alloc(NULL);
    if (!json)
        return ERR_NOMEM;
    (void)yajl_gen_map_open(json);
    put(json, "metadata");
    (void)yajl_gen_map_open(json);
    if (uid)
        put_pair(json, "uid", uid); /* the API server refuses to patch another object of that name */
    put_finalizers(json, as ? "finalizers" : "$deleteFromPrimitiveList/finalizers");
    if (as)
        put_outcome(json, as);
    (void)yajl_gen_map_close(json);
    (void)yajl_gen_map_close(json);
    int code =
        yajl_gen_get_buf(json, &text, &len) == yajl_gen_status_ok ? buf_append(out, text, len) : ERR_NOMEM;
    yajl_gen_free(json);
    return code;
}

int ending_hold_patch(const char *uid, const struct result *as, struct buf *out) {
    return write_patch(uid, as, out);
}

int ending_release_patch(const char *uid, struct buf *out) {
    return write_patch(uid, NULL, out);
}

bool ending_read(const struct kube_object *object, struct result *out) {
    *out = (struct result){.exit_code = -1};
    if (!object->held || !object->outcome || outcome_parse(object->outcome, &out->outcome))
        return false;
    if (out->outcome == OUTCOME_SUCCEEDED)
        out->exit_code = 0;
    (void)snprintf(out->reason, sizeof out->reason, "%s", object->end_reason ? object->end_reason : "");
    (void)snprintf(out->message, sizeof out->message, "%s", object->end_message ? object->end_message : "");
    return true;
}
