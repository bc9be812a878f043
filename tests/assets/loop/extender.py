"""An Extender that writes what it is told to, and the response that it is given."""

from sl_dagster.resources.engines import Completion, Request

RESPONSE = "The bridge is old.\n\nThe mill is older.\n\nNobody knows why."
IDENTITY = {
    "record_id": "a",
    "experiment": "e",
    "iteration": 1,
    "stage": "round1_stage2",
    "position": 0,
    "language": "en",
}
BEFORE, AFTER = "Here is the expanded text:", "I removed repetitive words from the text."


class Extender:
    """Writes what it is told to, prefixes and continuations apart, and notes what it is asked."""

    def __init__(self, prefixes: list[str], continuations: list[str]) -> None:
        self.asked: list[Request] = []
        self._prefixes, self._continuations = iter(prefixes), iter(continuations)

    async def __call__(self, request: Request) -> Completion:
        self.asked.append(request)
        text = next(self._continuations if request.begun else self._prefixes)
        return Completion(text, len(text.split()), 10, "stop")

    @property
    def begun(self) -> list[str]:
        """How each turn began: with nothing where a prefix was asked for."""
        return [request.begun for request in self.asked]
