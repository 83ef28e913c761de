/* A schedule in plain English. */
#include "cron/calendar.h"
#include "cron/schedule.h"

int cron_describe(const struct cron_schedule *s, struct buf *out) {
    struct cron_civil c;
    if (s->kind == KIND_EVERY)
        return buf_printf(out, "every %lld s", (long long)s->period);
    if (s->kind == KIND_EMPTY)
        return buf_puts(out, "never");
    cron_zone_civil(s->zone, s->kind == KIND_AT ? s->anchor : cron_next(s, 0), &c);
    return buf_printf(out, "at %02d:%02d, %s time", c.hour, c.minute, cron_zone_name(s->zone));
}
