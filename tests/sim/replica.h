/* A daemon in a process that has several: a Lua state, a loop and a virtual clock of its own, and a client
 * whose API server is somebody else's function. Killing it is what SIGKILL does, freezing what SIGSTOP does.
 * Times are unix ns. */
#ifndef KS_TESTS_SIM_REPLICA_H
#define KS_TESTS_SIM_REPLICA_H

#include "bind/lua_call.h"
#include "kube/client.h"

/* The unix ns at which all monotonic clocks are 0: they must not be mistaken for real time. */
#define REPLICA_BOOT (1795000000 * NS_PER_S)

struct replica;

/* The world around all daemons. on_request must not answer at once. on_tell: the daemon's program called
 * tell(text). */
struct replica_world {
    int64_t now;
    struct log *log;
    void (*on_request)(void *ctx, struct replica *replica, int64_t call, const struct kube_request *request);
    void (*on_cancel)(void *ctx, struct replica *replica, int64_t call);
    void (*on_tell)(void *ctx, struct replica *replica, const char *text);
    void *ctx;
};

/* Starts the program in that file with the argument; its random numbers come from the seed. */
struct replica *replica_start(struct replica_world *world, const char *script, const char *argument,
                              uint64_t seed);
void replica_kill(struct replica *replica);
void replica_terminate(struct replica *replica);     /* calls its program's global `terminate` */
int replica_next_id(void);                           /* of the next one */
int replica_id(const struct replica *replica);       /* counts from 1 on; never used again */
bool replica_ended(const struct replica *replica);   /* its program did, by itself */
int64_t replica_next(const struct replica *replica); /* INT64_MAX: it waits for answers only */
void replica_run(struct replica *replica);           /* everything that is due up to now */
void replica_thaw(struct replica *replica); /* it was not run for a while: to it, no time passed until now */

/* Whether the request still wants to leave the client. false: it does not, or is unknown by now. */
bool replica_leaves(struct replica *replica, int64_t call);
/* Both do nothing when the call was cancelled. */
void replica_answer(struct replica *replica, int64_t call, const struct kube_reply *reply);
void replica_data(struct replica *replica, int64_t call, const char *bytes, size_t len);

#endif
