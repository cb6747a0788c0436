"""Profiles of Beam options, as Beam's own parser reads them."""

import os
from pathlib import Path
from typing import Any

import apache_beam
import pytest
import yaml
from apache_beam.options.pipeline_options import (
    DirectOptions,
    FlinkRunnerOptions,
    GoogleCloudOptions,
    JobServerOptions,
    PipelineOptions,
    PortableOptions,
    StandardOptions,
    WorkerOptions,
)

from pipeline import beam_profiles
from pipeline.beam_profiles import PROFILES, beam_arguments
from pipeline_config import UserInputError
from tests.conftest import Aepipe

DATAFLOW = (
    "--project=a-project",
    "--region=europe-west4",
    "--temp_location=gs://a-bucket/tmp",
    "--sdk_container_image=europe-west4-docker.pkg.dev/a-project/aepipe/beam-worker",
)


@pytest.fixture
def jar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "job-server.jar"
    path.touch()
    monkeypatch.setattr(beam_profiles, "FLINK_JOB_SERVER", path)
    return path


def options(profile: str, *extra: str) -> PipelineOptions:
    return PipelineOptions(beam_arguments(profile, extra))


def test_by_default_beam_runs_in_this_process() -> None:
    parsed = options("local")
    assert parsed.view_as(StandardOptions).runner == "FnApiRunner"
    assert parsed.view_as(DirectOptions).direct_running_mode == "in_memory"


def test_multicore_starts_a_process_a_core() -> None:
    direct = options("multicore").view_as(DirectOptions)
    assert direct.direct_running_mode == "multi_processing"
    assert direct.direct_num_workers == len(os.sched_getaffinity(0))


def test_flink_has_two_task_slots_at_least(jar: Path) -> None:
    parsed = options("flink")
    flink = parsed.view_as(FlinkRunnerOptions)
    assert flink.flink_master == "[local]"
    assert flink.flink_job_server_jar == str(jar)
    assert flink.parallelism >= 2
    assert parsed.view_as(PortableOptions).environment_type == "LOOPBACK"


def test_flinks_java_has_a_bound_on_its_memory(jar: Path) -> None:
    assert options("flink").view_as(JobServerOptions).job_server_jvm_properties == ["-Xmx1g"]
    # Java takes the last that it is given.
    bigger = options("flink", "--job_server_jvm_properties=-Xmx8g").view_as(JobServerOptions)
    assert bigger.job_server_jvm_properties == ["-Xmx1g", "-Xmx8g"]


def test_dataflow_passes_beams_own_validation() -> None:
    parsed = options("dataflow", *DATAFLOW)
    cloud = parsed.view_as(GoogleCloudOptions)
    assert parsed.view_as(StandardOptions).runner == "DataflowRunner"
    assert (cloud.project, cloud.region) == ("a-project", "europe-west4")
    assert cloud.temp_location == "gs://a-bucket/tmp"
    worker = parsed.view_as(WorkerOptions)
    assert worker.sdk_container_image.endswith("/beam-worker")
    assert worker.disk_size_gb == beam_profiles.WORKER_DISK_GB


@pytest.mark.parametrize("missing", range(len(DATAFLOW)))
def test_dataflow_says_what_it_needs(missing: int) -> None:
    given = [argument for number, argument in enumerate(DATAFLOW) if number != missing]
    name = DATAFLOW[missing].partition("=")[0]
    with pytest.raises(UserInputError, match=f"^Dataflow needs {name}: "):
        beam_arguments("dataflow", given)


@pytest.mark.parametrize(
    ("wrong", "line"),
    [
        ("--project=12345", "not project number"),
        ("--temp_location=/tmp/x", r"Invalid GCS path \(/tmp/x\)"),
        ("--num_workers=0", "Value needs to be positive"),
    ],
)
def test_dataflow_settings_are_validated_by_beam(wrong: str, line: str) -> None:
    with pytest.raises(UserInputError, match=line):
        beam_arguments("dataflow", (*DATAFLOW, wrong))


def test_a_run_with_artifacts_on_this_machine_is_not_sent_to_dataflow(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path
) -> None:
    options = [f"--beam-arg={argument}" for argument in DATAFLOW]
    command = ("run", "anomaly", "--home", tmp_path / "home", "--data-dir", small_sample)
    result = aepipe(*command, "--beam-profile", "dataflow", *options)
    assert result.exit_code == 2
    assert "Dataflow's workers cannot reach a folder of this machine" in result.err


COMPILE = ("compile", "kubeflow", "anomaly", "--beam-profile", "dataflow")
IN_BUCKETS = ("--data-uri", "gs://a-bucket/data", "--pipeline-root", "gs://a-bucket/runs")


def test_kubeflows_steps_send_their_beam_pipelines_to_dataflow(
    aepipe: Aepipe, tmp_path: Path
) -> None:
    options = [f"--beam-arg={argument}" for argument in DATAFLOW]
    result = aepipe(*COMPILE, *IN_BUCKETS, *options, "-o", tmp_path)
    assert result.exit_code == 0, result.err
    spec = next(yaml.safe_load_all((tmp_path / "anomaly.yaml").read_text()))
    commands = {
        name.removesuffix("_executor"): executor["container"]["args"]
        for name, executor in spec["deploymentSpec"]["executors"].items()
    }
    for stage in ("ExampleGen", "StatisticsGen", "Transform", "ThresholdEvaluator"):
        assert {"--runner=DataflowRunner", *DATAFLOW} <= set(commands[stage]), stage


@pytest.mark.parametrize("missing", ["--data-uri", "--pipeline-root"])
def test_dataflow_reads_and_writes_buckets_alone(
    aepipe: Aepipe, tmp_path: Path, missing: str
) -> None:
    place = IN_BUCKETS.index(missing)
    given = IN_BUCKETS[:place] + IN_BUCKETS[place + 2 :]
    result = aepipe(*COMPILE, *given, "-o", tmp_path)
    assert result.exit_code == 2
    assert result.err.startswith(f"aepipe: {missing} ")
    assert "gs://" in result.err


def test_the_workers_image_has_the_locked_beam() -> None:
    dockerfile = Path(__file__).parents[2] / "scripts" / "beam-worker.Dockerfile"
    assert f"FROM apache/beam_python3.11_sdk:{apache_beam.__version__} AS" in dockerfile.read_text()


def test_the_users_options_win(jar: Path) -> None:
    flink = options("flink", "--flink_master=localhost:8081", "--parallelism=7").view_as(
        FlinkRunnerOptions
    )
    assert (flink.flink_master, flink.parallelism) == ("localhost:8081", 7)


def test_another_runner_takes_nothing_from_the_default_profile() -> None:
    assert beam_arguments("local", ["--runner=DirectRunner"]) == ["--runner=DirectRunner"]


@pytest.mark.parametrize("profile", ["local", "multicore"])
@pytest.mark.parametrize(
    ("argument", "line"),
    [
        (
            "--paralelism=2",
            "--beam-arg=--paralelism: Beam has no such option: did you mean --parallelism?",
        ),
        ("--parallelism=two", "--beam-arg: --parallelism: invalid int value: 'two'"),
        ("parallelism=2", "--beam-arg=parallelism=2: expected --NAME=VALUE or --NAME"),
        ("--runner=SparklingRunner", "--beam-arg=--runner=SparklingRunner: Unexpected pipeline"),
    ],
)
def test_a_wrong_option_is_one_line(profile: str, argument: str, line: str) -> None:
    with pytest.raises(UserInputError) as raised:
        beam_arguments(profile, [argument])
    assert str(raised.value).startswith(line)
    assert "\n" not in str(raised.value)


def test_flink_without_its_jar_says_how_to_get_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beam_profiles, "FLINK_JOB_SERVER", tmp_path / "no.jar")
    with pytest.raises(UserInputError, match="run `make flink`"):
        beam_arguments("flink")
    own = tmp_path / "own.jar"
    assert f"--flink_job_server_jar={own}" in beam_arguments(
        "flink", [f"--flink_job_server_jar={own}"]
    )


@pytest.mark.parametrize(
    "arguments",
    [("--beam-arg=--paralelism=2",), ("--beam-profile", "dataflow")],
)
def test_the_command_stops_before_anything_runs(
    aepipe: Aepipe, small_sample: Path, tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    home = tmp_path / "home"
    result = aepipe("run", "anomaly", "--home", home, "--data-dir", small_sample, *arguments)
    assert result.exit_code == 2
    assert len(result.err.splitlines()) == 1, result.err
    assert result.err.startswith("aepipe: ")
    assert not home.exists()


def test_each_profile_is_a_choice_of_the_command(aepipe: Aepipe) -> None:
    shown = aepipe("run", "--help").out
    assert all(profile in shown for profile in PROFILES)
    refused: Any = aepipe("run", "anomaly", "--beam-profile", "abacus")
    assert refused.exit_code == 2
    assert "'abacus' is not one of 'local', 'multicore', 'flink', 'dataflow'" in refused.err
