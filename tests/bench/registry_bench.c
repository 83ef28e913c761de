/* What 100,000 jobs take in the core: memory of the registry and of their schedules. */
#include "base/err.h"
#include "cron/cron.h"
#include "loop/loop.h"
#include "registry/registry.h"
#include "sim/executor.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { JOBS = 100000 };

static struct cron_schedule *schedules[JOBS];
static struct registry *registry;

static size_t used(void) {
    return mallinfo2().uordblks;
}

static int make_registry(struct err *err) {
    static const struct registry_events events = {0};
    struct loop *loop;
    struct executor *executor;
    const struct sim_job how = {0};
    if (loop_new(&clock_system, &random_system, &loop, err) || sim_executor_new(loop, &how, &executor, err))
        return err->code;
    const struct registry_config config = {
        .instance = "bench", .clock = loop_clock(loop), .executor = executor, .events = &events};
    return registry_new(&config, &registry, err);
}

static int parse_all(struct err *err) {
    struct cron_zone *zone;
    if (cron_zone_load("UTC", &zone, err))
        return err->code;
    const struct cron_options options = {.zone = zone};
    for (int i = 0; i < JOBS; i++) {
        char text[32];
        struct cron_error error;
        int len = snprintf(text, sizeof text, "%d %d %d * *", i % 60, i % 24, 1 + i % 28);
        if (cron_parse(text, (size_t)len, &options, &schedules[i], &error))
            return err_set(err, ERR_INVALID, "%s: %s", text, error.message);
    }
    return 0;
}

static int add_all(struct err *err) {
    for (int i = 0; i < JOBS; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "job-%06d", i);
        const struct job_spec spec = {
            .name = name, .namespace_ = "default", .schedules = &schedules[i], .schedule_count = 1};
        int rc = registry_add(registry, &spec, err);
        if (rc)
            return rc;
    }
    return 0;
}

int main(void) {
    struct err err = {0};
    if (make_registry(&err))
        goto out;
    size_t start = used();
    if (parse_all(&err))
        goto out;
    size_t parsed = used();
    if (add_all(&err))
        goto out;
    printf("registry.schedule %.0f bytes\n", (double)(parsed - start) / JOBS);
    printf("registry.job %.0f bytes\n", (double)(used() - parsed) / JOBS);
    return EXIT_SUCCESS;
out:
    fprintf(stderr, "%s\n", err.message);
    return EXIT_FAILURE;
}
