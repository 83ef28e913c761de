/* Kills every process that descends from this one, a subreaper (prctl(2)), also those that left its session,
 * and collects them. Blocking until the last is gone. A process that forks faster than it can be killed needs
 * a cgroup, which this is not. */
#ifndef KS_LOCAL_DESCENDANTS_H
#define KS_LOCAL_DESCENDANTS_H

void descendants_kill(void);

#endif
