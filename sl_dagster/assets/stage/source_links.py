"""The web UI's links to an asset's source: a file here, or a page of the git remote."""

import functools
import inspect
import re
import subprocess
from typing import Any

import dagster as dg

from sl_dagster.assets.stage.dagster_betas import accepted_betas
from sl_dagster.paths import PROJECT_ROOT

_ANCHOR = "pyproject.toml"
_REMOTE = re.compile(
    r"(?:[a-z+]+://)?(?:[^@/]+@)?(?P<host>[^/:@]*git(?:hub|lab)[^/:@]*)(?::\d+(?=/))?[:/]"
    r"(?P<path>.+?)(?:\.git)?/?"
)


@functools.cache  # each experiment asks for the same classes, and a file is parsed for each
def code_reference(asset: type) -> dict[str, Any]:
    """Metadata by which the web UI shows where the class of an asset stands.

    Dagster's own ``with_source_code_references`` would find the function that declares it instead.
    """
    _, first = inspect.getsourcelines(asset)
    with accepted_betas():
        place = dg.LocalFileCodeReference(
            file_path=str(inspect.getsourcefile(asset)), line_number=first, label=asset.__name__
        )
        places = dg.CodeReferencesMetadataValue(code_references=[place])
    return {"dagster/code_references": places}


def linked_to_remote(assets: list[dg.AssetsDefinition]) -> list[dg.AssetsDefinition]:
    """The assets with links to the commit that is checked out, on GitHub or GitLab.

    They are as they were where the project is no git repository or its remote is another one.
    """
    address = web_address(_git("config", "--get", "remote.origin.url"))
    commit = _git("rev-parse", "HEAD")
    if not address or not commit:
        return assets
    with accepted_betas():
        mapping = dg.AnchorBasedFilePathMapping(
            local_file_anchor=PROJECT_ROOT / _ANCHOR,
            file_anchor_path_in_repository=_git("rev-parse", "--show-prefix") + _ANCHOR,
        )
        linked = dg.link_code_references_to_git(
            assets, git_url=address, git_branch=commit, file_path_mapping=mapping
        )
    return [asset for asset in linked if isinstance(asset, dg.AssetsDefinition)]


def web_address(remote: str) -> str | None:
    """The web page of a git remote on GitHub or GitLab, without any credentials; else None."""
    found = _REMOTE.fullmatch(remote)
    return f"https://{found['host']}/{found['path']}" if found else None


def _git(*arguments: str) -> str:
    """What git says about the project; nothing where there is no git or no repository."""
    try:
        result = subprocess.run(
            ["git", *arguments], cwd=PROJECT_ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        return ""
    return result.stdout.strip()
