"""Experiments whose files are wrong, shown where one looks for them."""

from collections.abc import Mapping

import dagster as dg

GROUP = "broken_experiments"


def broken_experiments(problems: Mapping[str, str]) -> list[dg.AssetSpec]:
    """An asset that cannot be materialized for each of them, in a group of their own.

    Args:
        problems: what is wrong, by the experiments' names.
    """
    return [
        dg.AssetSpec(
            key=[GROUP, name],
            group_name=GROUP,
            description=(
                f"The file of the experiment {name} is wrong, so it has no assets:\n\n"
                f"{_as_code(problem)}\n\nCorrect it, then reload the definitions "
                "(Deployment > Code locations > Reload)."
            ),
            kinds={"yaml"},
        )
        for name, problem in problems.items()
    ]


def _as_code(text: str) -> str:
    # Whatever stands in the file is shown as text, not as Markdown.
    return "\n".join(f"    {line}" for line in text.splitlines())
