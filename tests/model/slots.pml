/* The protocol that gives every slot one object, as a model for spin: tests/integration/model_test.sh checks it.
 * Beside each rule stands the code that keeps it; scripts/OPERATIONS.md names the properties.
 *
 * Two replicas, SLOTS slots of one job, an API server (the variables that come first), and a world that freezes
 * requests, makes time pass and kills replicas: at most CRASHES times; PAUSES times a leader stands still until its
 * lease is over; LOST times a lease is written and the answer does not arrive. Every run comes to an end, so that a
 * slot which is never decided shows as an end where something is undone. When a slot is due needs no variable: it is
 * when a leader begins to decide it.
 *
 * Three things of time are built in, and are the assumptions of OPERATIONS.md. A leader sends nothing once another can
 * have the lease: it stops 12 s after a renewal by its own clock, the lease lasts 15 s. The retention wait (120 s) is
 * longer than a request can live (60 s, frozen or not): what was sent before the wait is dead when it is over. And a
 * list that follows the taking of the lease sees all that was there: so both are one step.
 *
 * Sets of slots are bits; what the watermark has passed is such a set without a gap.
 *
 * Each of these takes a rule away, and then the check has to fail: DELETE_EARLY, MARK_EARLY, NO_RETENTION, NO_FENCE,
 * NO_VERSION, FORGET_OPEN. */
#ifndef SLOTS
#define SLOTS 3
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef PAUSES
#define PAUSES 1
#endif
#ifndef LOST
#define LOST 1
#endif
#define ALL ((1 << SLOTS) - 1)
#define BIT(s) (1 << (s))

/* --- what the API server keeps --- */
byte working, told;        /* objects: at work; over, and their outcome delivered. Names: core/registry/name.c */
byte passed, open_list;   /* the watermark and the list beside it: annotations of the Lease */
#define NOBODY 2
byte holder = NOBODY;
bool over;                /* the holder's time is over: another can have the lease */
byte frozen;              /* creates that are under way, or stuck in an API server */
byte dying;               /* those of them that will not outlive a retention wait that has begun */

/* --- what only the properties know --- */
byte created, skipped;    /* ever */
bool settled;             /* the end: all decided, all cleaned up */

/* --- replicas --- */
typedef Replica {
    bool leads;
    byte sent;            /* a create left, its answer did not come */
    byte decided;         /* the object exists, or the skip was told */
    byte listed;          /* has its place in the open list, until it is decided */
    bool acknowledged;    /* it knows that the marks in the Lease are durable */
    byte waits;           /* finished objects whose retention wait has begun */
    bool writing;         /* its write of the Lease is under way, maybe sent by … */
    bool is_mine;         /* … this life of the process */
    byte new, new_open;   /* what it writes */
};
Replica replica[2];
byte crashes, pauses, lost;

#define ADD(set, s) set = set | BIT(s)
#define REMOVE(set, s) set = set & ~BIT(s)

/* A POST takes effect: 201; or 409 for a name that is taken, by ourselves: core/kube/answer.c */
inline create(s) {
    if
    :: !((working | told) & BIT(s)) ->
        assert(!(created & BIT(s)));                                      /* ONE OBJECT A SLOT */
        ADD(created, s);
        ADD(working, s)
    :: else
    fi
}

/* --- the lease: lua/state/lease.lua --- */

inline forget_write(r) {
    replica[r].writing = false;
    replica[r].is_mine = false;
    replica[r].new = 0;
    replica[r].new_open = 0
}

/* Any write makes all others too old that were sent before it: of their resourceVersion, they are refused. */
#ifdef NO_VERSION
#define OUTDATE(r) skip
#define MAY_WRITE(r) true
#else
#define OUTDATE(r) forget_write(r)
#define MAY_WRITE(r) (holder == r)
#endif

inline write(r) {
    assert((passed & ~replica[r].new) == 0);                              /* THE WATERMARK NEVER FALLS */
    assert((replica[r].new & ~replica[r].new_open & ~(created | skipped)) == 0); /* IT PASSES NOTHING UNDECIDED */
    passed = replica[r].new;
    open_list = replica[r].new_open;
    holder = r;
    over = false;
    OUTDATE(1 - r)
}

/* A new process. A leader that finds another in its place ends, and begins anew: scripts/daemon.lua */
inline begin_anew(r) {
    replica[r].leads = false;
    replica[r].sent = 0;
    replica[r].decided = 0;
    replica[r].listed = 0;
    replica[r].acknowledged = false;
    replica[r].waits = 0;
    replica[r].is_mine = false
}

/* What a deposed leader that has not noticed can still do is delete what it has waited for. */
#ifdef NO_FENCE
#define DEPOSE(r) replica[r].acknowledged = false
#else
#define DEPOSE(r)                                                                                                      \
    replica[r].sent = 0;                                                                                               \
    replica[r].decided = 0;                                                                                            \
    replica[r].listed = 0;                                                                                             \
    replica[r].acknowledged = false
#endif

/* What has an object is adopted (core/kube/adopt.c), what the watermark has passed is decided but for the open list
 * (core/registry/open.c, open_restore). */
inline take_over(r) {
    OUTDATE(0);
    OUTDATE(1);
    holder = r;
    over = false;
    DEPOSE(1 - r);
    replica[r].leads = true;
    replica[r].decided = (passed & ~open_list) | working | told;
    replica[r].listed = open_list & ~replica[r].decided;
#ifdef FORGET_OPEN
    replica[r].decided = passed | working | told;
    replica[r].listed = 0
#endif
}

/* --- a slot --- */

/* Leads, and no other took over. */
#define ACTS(r) (replica[r].leads && holder == r)

/* The fence, asked when a create leaves: core/kube/create.c, create_wanted */
#ifdef NO_FENCE
#define MAY_SEND(r) replica[r].leads
#else
#define MAY_SEND(r) (replica[r].leads && holder == r && !over)
#endif

/* The marks to be written, core/registry/open.c, registry_watermark: up to the first slot that is neither decided nor
 * in the list. */
#ifdef MARK_EARLY
#define MAY_PASS(r) (replica[r].decided | replica[r].listed | replica[r].sent)
#else
#define MAY_PASS(r) (replica[r].decided | replica[r].listed)
#endif
#define TO_PASS(r) ((((MAY_PASS(r) + 1) & ~MAY_PASS(r)) - 1) & ALL)
#define TO_LIST(r) (TO_PASS(r) & replica[r].listed)
#define HAS_NEWS(r) (!replica[r].acknowledged || TO_PASS(r) != passed || TO_LIST(r) != open_list)

/* core/registry/retention.c, may_delete: marks that were acknowledged have passed it … */
#ifdef DELETE_EARLY
#define IS_DURABLE(r, s) (replica[r].decided & BIT(s))
#else
#define IS_DURABLE(r, s) (replica[r].acknowledged && (passed & ~open_list & BIT(s)))
#endif
/* … and then 120 s went by. */
#ifdef NO_RETENTION
#define IS_OVER(s) true
#else
#define IS_OVER(s) (!(dying & BIT(s)))
#endif

inline decide(r, s) {
    ADD(replica[r].decided, s);
    REMOVE(replica[r].listed, s);
    REMOVE(replica[r].sent, s)
}

#define SLOT(r, s)                                                                                                     \
    :: d_step { MAY_SEND(r) && !((replica[r].decided | replica[r].sent) & BIT(s)) ->                                   \
        ADD(replica[r].sent, s); /* no answer for now */                                                               \
        ADD(frozen, s) }                                                                                               \
    :: d_step { MAY_SEND(r) && !(replica[r].decided & BIT(s)) -> /* answered: at once, or when it was sent again */    \
        create(s);                                                                                                     \
        decide(r, s) }                                                                                                 \
    :: d_step { (s) == 0 && ACTS(r) && !(replica[r].decided & BIT(s)) -> /* one may be skipped, and told so */         \
        ADD(skipped, s);                                                                                               \
        decide(r, s) }                                                                                                 \
    :: d_step { ACTS(r) && TO_PASS(r) + 1 == BIT(s) -> /* it takes long and holds the watermark back */               \
        ADD(replica[r].listed, s) }                                                                                    \
    :: d_step { ACTS(r) && (working & replica[r].decided & BIT(s)) -> /* over, and told: lua/runner.lua */     \
        REMOVE(working, s);                                                                                             \
        ADD(told, s) }                                                                                                 \
    :: d_step { ACTS(r) && (told & BIT(s)) && IS_DURABLE(r, s) && !(replica[r].waits & BIT(s)) ->             \
        ADD(replica[r].waits, s);                                                                                      \
        dying = dying | (frozen & BIT(s)) }                                                                            \
    :: d_step { (replica[r].waits & told & BIT(s)) && IS_OVER(s) ->                                                    \
        assert(passed & ~open_list & BIT(s));                             /* NOTHING IS DELETED BEFORE THAT IS DURABLE */ \
        REMOVE(told, s) }

proctype Daemon(byte r) {
end:
    do
    /* the first lease is replica 0's: the two are alike */
    :: d_step { !replica[r].leads && ((holder == NOBODY && r == 0) || over) -> take_over(r) }
    :: d_step { replica[r].leads && !replica[r].writing && MAY_WRITE(r) && HAS_NEWS(r) ->
        replica[r].new = TO_PASS(r);
        replica[r].new_open = TO_LIST(r);
        replica[r].writing = true;
        replica[r].is_mine = true }
    :: d_step { replica[r].leads && holder == r && over -> over = false } /* renewed, before another came */
    :: d_step { replica[r].leads && holder != r -> begin_anew(r) }        /* lua/state/lease.lua, look_again */
    SLOT(r, 0)
    SLOT(r, 1)
#if SLOTS == 3
    SLOT(r, 2)
#endif
    od
}

/* --- the world --- */

#define WORLD(r)                                                                                                       \
    :: d_step { replica[r].writing -> /* the write arrives, and the answer if somebody waits for it */                 \
        write(r);                                                                                                      \
        replica[r].acknowledged = replica[r].is_mine;                                                                  \
        forget_write(r) }                                                                                              \
    :: d_step { replica[r].writing && replica[r].is_mine && lost < LOST -> /* the answer is lost */                    \
        write(r);                                                                                                      \
        lost++;                                                                                                        \
        replica[r].acknowledged = false;                                                                               \
        forget_write(r) }                                                                                              \
    :: d_step { replica[r].writing && !replica[r].is_mine -> forget_write(r) } /* it never arrives */                  \
    :: d_step { replica[r].leads && crashes < CRASHES ->                                                               \
        crashes++;                                                                                                     \
        begin_anew(r) }                                                                                                \
    :: d_step { holder == r && !over && !replica[r].leads -> over = true } /* nobody renews it */                      \
    :: d_step { holder == r && !over && replica[r].leads && pauses < PAUSES ->                                         \
        pauses++;                                                                                                      \
        over = true }

#define REQUEST(s)                                                                                                     \
    :: d_step { (frozen & BIT(s)) && !((working | told) & BIT(s)) -> create(s) } /* thawed */                           \
    :: d_step { frozen & BIT(s) -> /* and dead */                                                                      \
        REMOVE(frozen, s);                                                                                             \
        REMOVE(dying, s) }

active proctype World() {
    atomic {
        run Daemon(0);
        run Daemon(1)
    };
    do
    WORLD(0)
    WORLD(1)
    REQUEST(0)
    REQUEST(1)
#if SLOTS == 3
    REQUEST(2)
#endif
    :: timeout -> break                                                   /* nothing is left to be done */
    od;
    assert((created | skipped) == ALL);                                   /* NO SLOT IS LOST */
    assert(passed == ALL && open_list == 0 && (working | told) == 0);
    settled = true
}

ltl settles { <> settled }                                                /* AND EACH IS DECIDED AT LAST */
