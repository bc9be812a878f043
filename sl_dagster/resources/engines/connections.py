"""The client of an endpoint: which way it takes through the network."""

import os

import httpx2
import openai

from sl_dagster.errors import UserError
from sl_dagster.resources.local import is_local

_SECONDS_TO_CONNECT = 15.0
# Which httpx reads (also written in small letters), and where a mistake shows before anything is
# asked.
_VARIABLES = (
    "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR",
)  # fmt: skip


def client_of(url: str, api_key: str | None, timeout: float) -> openai.AsyncOpenAI:
    """A client that asks once; of a server on this machine, past any proxy.

    Args:
        url: the endpoint's base URL.
        api_key: what it wants to see; None if nothing.
        timeout: seconds that an answer may take.

    Raises:
        UserError: the URL is none, or the environment names a proxy or certificates that cannot be
            used.
    """
    try:
        httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise UserError(f"engine.base_urls: {url!r} is no address: {error}") from error
    try:
        http_client = openai.DefaultAsyncHttpxClient(trust_env=not is_local(url))
    except (ImportError, ValueError, OSError, httpx2.InvalidURL) as error:
        raise UserError(_way_is_wrong(url, error)) from error
    return openai.AsyncOpenAI(
        base_url=url,
        api_key=api_key or "none",
        timeout=openai.Timeout(timeout, connect=min(timeout, _SECONDS_TO_CONNECT)),
        max_retries=0,
        http_client=http_client,
    )


def _way_is_wrong(url: str, error: Exception) -> str:
    """The message that the environment names a proxy or certificates that cannot be used."""
    names = [*_VARIABLES, *(name.lower() for name in _VARIABLES if name.endswith("PROXY"))]
    found = [name for name in names if os.environ.get(name)]
    # A proxy's address may hold a password, and the error may quote it.
    secret = any("@" in os.environ[name] for name in found)
    return (
        f"{url} cannot be asked by the way that the environment names in "
        f"{', '.join(found) or ', '.join(_VARIABLES)} "
        f"({type(error).__name__ if secret else error}): correct or unset what is wrong there; a "
        "proxy begins with http:// or https://, certificates are a file (SSL_CERT_FILE) or a "
        "folder (SSL_CERT_DIR) that can be read"
    )
