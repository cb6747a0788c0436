"""What of the log is worth keeping."""

import logging

from kserve.errors import InvalidInput, ModelNotFound, ModelNotReady, ServerNotReady

from serving.errors import RequestError

_CLIENT_MISTAKES = (
    RequestError,
    InvalidInput,
    ModelNotFound,
    ModelNotReady,
    ServerNotReady,
    NotImplementedError,
)


class WithoutClientMistakes(logging.Filter):
    """Drops the traceback that KServe logs for each request it refuses.

    The client has been told, and the metrics count them; a log that any client can fill is none.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Returns whether the record stays."""
        error = record.exc_info[1] if record.exc_info else None
        cause = error.__cause__ if error else None
        return not isinstance(error, _CLIENT_MISTAKES) and not isinstance(cause, RequestError)
