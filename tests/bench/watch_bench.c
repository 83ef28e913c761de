/* CPU for an event of a watch: what the executor needs of a Pod, picked from its line. Peer: the same line as
 * a tree of yajl's. */
#include "kube/object_reader.h"
#include "pod_event.h"

#include <time.h>

static size_t seen;

static void on_event(void *ctx, struct object_event *event) {
    (void)ctx;
    seen +=
        event->object.phase && !strcmp(event->object.phase, "Running") && event->object.container_count == 1;
}

int main(void) {
    struct err err = {0};
    struct object_reader *reader = NULL;
    int status = EXIT_FAILURE;
    char *line = pod_event();
    if (!line || object_reader_new(SHAPE_EVENTS, KUBE_POD, on_event, NULL, &reader, &err))
        goto out;
    size_t len = strlen(line);
    clock_t start = clock();
    for (int i = 0; i < EVENTS; i++)
        if (object_reader_feed(reader, line, len, &err))
            goto out;
    if (seen != EVENTS)
        goto out;
    printf("watch.event %.2f us\n", (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC / EVENTS);
    status = EXIT_SUCCESS;
out:
    if (status)
        fprintf(stderr, "watch_bench: %zu events of %d; %s\n", seen, EVENTS, err.message);
    object_reader_free(reader);
    free(line);
    return status;
}
