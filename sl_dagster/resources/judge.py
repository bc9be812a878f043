"""The quality judge: who it is, how it is asked, and what it has been paid for already.

What it is asked is in method/quality.py; which texts it judges is the business of its callers.
"""

import asyncio
import sqlite3
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sl_dagster.errors import UserError
from sl_dagster.experiment import OpenAISettings, ServedModel
from sl_dagster.identity import fingerprint, seed_from
from sl_dagster.method.quality import quality_question, quality_schema, read_scores
from sl_dagster.resources.adapters import Adapter, base_model_fingerprint
from sl_dagster.resources.engines import Completion, Request

JUDGEMENTS_FILE = "judgements.sqlite"
_SECONDS_TO_WAIT = 60.0  # for another run that writes

_SCHEMA = """
CREATE TABLE IF NOT EXISTS judgements (
    judge TEXT NOT NULL,            -- digest of all that its scores depend on
    question TEXT NOT NULL,         -- digest of the instruction and the text
    sample INTEGER NOT NULL,
    attempt INTEGER NOT NULL,
    model TEXT NOT NULL,
    revision TEXT NOT NULL,
    prompt_version TEXT NOT NULL,
    answer TEXT NOT NULL,           -- as it came
    tokens INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    finish_reason TEXT NOT NULL,
    asked_at TEXT NOT NULL,         -- UTC
    PRIMARY KEY (judge, question, sample, attempt)
)
"""


@dataclass(frozen=True)
class Question:
    """One judgement to be made.

    Attributes:
        instruction: what was to be written.
        text: what is judged.
        sample: which of the several judgements of this text.
        attempt: how often it has been asked for, this time included.
    """

    instruction: str
    text: str
    sample: int
    attempt: int


@dataclass(frozen=True)
class GivenScores:
    """A judge's answer.

    Attributes:
        completion: the answer as it came.
        scores: by dimension; None if the answer is not what was asked for.
    """

    completion: Completion
    scores: dict[str, int] | None

    @property
    def drop_reason(self) -> str | None:
        """Why it cannot be used."""
        if self.scores:
            return None
        return "truncated" if self.completion.finish_reason == "length" else "no_scores"


class Judge:
    """Asks for judgements and remembers them for good.

    A text is judged by one request that reads it once and answers in all seven dimensions, as JSON
    of a given schema, which every kind of engine can be held to. Seven requests, one per dimension,
    would need begun turns, which hosted endpoints do not know, and would cost seven readings of a
    long text wherever prompts are not cached. The samples of a text are requests of their own with
    seeds of their own, which begin alike, so that engines that cache prompts read it once.

    Attributes:
        identity: model, revision, prompt version, and a digest of all that the scores depend on.
    """

    def __init__(self, served: ServedModel, data_dir: Path) -> None:
        """A judge that remembers in a data folder; nothing is asked yet."""
        [self._sampling] = served.samplings
        engine = served.engine
        called = engine.model if isinstance(engine, OpenAISettings) else None
        base = base_model_fingerprint(served.model, served.revision)
        self._model = Adapter("generator", base)
        version = fingerprint(quality_question("", ""), quality_schema())
        how = [served.chat.model_dump(), self._sampling.model_dump()]
        self.identity = {
            "model": called or served.model,
            "revision": served.revision,
            "prompt_version": version,
            "fingerprint": fingerprint(base, called, version, *how),
        }
        self._path = data_dir / JUDGEMENTS_FILE
        self._is_writable = False  # as far as is known
        # The same text may come twice at the same moment; the second waits for the first's answer.
        self._turns: defaultdict[tuple, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def judge(
        self, question: Question, ask: Callable[[Request], Awaitable[Completion]]
    ) -> GivenScores:
        """Make a judgement, or remember it if it has been made before.

        Args:
            question: see there.
            ask: asks the judge's engine.

        Raises:
            UserError: the engine failed, or the file of judgements cannot be used.
        """
        async with self._turns[self._key(question)]:
            completion = self._remembered(question) or await self._answer(question, ask)
        return GivenScores(completion, read_scores(completion.text))

    async def _answer(
        self, question: Question, ask: Callable[[Request], Awaitable[Completion]]
    ) -> Completion:
        message = quality_question(question.instruction, question.text)
        seed = seed_from(*self._key(question))
        completion = await ask(
            Request(message, self._sampling, seed, self._model, json_schema=quality_schema())
        )
        # What a limit cut off (the engine's context, say) is no judgement: asked again, it may
        # become one.
        if completion.finish_reason != "length":
            self._remember(question, completion)
        return completion

    def _key(self, question: Question) -> tuple[str, str, int, int]:
        digest = fingerprint(question.instruction, question.text)
        return self.identity["fingerprint"], digest, question.sample, question.attempt

    def _remembered(self, question: Question) -> Completion | None:
        with self._database() as connection:
            row = connection.execute(
                """SELECT answer, tokens, prompt_tokens, finish_reason FROM judgements
                WHERE judge = ? AND question = ? AND sample = ? AND attempt = ?""",
                self._key(question),
            ).fetchone()
        return row and Completion(*row)

    def _remember(self, question: Question, answer: Completion) -> None:
        who = [self.identity[name] for name in ("model", "revision", "prompt_version")]
        what = [answer.text, answer.tokens, answer.prompt_tokens, answer.finish_reason]
        now = datetime.now(UTC).isoformat(timespec="seconds")
        with self._database() as connection, connection:
            # Another run may have been faster. Anything else that is wrong with it must be told: it
            # would be paid for again and again.
            connection.execute(
                f"INSERT INTO judgements VALUES ({', '.join('?' * 12)}) ON CONFLICT DO NOTHING",
                [*self._key(question), *who, *what, now],
            )

    @contextmanager
    def _database(self) -> Iterator[sqlite3.Connection]:
        """A connection, one per use: it must stay in its thread, and several runs may share it.

        Raises:
            UserError: the file cannot be used.
        """
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=_SECONDS_TO_WAIT)) as connection:
                connection.execute(_SCHEMA)
                if not self._is_writable:  # found out before the first judgement is paid for
                    connection.execute("DELETE FROM judgements WHERE 0")
                    connection.rollback()
                    self._is_writable = True
                yield connection
        except OSError as error:
            raise UserError(f"{self._path} cannot be used: {error}: see to its folder") from error
        except sqlite3.Error as error:
            raise UserError(f"{self._path} cannot be used: {error}: {_advice(error)}") from error


def _advice(error: sqlite3.Error) -> str:
    """What to do about a file that cannot be used."""
    name = getattr(error, "sqlite_errorname", "")
    if name.startswith(("SQLITE_BUSY", "SQLITE_LOCKED")):
        return "another program holds it: wait until that is done, or end it, and run again"
    if name.startswith(("SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_PERM", "SQLITE_AUTH")):
        return "see that it is a file that you may write, in a folder that you may write"
    if name.startswith(("SQLITE_FULL", "SQLITE_IOERR")):
        return "see that its disk has room and works, and run again"
    return (
        "it is damaged, or another program's: move it away, and run again; what was judged is "
        "asked again then"
    )
