"""Kills runs at random moments, again and again, and sees that nothing is lost and nothing differs.

    python -m tests.torture                              # 50 kills, of all ways to run
    python -m tests.torture --only vllm --kills 5 --seed 7

Two iterations of a small experiment on the miniature model are run undisturbed. Then they are run
again, and somebody is killed (SIGKILL) at a random moment: the run, its training or one of its
ranks, a process of its vLLM server, Dagster's daemon, everything at once; of a machine that dies,
also files are cut or gone that nobody has announced as complete. The run is started again, somebody
is killed again, until the run has come to its end after all. What it has made must be what the
undisturbed run has made, to the byte where bytes are what counts. Prints what was done and found.
"""

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import psutil

from tests.torture.made import announced, continued, journals, made_by, moment
from tests.torture.runs import Run, Tortured
from tests.torture.tally import Tally, table
from tests.torture.victims import ALL_OF_IT, strike, tear
from tests.torture.ways import WAYS

KILLS_PER_PROJECT = 10


class Torture:
    """The whole of it.

    Attributes:
        draw: decides who is killed, and when.
        tally: what was done and found.
    """

    def __init__(self, folder: Path, seed: int) -> None:
        self.draw = random.Random(seed)
        self.tally = Tally()
        self._folder = folder

    def of_a_way(self, name: str, kills: int) -> None:
        """Kill so often in runs of one way, and compare what they make."""
        way = WAYS[name]
        # Dagster cannot have a space or a comma in the paths of its sockets.
        folder = self._folder / name.replace(" ", "_")
        reference = Tortured.new(folder.with_name(f"{folder.name}_undisturbed"), way)
        start = time.monotonic()
        run = reference.start(way)
        if run.wait():
            raise RuntimeError(f"the undisturbed run has failed: {reference.said}")
        seconds = time.monotonic() - start
        self.see_what_lives(reference)
        self.see_what_is_left(reference)
        expected = made_by(reference)
        print(f"{name}: undisturbed, it takes {seconds:.0f} s", flush=True)
        number = 0
        while (left := kills - self._killed(name)) > 0:
            number += 1
            project = Tortured.new(folder.with_name(f"{folder.name}_{number}"), way)
            self._run_to_its_end(project, name, min(left, KILLS_PER_PROJECT), seconds)
            found = made_by(project)
            differing = [
                f"{project.root.name}: {what}"
                for what in expected.keys() | found.keys()
                if expected.get(what) != found.get(what)
            ]
            self.tally.differences += differing
            if not self.tally.faults:
                shutil.rmtree(project.root)

    def _run_to_its_end(self, project: Tortured, name: str, kills: int, seconds: float) -> None:
        """Start a run, and start it again, until it ends by itself; kill so often on the way.

        Args:
            project: nothing has been run on it.
            name: of the way to run it.
            kills: fewer, if the run has come to its end before.
            seconds: that an undisturbed run takes.

        Raises:
            RuntimeError: a run has failed of which nobody was killed.
        """
        slots: dict[Path, list[str]] = {}
        complete: dict[Path, bytes] = {}
        while True:
            run = project.start(WAYS[name])
            struck = self._killed_in(project, run, name, kills, seconds)
            kills -= len(struck)
            run.wait()
            self.see_what_lives(project)
            self.see_what_is_kept(project, slots, complete)
            if struck:
                self.tally.temporary.update(project.cleared())
            if "the machine" in struck:
                tear(project, self.draw)
            slots, complete = journals(project), announced(project.data)
            if run.returncode == 0:
                self.tally.ended[name] += 1
                self.see_what_is_left(project)
                return
            if not struck:
                raise RuntimeError(f"a run failed: {project.said}")

    def _killed_in(
        self,
        project: Tortured,
        run: Run,
        name: str,
        kills: int,
        seconds: float,
    ) -> list[str]:
        """Kill until the run ends, at most so often; returns who was killed."""
        struck: list[str] = []
        while run.poll() is None and len(struck) < kills and not {*struck} & {*ALL_OF_IT}:
            kind = self.draw.choice([*ALL_OF_IT, *WAYS[name].victims])
            if strike(project, run, kind, seconds, self.draw):
                struck.append(kind)
                self.tally.kills[name, kind] += 1
                self.tally.moments[moment(project)] += 1
                print(f"{name}: {kind}, while it makes {moment(project)}", flush=True)
        return struck

    def _killed(self, name: str) -> int:
        return sum(count for (way, _), count in self.tally.kills.items() if way == name)

    def see_what_lives(self, project: Tortured) -> None:
        """Note processes that outlive their run; they are ended."""
        for process in project.wait_until_all_have_ended():
            with contextlib.suppress(psutil.Error):
                self.tally.left_behind.append(f"{project.root.name}: {process.cmdline()}")
                process.kill()

    def see_what_is_kept(
        self, project: Tortured, slots: dict[Path, list[str]], complete: dict[Path, bytes]
    ) -> None:
        """Note what was finished when the run was started, and has been made again after all."""
        tally, now = self.tally, announced(project.data)
        tally.remade += [str(path) for path, content in complete.items() if now[path] != content]
        after = journals(project)
        for path, before in slots.items():
            found = after.get(path)
            if found == before:
                continue  # the run has not come so far
            tally.found_finished += len(before)
            if before and (path.parts[-3], len(before)) not in continued(project):
                tally.asked_again.append(f"{path}: all {len(before)} records")
        for path, found in after.items():
            twice = [slot for slot, count in Counter(found).items() if count > 1]
            tally.asked_again += [f"{path}: {slot}" for slot in twice]

    def see_what_is_left(self, project: Tortured) -> None:
        """Note files that nobody needs any more when a run has come to its end."""
        patterns = (".draft-*", "journal-*", ".training-*", "*.new", ".adapter.json", ".*.run",
                    ".*=[0-9].[0-9]*", "*.wal", ".lengths-pending/*.json")  # fmt: skip
        found = [path for pattern in patterns for path in project.data.rglob(pattern)]
        # PyTorch keeps a cache there, which the next run uses again.
        found += (path for path in project.temporary.iterdir() if "inductor" not in path.name)
        found += (path for path in project.shared if path.exists())
        self.tally.left_behind += [str(path) for path in found]


def main() -> None:
    """Torture, and print what was done and found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--only", choices=sorted(WAYS), action="append", help="a way to run")
    parser.add_argument("--seed", type=int, default=random.randrange(1000))
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    chosen = options.only or list(WAYS)
    shares = sum(WAYS[name].share for name in chosen)
    folder = Path(tempfile.mkdtemp(prefix="torture-", dir=options.folder))
    torture, start = Torture(folder, options.seed), time.monotonic()
    for name in chosen:
        torture.of_a_way(name, -(-options.kills * WAYS[name].share // shares))
    print(table(torture.tally, (time.monotonic() - start) / 60))
    if torture.tally.faults:
        sys.exit("\n".join([f"seed {options.seed}, see {folder}:", *torture.tally.faults]))
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
