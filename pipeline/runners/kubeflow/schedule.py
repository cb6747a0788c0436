"""A recurring run on a Kubeflow Pipelines server, through its own client."""

import contextlib
import dataclasses
import hashlib
import json
import re
import sys
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_config import UserInputError

if TYPE_CHECKING:
    from kfp import Client

EXPERIMENT = "aepipe"
"""Runs are grouped in this experiment; recurring runs of other experiments are never replaced."""

_HEALTH_SECONDS = 10.0

_MONTHS = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"]
_DAYS = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"]

_FIELDS: tuple[tuple[str, int, int, Mapping[str, int]], ...] = (
    ("second", 0, 59, {}),
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of the month", 1, 31, {}),
    ("month", 1, 12, {name: number for number, name in enumerate(_MONTHS, 1)}),
    ("day of the week", 0, 6, {name: number for number, name in enumerate(_DAYS)}),
)
"""Name, least, greatest and names of values, in the order of a cron expression."""

_PART = re.compile(r"(?:[*?]|(\w+)(?:-(\w+))?)(?:/0*[1-9]\d*)?", re.ASCII)
"""Of a field: all values, one, or the first and the last; and the step between them."""

_DESCRIPTOR = re.compile(r"@(yearly|annually|monthly|weekly|daily|midnight|hourly|every \d+[smh])")


@dataclasses.dataclass(frozen=True)
class Server:
    """A Kubeflow Pipelines server.

    Attributes:
        endpoint: Its URL.
        namespace: The user's, if the server has many users; None for the server's default.
        token: Bearer token, or None.
    """

    endpoint: str
    namespace: str | None = None
    token: str | None = None


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A recurring run.

    Attributes:
        name: The user's choice, or the pipeline's name.
        id: The server's; `kfp recurring-run` takes it.
        cron: When it runs; six fields, the second first.
        state: "active".
        pipeline_id: The server's.
        version_id: The uploaded specification that is run.
        max_concurrency: Runs at a time.
        no_catchup: Whether a missed run is skipped.
    """

    name: str
    id: str
    cron: str
    state: str
    pipeline_id: str
    version_id: str
    max_concurrency: int
    no_catchup: bool


def kubeflow_cron(expression: str) -> str:
    """Returns a cron expression with a field for the seconds, which the server expects first.

    Args:
        expression: Five fields as in a crontab, six as the server has them, or a descriptor such
            as `@daily`.

    Raises:
        UserInputError: A field is malformed or out of its range; the message names it.
    """
    text = " ".join(expression.split())
    if _DESCRIPTOR.fullmatch(text):
        return text
    fields = text.split(" ")
    if len(fields) == len(_FIELDS) - 1:
        fields = ["0", *fields]
    if len(fields) != len(_FIELDS):
        raise UserInputError(
            f"--cron {expression!r}: {len(fields)} fields; expected minute, hour, day of the "
            "month, month, day of the week, and if wanted the second before them"
        )
    for value, (name, least, greatest, names) in zip(fields, _FIELDS, strict=True):
        if not all(_is_valid(part, least, greatest, names) for part in value.split(",")):
            also = f", or {next(iter(names))} to {list(names)[-1]}" if names else ""
            raise UserInputError(
                f"--cron {expression!r}: {name} {value!r}: expected {least} to {greatest}{also}, "
                "with * - / and , as in a crontab"
            )
    return " ".join(fields)


def _is_valid(part: str, least: int, greatest: int, names: Mapping[str, int]) -> bool:
    found = _PART.fullmatch(part)
    if found is None:
        return False
    given = [end.upper() for end in found.groups() if end is not None]
    ends = [int(end) if end.isdigit() else names.get(end, -1) for end in given]
    return ends == sorted(ends) and all(least <= end <= greatest for end in ends)


def check(server: Server) -> None:
    """Checks that the server answers, before anything slow is done for it.

    Raises:
        UserInputError: It cannot be reached, refuses, or is no Kubeflow Pipelines API.
    """
    if not server.endpoint.startswith(("http://", "https://")):
        raise UserInputError(f"--endpoint {server.endpoint}: expected http://… or https://…")
    with _errors_in_one_line(server):
        import kfp_server_api

        configuration = kfp_server_api.Configuration(host=server.endpoint.rstrip("/"))
        configuration.retries = 0
        if server.token:
            configuration.api_key = {"authorization": server.token}
            configuration.api_key_prefix = {"authorization": "Bearer"}
        api = kfp_server_api.HealthzServiceApi(kfp_server_api.ApiClient(configuration))
        _, _, headers = api.healthz_service_get_healthz_with_http_info(
            _request_timeout=_HEALTH_SECONDS
        )
    if "json" not in headers.get("Content-Type", ""):
        raise UserInputError(
            f"--endpoint {server.endpoint}: what answers there is not Kubeflow Pipelines' API"
        )


def create(server: Server, name: str, pipeline: str, specification: Path, cron: str) -> Schedule:
    """Uploads a pipeline and runs it by a schedule; one of the same name is replaced.

    Args:
        server: The server.
        name: Name of the schedule.
        pipeline: Name of the pipeline; a pipeline that the server has gets a new version.
        specification: The compiled file.
        cron: Six fields.

    Raises:
        UserInputError: The server refuses or cannot be reached; the earlier schedule stays.
    """
    with _errors_in_one_line(server):
        from kfp import Client

        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            client = Client(host=server.endpoint, existing_token=server.token)
        pipeline_id, version_id = _upload(client, server, pipeline, specification)
        experiment_id = client.create_experiment(
            EXPERIMENT, namespace=server.namespace
        ).experiment_id
        older = client.list_recurring_runs(
            experiment_id=experiment_id, page_size=100, filter=_named(name)
        ).recurring_runs
        created = client.create_recurring_run(
            experiment_id=experiment_id,
            job_name=name,
            cron_expression=cron,
            max_concurrency=1,
            no_catchup=True,
            pipeline_id=pipeline_id,
            version_id=version_id,
        )
        # A replacement that was interrupted leaves two.
        for run in older or []:
            client.delete_recurring_run(run.recurring_run_id)
        return Schedule(
            name=created.display_name,
            id=created.recurring_run_id,
            cron=created.trigger.cron_schedule.cron,
            state="active",
            pipeline_id=pipeline_id,
            version_id=version_id,
            max_concurrency=int(created.max_concurrency),
            no_catchup=bool(created.no_catchup),
        )


def _upload(
    client: "Client", server: Server, pipeline: str, specification: Path
) -> tuple[str, str]:
    """Returns the ids of the pipeline and of its version with this very specification."""
    found = client.list_pipelines(filter=_named(pipeline), namespace=server.namespace).pipelines
    if not found:
        uploaded = client.upload_pipeline(
            str(specification), pipeline_name=pipeline, namespace=server.namespace
        )
        versions = client.list_pipeline_versions(
            uploaded.pipeline_id, page_size=1, sort_by="created_at desc"
        )
        return uploaded.pipeline_id, versions.pipeline_versions[0].pipeline_version_id
    pipeline_id = found[0].pipeline_id
    name = f"{pipeline}-{hashlib.sha256(specification.read_bytes()).hexdigest()[:12]}"
    same = client.list_pipeline_versions(pipeline_id, filter=_named(name)).pipeline_versions
    if same:
        return pipeline_id, same[0].pipeline_version_id
    version = client.upload_pipeline_version(
        str(specification), pipeline_version_name=name, pipeline_id=pipeline_id
    )
    return pipeline_id, version.pipeline_version_id


def _named(name: str) -> str:
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


@contextlib.contextmanager
def _errors_in_one_line(server: Server) -> Iterator[None]:
    """Raises what the client raises as a UserInputError; what it prints goes to standard error."""
    import urllib3
    from kfp_server_api import ApiException

    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except ApiException as error:
        raise UserInputError(f"{server.endpoint} answered {_answer(error)}") from error
    except urllib3.exceptions.HTTPError as error:
        reason = str(getattr(error, "reason", None) or error).splitlines()[0]
        # `<...HTTPConnection object at 0x7f...>: Failed to ...`, without the object.
        raise UserInputError(
            f"--endpoint {server.endpoint}: not reachable: {reason.rpartition('>: ')[2]}"
        ) from error


def _answer(error: Any) -> str:
    try:
        content = json.loads(error.body)
        message = content.get("message") or content.get("error_message") or content.get("error")
    except (TypeError, ValueError, AttributeError):
        message = None
    first = str(message or error.reason or "nothing").strip().splitlines()[0]
    return f"{error.status}: {first}"
