"""How long Dagster's definitions of many experiments take, which every run and code server makes.

So many experiments that extend the demo are read from files and become assets, checks, jobs and
sensors. Prints the processor time of each part; that of the imports is not part of it.

    python bench/definitions.py                        # 20 experiments
"""

import argparse
import itertools
import json
import tempfile
import time
import warnings
from pathlib import Path

from sl_dagster.definitions import build_definitions
from sl_dagster.experiment import load_experiments
from sl_dagster.paths import PROJECT_ROOT
from sl_dagster.resources.named import resources_in

DEMO = PROJECT_ROOT / "experiments" / "demo.yaml"


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--experiments", type=int, default=20)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "experiments"
        folder.mkdir()
        for beside in ("sl_dagster", "seeds"):  # what the demo names by paths from its file
            (folder.parent / beside).symlink_to(PROJECT_ROOT / beside)
        for number in range(arguments.experiments):
            settings = {
                "extends": str(DEMO),
                "control": None,
                "iterations": 3 + number % 4,
                "training": {"learning_rate": 1e-4 * (number + 1)},
            }
            (folder / f"experiment_{number}.yaml").write_text(json.dumps(settings))
        seconds = {"start": time.process_time()}
        found = load_experiments(folder)
        seconds["files"] = time.process_time()
        if found.broken:
            raise SystemExit(next(iter(found.broken.values())))
        definitions = build_definitions(found.experiments, resources_in(folder))
        seconds["definitions"] = time.process_time()
        definitions.get_repository_def()
        seconds["repository"] = time.process_time()
    assets = len(definitions.resolve_all_asset_specs())
    parts = {
        now: round(seconds[now] - seconds[before], 3) for before, now in itertools.pairwise(seconds)
    }
    print(json.dumps({"experiments": arguments.experiments, "assets": assets} | parts))


if __name__ == "__main__":
    main()
