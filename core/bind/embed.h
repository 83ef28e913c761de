/* The files that are part of the binary, Lua and the dashboard, made at build time by vendor/embed: the list
 * ends with a NULL path. Paths are those of the source tree: "lua/schedule.lua", "scripts/daemon.lua". */
#ifndef KS_BIND_EMBED_H
#define KS_BIND_EMBED_H

struct embedded {
    const char *path;
    const char *begin, *end;
};

extern const struct embedded embedded_files[];

#endif
