#include "loop/watch.h"

#include <stdlib.h>

struct folder_watch {
    uv_fs_event_t uv; /* first: the close callback frees the whole */
    folder_watch_cb cb;
    void *ctx;
};

static void free_handle(uv_handle_t *handle) {
    free(handle);
}

static void changed(uv_fs_event_t *uv, const char *name, int events, int status) {
    struct folder_watch *watch = (struct folder_watch *)uv;
    (void)events;
    watch->cb(watch->ctx, status ? NULL : name);
}

int folder_watch_new(struct loop *loop, const char *path, folder_watch_cb cb, void *ctx,
                     struct folder_watch **out, struct err *err) {
    struct folder_watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        return err_set(err, ERR_NOMEM, "out of memory");
    watch->cb = cb;
    watch->ctx = ctx;
    int rc = uv_fs_event_init(loop_uv(loop), &watch->uv);
    if (rc) {
        free(watch);
        return err_set(err, ERR_IO, "%s: %s", path, uv_strerror(rc));
    }
    rc = uv_fs_event_start(&watch->uv, changed, path, 0);
    if (rc) {
        folder_watch_free(watch);
        return err_set(err, ERR_IO, "%s: %s", path, uv_strerror(rc));
    }
    uv_unref((uv_handle_t *)&watch->uv); /* watching alone does not keep a program alive */
    *out = watch;
    return 0;
}

void folder_watch_free(struct folder_watch *watch) {
    if (watch)
        uv_close((uv_handle_t *)&watch->uv, free_handle);
}
