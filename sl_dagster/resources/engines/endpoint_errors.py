"""What goes wrong at endpoints: which of it passes, and how it is told, never with a key in it."""

import contextlib
import html
import json
import re
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from urllib.parse import quote

import openai

from sl_dagster.errors import UserError
from sl_dagster.experiment.base import shortened

_TOO_LONG_STATUS = (400, 422, 500)
_TOO_LONG = re.compile(
    r"context.?(length|size|window|limit)|exceed_context"
    r"|(model|prompt|input|sequence) length"
    r"|\b(prompt|input|request|text|message|conversation)s?( \([^)]*\))? (is |are )?too"
    r" (long|large)"
    r"|too many (input |prompt |total )?tokens"
    r"|tokens?\b.{0,80}\b(exceed|longer than|must be (<|less|at most))"
    r"|(exceed|longer than|less than|at most)\w*\b.{0,60}\btokens?\b"
    r"|maximum (allowed )?(number of )?(\w+ )?tokens|reduce the length",
    re.IGNORECASE | re.DOTALL,
)
_QUOTA = re.compile(
    r"quota|budget|credit|balance|billing|rate.?limit|per.(minute|hour|day|month)", re.IGNORECASE
)
_LONGEST_ASKED_FOR = 600.0  # seconds
_SHORT_KEY = 8  # which may also be a part of a usual word


class StumbleError(Exception):
    """An endpoint has answered with something that is no answer to the request."""


class UnreadableError(StumbleError):
    """What it has answered is not what such an endpoint answers."""


class LoadedMeanwhileError(StumbleError):
    """Another request has had the adapter loaded while it was being loaded for this one.

    Ray Serve LLM makes an error of it, for all but the first of the first requests for an adapter.
    """


# What is worth asking again: the endpoint was unreachable, too slow, too busy, or stumbled.
PASSING_ERRORS = (
    openai.APIConnectionError, openai.RateLimitError, openai.InternalServerError, StumbleError,
)  # fmt: skip


def key_refused(url: str) -> UserError:
    """The message that an endpoint does not accept the key."""
    return UserError(
        f"{url} does not accept the key: set engine.api_key_env to the environment variable that "
        "holds it"
    )


def in_a_line(error: BaseException | None) -> str:
    """What it says, which may be a page or somebody else's traceback, for a line of the log.

    The client says of every connection just that it has failed; what failed is the cause.
    """
    words = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, openai.APIConnectionError) and (cause := error.__cause__):
        words = f"{words.rstrip('.')}: {' '.join(str(cause).split()) or type(cause).__name__}"
    return shortened(words)


def is_too_long(error: openai.APIStatusError) -> bool:
    """Whether a text is refused because it does not fit into the model's context.

    Every server says that in its own words; what it says of how often or how much one may ask is
    none of them.
    """
    if error.status_code == 413:
        return True
    # A page is not in the message; and what is quoted far behind may be the text itself.
    page = error.body if isinstance(error.body, str) else ""
    said = f"{error.code} {error.type} {error} {page}"[:1000]
    fits = error.status_code not in _TOO_LONG_STATUS or not _TOO_LONG.search(said)
    return not fits and not _QUOTA.search(said)


def seconds_asked_for(error: BaseException | None) -> float:
    """For how long an endpoint asks to be left alone, at most ten minutes; 0 if it does not say.

    ``Retry-After`` is a number of seconds, or a date by the endpoint's own clock, which ``Date``
    tells; some send milliseconds besides.
    """
    headers = error.response.headers if isinstance(error, openai.APIStatusError) else {}
    found = 0.0
    for name, unit in (("retry-after", 1.0), ("retry-after-ms", 0.001)):
        with contextlib.suppress(ValueError):
            found = float(headers.get(name, "")) * unit
    if "retry-after" in headers and not found:
        with contextlib.suppress(ValueError, TypeError, OverflowError):
            dates = [
                parsedate_to_datetime(headers.get(name, "")) for name in ("retry-after", "date")
            ]
            found = (dates[0] - dates[1]).total_seconds()
    return min(found, _LONGEST_ASKED_FOR) if found > 0 else 0.0  # also if it is no number


def without_key(text: str, key: str | None) -> str:
    """A text in which nobody sees the key, however it is quoted there."""
    if not key:
        return text
    written = {
        key, json.dumps(key)[1:-1], repr(key)[1:-1], html.escape(key), quote(key), quote(key, "")
    }  # fmt: skip
    pattern = "|".join(re.escape(one) for one in sorted(written, key=len, reverse=True))
    if len(key) < _SHORT_KEY:
        pattern = rf"(?<!\w)(?:{pattern})(?!\w)"
    return re.sub(pattern, "(key)", text)


@contextlib.contextmanager
def nobody_sees(key: str | None) -> Iterator[None]:
    """Take the key out of what is raised, and out of what that was raised from.

    An endpoint or a gateway may quote the request that it refuses, and Dagster stores the message
    of an error and of all its causes.
    """
    try:
        yield
    except Exception as error:
        seen: list[BaseException] = []
        todo: list[BaseException | None] = [error]
        while todo:
            one = todo.pop()
            if one is None or one in seen:
                continue
            seen.append(one)
            one.args = tuple(
                without_key(part, key) if isinstance(part, str) else part for part in one.args
            )
            if isinstance(one, openai.APIError):
                one.message = without_key(one.message, key)
            todo += [one.__cause__, one.__context__]
        raise
