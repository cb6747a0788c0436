"""One candidate, one server, a few real requests."""

import contextlib
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tfx.utils import io_utils

from components.infra_validator.answer_check import check_agreement, check_answer
from components.infra_validator.candidate_server import candidate_server
from components.infra_validator.client import CandidateClient, candidate_client
from components.infra_validator.example_requests import raw_input, serialized_input
from components.infra_validator.fault import CandidateFault
from components.infra_validator.time_limit import TimeLimit

SERVING_DEFAULT = "serving_default"
SERVE_EXAMPLES = "serve_examples"

MODEL = "candidate"


def find_fault(candidate: str, records: Sequence[bytes], seconds: float, log: Path) -> str | None:
    """Serves a candidate and asks it about examples.

    Each is sent to `serve_examples`, and its raw values to `serving_default`. Both have to answer
    what they promise, and the same.

    Args:
        candidate: Directory of the SavedModel.
        records: Serialized tf.Examples.
        seconds: The time for all of it, the start of the server included.
        log: File for what the server says.

    Returns:
        Why the candidate is not to be pushed, in one line; None where it answered.
    """
    limit = TimeLimit(seconds)
    try:
        # A server whose parent was killed removes the folder itself.
        with tempfile.TemporaryDirectory(
            prefix="aepipe-candidate-", ignore_cleanup_errors=True
        ) as models_dir:
            io_utils.copy_dir(candidate, f"{models_dir}/{MODEL}/1")
            with (
                candidate_server(Path(models_dir), log) as server,
                candidate_client(server, MODEL, limit) as client,
            ):
                ask(client, records)
    except CandidateFault as fault:
        return str(fault)
    return None


def ask(client: CandidateClient, records: Sequence[bytes]) -> None:
    """Passes where the candidate answers what it promises.

    Raises:
        CandidateFault: It does not, or not in time.
    """
    client.wait_until_loaded()
    signatures = client.signatures()
    if SERVE_EXAMPLES not in signatures:
        raise CandidateFault(f"the candidate has no signature {SERVE_EXAMPLES}")
    parsing, plain = signatures[SERVE_EXAMPLES], signatures[SERVING_DEFAULT]
    for record in records:
        with _told_as(SERVE_EXAMPLES):
            of_example = client.predict(SERVE_EXAMPLES, serialized_input(record, parsing))
            check_answer(of_example, parsing)
        with _told_as(SERVING_DEFAULT):
            of_raw = client.predict(SERVING_DEFAULT, raw_input(record, plain))
            check_agreement(of_example, of_raw)


@contextlib.contextmanager
def _told_as(signature: str) -> Iterator[None]:
    try:
        yield
    except CandidateFault as fault:
        raise CandidateFault(f"{signature}: {fault}") from fault
