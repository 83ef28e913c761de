/* The output of a container: frames of 8 bytes (stream, 0, 0, 0, length big-endian) and their bytes, from the
 * beginning on each time; what the copy on the disk has already was told. */
#include "base/file.h"
#include "docker/run.h"
#include "local/lines.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FRAME_HEAD = 8 };

static void tell(void *ctx, const char *line, size_t len) {
    struct run *run = ctx;
    RUN_TELL(run, line, run->container, line, len);
}

static void take(struct run *run, const char *bytes, size_t len) {
    size_t known = len < run->skip ? len : run->skip;
    run->skip -= known;
    bytes += known;
    len -= known;
    if (len == 0)
        return;
    run->told += len;
    if (run->file >= 0 && file_write_all(run->file, bytes, len)) {
        docker_run_log(run, LOG_WARNING, "the output is not kept", strerror(errno));
        (void)close(run->file);
        run->file = -1;
    }
    if (buf_append(&run->lines, bytes, len))
        return; /* out of memory: the line is lost */
    buf_consume(&run->lines, lines_cut(run->lines.data, run->lines.len, false, tell, run));
}

static size_t frame_length(const unsigned char *head) {
    return (size_t)head[4] << 24 | (size_t)head[5] << 16 | (size_t)head[6] << 8 | head[7];
}

static void received(void *ctx, const char *bytes, size_t len) {
    struct run *run = ctx;
    if (buf_append(&run->frames, bytes, len))
        return;
    size_t at = 0;
    while (run->frames.len - at >= FRAME_HEAD) {
        size_t length = frame_length((const unsigned char *)run->frames.data + at);
        if (run->frames.len - at - FRAME_HEAD < length)
            break;
        take(run, run->frames.data + at + FRAME_HEAD, length);
        at += FRAME_HEAD + length;
    }
    buf_consume(&run->frames, at);
}

static void complete(void *ctx, const struct fetch_result *result) {
    struct run *run = ctx;
    (void)result;
    run->output = NULL;
    if (run->ended)
        step_settle(run);
}

static void open_copy(struct run *run) {
    char *dir = docker_run_dir(run);
    struct buf path = {0};
    if (dir && !dir_make(dir, NULL) && !buf_printf(&path, "%s/output", dir))
        run->file = open(path.data, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    off_t end = run->file < 0 ? 0 : lseek(run->file, 0, SEEK_END);
    run->told = end > 0 ? (size_t)end : 0;
    buf_free(&path);
    free(dir);
}

void output_follow(struct run *run) {
    char path[NAMES_MAX + 64];
    if (run->output)
        return;
    if (run->file < 0 && run->told == 0)
        open_copy(run);
    run->skip = run->told;
    buf_clear(&run->frames);
    (void)snprintf(path, sizeof path, "/containers/%s/logs?follow=true&stdout=true&stderr=true", run->name);
    struct fetch_request request = {.data = received, .done = complete, .ctx = run};
    (void)engine_call(run->docker, "GET", path, &request, &run->output);
}

/* `logs -f` goes on until there is a file `status`. */
static void mark_over(const struct run *run) {
    char *dir = docker_run_dir(run);
    int at = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    if (at >= 0) {
        (void)file_replace(at, "status", "over\n", 5, NULL);
        (void)close(at);
    }
    free(dir);
}

void output_end(struct run *run) {
    if (run->lines.len)
        (void)lines_cut(run->lines.data, run->lines.len, true, tell, run);
    buf_clear(&run->lines);
    if (run->file >= 0)
        (void)close(run->file);
    run->file = -1;
    mark_over(run);
}

void output_remove(const struct run *run) {
    static const char *const files[] = {"output", "status"};
    char *dir = docker_run_dir(run);
    int at = dir ? open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    for (size_t i = 0; at >= 0 && i < 2; i++)
        (void)unlinkat(at, files[i], 0);
    if (at >= 0)
        (void)close(at);
    if (dir)
        (void)rmdir(dir);
    free(dir);
}
