"""Command of a container in Kubeflow Pipelines: TFX's own entry point, on this container's files.

KFP's launcher has copied each input artifact from the object store to a folder of the container
and will copy outputs back from such folders. TFX reads an artifact at its URI instead, for which
it has no file system but Google's. So URIs become the launcher's paths on the way in, and paths
become URIs on the way out.

A step whose Beam pipeline runs on other machines (`--remote`) reads and writes at the URIs, as
these have no part in the container's files. One that fails leaves a note of it (`--notes`).
"""

import argparse
import json
import logging
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pipeline.run.failures import gate_refusal, user_mistake
from pipeline.run.outcome import Status

ABSENT_PROPERTY = "absent"
"""Custom property of an artifact that says there is none: KFP has no optional output."""

LAUNCHER_FOLDERS: Mapping[str, str] = MappingProxyType(
    {"gs://": "/gcs/", "minio://": "/minio/", "s3://": "/s3/"}
)
"""Scheme of a URI -> the folder in which KFP's launcher keeps what is behind it."""

RUN_ID_PARAMETER = "run_id"
RUN_ID_PLACEHOLDER = "{{$.pipeline_job_uuid}}"
"""The server replaces it by the run's id, in a parameter that holds nothing else."""

REMOTE_FLAG = "--remote"
NOTES_FLAG = "--notes"

_FAILURE_SUFFIX = ".failure.json"


def main() -> None:
    """Runs one step."""
    options, beam_arguments = _parse_arguments()
    folders = {} if options.remote else LAUNCHER_FOLDERS
    given = json.loads(options.json_serialized_invocation_args)
    invocation = localised(given, folders)
    if options.remote:
        # TFX keeps what its workers share for a while in the folder of this file.
        invocation["outputs"]["outputFile"] = _beside_outputs(given)
    options.json_serialized_invocation_args = json.dumps(invocation)
    logging.basicConfig(level=logging.INFO)
    try:
        from tfx.dsl.io import fileio
        from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_run_executor

        kubeflow_v2_run_executor.main((options, beam_arguments))
    except Exception as error:
        if options.notes:
            folder, stage = options.notes
            _note_error(error, given, folder, stage)
        raise
    with fileio.open(invocation["outputs"]["outputFile"]) as output:
        written = delocalised(json.load(output), folders)
    file = Path(given["outputs"]["outputFile"])
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps(written))


def _parse_arguments() -> tuple[argparse.Namespace, list[str]]:
    """Returns the options of this command and of TFX's entry point, and those of Beam."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument(REMOTE_FLAG, action="store_true")
    parser.add_argument(NOTES_FLAG, nargs=2, metavar=("FOLDER", "STAGE"))
    parser.add_argument("--executor_class_path", required=True)
    parser.add_argument("--json_serialized_invocation_args", required=True)
    parser.add_argument("--json_serialized_inputs_spec_args")
    return parser.parse_known_args()


def _note_error(error: Exception, invocation: dict[str, Any], folder: str, stage: str) -> None:
    run = run_of_step(invocation, stage)
    if run is None:
        print(f"{stage}: its outputs do not hold the run's id", file=sys.stderr)
        return
    status: Status = "failed"
    if refusal := gate_refusal(error):
        status, reason = "data_refused", refusal
    else:
        reason = user_mistake(error) or f"{type(error).__name__}: {error}".splitlines()[0]
    try:
        note_failure(Path(folder, run), stage, status, reason)
    except OSError as fault:
        # The failure itself is worth more than a note of it.
        print(f"{stage}: cannot leave a note in {folder}: {fault}", file=sys.stderr)


def run_of_step(invocation: dict[str, Any], stage: str) -> str | None:
    """Returns the id of the run that a step belongs to; None if its invocation does not name it.

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
    """Notes why a step failed.

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
        "inputs": _with_prefixes({**inputs, "artifacts": present}, folders),
        "outputs": _with_prefixes(invocation.get("outputs", {}), folders),
    }


def delocalised(
    output: dict[str, Any], folders: Mapping[str, str] = LAUNCHER_FOLDERS
) -> dict[str, Any]:
    """Returns KFP's `ExecutorOutput` with URIs for paths.

    Args:
        output: The message as JSON.
        folders: Scheme -> folder.
    """
    return _with_prefixes(output, {folder: scheme for scheme, folder in folders.items()})


def _with_prefixes(message: dict[str, Any], prefixes: Mapping[str, str]) -> dict[str, Any]:
    """Returns a message whose artifacts have another prefix in each text that has a known one."""

    def changed(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: changed(item) for key, item in value.items()}
        if isinstance(value, list):
            return [changed(item) for item in value]
        if isinstance(value, str):
            for old, new in prefixes.items():
                if value.startswith(old):
                    return new + value.removeprefix(old)
        return value

    return {**message, "artifacts": changed(message.get("artifacts", {}))}


def _beside_outputs(invocation: dict[str, Any]) -> str:
    """Returns a URI for the output file in the folder of a step's output artifacts."""
    (artifacts, *_) = invocation["outputs"]["artifacts"].values()
    folder, _, _ = artifacts["artifacts"][0]["uri"].rstrip("/").rpartition("/")
    return f"{folder}/output_metadata.json"


if __name__ == "__main__":
    main()
