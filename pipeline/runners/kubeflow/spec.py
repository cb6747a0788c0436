"""What TFX compiles for Vertex AI, made into what a Kubeflow Pipelines server runs."""

import copy
import hashlib
import json
from collections.abc import Collection
from typing import Any

from tfx.orchestration.kubeflow.utils import TFX_DAG_NAME

from pipeline.run.webhook import WEBHOOK_VARIABLE
from pipeline.runners.kubeflow.step import (
    NOTES_FLAG,
    REMOTE_FLAG,
    RUN_ID_PARAMETER,
    RUN_ID_PLACEHOLDER,
)
from pipeline.runners.kubeflow.target import KubeflowTarget

Json = dict[str, Any]

RESOLVE_STAGE = "ResolveData"
INGESTION_STAGE = "ExampleGen"
RECORD_STAGE = "RecordOutcome"
EXIT_HANDLER = "NotifyWebhook"

DATA_PARAMETER = "data_folder"
"""Runtime parameter: the folder of this pipeline's files, as a container sees it."""

WINDOW_PARAMETER = "span_window"
FINGERPRINT_PARAMETER = "input_fingerprint"
SPEC_PARAMETER = "spec_digest"

_DATA_STAGES = (RESOLVE_STAGE, INGESTION_STAGE)
_PUSH_STAGES = ("WarmStartResolver", "BaselineResolver", "VersionedPusher")
"""Those that look into the push directory, or write to it."""


def for_server(
    spec: Json, target: KubeflowTarget, data_folder: str, remote_stages: Collection[str]
) -> Json:
    """Returns the `PipelineSpec` of TFX's `KubeflowV2DagRunner` with what the server lacks.

    - The driver of ExampleGen is a hook of its container that only Vertex AI calls, so it goes;
      the stage before it hands over what it resolved, as parameters.
    - The server's cache identifies a step by its image, command and parameters, and its inputs
      by names that they do not have. So each step also gets the digests of the data and of this
      specification: the same data and the same code find all results again, and a change of
      either finds none. The stages that find the data and record the outcome run each time.
    - TFX gives runtime parameters no defaults, and writes the pipeline root beside the
      specification rather than into it.
    - With an exit handler TFX puts all stages into a DAG of their own, but does not hand the
      runtime parameters down to it.

    Args:
        spec: TFX's; it is not changed.
        target: The cluster.
        data_folder: Default of the folder of the pipeline's files.
        remote_stages: Stages that work on other machines than their container.
    """
    adapted = copy.deepcopy(spec)
    parameters = adapted["root"]["inputDefinitions"]["parameters"]
    parameters[DATA_PARAMETER]["defaultValue"] = data_folder
    if target.pipeline_root is not None:
        adapted["defaultPipelineRoot"] = target.pipeline_root
    if (dag := adapted["components"].get(TFX_DAG_NAME)) is not None:
        task = adapted["root"]["dag"]["tasks"][TFX_DAG_NAME]
        for name in parameters:
            _give(dag, task, name, {"componentInputParameter": name})
    digest = _digest(spec)
    for stage, task in stage_tasks(adapted).items():
        component = adapted["components"][task["componentRef"]["name"]]
        container = adapted["deploymentSpec"]["executors"][component["executorLabel"]]["container"]
        container.pop("lifecycle", None)
        if stage in remote_stages:
            container["command"].append(REMOTE_FLAG)
        if target.runs_folder is not None:
            container["command"] += [NOTES_FLAG, target.runs_folder, stage]
        if stage in (RESOLVE_STAGE, RECORD_STAGE):
            task.pop("cachingOptions", None)
        if stage == RESOLVE_STAGE:
            _declare(component, "outputDefinitions", WINDOW_PARAMETER)
            _declare(component, "outputDefinitions", FINGERPRINT_PARAMETER)
            _give(component, task, RUN_ID_PARAMETER, _constant(RUN_ID_PLACEHOLDER))
            continue
        task["dependentTasks"] = sorted({*task.get("dependentTasks", ()), RESOLVE_STAGE})
        _give(component, task, FINGERPRINT_PARAMETER, _resolved(FINGERPRINT_PARAMETER))
        _give(component, task, SPEC_PARAMETER, _constant(digest))
        if stage in (INGESTION_STAGE, RECORD_STAGE):
            _give(component, task, WINDOW_PARAMETER, _resolved(WINDOW_PARAMETER))
    return adapted


def platform_spec(spec: Json, target: KubeflowTarget) -> Json | None:
    """Returns the `PlatformSpec` that mounts claims and hands in secrets; None if it is empty.

    Args:
        spec: The `PipelineSpec`.
        target: The cluster.
    """
    executors: dict[str, Json] = {}
    for stage in (*stage_tasks(spec), *([EXIT_HANDLER] if target.webhook else [])):
        data = [target.data] if stage in _DATA_STAGES else []
        push = [target.push] if stage in _PUSH_STAGES or target.webhook else []
        mounts = {storage.claim: storage.mount for storage in (*data, *push) if storage.claim}
        platform: Json = {}
        if mounts:
            platform["pvcMount"] = [
                {"constant": claim, "mountPath": mount} for claim, mount in mounts.items()
            ]
        if stage == EXIT_HANDLER and target.webhook:
            secret, key = target.webhook
            variable = {"secretKey": key, "envVar": WEBHOOK_VARIABLE}
            platform["secretAsEnv"] = [{"secretName": secret, "keyToEnv": [variable]}]
        if platform:
            executors[spec["components"][stage]["executorLabel"]] = platform
    if not executors:
        return None
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def stage_tasks(spec: Json) -> Json:
    """Returns the task of each stage by its name, without that of an exit handler."""
    tasks: Json = spec["components"].get(TFX_DAG_NAME, spec["root"])["dag"]["tasks"]
    return tasks


def _digest(spec: Json) -> str:
    """Returns a digest of all stages; who is notified of the run's end is no part of it."""
    tasks = stage_tasks(spec)
    components = {name: spec["components"][name] for name in tasks}
    labels = {component["executorLabel"] for component in components.values()}
    executors = {name: spec["deploymentSpec"]["executors"][name] for name in labels}
    content = json.dumps([tasks, components, executors], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _declare(component: Json, side: str, name: str) -> None:
    parameters = component.setdefault(side, {}).setdefault("parameters", {})
    parameters[name] = {"parameterType": "STRING"}


def _give(component: Json, task: Json, name: str, source: Json) -> None:
    _declare(component, "inputDefinitions", name)
    task.setdefault("inputs", {}).setdefault("parameters", {})[name] = source


def _constant(value: str) -> Json:
    return {"runtimeValue": {"constant": value}}


def _resolved(name: str) -> Json:
    return {"taskOutputParameter": {"producerTask": RESOLVE_STAGE, "outputParameterKey": name}}
