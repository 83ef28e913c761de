/* What the parts of the registry's binding share: registry.c (the module and its handlers), registry_run.c
 * (runs and the open list as tables) and registry_job.c (jobs as tables). */
#ifndef KS_BIND_REGISTRY_H
#define KS_BIND_REGISTRY_H

#include "bind/lua_call.h"
#include "registry/registry.h"

/* Fields of the table at index, which keeps the strings. */
const char *field_required(lua_State *L, int index, const char *name); /* raises when it is missing */
const char *field_string(lua_State *L, int index, const char *name);   /* NULL: absent */
int64_t field_integer(lua_State *L, int index, const char *name, int64_t otherwise);

/* Sets a field of the table on top; an empty or absent text is left out. */
void set_string(lua_State *L, const char *name, const char *text);
void set_integer(lua_State *L, const char *name, int64_t number);
void set_flag(lua_State *L, const char *name, bool flag);

void registry_push_counts(lua_State *L, const size_t counts[RUN_SKIPPED + 1]); /* {state = n} */
void registry_push_run(lua_State *L, const struct run *run);
void registry_push_open(lua_State *L, const struct run *run); /* as an entry of the open list */
struct open_entry registry_read_open(lua_State *L, int index);

/* Adds the job in the table at `index`; its schedule is left on top. */
int registry_add_job(lua_State *L, int index, struct registry *registry, struct err *err);
void registry_push_job(lua_State *L, const struct job_view *job);

#endif
