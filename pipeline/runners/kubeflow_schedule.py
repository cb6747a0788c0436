"""Recurring runs on a Kubeflow Pipelines server, through its own client."""

import contextlib
import dataclasses
import hashlib
import json
import sys
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline_config import UserInputError

if TYPE_CHECKING:
    from kfp import Client
    from kfp_server_api import V2beta1RecurringRun

EXPERIMENT = "aepipe"
"""Runs are grouped in this experiment; schedules of others are neither listed nor touched."""

_HEALTH_SECONDS = 10.0


@dataclasses.dataclass(frozen=True)
class Server:
    """A Kubeflow Pipelines server.

    Attributes:
        endpoint: Its URL.
        namespace: Of the user, where the server has many; None for its default.
        token: Bearer token, or None.
    """

    endpoint: str
    namespace: str | None = None
    token: str | None = None


@dataclasses.dataclass(frozen=True)
class Schedule:
    """A recurring run.

    Attributes:
        name: Given by the user, or that of the pipeline.
        id: The server's.
        cron: When; six fields, the second first.
        state: "active" or "paused"; "deleted" where it has just been.
        pipeline_id: The server's.
        version_id: The uploaded specification that is run.
        max_concurrency: Runs at a time.
        no_catchup: Whether a run that was missed stays undone.
    """

    name: str
    id: str
    cron: str | None
    state: str
    pipeline_id: str | None
    version_id: str | None
    max_concurrency: int
    no_catchup: bool


def check(server: Server) -> None:
    """Makes sure that the server is there, before anything slow is done for it.

    Raises:
        UserInputError: It cannot be reached, refuses, or is no Kubeflow Pipelines API.
    """
    if not server.endpoint.startswith(("http://", "https://")):
        raise UserInputError(f"--endpoint {server.endpoint}: expected http://… or https://…")
    with _told(server):
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
        server: Where.
        name: Of the schedule.
        pipeline: Name of the pipeline; where the server has it, it gets a new version.
        specification: The compiled file.
        cron: Six fields.

    Raises:
        UserInputError: The server refuses or is gone; what was scheduled before stays.
    """
    with _told(server):
        client = _client(server)
        pipeline_id, version_id = _upload(client, server, pipeline, specification)
        experiment = client.create_experiment(EXPERIMENT, namespace=server.namespace)
        older = _find(client, experiment.experiment_id, name)
        created = client.create_recurring_run(
            experiment_id=experiment.experiment_id,
            job_name=name,
            cron_expression=cron,
            max_concurrency=1,
            no_catchup=True,
            pipeline_id=pipeline_id,
            version_id=version_id,
        )
        for run in older:
            client.delete_recurring_run(run.recurring_run_id)
        return _schedule(created)


def list_schedules(server: Server) -> list[Schedule]:
    """Returns all schedules, by name.

    Raises:
        UserInputError: The server refuses or is gone.
    """
    with _told(server):
        client = _client(server)
        experiment = _experiment_id(client, server)
        runs = _all(client, experiment) if experiment else []
    return sorted(map(_schedule, runs), key=lambda schedule: schedule.name)


def pause(server: Server, name: str) -> list[Schedule]:
    """Stops a schedule until it is resumed; a run in progress goes on.

    Raises:
        UserInputError: There is no such schedule, or the server refuses or is gone.
    """
    return _change(server, name, "paused", lambda client, run: client.disable_recurring_run(run))


def resume(server: Server, name: str) -> list[Schedule]:
    """Lets a paused schedule run again; runs that were missed are not made up for.

    Raises:
        UserInputError: As `pause`.
    """
    return _change(server, name, "active", lambda client, run: client.enable_recurring_run(run))


def delete(server: Server, name: str) -> list[Schedule]:
    """Removes a schedule; the pipeline, its runs and what they made stay.

    Raises:
        UserInputError: As `pause`.
    """
    return _change(server, name, "deleted", lambda client, run: client.delete_recurring_run(run))


def _change(
    server: Server, name: str, state: str, act: Callable[["Client", str], Any]
) -> list[Schedule]:
    """Acts on all of that name: a replacement that was cut short leaves two."""
    with _told(server):
        client = _client(server)
        experiment = _experiment_id(client, server)
        found = _find(client, experiment, name) if experiment else []
        if not found:
            others = sorted({run.display_name for run in _all(client, experiment)})
            known = f"there are: {', '.join(others)}" if others else "there are none"
            raise UserInputError(f"{name}: no such schedule at {server.endpoint}; {known}")
        for run in found:
            act(client, run.recurring_run_id)
    return [dataclasses.replace(_schedule(run), state=state) for run in found]


def _client(server: Server) -> "Client":
    from kfp import Client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return Client(host=server.endpoint, existing_token=server.token)


def _upload(
    client: "Client", server: Server, pipeline: str, specification: Path
) -> tuple[str, str]:
    """Returns the ids of the pipeline and of its version with this very specification."""
    digest = hashlib.sha256(specification.read_bytes()).hexdigest()[:12]
    pipeline_id = _pipeline_id(client, server, pipeline)
    if pipeline_id is None:
        uploaded = client.upload_pipeline(
            str(specification), pipeline_name=pipeline, namespace=server.namespace
        )
        versions = client.list_pipeline_versions(
            uploaded.pipeline_id, page_size=1, sort_by="created_at desc"
        )
        return uploaded.pipeline_id, versions.pipeline_versions[0].pipeline_version_id
    name = f"{pipeline}-{digest}"
    same = client.list_pipeline_versions(pipeline_id, filter=_named(name)).pipeline_versions
    if same:
        return pipeline_id, same[0].pipeline_version_id
    version = client.upload_pipeline_version(
        str(specification), pipeline_version_name=name, pipeline_id=pipeline_id
    )
    return pipeline_id, version.pipeline_version_id


def _pipeline_id(client: "Client", server: Server, name: str) -> str | None:
    found = client.list_pipelines(filter=_named(name), namespace=server.namespace).pipelines
    return found[0].pipeline_id if found else None


def _experiment_id(client: "Client", server: Server) -> str | None:
    found = client.list_experiments(
        filter=_named(EXPERIMENT), namespace=server.namespace
    ).experiments
    return found[0].experiment_id if found else None


def _named(name: str) -> str:
    predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": name}
    return json.dumps({"predicates": [predicate]})


def _find(client: "Client", experiment: str | None, name: str) -> list["V2beta1RecurringRun"]:
    return [run for run in _all(client, experiment) if run.display_name == name]


def _all(client: "Client", experiment: str | None) -> list["V2beta1RecurringRun"]:
    if experiment is None:
        return []
    runs: list[V2beta1RecurringRun] = []
    token = ""
    while True:
        page = client.list_recurring_runs(page_token=token, page_size=100, experiment_id=experiment)
        runs += page.recurring_runs or []
        token = page.next_page_token or ""
        if not token:
            return runs


def _schedule(run: "V2beta1RecurringRun") -> Schedule:
    cron = run.trigger.cron_schedule.cron if run.trigger and run.trigger.cron_schedule else None
    version = run.pipeline_version_reference
    return Schedule(
        name=run.display_name,
        id=run.recurring_run_id,
        cron=cron,
        state="paused" if run.mode == "DISABLE" or run.status == "DISABLED" else "active",
        pipeline_id=version.pipeline_id if version else None,
        version_id=version.pipeline_version_id if version else None,
        max_concurrency=int(run.max_concurrency or 1),
        no_catchup=bool(run.no_catchup),
    )


@contextlib.contextmanager
def _told(server: Server) -> Iterator[None]:
    """Makes one line of what the client raises; what it prints is not for standard output."""
    try:
        import urllib3
        from kfp_server_api import ApiException
    except ModuleNotFoundError as error:
        raise UserInputError(
            "kfp, the SDK of Kubeflow Pipelines, is not installed: install "
            "requirements/kubeflow.txt"
        ) from error
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except ApiException as error:
        raise UserInputError(f"{server.endpoint} answered {_answer(error)}") from error
    except urllib3.exceptions.HTTPError as error:
        reason = getattr(error, "reason", None) or error
        raise UserInputError(
            f"--endpoint {server.endpoint}: not reachable: {_last_part(str(reason))}"
        ) from error


def _answer(error: Any) -> str:
    try:
        content = json.loads(error.body)
        message = content.get("message") or content.get("error_message") or content.get("error")
    except (TypeError, ValueError, AttributeError):
        message = None
    first = str(message or error.reason or "nothing").strip().splitlines()[0]
    return f"{error.status}: {first}"


def _last_part(reason: str) -> str:
    """`<...HTTPConnection object at 0x7f...>: Failed to ...` says the same without an address."""
    return reason.splitlines()[0].rpartition(">: ")[2]
