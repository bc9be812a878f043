"""YAML as people mean it: a key that is given twice is a mistake, not the last of its values."""

from typing import Any

import yaml


def parse_yaml(text: str) -> Any:
    """What a YAML text says; it may hold plain values, lists and mappings only.

    Raises:
        yaml.YAMLError: it is no YAML, which includes a key that is given twice; naming the line.
    """
    return yaml.load(text, _Loader)


class _Loader(yaml.SafeLoader):
    # Here and not where values are made of the nodes: by then, merge keys (`<<`) have added theirs.
    def compose_mapping_node(self, anchor: Any) -> Any:
        node = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            line = key.start_mark.line + 1
            name = (key.tag, str(key.value))
            if name in lines:
                raise yaml.YAMLError(
                    f"line {line}: {key.value} is given twice, first in line {lines[name]}: "
                    "remove one of them"
                )
            lines[name] = line
        return node
