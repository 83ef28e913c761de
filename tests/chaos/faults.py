"""What goes wrong in tests/chaos/run, and the plan that a seed makes of it. A plan depends on nothing but the
seed; who leads when a fault strikes is known only then."""

import random
import signal


def kill(scene, away):
    """The leader is killed, and comes back."""
    scene.wait_leader().end(signal.SIGKILL, away)
    scene.sleep(away)


# (fault, the range of its seconds, weight)
FAULTS = {
    "kill": (kill, (0, 4), 2),
}


def plan(seed, seconds, names=None):
    """[(pause before it, name, its length)] for so many seconds. names: only these faults."""
    rng = random.Random(seed)
    chosen = sorted(names or FAULTS)
    steps, spent = [], 0.0
    while spent < seconds:
        name = rng.choices(chosen, [FAULTS[name][2] for name in chosen])[0]
        pause, length = round(rng.uniform(0, 3), 1), round(rng.uniform(*FAULTS[name][1]), 1)
        steps.append((pause, name, length))
        spent += pause + length
    return steps


def play(scene, steps, say):
    for pause, name, length in steps:
        scene.sleep(pause)
        say(f"{name} {length} s")
        FAULTS[name][0](scene, length)
