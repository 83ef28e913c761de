/* Who we are to the API server, at this moment: a fixed token, a token file that is read again when it
 * changes, or what a credential plugin said last. Private to client.c. Thread: the loop's. */
#ifndef KS_KUBE_CREDENTIALS_H
#define KS_KUBE_CREDENTIALS_H

#include "kube/config.h"
#include "loop/log.h"
#include "loop/loop.h"

struct credentials;

/* changed: credentials_state is worth asking again; never called from inside a function below. */
int credentials_new(struct loop *loop, struct log *log, const struct kube_config *config,
                    void (*changed)(void *ctx), void *ctx, struct credentials **out, struct err *err);
void credentials_free(struct credentials *credentials); /* NULL is fine; ends a running plugin */

/* 0: there are some. CREDENTIALS_WAIT: the plugin runs, changed follows. Else they cannot be had now: err. */
enum { CREDENTIALS_WAIT = 1 };
int credentials_state(struct credentials *credentials, struct err *err);

const char *credentials_token(const struct credentials *credentials);    /* or NULL */
const char *credentials_cert_pem(const struct credentials *credentials); /* from a plugin, or NULL */
const char *credentials_key_pem(const struct credentials *credentials);
unsigned credentials_generation(const struct credentials *credentials); /* of what the above return */

/* The server said 401 to that generation: read or ask again. True: a request is worth repeating. */
bool credentials_refused(struct credentials *credentials, unsigned generation);

#endif
