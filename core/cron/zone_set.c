/* Zones loaded once each, for many schedules. */
#include "cron/cron.h"

#include <stdlib.h>
#include <string.h>

struct cron_zones {
    struct cron_zone **zones;
    size_t count;
};

struct cron_zones *cron_zones_new(void) {
    return calloc(1, sizeof(struct cron_zones));
}

void cron_zones_free(struct cron_zones *set) {
    if (!set)
        return;
    for (size_t i = 0; i < set->count; i++)
        cron_zone_unref(set->zones[i]);
    free(set->zones);
    free(set);
}

int cron_zones_load(struct cron_zones *set, const char *name, struct cron_zone **out, struct err *err) {
    for (size_t i = 0; i < set->count; i++)
        if (strcmp(cron_zone_name(set->zones[i]), name) == 0) {
            *out = cron_zone_ref(set->zones[i]);
            return 0;
        }
    struct cron_zone **zones = realloc(set->zones, (set->count + 1) * sizeof(struct cron_zone *));
    if (!zones)
        return err_set(err, ERR_NOMEM, "out of memory");
    set->zones = zones;
    int rc = cron_zone_load(name, out, err);
    if (!rc)
        zones[set->count++] = cron_zone_ref(*out);
    return rc;
}
