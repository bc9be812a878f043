"""The lineage view's pages and the local server that shows them.

What a model wrote is shown as text: templates escape it, and the pages allow no scripts at all.
"""

import errno
import json
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from sl_dagster.errors import UserError
from sl_dagster.lineage.addresses import asset_address, stage_path
from sl_dagster.lineage.hosts import OwnNamesOnly
from sl_dagster.lineage.navigation import Navigation, furthest
from sl_dagster.lineage.search import Search, search
from sl_dagster.lineage.story import Story, story_of
from sl_dagster.report.page import report_path
from sl_dagster.resources.adapters import Adapter, stage_of
from sl_dagster.resources.local import open_local
from sl_dagster.resources.records import Record
from sl_dagster.resources.storage.lengths import LengthsDatabase
from sl_dagster.resources.storage.stage_key import StageKey
from sl_dagster.resources.storage.stage_store import StageStore

_SAFE = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
SCOPES = {
    "stage": "this stage",
    "iteration": "all stages beside it",
    "experiment": "the whole experiment",
}


def lineage_app(folder: Path, stale: Callable[[str], str] = lambda experiment: "") -> Starlette:
    """The pages as an ASGI application.

    Args:
        folder: the data folder.
        stale: says what is out of date in an experiment, as far as that is known.
    """
    pages = _Pages(folder, stale)
    return Starlette(
        routes=[
            Route("/", pages.records),
            Route("/record/{record_id}", pages.record),
            Route("/report/{experiment}", pages.report),
            Route("/about", pages.about),
        ],
        middleware=[Middleware(OwnNamesOnly)],
        exception_handlers={UserError: pages.error},
    )


def serve(
    folder: Path,
    host: str,
    port: int,
    ready: Callable[[], None],
    stale: Callable[[str], str] = lambda experiment: "",
) -> None:
    """Show the pages until the process is interrupted.

    Args:
        folder, stale: see ``lineage_app``.
        host: the address to listen on.
        port: likewise.
        ready: called when the pages can be asked for; also if another process shows them already.

    Raises:
        UserError: the port is taken by something else.
    """
    listening = _listen(folder, host, port)
    ready()
    if listening:
        _run(lineage_app(folder, stale), listening)


def serve_beside(
    folder: Path, host: str, port: int, stale: Callable[[str], str] = lambda experiment: ""
) -> None:
    """Show the pages from a thread, for as long as the process lives.

    Args: as of ``serve``.

    Raises:
        UserError: the port is taken by something else.
    """
    listening = _listen(folder, host, port)
    if listening:
        app = lineage_app(folder, stale)
        threading.Thread(target=_run, args=(app, listening), daemon=True).start()


def _run(app: Starlette, listening: socket.socket) -> None:
    import uvicorn

    uvicorn.Server(uvicorn.Config(app, log_level="warning")).run(sockets=[listening])


def _listen(folder: Path, host: str, port: int) -> socket.socket | None:
    """A listening socket; None if the same pages are shown there already."""
    try:
        return socket.create_server((host, port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE and _shown_at(host, port) == str(folder):
            return None
        if is_unknown_host(error):
            raise UserError(f"--host {host}: there is no such address: choose another") from error
        raise UserError(
            f"the lineage view cannot listen on {host}:{port} ({error.strerror}): choose another "
            "port, and tell asset pages of it in SL_DAGSTER_LINEAGE, as in http://127.0.0.1:3002"
        ) from error


def is_unknown_host(error: OSError) -> bool:
    """Whether one cannot listen somewhere because the address is none."""
    return bool(error.errno) and error.errno < 0  # which are the numbers of looking names up


def _shown_at(host: str, port: int) -> str | None:
    """The data folder of the lineage view that answers there, if one does."""
    with (
        suppress(OSError, HTTPException, ValueError, KeyError, TypeError),
        open_local(f"http://{host}:{port}/about", timeout=5) as answer,
    ):
        return json.load(answer)["data"]


class _Pages:
    """Turns requests into pages."""

    def __init__(self, folder: Path, stale: Callable[[str], str]) -> None:
        self._folder = folder
        self._stale = stale
        self._stages = StageStore(data_dir=str(folder))
        self._lengths = LengthsDatabase(data_dir=str(folder))
        self._templates = Environment(
            loader=PackageLoader("sl_dagster.lineage"), autoescape=True, trim_blocks=True
        )

    def about(self, request: Request) -> Response:
        """Whose pages these are, for another process that wants to show the same."""
        return JSONResponse({"data": str(self._folder)})

    def error(self, request: Request, error: Exception) -> Response:
        """A message for the user."""
        return self._page("error.html", 404, message=str(error))

    def report(self, request: Request) -> Response:
        """An experiment's report, as it was written last."""
        experiment = request.path_params["experiment"]
        path = report_path(experiment, self._folder)
        if not any(key.experiment == experiment for key in self._stages.complete()):
            raise UserError(f"there is nothing stored of an experiment {experiment!r} yet")
        if not path.is_file():
            raise UserError(
                f"no report of {experiment} has been written yet: run `sl-dagster report "
                f"--experiment {experiment}`, or materialize its asset report"
            )
        policy = {"Content-Security-Policy": _SAFE["Content-Security-Policy"] + "; img-src data:"}
        return HTMLResponse(path.read_text(encoding="utf-8"), headers=_SAFE | policy)

    def records(self, request: Request) -> Response:
        """A list of records; a record's id among the words leads straight to it."""
        asked = request.query_params
        words = asked.get("words", "").strip()
        if words and self._lengths.locate(words):
            return RedirectResponse(f"/record/{quote(words)}")
        navigation = Navigation(self._stages.complete())
        key = _chosen(navigation, dict(asked))
        scope = asked.get("where", "stage")
        kept = asked.get("kept", "")
        wanted = Search(
            _searched(navigation, key, scope),
            words=words,
            kept={"yes": True, "no": False}.get(kept),
            reason=asked.get("reason", ""),
            parent=asked.get("parent", ""),
            page=_number(asked.get("page", "1"), least=1),
        )
        found = search(wanted, self._stages)

        def turned(pages: int) -> str:
            """The same search, some pages on."""
            filters = {
                "words": wanted.words, "where": "" if scope == "stage" else scope, "kept": kept,
                "reason": wanted.reason, "parent": wanted.parent,
            }  # fmt: skip
            chosen = {name: value for name, value in filters.items() if value}
            return stage_path(key, **chosen, page=wanted.page + pages)

        return self._page(
            "list.html",
            key=key,
            wanted=wanted,
            scope=scope,
            scopes=SCOPES,
            kept=kept,
            found=found,
            stale=self._stale(key.experiment),
            navigation=navigation.rows(key),
            previous_page=turned(-1) if wanted.page > 1 else None,
            next_page=turned(1) if wanted.page < found.pages else None,
        )

    def record(self, request: Request) -> Response:
        """The story of a record."""
        story = story_of(request.path_params["record_id"], self._folder)
        complete = set(self._stages.complete(story.record.experiment))

        def next_texts(adapter: Adapter) -> list[tuple[str, str]]:
            return [
                (str(key).partition("/")[2], stage_path(key))
                for key in _written_by(adapter, story.record.experiment)
                if key in complete
            ]

        def training_set(writer: dict[str, Any]) -> str | None:
            """Where the examples are listed that an adapter was trained on."""
            key = StageKey(
                story.record.experiment, f"{writer['role']}_sft", writer["iteration"] or None
            )
            return stage_path(key) if key in complete else None

        return self._page(
            "record.html",
            story=story,
            key=_key(story.record),
            longest=max([step.record.words for step in story.steps] + [1]),
            adapter_key=lambda adapter: StageKey(
                story.record.experiment, stage_of(adapter.role), adapter.iteration or None
            ),
            training_set=training_set,
            next_texts=next_texts,
            made_from_seed=_made_from_seed(story, complete),
        )

    def _page(self, template: str, status: int = 200, **values: Any) -> HTMLResponse:
        html = self._templates.get_template(template).render(
            folder=self._folder,
            stage_path=stage_path,
            asset_address=asset_address,
            **values,
        )
        return HTMLResponse(html, status, headers=_SAFE)


def _chosen(navigation: Navigation, asked: dict[str, str]) -> StageKey:
    """The stage that was asked for; where the question leaves it open, the one furthest on."""
    complete = navigation.complete
    if not complete:
        raise UserError("nothing has been stored yet: run an experiment first")
    if asked.get("stage") and asked.get("experiment"):
        iteration = _number(asked.get("iteration", "0"), least=0) or None
        key = StageKey.from_name(asked["experiment"], asked["stage"], iteration)
        if key not in complete:
            raise UserError(f"{key} has not been made yet: materialize it first")
        return key
    candidates = [
        key
        for key in complete
        if asked.get("experiment") in (None, key.experiment)
        and asked.get("iteration") in (None, str(key.iteration or 0))
    ]
    if not candidates:
        raise UserError(
            f"nothing is stored of experiment {asked.get('experiment', '')!r}, iteration "
            f"{asked.get('iteration', 'any')}: there are {_names(complete)}"
        )
    return furthest(candidates)


def _searched(navigation: Navigation, key: StageKey, scope: str) -> tuple[StageKey, ...]:
    if scope == "experiment":
        return tuple(navigation.of_experiment(key))
    return tuple(navigation.beside(key)) if scope == "iteration" else (key,)


def _number(text: str, least: int) -> int:
    """A number in an address; what is none counts as the least."""
    return max(least, int(text)) if text.isdecimal() and len(text) < 10 else least


def _names(complete: list[StageKey]) -> str:
    last: dict[str, int] = {}
    for key in complete:
        last[key.experiment] = max(last.get(key.experiment, 0), key.iteration or 0)
    return ", ".join(f"{name} (iterations 0 to {end})" for name, end in last.items())


def _key(record: Record) -> StageKey:
    return StageKey.from_name(record.experiment, record.stage, record.iteration or None)


def _written_by(adapter: Adapter, experiment: str) -> list[StageKey]:
    """The stages that show first what an adapter has learned."""
    if adapter.role == "generator":
        return [
            StageKey(experiment, "heldout_responses", adapter.iteration),
            StageKey(experiment, "initial_responses", adapter.iteration + 1),
        ]
    return [StageKey(experiment, "round1_stage2", adapter.iteration + 1)]


def _made_from_seed(story: Story, complete: set[StageKey]) -> list[tuple[str, int]]:
    keys = [key for key in complete if key.stage == "instructions" and key.iteration]
    return [
        (stage_path(key, parent=story.record.record_id), key.iteration or 0)
        for key in sorted(keys, key=lambda key: key.iteration or 0)
    ]
