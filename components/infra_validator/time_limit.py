"""The time that a candidate has, from the start of the server to its answer."""

import time

from components.infra_validator.fault import CandidateFault


class TimeLimit:
    """A limit that starts to run at once.

    Args:
        seconds: How long.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    def left(self, missed: str) -> float:
        """Returns the seconds that are left, above 0.

        Args:
            missed: What did not happen where none are, such as "the candidate did not answer".

        Raises:
            CandidateFault: The limit is over.
        """
        left = self._end - time.monotonic()
        if left <= 0:
            raise self.exceeded(missed)
        return left

    def exceeded(self, missed: str) -> CandidateFault:
        """Returns what to raise where something else noticed that the limit is over."""
        return CandidateFault(
            f"{missed} within {self._seconds:g} s (infra_validator.timeout_seconds)"
        )
