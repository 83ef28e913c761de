/* libyaml's own time for the schedule that load_bench.lua wrote: every event parsed and thrown away. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <yaml.h>

static int parse(FILE *file) {
    yaml_parser_t parser;
    yaml_event_t event;
    if (!yaml_parser_initialize(&parser))
        return -1;
    yaml_parser_set_input_file(&parser, file);
    int type = YAML_NO_EVENT;
    while (type != YAML_STREAM_END_EVENT) {
        if (!yaml_parser_parse(&parser, &event))
            return -1;
        type = event.type;
        yaml_event_delete(&event);
    }
    yaml_parser_delete(&parser);
    return 0;
}

int main(void) {
    char path[4096];
    const char *build = getenv("BUILD");
    (void)snprintf(path, sizeof path, "%s/tests/bench/load.yml", build ? build : "build");
    FILE *file = fopen(path, "rb");
    clock_t start = clock();
    if (!file || parse(file)) {
        fprintf(stderr, "%s cannot be parsed\n", path);
        return EXIT_FAILURE;
    }
    printf("load.time %.0f ms\n", (double)(clock() - start) * 1000 / CLOCKS_PER_SEC);
    fclose(file);
    return EXIT_SUCCESS;
}
