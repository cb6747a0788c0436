"""Posts a run that ended badly to a webhook."""

import logging
import os
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from pipeline.run.outcome import RunOutcome
from pipeline_config import ScheduleConfig

_LOG = logging.getLogger(__name__)

TIMEOUT_SECONDS = (5.0, 15.0)
"""To connect, and to wait for the answer."""

DELAYS_SECONDS = (2.0, 8.0)
"""Waits between tries; so there is one try more."""

WEBHOOK_VARIABLE = "AEPIPE_WEBHOOK_URL"
"""Environment variable: the webhook, if `schedule.webhook_url` names none. Unlike a setting it is
neither in a process list nor in a compiled file; on a cluster it comes from a secret."""

_MAY_PASS = frozenset({408, 429, 500, 502, 503, 504})


def post_outcome(
    outcome: RunOutcome,
    schedule: ScheduleConfig,
    delays: Sequence[float] = DELAYS_SECONDS,
    timeout: tuple[float, float] = TIMEOUT_SECONDS,
) -> str | None:
    """Posts a run as `run --json` prints it, if its end is one of `schedule.webhook_on`.

    A webhook that does not answer is no reason for a run to fail: this never raises.

    Args:
        outcome: What came of the run.
        schedule: Where to post, and which ends.
        delays: Seconds between tries.
        timeout: Seconds to connect, and to wait for the answer.

    Returns:
        One line that says why nobody was notified; None if somebody was, or nobody had to be. It
        names the URL's host alone, as the rest may be a secret.
    """
    url = schedule.webhook_url or os.environ.get(WEBHOOK_VARIABLE, "")
    if not url or outcome.status not in schedule.webhook_on:
        return None
    reason = None
    for delay in (*delays, None):
        reason, may_pass = _post(outcome, url, timeout)
        if reason is None:
            _LOG.info("told %s of run %s", _host(url), outcome.run_id)
            return None
        if not may_pass or delay is None:
            break
        _LOG.info("the webhook at %s %s; trying again", _host(url), reason)
        time.sleep(delay)
    return f"nobody was notified of this end: the webhook at {_host(url)} {reason}"


def _post(outcome: RunOutcome, url: str, timeout: tuple[float, float]) -> tuple[str | None, bool]:
    """Returns what is wrong, or None, and whether another try may go better."""
    # Takes a tenth of a second to import, and few runs need it.
    import requests

    try:
        answer = requests.post(url, json={"runs": [outcome.as_dict()]}, timeout=timeout)
    except (requests.ConnectionError, requests.Timeout) as error:
        return f"cannot be reached ({type(error).__name__})", True
    except (requests.RequestException, ValueError) as error:
        return f"cannot be posted to ({type(error).__name__})", False
    if answer.ok:
        return None, False
    return f"answered {answer.status_code} {answer.reason}", answer.status_code in _MAY_PASS


def _host(url: str) -> str:
    try:
        parts = urlsplit(url)
        return f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    except ValueError:
        return "a malformed URL"
