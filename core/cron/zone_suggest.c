/* "Did you mean Europe/London": the nearest name among the zone files. Only on the way to an error. */
#include "cron/zone.h"

#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#define MAX_NAME 64
#define MAX_DEPTH 3
#define NEAR 4 /* one edit in so many letters is a slip; more of them, and it is another name */

struct search {
    const char *wanted;
    size_t best_distance;
    char best[MAX_NAME];
};

static size_t min3(size_t a, size_t b, size_t c) {
    size_t least = a < b ? a : b;
    return least < c ? least : c;
}

/* Levenshtein's distance, blind to case, for names shorter than MAX_NAME. */
static size_t distance(const char *a, const char *b) {
    size_t row[MAX_NAME + 1], len = strlen(b);
    for (size_t j = 0; j <= len; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= len; j++) {
            size_t above = row[j];
            size_t differ = tolower((unsigned char)a[i - 1]) != tolower((unsigned char)b[j - 1]);
            row[j] = min3(above + 1, row[j - 1] + 1, diagonal + differ);
            diagonal = above;
        }
    }
    return row[len];
}

/* The city alone is compared too: "New_York" is near America/New_York. */
static void consider(struct search *search, const char *name) {
    const char *city = strrchr(name, '/');
    size_t d = distance(search->wanted, name);
    if (city && !strchr(search->wanted, '/')) {
        size_t by_city = distance(search->wanted, city + 1);
        d = by_city < d ? by_city : d;
    }
    if (d >= search->best_distance)
        return;
    search->best_distance = d;
    (void)snprintf(search->best, sizeof search->best, "%s", name);
}

static void walk(struct search *search, const char *path, const char *prefix, int depth) {
    DIR *dir = opendir(path);
    if (!dir)
        return;
    for (struct dirent *entry; (entry = readdir(dir));) {
        char name[MAX_NAME], child[4096];
        const char *base = entry->d_name;
        /* Zones and their folders start with a capital; posix/, right/ and tables do not. */
        if (!isupper((unsigned char)base[0]) || strchr(base, '.'))
            continue;
        int n = snprintf(name, sizeof name, "%s%s", prefix, base);
        int m = snprintf(child, sizeof child, "%s/%s", path, base);
        if (n < 0 || (size_t)n + 1 >= sizeof name || m < 0 || (size_t)m >= sizeof child)
            continue;
        if (entry->d_type == DT_DIR && depth < MAX_DEPTH) {
            name[n] = '/';
            name[n + 1] = '\0';
            walk(search, child, name, depth + 1);
        } else if (entry->d_type != DT_DIR) {
            consider(search, name);
        }
    }
    closedir(dir);
}

void zone_suggest(const char *dir, const char *name, struct err *err) {
    struct search search = {.wanted = name, .best_distance = (strlen(name) + NEAR - 1) / NEAR};
    if (!err || strlen(name) >= MAX_NAME)
        return;
    walk(&search, dir, "", 0);
    size_t used = strlen(err->message);
    if (search.best[0])
        (void)snprintf(err->message + used, sizeof err->message - used, ": did you mean %s?", search.best);
    else
        (void)snprintf(err->message + used, sizeof err->message - used,
                       ": write a name of the tz database, such as America/New_York (is tzdata installed?)");
}
