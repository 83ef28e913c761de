"""What goes wrong in tests/chaos/run, and the plan that a seed makes of it. A plan depends on nothing but the
seed; who leads when a fault strikes is known only then."""

import collections
import random
import signal
import time

from scene import FLAGS

# pause: seconds before it, from when somebody leads; length: its own seconds; on_leader: it hits the leader's API server, else the other's;
# kill: the leader is killed so many seconds after its beginning, or None.
Step = collections.namedtuple("Step", "pause name length on_leader kill", defaults=(True, None))


def kill(scene, step):
    """The leader is killed, and comes back."""
    scene.wait_leader().end(signal.SIGKILL, step.length)
    scene.sleep(step.length)


def hand_over(scene, step):
    """The leader is asked to end, and comes back: the other takes over."""
    scene.wait_leader().end(signal.SIGTERM, step.length)
    scene.sleep(step.length)


def freeze_leader(scene, step):
    """The leader stands still, perhaps for longer than its lease, and goes on as if nothing had been."""
    leader = scene.wait_leader()
    leader.signal(signal.SIGSTOP)
    scene.sleep(step.length)
    leader.signal(signal.SIGCONT)


def target(scene, step):
    leader = scene.wait_leader()
    return (leader if step.on_leader else scene.other(leader)).server


def away(verb):
    """A component is stopped, killed or paused, and comes back."""
    def fault(scene, step, component=None):
        component = component or target(scene, step)
        scene.cluster(verb, component)
        scene.sleep(step.length)
        if verb == "pause":
            scene.cluster("resume", component)
        else:
            scene.cluster.start(component)
    return fault


def goaway(scene, step):
    """An API server comes back as one that ends connections at random, and stays so."""
    component = target(scene, step)
    scene.cluster.flags[component] = FLAGS + " --goaway-chance=0.02"
    away("stop")(scene, step, component)


def pause_etcd(scene, step):
    away("pause")(scene, step, "etcd")


JOB = "job-001"  # of all the schedule's: every second second, each slot exactly once


def frozen_requests(scene, step):
    """The leader's API server is frozen, then the leader, with a slot's creates sent and not answered: its
    connections stay. The other replica takes over through the other API server and creates the same objects. When
    they are gone again, or after so many seconds, what was frozen thaws, and is executed."""
    leader = scene.wait_leader()
    scene.sleep(2 - (time.time() + 0.1) % 2)  # shortly before a slot of all jobs
    scene.cluster("pause", leader.server)
    begin = time.time() - 0.5
    scene.sleep(3)
    leader.signal(signal.SIGSTOP)
    end = time.time()
    scene.wait(lambda: scene.leader() not in (None, leader), 60, "nobody took over")
    made = set()

    def made_and_gone():
        slots = scene.slots_of(JOB, scene.other(leader).server)
        if slots is None:
            return False
        made.update(slot for slot in slots if begin < slot < end)
        return made and not made & slots

    scene.sleep_until(made_and_gone, step.length)
    scene.cluster("resume", leader.server)
    scene.sleep_until(lambda: scene.cluster.is_ready(leader.server), 60)
    scene.sleep(8)  # the leader would cancel its requests, which are over time
    leader.signal(signal.SIGCONT)


# name: (function, the range of its seconds, weight)
FAULTS = {
    "kill": (kill, (0, 4), 3),
    "hand over": (hand_over, (0, 4), 3),
    "freeze leader": (freeze_leader, (2, 25), 2),
    "stop API server": (away("stop"), (0, 5), 1),
    "kill API server": (away("kill"), (0, 5), 2),
    "pause API server": (away("pause"), (1, 20), 2),
    "API server sends GOAWAY": (goaway, (0, 2), 1),
    "pause etcd": (pause_etcd, (1, 8), 2),
    "frozen requests": (frozen_requests, (3, 10), 2),
}


def plan(seed, seconds, names=None):
    """More steps than can be played in so many seconds, of all faults or of those named. Three of ten come with a
    kill of the leader, during or right after them."""
    rng = random.Random(seed)
    names = sorted(names or FAULTS)
    steps, spent = [], 0.0
    while spent < seconds:
        name = rng.choices(names, [FAULTS[name][2] for name in names])[0]
        length = round(rng.uniform(*FAULTS[name][1]), 1)
        killed_at = round(rng.uniform(0, length + 1), 1)
        steps.append(Step(round(rng.uniform(0, 4), 1), name, length, rng.random() < 0.7,
                          killed_at if rng.random() < 0.3 else None))
        spent += steps[-1].pause + length
    return steps


def kill_leader_now(scene):
    leader = scene.leader()
    if leader:
        leader.end(signal.SIGKILL, 0)


def play(scene, steps, end, say):
    """Plays the steps until the time `end`."""
    for step in steps:
        if time.time() > end:
            break
        scene.wait_leader()
        scene.sleep(step.pause)
        say(" ".join([step.name, f"{step.length} s", "" if step.on_leader else "(not the leader's)",
                      "" if step.kill is None else f"and kill after {step.kill} s"]))
        if step.kill is not None:
            scene.later(step.kill, kill_leader_now)
        FAULTS[step.name][0](scene, step)
