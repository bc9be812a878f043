"""Under which names the lineage view may be asked: no foreign page can pretend to be local.

A page from elsewhere cannot read ours, unless its own name is made to point to this machine (DNS
rebinding). Then the browser still sends that name, and gets no answer.
"""

import ipaddress
import socket
from functools import cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sl_dagster.paths import lineage_host


class OwnNamesOnly:
    """Answers only what is asked of this machine by an address or by a name of its own.

    Its own names are ``localhost``, the machine's, and that in ``SL_DAGSTER_LINEAGE``. Where the
    browser says which page asks (Origin), that page must have such a name, too.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See the class."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            asked = [f"//{headers.get('host', '')}", *headers.getlist("origin")]
            if not all(map(_is_own, asked)):
                refusal = PlainTextResponse("not one of this machine's names", status_code=400)
                return await refusal(scope, receive, send)
        return await self._app(scope, receive, send)


def _is_own(address: str) -> bool:
    try:
        name = urlsplit(address).hostname or ""
    except ValueError:
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name in {"localhost", lineage_host(), *_machine_names()}
    return True  # nobody can make an address point elsewhere


@cache
def _machine_names() -> frozenset[str]:
    return frozenset({socket.gethostname().lower(), socket.getfqdn().lower()})
