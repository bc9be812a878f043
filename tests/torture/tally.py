"""What was done, and what was found."""

from collections import Counter
from dataclasses import dataclass, field

from tests.torture.ways import WAYS


@dataclass
class Tally:
    """What was done, and what was found.

    Attributes:
        kills: by way and victim.
        moments: what was being made when somebody was killed.
        ended: runs that came to their end, by way.
        found_finished: records that a run found finished by the ones before.
        temporary: files that killed processes left where the system keeps such files, by kind.
        asked_again, remade, differences, left_behind: what must not be, each named.
    """

    kills: Counter[tuple[str, str]] = field(default_factory=Counter)
    moments: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    found_finished: int = 0
    temporary: Counter[str] = field(default_factory=Counter)
    asked_again: list[str] = field(default_factory=list)
    remade: list[str] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    left_behind: list[str] = field(default_factory=list)

    @property
    def faults(self) -> list[str]:
        return [*self.asked_again, *self.remade, *self.differences, *self.left_behind]


def table(tally: Tally, minutes: float) -> str:
    """What was done and found, in Markdown."""
    ways = [name for name in WAYS if tally.ended[name]]
    rows = [["killed", *ways, "all"]]
    for kind in dict.fromkeys(kind for _, kind in tally.kills):
        counts = [tally.kills[name, kind] for name in ways]
        rows.append([kind, *map(str, counts), str(sum(counts))])
    sums = [sum(n for (way, _), n in tally.kills.items() if way == name) for name in ways]
    rows.append(["all", *map(str, sums), str(sum(sums))])
    rows.append(["runs that came to their end", *(str(tally.ended[name]) for name in ways), ""])
    rows.insert(1, ["---", *("---:" for _ in rows[0][1:])])
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines += ["", "| killed while this was being made | |", "|---|---:|"]
    lines += [f"| {what} | {count} |" for what, count in tally.moments.most_common()]
    lines += [
        "",
        "| found | |",
        "|---|---:|",
        f"| finished records that the next run took over | {tally.found_finished} |",
        f"| finished records that were asked for again | {len(tally.asked_again)} |",
        f"| finished results that were made again | {len(tally.remade)} |",
        f"| differences from the undisturbed run | {len(tally.differences)} |",
        f"| processes, and files in the data folder, left behind | {len(tally.left_behind)} |",
        f"| temporary files of killed processes, for the system | {tally.temporary.total()} |",
        "",
        f"{minutes:.0f} minutes.",
    ]
    return "\n".join(lines)
