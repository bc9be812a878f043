"""Asking servers on this machine, whatever proxies the environment names.

On a cluster, ``http_proxy`` is often set and 127.0.0.1 not in ``no_proxy``. A proxy finds nothing
of ours under that address, and would be shown our keys.
"""

import ipaddress
import urllib.request
from http.client import HTTPResponse
from urllib.parse import urlsplit

_PAST_PROXIES = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def open_local(address: str | urllib.request.Request, timeout: float) -> HTTPResponse:
    """Ask a server on this machine as ``urllib.request.urlopen`` does, but past any proxy.

    Args:
        address: where and how to ask.
        timeout: seconds that an answer may take.

    Raises:
        OSError: it does not answer, or with an error.
        http.client.HTTPException: it answers something else than HTTP.
    """
    return _PAST_PROXIES.open(address, timeout=timeout)


def is_local(url: str) -> bool:
    """Whether this is a plain address of this very machine (127.0.0.1, localhost)."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost" or host.endswith(".localhost")
    return parts.scheme == "http" and loopback
