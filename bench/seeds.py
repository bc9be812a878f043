"""Near-duplicates among many instructions: the index against comparing all with all.

    python bench/seeds.py --all-with-all 10000 --instructions 100000

Instructions are made of the words of the project's own seeds; every second one is an earlier one
with some words replaced. Prints seconds of processor time, and which share of the near-duplicates
that comparing all with all finds the index finds as well, by similarity.
"""

import argparse
import json
from collections import Counter
from random import Random
from time import process_time

from sl_dagster.commands.seeds import own_seed_files
from sl_dagster.inputs.seeds import read_seeds
from sl_dagster.method.diversity import SimilarTexts, most_similar_earlier
from sl_dagster.method.instructions import MAX_SIMILARITY


def instructions(count: int) -> list[str]:
    """So many instructions of 10 to 45 words."""
    random = Random(1)
    seeds = (seed.line for seed in read_seeds(own_seed_files()))
    words = " ".join(line.instruction for line in seeds if line.language == "en").split()
    texts: list[list[str]] = []
    while len(texts) < count:
        fresh = random.choices(words, k=random.randint(10, 45))
        texts.append(fresh)
        changed = [
            random.choice(words) if random.random() < share else word
            for share in [random.uniform(0, 0.35)]
            for word in random.choice(texts)
        ]
        texts.append(changed)
    return [" ".join(text) for text in texts[:count]]


def all_with_all(texts: list[str]) -> list[float]:
    """How similar each text is to the most similar one before it, 0 for none."""
    known, found = SimilarTexts(), []
    for text in texts:
        alike = known.most_similar(text, MAX_SIMILARITY)
        found.append(alike[1] if alike else 0.0)
        known.add(text)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all-with-all", type=int, default=10_000, help="instructions for both")
    parser.add_argument("--instructions", type=int, default=100_000, help="for the index alone")
    arguments = parser.parse_args()

    few, many = instructions(arguments.all_with_all), instructions(arguments.instructions)
    start = process_time()
    similarities = all_with_all(few)
    exact = process_time()
    by_index = most_similar_earlier(few, MAX_SIMILARITY)
    index = process_time()
    most_similar_earlier(many, MAX_SIMILARITY)
    large = process_time()

    there, found = Counter[str](), Counter[str]()
    for similarity, alike in zip(similarities, by_index, strict=True):
        if similarity:
            step = f"{int(similarity * 20) / 20:.2f}"
            there[step] += 1
            found[step] += alike is not None
    print(
        json.dumps(
            {
                f"all with all, {len(few)}": round(exact - start, 1),
                f"index, {len(few)}": round(index - exact, 1),
                f"index, {len(many)}": round(large - index, 1),
                "found": {step: round(found[step] / there[step], 3) for step in sorted(there)},
            },
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
