"""Command of a container in Kubeflow Pipelines: TFX's own entry point, on this container's files.

KFP's launcher has copied each input artifact from the object store to a folder of the container
and will copy outputs back from such folders. TFX reads an artifact at its URI instead, for which
it has no file system but Google's. So URIs become the launcher's paths on the way in, and paths
become URIs on the way out. Nothing heavy is imported here.

A step whose Beam pipeline runs on other machines (`--remote`) reads and writes at the URIs, as
these have no part in the container's files. One that fails leaves a note of it (`--notes`).
"""

import argparse
import json
import re
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.run.failures import failure_of_output
from pipeline.run.outcome import Status

TFX_ENTRY_POINT = "tfx.orchestration.kubeflow.v2.container.kubeflow_v2_run_executor"

ABSENT_PROPERTY = "absent"
"""Custom property of an artifact that stands for none: KFP has no optional output."""

LAUNCHER_FOLDERS: Mapping[str, str] = MappingProxyType(
    {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}
)
"""Scheme of a URI -> where KFP's launcher keeps what is behind it."""

RUNS_FOLDER = ".runs"
"""Below the push directory; it has a folder for each run that has not ended."""

RUN_ID_PARAMETER = "run_id"
RUN_ID_PLACEHOLDER = "{{$.pipeline_job_uuid}}"
"""The server puts the run's id in its place, in a parameter that is this and nothing else."""

_FAILURE_SUFFIX = ".failure.json"

REMOTE_FLAG = "--remote"
NOTES_FLAG = "--notes"

_INVOCATION = "--json_serialized_invocation_args"

_LINES_KEPT = 50
"""Of what a step says last; Beam puts a dozen lines behind the one that counts."""


def main() -> int:
    """Runs one step; returns the exit code of TFX's entry point."""
    options, arguments = _parse(sys.argv[1:])
    folders = {} if options.remote else LAUNCHER_FOLDERS
    position = arguments.index(_INVOCATION) + 1
    given = json.loads(arguments[position])
    invocation = localised(given, folders)
    if options.remote:
        # TFX keeps what its workers share for a while in the folder of this file.
        invocation["outputs"]["outputFile"] = beside_outputs(given)
    arguments[position] = json.dumps(invocation)
    code, said = _run_entry_point(arguments)
    if code and options.notes:
        folder, stage = options.notes
        _leave_word(given, folder, stage, code, said)
    if code == 0:
        told = json.loads(_read(invocation["outputs"]["outputFile"]))
        file = Path(given["outputs"]["outputFile"])
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(delocalised(told, folders)))
    # A signal's number is negative here; a shell's way of telling it is 128 more.
    return code if code >= 0 else 128 - code


def _parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Returns this command's own options, and what is left to TFX's entry point."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument(REMOTE_FLAG, action="store_true")
    parser.add_argument(NOTES_FLAG, nargs=2, metavar=("FOLDER", "STAGE"))
    return parser.parse_known_args(arguments)


def _run_entry_point(arguments: Sequence[str]) -> tuple[int, list[str]]:
    """Returns the exit code, and the last lines of what was said, which the log has too."""
    kept: deque[str] = deque(maxlen=_LINES_KEPT)
    command = [sys.executable, "-m", TFX_ENTRY_POINT, *arguments]
    with subprocess.Popen(command, stderr=subprocess.PIPE) as process:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.buffer.write(line)
            sys.stderr.buffer.flush()
            kept.append(line.decode(errors="replace").rstrip())
    return process.returncode, list(kept)


def _leave_word(
    invocation: dict[str, Any], folder: str, stage: str, code: int, said: Sequence[str]
) -> None:
    run = run_of_step(invocation, stage)
    if run is None:
        print(f"{stage}: its outputs do not hold the run's id", file=sys.stderr)
        return
    status, reason = failure_of_output(said)
    if code < 0:
        status, reason = "failed", f"killed by signal {-code}"
    try:
        note_failure(Path(folder, run), stage, status, reason)
    except OSError as error:
        # The failure itself is worth more than word of it.
        print(f"{stage}: cannot leave a note in {folder}: {error}", file=sys.stderr)


def run_of_step(invocation: dict[str, Any], stage: str) -> str | None:
    """Returns the run that a step is part of; None if that cannot be found out.

    As a parameter, the run's id would keep a step's result from being found in the server's cache.
    So most steps find it in their outputs' URIs, `ROOT/PIPELINE/RUN/STAGE/…`.

    Args:
        invocation: KFP's `ExecutorInput` as JSON.
        stage: The step's name.
    """
    if given := invocation.get("inputs", {}).get("parameterValues", {}).get(RUN_ID_PARAMETER):
        return str(given)
    for artifacts in invocation.get("outputs", {}).get("artifacts", {}).values():
        for artifact in artifacts["artifacts"]:
            if found := re.search(rf"/([^/]+)/{re.escape(stage)}/", artifact["uri"]):
                return found[1]
    return None


def note_failure(run: Path, stage: str, status: Status, reason: str) -> None:
    """Leaves word of a step that failed.

    Args:
        run: The run's folder.
        stage: The step.
        status: `data_refused` or `failed`.
        reason: One line.
    """
    run.mkdir(parents=True, exist_ok=True)
    note = {"at": time.time_ns(), "stage": stage, "status": status, "reason": reason}
    (run / f"{stage}{_FAILURE_SUFFIX}").write_text(json.dumps(note))


def noted_failures(run: Path) -> list[tuple[str, Status, str]]:
    """Returns stage, status and reason of each step of the run that failed, the first one first."""
    notes = [json.loads(file.read_text()) for file in run.glob(f"*{_FAILURE_SUFFIX}")]
    notes.sort(key=lambda note: int(note["at"]))
    return [(note["stage"], note["status"], note["reason"]) for note in notes]


def localised(
    invocation: dict[str, Any], folders: Mapping[str, str] = LAUNCHER_FOLDERS
) -> dict[str, Any]:
    """Returns KFP's `ExecutorInput` with paths for URIs and without inputs that are absent.

    An artifact's properties may name other artifacts, as a blessing does the model.

    Args:
        invocation: The message as JSON.
        folders: Scheme -> folder.
    """

    def to_path(uri: str) -> str:
        for scheme, folder in folders.items():
            if uri.startswith(scheme):
                return folder + uri.removeprefix(scheme)
        return uri

    inputs = invocation.get("inputs", {})
    present = {
        key: artifacts
        for key, artifacts in inputs.get("artifacts", {}).items()
        if not any(
            artifact.get("metadata", {}).get(ABSENT_PROPERTY) for artifact in artifacts["artifacts"]
        )
    }
    return {
        **invocation,
        "inputs": _with_uris({**inputs, "artifacts": present}, to_path),
        "outputs": _with_uris(invocation.get("outputs", {}), to_path),
    }


def delocalised(
    output: dict[str, Any], folders: Mapping[str, str] = LAUNCHER_FOLDERS
) -> dict[str, Any]:
    """Returns KFP's `ExecutorOutput` with URIs for paths.

    Args:
        output: The message as JSON.
        folders: Scheme -> folder.
    """

    def to_uri(path: str) -> str:
        for scheme, folder in folders.items():
            if path.startswith(folder):
                return scheme + path.removeprefix(folder)
        return path

    return _with_uris(output, to_uri)


def beside_outputs(invocation: dict[str, Any]) -> str:
    """Returns a URI for the output file in the folder of a step's output artifacts."""
    (artifacts, *_) = invocation["outputs"]["artifacts"].values()
    folder, _, _ = artifacts["artifacts"][0]["uri"].rstrip("/").rpartition("/")
    return f"{folder}/output_metadata.json"


def _read(uri: str) -> str:
    if "://" not in uri:
        return Path(uri).read_text()
    from tfx.dsl.io import fileio

    with fileio.open(uri) as file:
        return str(file.read())


def _with_uris(holder: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    lists = {
        key: {
            **artifacts,
            "artifacts": [_with_uri(one, change) for one in artifacts.get("artifacts", [])],
        }
        for key, artifacts in holder.get("artifacts", {}).items()
    }
    return {**holder, "artifacts": lists}


def _with_uri(artifact: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    properties = {
        name: change(value) if isinstance(value, str) else value
        for name, value in artifact.get("metadata", {}).items()
    }
    return {**artifact, "uri": change(artifact.get("uri", "")), "metadata": properties}


if __name__ == "__main__":
    sys.exit(main())
