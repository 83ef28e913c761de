#include "local/descendants.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

/* Children that end while the kernel lists them may hide others from the list; without CONFIG_PROC_CHILDREN
 * there is no list. */
enum { EMPTY_LISTS = 100, BETWEEN_LISTS_US = 10000 };

/* Whether there were any. Grandchildren become children when their parent dies. */
static bool kill_children(void) {
    FILE *list = fopen("/proc/thread-self/children", "re");
    bool some = false;
    int pid;
    while (list && fscanf(list, "%d", &pid) == 1) { // NOLINT(cert-err34-c): the kernel wrote it
        some = true;
        (void)kill(pid, SIGKILL);
    }
    if (list)
        (void)fclose(list);
    return some;
}

void descendants_kill(void) {
    for (int empty = 0; empty < EMPTY_LISTS;) {
        bool some = kill_children();
        pid_t pid = waitpid(-1, NULL, some ? 0 : WNOHANG);
        if (pid < 0)
            return; /* there are no children */
        if (pid == 0) {
            empty++;
            (void)usleep(BETWEEN_LISTS_US);
        }
    }
}
