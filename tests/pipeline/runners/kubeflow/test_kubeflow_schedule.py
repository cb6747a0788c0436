"""Schedules on a Kubeflow Pipelines server: the requests, and the sentences a user reads."""

import json
import socket
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from click.testing import CliRunner
from kfp.cli.cli import cli

from pipeline.runners.kubeflow.schedule import kubeflow_cron
from pipeline_config import UserInputError
from tests.conftest import Aepipe, Result
from tests.pipeline.runners.kubeflow.server_stub import ApiError, Stub, running


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Stub]:
    # The client looks for a user's context there.
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("KF_PIPELINES_ENDPOINT", "KF_PIPELINES_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with running() as stub:
        yield stub


def schedule(aepipe: Aepipe, server: Stub, *arguments: str) -> Result:
    return aepipe(
        "schedule", "kubeflow", "anomaly", "--endpoint", server.url, "--cron", "30 2 * * MON-FRI",
        *arguments,
    )  # fmt: skip


def schedules(result: Result) -> list[dict[str, Any]]:
    assert result.exit_code == 0, result.err
    listed: list[dict[str, Any]] = json.loads(result.out)["schedules"]
    return listed


def test_a_pipeline_is_uploaded_and_runs_by_a_schedule(aepipe: Aepipe, server: Stub) -> None:
    (made,) = schedules(schedule(aepipe, server, "--image", "registry/aepipe:7", "--json"))

    (run,) = server.recurring_runs.values()
    assert run["trigger"] == {"cron_schedule": {"cron": "0 30 2 * * MON-FRI"}}
    assert run["max_concurrency"] == "1"
    assert run["no_catchup"] is True
    assert run["mode"] == "ENABLE"
    (version,) = server.versions.values()
    assert run["pipeline_version_reference"] == {
        "pipeline_id": version["pipeline_id"],
        "pipeline_version_id": version["pipeline_version_id"],
    }
    assert server.pipelines[version["pipeline_id"]]["display_name"] == "anomaly"
    specification, platform = server.specifications[version["pipeline_version_id"]]
    images = {
        executor["container"]["image"]
        for executor in specification["deploymentSpec"]["executors"].values()
    }
    assert images == {"registry/aepipe:7"}
    assert (
        "VersionedPusher_executor"
        in (platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"])
    )
    assert made == {
        "name": "anomaly",
        "id": run["recurring_run_id"],
        "cron": "0 30 2 * * MON-FRI",
        "state": "active",
        "pipeline_id": version["pipeline_id"],
        "version_id": version["pipeline_version_id"],
        "max_concurrency": 1,
        "no_catchup": True,
    }


def test_a_second_schedule_of_a_name_takes_the_place_of_the_first(
    aepipe: Aepipe, server: Stub
) -> None:
    (first,) = schedules(schedule(aepipe, server, "--json"))
    (second,) = schedules(schedule(aepipe, server, "--set", "trainer.epochs=3", "--json"))
    (third,) = schedules(schedule(aepipe, server, "--set", "trainer.epochs=3", "--json"))

    assert list(server.recurring_runs) == [third["id"]]
    assert len(server.pipelines) == 1
    assert len(server.experiments) == 1
    # One more version for another setting, none for the same once more.
    assert first["version_id"] != second["version_id"] == third["version_id"]
    assert len(server.versions) == 2


def test_what_was_scheduled_stays_where_the_server_refuses_the_new(
    aepipe: Aepipe, server: Stub
) -> None:
    (first,) = schedules(schedule(aepipe, server, "--json"))
    server.refused["POST /recurringruns"] = ApiError(403, "not you\nand more")

    result = schedule(aepipe, server)

    assert result.exit_code == 2
    assert result.err.splitlines()[-1] == f"aepipe: {server.url} answered 403: not you"
    assert list(server.recurring_runs) == [first["id"]]


def test_kfp_lists_disables_enables_and_deletes_a_schedule(aepipe: Aepipe, server: Stub) -> None:
    (made,) = schedules(schedule(aepipe, server, "--json"))

    (listed,) = kfp(server, "list")
    assert (listed["display_name"], listed["recurring_run_id"]) == ("anomaly", made["id"])
    kfp(server, "disable", made["id"])
    assert server.recurring_runs[made["id"]]["mode"] == "DISABLE"
    kfp(server, "enable", made["id"])
    assert server.recurring_runs[made["id"]]["mode"] == "ENABLE"
    kfp(server, "delete", made["id"])
    assert not server.recurring_runs
    assert len(server.pipelines) == 1, "the pipeline stays"


def kfp(server: Stub, *arguments: str) -> Any:
    """Runs a command of `docs/scheduling.md`, and answers yes if it asks whether to delete."""
    command = ["--endpoint", server.url, "--output", "json", "recurring-run", *arguments]
    result = CliRunner().invoke(cli, command, input="y", obj={})
    assert result.exit_code == 0, result.output
    return None if arguments[0] == "delete" else json.loads(result.stdout)


def test_a_schedule_of_another_name_or_experiment_stays(aepipe: Aepipe, server: Stub) -> None:
    (night,) = schedules(schedule(aepipe, server, "--name", "night", "--json"))
    (noon,) = schedules(schedule(aepipe, server, "--name", "noon", "--json"))
    server.recurring_runs["other"] = {
        **server.recurring_runs[noon["id"]],
        "recurring_run_id": "other",
        "experiment_id": "another",
    }
    (again,) = schedules(schedule(aepipe, server, "--name", "noon", "--json"))

    assert set(server.recurring_runs) == {night["id"], again["id"], "other"}
    assert again["id"] != noon["id"]


def test_a_token_is_sent(aepipe: Aepipe, server: Stub, monkeypatch: pytest.MonkeyPatch) -> None:
    server.token = "secret"

    refused = schedule(aepipe, server)
    assert refused.exit_code == 2
    assert refused.err == f"aepipe: {server.url} answered 401: who are you?\n"

    monkeypatch.setenv("KF_PIPELINES_TOKEN", "secret")
    monkeypatch.setenv("KF_PIPELINES_ENDPOINT", server.url)
    made = aepipe("schedule", "kubeflow", "anomaly", "--cron", "@daily")
    assert made.exit_code == 0, made.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cron", "30 2 * *"], "4 fields"),
        (["--cron", "61 2 * * *"], "minute '61': expected 0 to 59"),
        (["--cron", "0 2 * * 7"], "day of the week '7': expected 0 to 6, or SUN to SAT"),
        (["--set", "trainer.epoch=3"], "trainer.epochs"),
        (["--data-uri", "s3://bucket/data"], "--data-uri s3://bucket/data"),
        (["--push-uri", "gs://bucket/push"], "--push-uri gs://bucket/push"),
        (["--pipeline-root", "file:///tmp"], "--pipeline-root file:///tmp"),
    ],
)
def test_a_wrong_option_is_refused_before_the_server_is_asked(
    aepipe: Aepipe, server: Stub, arguments: list[str], message: str
) -> None:
    result = schedule(aepipe, server, *arguments)

    assert result.exit_code == 2
    assert message in result.err
    assert len(result.err.splitlines()) == 1
    assert server.requests == []


def test_a_server_that_is_not_there_is_one_line(aepipe: Aepipe) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{bound.getsockname()[1]}"
    result = aepipe("schedule", "kubeflow", "anomaly", "--cron", "@daily", "--endpoint", url)

    assert result.exit_code == 2
    (line,) = result.err.splitlines()
    assert line.startswith(f"aepipe: --endpoint {url}: not reachable: ")
    assert "refused" in line


def test_a_web_page_is_not_taken_for_the_server(aepipe: Aepipe) -> None:
    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(b"<html>sign in</html>")

        def log_message(self, format: str, *args: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as page:
        Thread(target=page.handle_request, daemon=True).start()
        url = f"http://127.0.0.1:{page.server_address[1]}"
        result = aepipe("schedule", "kubeflow", "anomaly", "--cron", "@daily", "--endpoint", url)

    assert result.exit_code == 2
    assert result.err == (
        f"aepipe: --endpoint {url}: what answers there is not Kubeflow Pipelines' API\n"
    )


def test_an_endpoint_has_a_scheme(aepipe: Aepipe) -> None:
    result = aepipe(
        "schedule", "kubeflow", "anomaly", "--cron", "@daily", "--endpoint", "kubeflow.example:8080"
    )

    assert result.exit_code == 2
    assert (
        result.err == "aepipe: --endpoint kubeflow.example:8080: expected http://… or https://…\n"
    )


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("30 2 * * *", "0 30 2 * * *"),
        ("  */15  8-18 * *  MON-FRI ", "0 */15 8-18 * * MON-FRI"),
        ("0 0 1,15 jan-jun ?", "0 0 0 1,15 jan-jun ?"),
        ("10 0 9 ? * 2-6", "10 0 9 ? * 2-6"),
        ("0 5/10 * * * 0", "0 5/10 * * * 0"),
        ("@daily", "@daily"),
        ("@every 90m", "@every 90m"),
    ],
)
def test_seconds_are_added_if_they_are_left_out(given: str, expected: str) -> None:
    assert kubeflow_cron(given) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("", "1 fields"),
        ("* * * *", "4 fields"),
        ("* * * * * * *", "7 fields"),
        ("60 * * * *", "minute '60'"),
        ("* 24 * * *", "hour '24'"),
        ("* * 0 * *", "day of the month '0'"),
        ("* * * 13 *", "month '13'"),
        ("* * * * 7", "day of the week '7'"),
        ("* * * * MO", "day of the week 'MO'"),
        ("20-10 * * * *", "minute '20-10'"),
        ("*/0 * * * *", "minute '*/0'"),
        ("*-5 * * * *", "minute '*-5'"),
        ("1,,2 * * * *", "minute '1,,2'"),
        ("@sometimes", "1 fields"),
        ("٣ * * * *", "minute '٣'"),
    ],
)
def test_a_malformed_field_is_named(given: str, message: str) -> None:
    with pytest.raises(UserInputError) as error:
        kubeflow_cron(given)

    assert message in str(error.value)
    assert "\n" not in str(error.value)
