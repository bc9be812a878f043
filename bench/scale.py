"""Where adding nodes stops helping: one iteration of 5,000 instructions, simulated.

Every request of an iteration is simulated: slots are asked for as the runner asks for them (so many
in flight for each replica, failed ones again at once, a stage only after the one before), and each
replica shares its tokens per second among the sequences it holds, none faster than it would be
alone. A stage lasts as long as its last record; that tail is what more nodes cannot shorten.

    python bench/scale.py                                        # 7B and 70B, 1 to 64 nodes
    python bench/scale.py --tokens-per-second 3100 --alone 75   # measured elsewhere

The rates of the two models are assumptions, given below with their reasons: put your own in their
place. ``sl-dagster preview`` prints what it measures of an experiment on your machine: tokens per
second of the full engine, tokens per record, and the shares that are good enough.
"""

import argparse
import heapq
import random
from collections import deque
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class Machine:
    """What one node of eight GPUs does with a model.

    Attributes:
        replicas: copies of the model on it.
        alone: tokens per second of one sequence that has a replica for itself.
        full: tokens per second of a full replica.
        sequences: how many it holds at the same time.
        training: tokens per second that the node reads in training, LoRA on all layers.
        scaling: share of that speed that a doubling of the nodes keeps.
    """

    replicas: int
    alone: float
    full: float
    sequences: int
    training: float
    scaling: float = 0.97


# Assumed, not measured here. One sequence: memory bandwidth of an H100 (3.35 TB/s) over the bytes
# of the weights (two a parameter), of which kernels reach about two thirds. A full replica: what
# vLLM's users report for bf16 at texts of some thousand tokens, within a factor of two. Training:
# 6 floating-point operations a parameter and token with activations computed twice, at 40 % of
# 990 TFLOP/s and 8 GPUs.
MACHINES = {
    "7B": Machine(replicas=8, alone=150, full=4_500, sequences=256, training=70_000),
    "70B": Machine(replicas=2, alone=60, full=1_800, sequences=128, training=7_000),
}
LORA_SECONDS = {"7B": 3.0, "70B": 12.0}
"""Assumed: an adapter read from a shared folder by every replica, at its first request."""
PUBLISH_SECONDS = 5.0
CHECKPOINT_SECONDS = 4.0
START_SECONDS = 90.0
"""Assumed: the servers' start after a training that needed their GPUs."""
CHECKPOINTS = 20


@dataclass(frozen=True)
class Stage:
    """A stage of an iteration.

    Attributes:
        slots: records that are asked for.
        tokens: mean length of a completion.
        good: share of the attempts that are good enough.
        tries: attempts at most.
    """

    name: str
    slots: int
    tokens: float
    good: float
    tries: int


def stages(words: float, good: float) -> list[Stage]:
    """An iteration with the paper's counts, whose initial responses have so many words.

    Args:
        good: share of the Extender's attempts that are good enough.
    """
    tokens = 1.4 * words
    found = [
        Stage("instructions", 5_000, 60, 0.5, 10),
        Stage("initial_responses", 10_000, tokens, 0.85, 20),
    ]
    extended = int(10_000 * 0.595 * 2)
    for number in (1, 2, 3):
        found.append(Stage(f"round{number}_stage1", extended, tokens * 0.7, 0.95, 4))
        found.append(Stage(f"round{number}_stage2", extended, tokens * 0.8, good, 4))
        tokens *= 1.26  # three rounds double it
    return found


@dataclass(frozen=True)
class Outcome:
    """What a simulated stage took.

    Attributes:
        seconds: until its last record.
        tail: of them, those in which half of the replicas' places were empty.
        tokens: generated.
    """

    seconds: float
    tail: float
    tokens: float


def simulate(stage: Stage, machine: Machine, nodes: int, seed: int) -> Outcome:
    """One stage on so many nodes; requests go to the replica that has the fewest."""
    draw = random.Random(seed)
    replicas = [_Replica(machine) for _ in range(nodes * machine.replicas)]
    waiting = deque((slot, 1) for slot in range(stage.slots))
    places = len(replicas) * machine.sequences
    ends: list[tuple[float, int, int]] = []  # when, which replica, its version then
    now = tail = tokens = 0.0
    active = 0

    def fill() -> None:
        nonlocal active, tokens
        while waiting and active < places:
            slot = waiting.popleft()
            length = draw.lognormvariate(0, 0.5) / 1.133 * stage.tokens  # 1.133: its mean
            tokens += length
            number = min(range(len(replicas)), key=lambda k: len(replicas[k].lengths))
            replicas[number].add(now, length, slot)
            active += 1
            _schedule(ends, replicas, number, now)

    fill()
    while ends:
        when, number, version = heapq.heappop(ends)
        if version != replicas[number].version:
            continue
        if active < places / 2:
            tail += when - now
        now = when
        slot, attempt = replicas[number].finish(now)
        active -= 1
        if draw.random() > stage.good and attempt < stage.tries:
            waiting.appendleft((slot, attempt + 1))
        _schedule(ends, replicas, number, now)
        fill()
    return Outcome(now, tail, tokens)


class _Replica:
    """A replica's sequences: all get the same share, so they end in the order of what is left."""

    def __init__(self, machine: Machine) -> None:
        self.machine = machine
        self.lengths: list[tuple[float, tuple[int, int]]] = []
        self.done = 0.0  # tokens that a sequence would have that was there from the beginning
        self.since = 0.0
        self.version = 0

    @property
    def rate(self) -> float:
        count = len(self.lengths)
        return min(self.machine.alone, self.machine.full / count) if count else 0.0

    def _advance(self, now: float) -> None:
        self.done += self.rate * (now - self.since)
        self.since = now
        self.version += 1

    def add(self, now: float, length: float, slot: tuple[int, int]) -> None:
        self._advance(now)
        heapq.heappush(self.lengths, (self.done + length, slot))

    def finish(self, now: float) -> tuple[int, int]:
        self._advance(now)
        return heapq.heappop(self.lengths)[1]

    def next_end(self, now: float) -> float:
        return now + (self.lengths[0][0] - self.done) / self.rate


def _schedule(
    ends: list[tuple[float, int, int]], replicas: list[_Replica], number: int, now: float
) -> None:
    replica = replicas[number]
    if replica.lengths:
        heapq.heappush(ends, (replica.next_end(now), number, replica.version))


def iteration(model: str, machine: Machine, nodes: int, words: float, good: float) -> list[float]:
    """Hours of generation, of that in tails, of training, and of everything between."""
    outcomes = [
        simulate(stage, machine, nodes, seed) for seed, stage in enumerate(stages(words, good))
    ]
    examples = 10_000 * 0.595 * 2 * 0.7 * 0.595
    per_example = 1.4 * words * (2 + 2 + 1)  # the Extender reads the initial response as well
    speed = machine.training * nodes * machine.scaling ** (nodes.bit_length() - 1)
    training = 4 * examples * per_example / speed
    between = 2 * (CHECKPOINTS * CHECKPOINT_SECONDS + PUBLISH_SECONDS + LORA_SECONDS[model])
    seconds = [
        sum(one.seconds for one in outcomes),
        sum(one.tail for one in outcomes),
        training,
        between + START_SECONDS,
    ]
    return [value / 3600 for value in seconds]


def main() -> None:
    """Print one table for each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--words", type=float, default=900, help="of an initial response")
    parser.add_argument("--good", type=float, default=0.7, help="share of good extensions")
    parser.add_argument("--tokens-per-second", type=float, help="of a full replica")
    parser.add_argument("--alone", type=float, help="tokens per second of one sequence alone")
    arguments = parser.parse_args()
    for model, machine in MACHINES.items():
        machine = replace(
            machine,
            full=arguments.tokens_per_second or machine.full,
            alone=arguments.alone or machine.alone,
        )
        print(f"\n{model}: {machine}")
        print("nodes   hours  generation  (tail)  training  between  gain of the doubling")
        before = None
        for nodes in (1, 2, 4, 8, 16, 32, 64):
            generation, tail, training, between = iteration(
                model, machine, nodes, arguments.words, arguments.good
            )
            hours = generation + training + between
            gain = f"{before / hours:.2f}x" if before else ""
            print(
                f"{nodes:5}  {hours:6.2f}  {generation:10.2f}  {tail:6.2f}  {training:8.2f}"
                f"  {between:7.2f}  {gain:>8}"
            )
            before = hours


if __name__ == "__main__":
    main()
