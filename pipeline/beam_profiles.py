"""Profiles of Beam options: one profile moves every stage that is a Beam pipeline.

What the user gives beside it comes after it, so it wins.
"""

import contextlib
import difflib
import io
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline_config import UserInputError

NO_PACKAGE_FOR_WORKERS = "--sdk_container_image=none"
"""Workers on this machine import what this process imports.

By default TFX builds a source archive of itself for the workers of each Beam stage, 5 s each and
left behind in the temporary folder. Naming an image, which nothing here starts, turns that off.
"""

FLINK_JOB_SERVER = Path(__file__).parents[1] / ".flink" / "job-server.jar"
"""The jar that starts Flink and talks to Beam, as `make flink` fetches it."""

JOB_SERVER_HEAP = "1g"
"""Of the Java process that is Flink's job server and, as `[local]`, its cluster.

Java takes a quarter of the machine's memory by default, and fills it with garbage before
it collects any: peak memory then grows with the data although no stage keeps any of it.
"""

WORKER_DISK_GB = 50
"""Of a Dataflow worker; TFX's image alone takes about 10 GB, unpacked."""


def beam_arguments(profile: str, extra: Sequence[str] = ()) -> list[str]:
    """Returns the options of a profile, then the user's own.

    `local`, the default, gives way to another runner in `extra`: Beam's other runners want none of
    its options.

    Args:
        profile: One of `PROFILES`.
        extra: Options of Beam, `--name=value` or `--name` each.

    Raises:
        UserInputError: Beam's own parser does not accept an option or its value, or what
            the runner needs is missing; the message is one line.
    """
    options = PROFILES[profile]()
    if profile == "local":
        if not extra:
            return options
        if any(argument.startswith("--runner") for argument in extra):
            options = []
    arguments = [*options, *extra]
    _check(arguments, extra)
    return arguments


def require_reachable(folder: Path, arguments: Sequence[str]) -> None:
    """Checks that the runner's workers can read and write a folder of this machine.

    Flink's may, if all machines mount it at one path; Dataflow's mount nothing.

    Raises:
        UserInputError: They cannot.
    """
    if any(argument.endswith("DataflowRunner") for argument in arguments):
        raise UserInputError(
            f"{folder}: Dataflow's workers cannot reach a folder of this machine: "
            "`aepipe compile kubeflow --beam-profile dataflow` runs with all artifacts in a bucket"
        )


def _local() -> list[str]:
    # Beam's default, DirectRunner, first tries to download a runner of its own.
    return ["--runner=FnApiRunner", NO_PACKAGE_FOR_WORKERS]


def _multicore() -> list[str]:
    mode = "--direct_running_mode=multi_processing"
    return [*_local(), mode, f"--direct_num_workers={_cores()}"]


def _flink() -> list[str]:
    return [
        "--runner=FlinkRunner",
        f"--flink_job_server_jar={FLINK_JOB_SERVER}",
        # A cluster that lives in the job server; another one is named by its host:port.
        "--flink_master=[local]",
        f"--job_server_jvm_properties=-Xmx{JOB_SERVER_HEAP}",
        f"--parallelism={max(2, _cores())}",
        # Flink asks this process for its Python workers, which is right for one machine.
        "--environment_type=LOOPBACK",
        NO_PACKAGE_FOR_WORKERS,
    ]


def _dataflow() -> list[str]:
    return [
        "--runner=DataflowRunner",
        # scripts/beam-worker.Dockerfile makes the image: the lock and aepipe, nothing to install.
        "--sdk_location=container",
        f"--disk_size_gb={WORKER_DISK_GB}",
    ]


PROFILES: Mapping[str, Callable[[], list[str]]] = MappingProxyType(
    {"local": _local, "multicore": _multicore, "flink": _flink, "dataflow": _dataflow}
)
"""Options by profile: in this process, one process a core, Flink, Google Cloud Dataflow."""


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _check(arguments: Sequence[str], extra: Sequence[str]) -> None:
    for argument in extra:
        if not argument.startswith("--"):
            raise UserInputError(f"--beam-arg={argument}: expected --NAME=VALUE or --NAME")
    options = _parse(arguments)
    runner = options["runner"] or ""
    jar = options["flink_job_server_jar"]
    if runner.endswith("FlinkRunner") and jar == str(FLINK_JOB_SERVER) and not Path(jar).exists():
        raise UserInputError(
            f"{jar}: there is no Flink job server: run `make flink`, "
            "or name one with --beam-arg=--flink_job_server_jar=JAR"
        )
    if runner.endswith("DataflowRunner"):
        _require_dataflow_settings(arguments, options)
    _validate(arguments, runner)


def _parse(arguments: Sequence[str]) -> dict[str, Any]:
    """Returns all of Beam's options by name, as its own parser reads them."""
    from apache_beam.options.pipeline_options import PipelineOptions

    printed = io.StringIO()
    try:
        with contextlib.redirect_stderr(printed), contextlib.redirect_stdout(io.StringIO()):
            parser = PipelineOptions(list(arguments))
            known = parser.get_all_options()
            all_given = parser.get_all_options(retain_unknown_options=True)
    except SystemExit:
        # argparse's last line, after its usage: "PROGRAM: error: argument --name: ...".
        fault = printed.getvalue().rpartition("error: argument ")[2].strip()
        raise UserInputError(f"--beam-arg: {fault or 'no pipeline takes --help'}") from None
    for name in all_given:
        if name not in known:
            nearest = difflib.get_close_matches(name, known, n=1)
            hint = f": did you mean --{nearest[0]}?" if nearest else ""
            raise UserInputError(f"--beam-arg=--{name}: Beam has no such option{hint}")
    return dict(known)


def _require_dataflow_settings(arguments: Sequence[str], options: Mapping[str, Any]) -> None:
    """Beam would create a bucket if there is none to write to; that is the user's to decide."""
    from apache_beam.options.pipeline_options import GoogleCloudOptions, PipelineOptions
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator

    for name, example in (
        ("project", "my-project"),
        ("region", "europe-west4"),
        ("temp_location", "gs://my-bucket/tmp"),
        ("sdk_container_image", "europe-west4-docker.pkg.dev/my-project/aepipe/beam-worker"),
    ):
        if not options[name]:
            raise UserInputError(
                f"Dataflow needs --{name}: give it, for example --beam-arg=--{name}={example}"
            )
    cloud = PipelineOptions(list(arguments)).view_as(GoogleCloudOptions)
    for fault in PipelineOptionsValidator(cloud, None).validate_gcs_path(cloud, "temp_location"):
        raise UserInputError(f"--beam-arg: {fault}")


def _validate(arguments: Sequence[str], runner: str) -> None:
    """Asks Beam what it would object to when a pipeline is made."""
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.options.pipeline_options_validator import PipelineOptionsValidator
    from apache_beam.runners import create_runner

    try:
        beam_runner = create_runner(runner)
    except ValueError as fault:
        raise UserInputError(f"--beam-arg=--runner={runner}: {fault}") from fault
    # Without a dry run Beam asks Google Cloud about the buckets.
    options = PipelineOptions([*arguments, "--dry_run=True"])
    faults = PipelineOptionsValidator(options, beam_runner).validate()
    if faults:
        raise UserInputError(f"--beam-arg: {' '.join(faults)}")
