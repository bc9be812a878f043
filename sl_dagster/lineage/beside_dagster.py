"""The lineage view under `dagster dev` and `dg dev`, which know nothing of it."""

import logging
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from sl_dagster.errors import UserError
from sl_dagster.paths import lineage_host, lineage_port

_SECONDS_BETWEEN_TRIES = 5


def serve_beside_code_server(folder: Path, stale: Callable[[str], str]) -> None:
    """Show the pages from Dagster's code server, if this process is that of a local deployment.

    Asset pages link to them, and nobody else may show them there. In any other process, or if
    ``SL_DAGSTER_LINEAGE`` is not on this machine, nothing happens.

    Args:
        folder, stale: see ``lineage_app``.
    """
    is_code_server = sys.argv[1:3] == ["api", "grpc"] and "DAGSTER_IS_DEV_CLI" in os.environ
    if is_code_server and lineage_host() in ("127.0.0.1", "localhost"):
        threading.Thread(target=_serve_when_free, args=(folder, stale), daemon=True).start()


def _serve_when_free(folder: Path, stale: Callable[[str], str]) -> None:
    """When code is reloaded, the old server still shows the pages: the new one stands by."""
    # Imported late: most who load definitions need no web server.
    from sl_dagster.lineage.server import serve

    try:
        while True:
            serve(folder, "127.0.0.1", lineage_port(), lambda: None, stale)
            time.sleep(_SECONDS_BETWEEN_TRIES)
    except UserError as error:
        logging.getLogger("dagster").warning("without the lineage view: %s", error)
