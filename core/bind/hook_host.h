/* `kube-scheduler --hook-host`: the child process in which operators' hooks run (lua/HOOKS.md). It speaks
 * JSON lines with lua/hooks/link.lua over standard input and output, opens no file and no connection, and
 * ends with its standard input. Returns the exit code. */
#ifndef KS_BIND_HOOK_HOST_H
#define KS_BIND_HOOK_HOST_H

int hook_host_main(int argc, char **argv);

#endif
