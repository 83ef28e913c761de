/* The same events as yajl reads them into a tree. */
#include "pod_event.h"

#include <time.h>
#include <yajl/yajl_tree.h>

int main(void) {
    static const char *const phase[] = {"object", "status", "phase", NULL};
    char *line = pod_event(), error[128];
    clock_t start = clock();
    for (int i = 0; line && i < EVENTS; i++) {
        yajl_val tree = yajl_tree_parse(line, error, sizeof error);
        const char *text =
            tree ? YAJL_GET_STRING(yajl_tree_get(tree, (const char **)phase, yajl_t_string)) : NULL;
        if (!text || strcmp(text, "Running") != 0)
            return EXIT_FAILURE;
        yajl_tree_free(tree);
    }
    printf("watch.event %.2f us\n", (double)(clock() - start) * 1e6 / CLOCKS_PER_SEC / EVENTS);
    free(line);
    return EXIT_SUCCESS;
}
