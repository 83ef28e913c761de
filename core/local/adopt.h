/* What an earlier daemon left: found in the store, compared with what the machine shows, and handed over. */
#ifndef KS_LOCAL_ADOPT_H
#define KS_LOCAL_ADOPT_H

#include "local/run.h"

int local_adopt_all(struct local *local, struct err *err); /* then ready */

#endif
