"""Posts a run that ended badly to a webhook."""

import logging
import os
from urllib.parse import urlsplit

from pipeline.run.outcome import RunOutcome
from pipeline_config import ScheduleConfig

_LOG = logging.getLogger(__name__)

TIMEOUT_SECONDS = (5.0, 15.0)
"""To connect, and to wait for the answer."""

RETRIES = 2

DELAY_SECONDS = 10.0
"""Before the second retry; there is none before the first."""

WEBHOOK_VARIABLE = "AEPIPE_WEBHOOK_URL"
"""Environment variable: the webhook, if `schedule.webhook_url` names none. Unlike a setting it is
neither in a process list nor in a compiled file; on a cluster it comes from a secret."""

_MAY_PASS = frozenset({408, 429, 500, 502, 503, 504})


def post_outcome(
    outcome: RunOutcome,
    schedule: ScheduleConfig,
    *,
    retries: int = RETRIES,
    timeout: tuple[float, float] = TIMEOUT_SECONDS,
) -> str | None:
    """Posts a run as `run --json` prints it, if its end is one of `schedule.webhook_on`.

    A webhook that does not answer is no reason for a run to fail: this never raises.

    Args:
        outcome: Of the run.
        schedule: Where to post, and which ends.
        retries: How often to post again if the server is busy, broken or cannot be reached.
        timeout: Seconds to connect, and to wait for the answer.

    Returns:
        One line that says why nobody was notified; None if somebody was, or nobody had to be. It
        names the URL's host alone, as the rest may be a secret.
    """
    url = schedule.webhook_url or os.environ.get(WEBHOOK_VARIABLE, "")
    if not url or outcome.status not in schedule.webhook_on:
        return None
    failure = _post(outcome, url, retries, timeout)
    if failure is None:
        _LOG.info("notified %s of run %s", _host(url), outcome.run_id)
        return None
    return f"nobody was notified of this end: the webhook at {_host(url)} {failure}"


def _post(outcome: RunOutcome, url: str, retries: int, timeout: tuple[float, float]) -> str | None:
    """Returns what is wrong, or None."""
    # Takes a tenth of a second to import, and few runs need it.
    import requests
    from requests.adapters import HTTPAdapter
    from urllib3.util import Retry

    policy = Retry(
        retries,
        allowed_methods=None,
        status_forcelist=_MAY_PASS,
        backoff_factor=DELAY_SECONDS / 2,
        raise_on_status=False,
        respect_retry_after_header=False,
    )
    try:
        with requests.Session() as session:
            for scheme in ("http://", "https://"):
                session.mount(scheme, HTTPAdapter(max_retries=policy))
            answer = session.post(url, json={"runs": [outcome.as_dict()]}, timeout=timeout)
    except (requests.ConnectionError, requests.Timeout) as error:
        return f"cannot be reached ({type(error).__name__})"
    except (requests.RequestException, ValueError) as error:
        return f"cannot be posted to ({type(error).__name__})"
    return None if answer.ok else f"answered {answer.status_code} {answer.reason}"


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "a malformed URL"
