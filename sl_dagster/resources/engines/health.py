"""How an endpoint does: who fails is left alone for a while, and then looked after."""

import time

_FIRST_PAUSE = 5.0  # seconds
_LONGEST_PAUSE = 60.0
_STUMBLES = 3  # in a row: it answers, but is of no use


class Health:
    """What is known of an endpoint from its answers.

    Attributes:
        well: it is known to do what will be needed, and may be asked. Who fails must be looked
            after first.
        left_alone_until: a time of the monotonic clock; before it, nobody looks after it if there
            are others.
        rests: how often in a row it was left alone in vain.
    """

    def __init__(self) -> None:
        self.well = False
        self.left_alone_until = 0.0
        self.rests = 0
        self._pause = 0.0
        self._stumbles = 0

    @property
    def seconds_to_rest(self) -> float:
        """What is left of its pause."""
        return max(0.0, self.left_alone_until - time.monotonic())

    @property
    def rested(self) -> bool:
        """Whether its pause, if it had one, is over."""
        return not self.seconds_to_rest

    def recovered(self) -> None:
        """It was looked after, and can do what will be needed.

        Its next pause is longer all the same, until it has answered a request.
        """
        self.well, self.rests, self._stumbles = True, 0, 0

    def succeeded(self) -> None:
        """It has answered."""
        self._pause, self._stumbles, self.rests, self.left_alone_until = 0.0, 0, 0, 0.0

    def stumbled(self, asked_for: float = 0.0) -> float:
        """It has answered with an error; takes and returns what ``failed`` does."""
        self._stumbles += 1
        return self.failed(asked_for) if self._stumbles >= _STUMBLES else 0.0

    def failed(self, asked_for: float = 0.0, busy: bool = False) -> float:
        """It does not answer.

        Args:
            asked_for: for how many seconds it asks to be left alone, if it does.
            busy: it is there, and only asked too often: this rest is none in vain.

        Returns:
            How many seconds it is left alone for from now on; 0 if it is already.
        """
        self.well = False
        if not self.rested:
            return 0.0  # another one of the requests that were under way
        self.rests += not busy
        self._pause = min(_LONGEST_PAUSE, self._pause * 2 or _FIRST_PAUSE)
        pause = max(self._pause, asked_for)
        self.left_alone_until = time.monotonic() + pause
        return pause
