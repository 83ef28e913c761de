/* Runs as containers of the engine on this machine (registry/executor.h), by the Engine API that Docker and
 * Podman speak on a Unix socket (https://docs.docker.com/engine/api/v1.41/).
 *
 * A run is a container of its name, so the engine itself refuses a second. What is sent to create it is the
 * manifest byte for byte: lua/docker.lua makes it from the template, with everything in its labels that a
 * later daemon has to know. What the engine cannot keep, that an outcome was delivered and that somebody
 * asked for the end, is in the store. The output is copied to STATE_DIR/runs/NAMESPACE/NAME/output, where
 * `logs` reads it; its length is how much of it was told, so a restarted daemon goes on behind it.
 *
 * Results' reasons: Completed, Error, OOMKilled, Killed (where the engine did not see why),
 * DeadlineExceeded, what stop was given; of start_failed
 * StartDeadline, ErrImagePull, ErrImageNeverPull, InvalidTemplate, NameTaken, StartError, Interrupted; of
 * deleted Deleted. */
#ifndef KS_DOCKER_EXECUTOR_H
#define KS_DOCKER_EXECUTOR_H

#include "loop/log.h"
#include "loop/loop.h"
#include "registry/executor.h"
#include "store/store.h"

struct docker_executor_config {
    struct loop *loop;
    struct log *log;
    struct store *store;   /* stays the caller's, outlives the executor */
    const char *state_dir; /* runs/ below it */
    const char *socket;    /* the engine's, a path */
    const char *instance;  /* whose containers are adopted */
};

int docker_executor_new(const struct docker_executor_config *config, struct executor **out, struct err *err);

#endif
