#include "kube/object_reader.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

/* Where in the text we are. Each place is a JSON object or array that holds something we want; what we do not
 * want is only counted in depth. */
enum place {
    NOWHERE,
    OBJECT,
    METADATA,
    LABELS,
    ANNOTATIONS,
    FINALIZERS,
    SPEC,
    SPEC_CONTAINERS,
    SPEC_CONTAINER,
    STATUS,
    CONDITIONS,
    CONDITION,
    CONTAINERS,
    INIT_CONTAINERS,
    CONTAINER,
    STATE,
    WAITING,
    RUNNING,
    TERMINATED,
    LIST,
    LIST_METADATA,
    ITEMS,
    EVENT
};
enum { MAX_PLACES = 12 };

/* Elements of arrays have no key; their place follows from the array's. */
static enum place element_of(enum place array) {
    switch (array) {
    case SPEC_CONTAINERS:
        return SPEC_CONTAINER;
    case CONDITIONS:
        return CONDITION;
    case CONTAINERS:
    case INIT_CONTAINERS:
        return CONTAINER;
    case ITEMS:
        return OBJECT;
    default:
        return NOWHERE;
    }
}

struct condition {
    char *type, *status, *reason, *message;
};

/* What belongs to the text and not to an object in it. */
struct envelope {
    char *type;
    char *version, *next; /* of a list */
    char *kind, *message; /* of any object: a Status has a message */
    int code;
};

struct object_reader {
    yajl_handle yajl;
    object_event_cb cb;
    void *ctx;
    enum object_shape shape;
    enum kube_kind kind;
    enum place places[MAX_PLACES];
    size_t depth;                   /* places entered */
    size_t skipped;                 /* levels inside something we do not want */
    unsigned char first[EVENT + 2]; /* the rules of a place begin here */
    const struct rule *pending;     /* what the key said about the value that comes next; NULL: skip it */
    struct kube_object object;
    struct kube_container extra; /* takes what a container beyond KUBE_MAX_CONTAINERS says */
    struct kube_container *container;
    struct condition condition;
    struct envelope envelope;
    bool no_memory, stopped;
};

enum value { PLACE, TEXT, FIRST_TEXT, NUMBER, LONG_NUMBER, INSTANT };
enum base { TO_OBJECT, TO_CONTAINER, TO_CONDITION, TO_ENVELOPE };

struct rule {
    const char *key;
    enum place in;
    enum value value;
    enum place next; /* PLACE */
    enum base base;  /* else: where the value goes */
    size_t offset;
};

#define ENTER(in, key, next)                                                                                 \
    { key, in, PLACE, next, TO_OBJECT, 0 }
#define FIELD(in, key, value, field)                                                                         \
    { key, in, value, NOWHERE, TO_OBJECT, offsetof(struct kube_object, field) }
#define CONTAINER_FIELD(in, key, value, field)                                                               \
    { key, in, value, NOWHERE, TO_CONTAINER, offsetof(struct kube_container, field) }
#define CONDITION_FIELD(key, field)                                                                          \
    { key, CONDITION, TEXT, NOWHERE, TO_CONDITION, offsetof(struct condition, field) }
#define ENVELOPE_FIELD(in, key, value, field)                                                                \
    { key, in, value, NOWHERE, TO_ENVELOPE, offsetof(struct envelope, field) }

/* https://kubernetes.io/docs/reference/kubernetes-api/: Pod v1, Job v1, Status, WatchEvent. Sorted by place.
 */
static const struct rule rules[] = {
    ENTER(OBJECT, "metadata", METADATA),
    ENTER(OBJECT, "spec", SPEC),
    ENTER(OBJECT, "status", STATUS),
    ENVELOPE_FIELD(OBJECT, "kind", TEXT, kind),
    ENVELOPE_FIELD(OBJECT, "code", NUMBER, code),
    ENVELOPE_FIELD(OBJECT, "message", TEXT, message),
    FIELD(METADATA, "name", TEXT, name),
    FIELD(METADATA, "namespace", TEXT, namespace_),
    FIELD(METADATA, "uid", TEXT, uid),
    FIELD(METADATA, "resourceVersion", TEXT, resource_version),
    FIELD(METADATA, "creationTimestamp", INSTANT, created),
    FIELD(METADATA, "deletionTimestamp", INSTANT, deletion),
    FIELD(METADATA, "deletionGracePeriodSeconds", LONG_NUMBER, grace),
    ENTER(METADATA, "labels", LABELS),
    ENTER(METADATA, "annotations", ANNOTATIONS),
    ENTER(METADATA, "finalizers", FINALIZERS),
    FIELD(LABELS, "app.kubernetes.io/managed-by", TEXT, managed_by),
    FIELD(LABELS, "kube-scheduler/instance", TEXT, instance),
    FIELD(LABELS, "kube-scheduler/job", TEXT, job_slug),
    FIELD(LABELS, "job-name", TEXT, owner_job),
    FIELD(LABELS, "batch.kubernetes.io/job-name", TEXT, owner_job),
    FIELD(ANNOTATIONS, "kube-scheduler/job-name", TEXT, job),
    FIELD(ANNOTATIONS, "kube-scheduler/slot", TEXT, slot),
    FIELD(ANNOTATIONS, "kube-scheduler/attempt", TEXT, attempt),
    FIELD(ANNOTATIONS, "kube-scheduler/trigger", TEXT, trigger),
    FIELD(ANNOTATIONS, "kube-scheduler/reported", TEXT, reported),
    FIELD(ANNOTATIONS, "kube-scheduler/outcome", TEXT, outcome),
    FIELD(ANNOTATIONS, "kube-scheduler/reason", TEXT, end_reason),
    FIELD(ANNOTATIONS, "kube-scheduler/message", TEXT, end_message),
    FIELD(ANNOTATIONS, "kube-scheduler/main-container", TEXT, main_container),
    FIELD(SPEC, "nodeName", TEXT, node),
    FIELD(SPEC, "restartPolicy", TEXT, restart_policy),
    ENTER(SPEC, "containers", SPEC_CONTAINERS),
    FIELD(SPEC_CONTAINER, "name", FIRST_TEXT, main),
    FIELD(STATUS, "phase", TEXT, phase),
    FIELD(STATUS, "reason", TEXT, reason),
    FIELD(STATUS, "message", TEXT, message),
    FIELD(STATUS, "startTime", INSTANT, start_time),
    FIELD(STATUS, "completionTime", INSTANT, completion_time),
    FIELD(STATUS, "active", NUMBER, active),
    FIELD(STATUS, "succeeded", NUMBER, succeeded_pods),
    FIELD(STATUS, "failed", NUMBER, failed_pods),
    ENTER(STATUS, "conditions", CONDITIONS),
    ENTER(STATUS, "containerStatuses", CONTAINERS),
    ENTER(STATUS, "initContainerStatuses", INIT_CONTAINERS),
    CONDITION_FIELD("type", type),
    CONDITION_FIELD("status", status),
    CONDITION_FIELD("reason", reason),
    CONDITION_FIELD("message", message),
    CONTAINER_FIELD(CONTAINER, "name", TEXT, name),
    CONTAINER_FIELD(CONTAINER, "restartCount", NUMBER, restarts),
    ENTER(CONTAINER, "state", STATE),
    ENTER(STATE, "waiting", WAITING),
    ENTER(STATE, "running", RUNNING),
    ENTER(STATE, "terminated", TERMINATED),
    CONTAINER_FIELD(WAITING, "reason", TEXT, reason),
    CONTAINER_FIELD(WAITING, "message", TEXT, message),
    CONTAINER_FIELD(RUNNING, "startedAt", INSTANT, started),
    CONTAINER_FIELD(TERMINATED, "startedAt", INSTANT, started),
    CONTAINER_FIELD(TERMINATED, "finishedAt", INSTANT, finished),
    CONTAINER_FIELD(TERMINATED, "exitCode", NUMBER, exit_code),
    CONTAINER_FIELD(TERMINATED, "signal", NUMBER, signal),
    CONTAINER_FIELD(TERMINATED, "reason", TEXT, reason),
    CONTAINER_FIELD(TERMINATED, "message", TEXT, message),
    ENTER(LIST, "metadata", LIST_METADATA),
    ENTER(LIST, "items", ITEMS),
    ENVELOPE_FIELD(LIST_METADATA, "resourceVersion", TEXT, version),
    ENVELOPE_FIELD(LIST_METADATA, "continue", TEXT, next),
    ENVELOPE_FIELD(EVENT, "type", TEXT, type),
    ENTER(EVENT, "object", OBJECT),
};

enum { RULES = sizeof rules / sizeof rules[0] };

static void index_rules(struct object_reader *reader) {
    for (unsigned place = 0; place <= EVENT + 1; place++) {
        unsigned char at = 0;
        while (at < RULES && (unsigned)rules[at].in < place)
            at++;
        reader->first[place] = at;
    }
}

static enum place current(const struct object_reader *reader) {
    return reader->depth ? reader->places[reader->depth - 1] : NOWHERE;
}

/* Storing values */

static void *target(struct object_reader *reader, const struct rule *rule) {
    char *bases[] = {[TO_OBJECT] = (char *)&reader->object,
                     [TO_CONTAINER] = (char *)reader->container,
                     [TO_CONDITION] = (char *)&reader->condition,
                     [TO_ENVELOPE] = (char *)&reader->envelope};
    return bases[rule->base] + rule->offset;
}

/* The rule for the scalar that comes, if it is wanted. */
static const struct rule *take_pending(struct object_reader *reader) {
    const struct rule *rule = reader->skipped ? NULL : reader->pending;
    reader->pending = NULL;
    return rule;
}

static bool put_text(struct object_reader *reader, char **at, const unsigned char *text, size_t len) {
    free(*at); /* the last of duplicate keys counts */
    *at = strndup((const char *)text, len);
    reader->no_memory = reader->no_memory || !*at;
    return *at != NULL;
}

static int64_t read_time(const unsigned char *text, size_t len) {
    char copy[40];
    if (len >= sizeof copy)
        return 0;
    memcpy(copy, text, len);
    copy[len] = '\0';
    return kube_time(copy);
}

static void note_finalizer(struct kube_object *object, const unsigned char *text, size_t len) {
    object->finalizers++;
    object->held =
        object->held || (len == strlen(KUBE_NAME_FINALIZER) && !memcmp(text, KUBE_NAME_FINALIZER, len));
}

static int on_string(void *ctx, const unsigned char *text, size_t len) {
    struct object_reader *reader = ctx;
    const struct rule *rule = take_pending(reader);
    if (!reader->skipped && current(reader) == FINALIZERS)
        note_finalizer(&reader->object, text, len);
    if (rule && rule->value == TEXT)
        return put_text(reader, target(reader, rule), text, len);
    if (rule && rule->value == FIRST_TEXT && !*(char **)target(reader, rule))
        return put_text(reader, target(reader, rule), text, len);
    if (rule && rule->value == INSTANT)
        *(int64_t *)target(reader, rule) = read_time(text, len);
    return reader->depth > 0;
}

static int on_integer(void *ctx, long long number) {
    struct object_reader *reader = ctx;
    const struct rule *rule = take_pending(reader);
    if (rule && rule->value == NUMBER && number >= INT_MIN && number <= INT_MAX)
        *(int *)target(reader, rule) = (int)number;
    if (rule && rule->value == LONG_NUMBER)
        *(int64_t *)target(reader, rule) = number;
    return reader->depth > 0;
}

static int on_double(void *ctx, double number) {
    (void)number;
    struct object_reader *reader = ctx;
    (void)take_pending(reader);
    return reader->depth > 0;
}

static int on_boolean(void *ctx, int value) {
    return on_double(ctx, value);
}

static int on_null(void *ctx) {
    return on_double(ctx, 0);
}

/* Coming to a place */

static void begin_container(struct object_reader *reader) {
    struct kube_object *object = &reader->object;
    reader->container = object->container_count < KUBE_MAX_CONTAINERS
                            ? &object->containers[object->container_count++]
                            : &reader->extra;
    reader->container->init = reader->places[reader->depth - 2] == INIT_CONTAINERS;
}

static enum place root_of(const struct object_reader *reader) {
    return reader->shape == SHAPE_LIST ? LIST : reader->shape == SHAPE_EVENTS ? EVENT : OBJECT;
}

static int enter(struct object_reader *reader, enum place place) {
    if (place == NOWHERE) {
        reader->skipped++;
        return 1;
    }
    reader->places[reader->depth++] = place;
    if (place == CONTAINER)
        begin_container(reader);
    else if (place == RUNNING)
        reader->container->state = CONTAINER_RUNNING;
    else if (place == TERMINATED)
        reader->container->state = CONTAINER_TERMINATED;
    return 1;
}

static int on_start(void *ctx) {
    struct object_reader *reader = ctx;
    if (reader->depth == 0 && !reader->skipped)
        return enter(reader, root_of(reader));
    const struct rule *rule = take_pending(reader);
    if (reader->skipped)
        return enter(reader, NOWHERE);
    enum place element = element_of(current(reader));
    return enter(reader, element ? element : rule && rule->value == PLACE ? rule->next : NOWHERE);
}

static int on_start_array(void *ctx) {
    struct object_reader *reader = ctx;
    return (reader->depth > 0 || reader->skipped) && on_start(ctx);
}

static int on_key(void *ctx, const unsigned char *key, size_t len) {
    struct object_reader *reader = ctx;
    reader->pending = NULL;
    if (reader->skipped)
        return 1;
    enum place place = current(reader);
    for (unsigned i = reader->first[place]; i < reader->first[place + 1]; i++)
        if (!strncmp(rules[i].key, (const char *)key, len) && rules[i].key[len] == '\0') {
            reader->pending = &rules[i];
            break;
        }
    return 1;
}

/* Leaving it */

static void clear_condition(struct condition *condition) {
    free(condition->type);
    free(condition->status);
    free(condition->reason);
    free(condition->message);
    *condition = (struct condition){0};
}

static void move_text(char **to, char **from) {
    free(*to);
    *to = *from;
    *from = NULL;
}

static void note_condition(struct kube_object *object, struct condition *condition) {
    const char *type = condition->type ? condition->type : "";
    bool is_true = condition->status && !strcmp(condition->status, "True");
    bool is_false = condition->status && !strcmp(condition->status, "False");
    bool complete = is_true && !strcmp(type, "Complete"), failed = is_true && !strcmp(type, "Failed");
    object->complete = object->complete || complete;
    object->failed = object->failed || failed;
    if (complete || failed) {
        move_text(&object->condition_reason, &condition->reason);
        move_text(&object->condition_message, &condition->message);
    } else if (is_false && !strcmp(type, "PodScheduled"))
        move_text(&object->unschedulable, &condition->message);
    else if (is_true && !strcmp(type, "DisruptionTarget"))
        move_text(&object->disruption, &condition->reason);
}

static void clear_object(struct object_reader *reader) {
    struct envelope *envelope = &reader->envelope;
    kube_object_free(&reader->object);
    free(envelope->type);
    free(envelope->kind);
    free(envelope->message);
    envelope->type = envelope->kind = envelope->message = NULL;
    envelope->code = 0;
}

static bool kind_of(const struct object_reader *reader, enum kube_kind *kind) {
    const char *name = reader->envelope.kind;
    bool pod = name && !strcmp(name, "Pod"), job = name && !strcmp(name, "Job");
    *kind = pod ? KUBE_POD : job ? KUBE_JOB : reader->kind;
    return pod || job;
}

static int emit(struct object_reader *reader) {
    const struct envelope *envelope = &reader->envelope;
    struct object_event event = {.type = envelope->type ? envelope->type : "",
                                 .object = reader->object,
                                 .code = envelope->code,
                                 .message = envelope->message ? envelope->message : ""};
    event.known = kind_of(reader, &event.object.kind);
    reader->object = (struct kube_object){0};
    reader->cb(reader->ctx, &event);
    kube_object_free(&event.object);
    clear_object(reader);
    return !reader->stopped;
}

static int on_end(void *ctx) {
    struct object_reader *reader = ctx;
    reader->pending = NULL;
    if (reader->skipped) {
        reader->skipped--;
        return 1;
    }
    enum place left = reader->places[--reader->depth];
    if (left == CONDITION) {
        note_condition(&reader->object, &reader->condition);
        clear_condition(&reader->condition);
    } else if (left == CONTAINER)
        kube_container_free(&reader->extra);
    else if (left == EVENT || (left == OBJECT && reader->shape != SHAPE_EVENTS))
        return emit(reader);
    return 1;
}

/* The reader */

static const yajl_callbacks callbacks = {.yajl_null = on_null,
                                         .yajl_boolean = on_boolean,
                                         .yajl_integer = on_integer,
                                         .yajl_double = on_double,
                                         .yajl_string = on_string,
                                         .yajl_start_map = on_start,
                                         .yajl_map_key = on_key,
                                         .yajl_end_map = on_end,
                                         .yajl_start_array = on_start_array,
                                         .yajl_end_array = on_end};

int object_reader_new(enum object_shape shape, enum kube_kind kind, object_event_cb cb, void *ctx,
                      struct object_reader **out, struct err *err) {
    struct object_reader *reader = calloc(1, sizeof *reader);
    if (reader)
        reader->yajl = yajl_alloc(&callbacks, NULL, reader);
    if (!reader || !reader->yajl) {
        free(reader);
        return err_set(err, ERR_NOMEM, "out of memory");
    }
    (void)yajl_config(reader->yajl, yajl_dont_validate_strings, 1); /* the API server answers for that */
    if (shape == SHAPE_EVENTS)
        (void)yajl_config(reader->yajl, yajl_allow_multiple_values, 1);
    index_rules(reader);
    reader->shape = shape;
    reader->kind = kind;
    reader->cb = cb;
    reader->ctx = ctx;
    *out = reader;
    return 0;
}

void object_reader_free(struct object_reader *reader) {
    if (!reader)
        return;
    clear_object(reader);
    clear_condition(&reader->condition);
    kube_container_free(&reader->extra);
    free(reader->envelope.version);
    free(reader->envelope.next);
    yajl_free(reader->yajl);
    free(reader);
}

static int outcome(const struct object_reader *reader, yajl_status status, struct err *err) {
    if (status == yajl_status_ok)
        return 0;
    if (reader->stopped)
        return err_set(err, ERR_CANCELED, "stopped");
    if (reader->no_memory)
        return err_set(err, ERR_NOMEM, "out of memory");
    return err_set(err, ERR_INVALID, "the API server sent something that is not JSON of the expected kind");
}

int object_reader_feed(struct object_reader *reader, const char *bytes, size_t len, struct err *err) {
    return outcome(reader, yajl_parse(reader->yajl, (const unsigned char *)bytes, len), err);
}

int object_reader_end(struct object_reader *reader, struct err *err) {
    return outcome(reader, yajl_complete_parse(reader->yajl), err);
}

void object_reader_stop(struct object_reader *reader) {
    reader->stopped = true;
}

const char *object_reader_version(const struct object_reader *reader) {
    return reader->envelope.version ? reader->envelope.version : "";
}

const char *object_reader_continue(const struct object_reader *reader) {
    return reader->envelope.next ? reader->envelope.next : "";
}
