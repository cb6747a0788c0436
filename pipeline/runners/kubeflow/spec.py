"""What TFX compiles for Vertex AI, made into what a Kubeflow Pipelines server runs."""

import copy
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tfx.orchestration.kubeflow.utils import TFX_DAG_NAME

from pipeline.runners.kubeflow.step import (
    NOTES_FLAG,
    REMOTE_FLAG,
    RUN_ID_PARAMETER,
    RUN_ID_PLACEHOLDER,
)
from pipeline.runners.kubeflow.target import SecretKey, Storage

Json = dict[str, Any]

WINDOW_PARAMETER = "span_window"
FINGERPRINT_PARAMETER = "input_fingerprint"
SPEC_PARAMETER = "spec_digest"


def for_server(
    spec: Json,
    *,
    resolve_stage: str,
    ingestion_stage: str,
    record_stage: str,
    defaults: Mapping[str, str],
    pipeline_root: str | None,
    runs_folder: str | None = None,
    remote_stages: Collection[str] = (),
) -> Json:
    """Returns the `PipelineSpec` of TFX's `KubeflowV2DagRunner` with what the server lacks.

    - The driver of ExampleGen is a hook of its container that only Vertex AI calls, so it goes;
      the stage before it hands over what it resolved, as parameters.
    - The server's cache identifies a step by its image, command and parameters, and its inputs
      by names that they do not have. So each step also gets the digests of the data and of this
      specification: the same data and the same code find all results again, and a change of
      either finds none.
    - TFX gives runtime parameters no defaults, and writes the pipeline root beside the
      specification rather than into it.
    - With an exit handler TFX puts all stages into a DAG of their own, but does not hand the
      runtime parameters down to it.

    Args:
        spec: TFX's; it is not changed.
        resolve_stage: The stage that finds the data; it runs each time.
        ingestion_stage: ExampleGen.
        record_stage: The stage that records what came of the run; it too runs each time.
        defaults: Runtime parameter -> default.
        pipeline_root: Where artifacts go; None for the server's own.
        runs_folder: Where stages that fail leave notes; None for nowhere.
        remote_stages: Stages that work on other machines than their container.
    """
    adapted = copy.deepcopy(spec)
    root = adapted["root"]
    for name, value in defaults.items():
        root["inputDefinitions"]["parameters"][name]["defaultValue"] = value
    executors = adapted["deploymentSpec"]["executors"]
    for executor in executors.values():
        executor["container"].pop("lifecycle", None)
    for stage in remote_stages:
        label = adapted["components"][stage]["executorLabel"]
        executors[label]["container"]["command"].append(REMOTE_FLAG)
    _hand_down_parameters(adapted)
    digest = _digest(spec)
    for stage, task in stage_tasks(adapted).items():
        component = adapted["components"][task["componentRef"]["name"]]
        if runs_folder is not None:
            command = executors[component["executorLabel"]]["container"]["command"]
            command += [NOTES_FLAG, runs_folder, stage]
        if stage in (resolve_stage, record_stage):
            task.pop("cachingOptions", None)
        if stage == resolve_stage:
            _declare(component, "outputDefinitions", WINDOW_PARAMETER, FINGERPRINT_PARAMETER)
            _declare(component, "inputDefinitions", RUN_ID_PARAMETER)
            _give_constant(task, RUN_ID_PARAMETER, RUN_ID_PLACEHOLDER)
            continue
        _declare(component, "inputDefinitions", FINGERPRINT_PARAMETER, SPEC_PARAMETER)
        _give_output(task, resolve_stage, FINGERPRINT_PARAMETER)
        _give_constant(task, SPEC_PARAMETER, digest)
        if stage in (ingestion_stage, record_stage):
            _declare(component, "inputDefinitions", WINDOW_PARAMETER)
            _give_output(task, resolve_stage, WINDOW_PARAMETER)
    if pipeline_root is not None:
        adapted["defaultPipelineRoot"] = pipeline_root
    return adapted


def stage_tasks(spec: Json) -> Json:
    """Returns the task of each stage by its name, without that of an exit handler."""
    tasks: Json = spec["components"].get(TFX_DAG_NAME, spec["root"])["dag"]["tasks"]
    return tasks


def platform_spec(
    spec: Json,
    mounts: Mapping[str, Iterable[Storage]],
    secrets: Mapping[str, Mapping[str, SecretKey]],
) -> Json | None:
    """Returns the `PlatformSpec` that mounts claims and hands in secrets; None if it is empty.

    Args:
        spec: The `PipelineSpec`.
        mounts: Stage -> what it reads or writes; a stage that is not in the pipeline is left out.
        secrets: Stage -> environment variable -> the value of a Secret that it gets.
    """
    executors: dict[str, Json] = {}
    for stage in mounts:
        if stage not in spec["components"]:
            continue
        platform: Json = {}
        if claims := _claim_mounts(mounts[stage]):
            platform["pvcMount"] = claims
        if variables := secrets.get(stage):
            platform["secretAsEnv"] = _secret_variables(variables)
        if platform:
            executors[spec["components"][stage]["executorLabel"]] = platform
    if not executors:
        return None
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": executors}}}}


def _claim_mounts(storages: Iterable[Storage]) -> list[Json]:
    return [
        {"constant": claim, "mountPath": mount}
        for claim, mount in {storage.claim: storage.mount for storage in storages}.items()
        if claim
    ]


def _secret_variables(variables: Mapping[str, SecretKey]) -> list[Json]:
    return [
        {
            "secretName": value.secret,
            "keyToEnv": [{"secretKey": value.key, "envVar": variable}],
        }
        for variable, value in variables.items()
    ]


def _hand_down_parameters(spec: Json) -> None:
    parameters = spec["root"]["inputDefinitions"]["parameters"]
    if TFX_DAG_NAME not in spec["components"]:
        return
    dag, task = spec["components"][TFX_DAG_NAME], spec["root"]["dag"]["tasks"][TFX_DAG_NAME]
    for name, declared in parameters.items():
        kind = {"parameterType": declared["parameterType"]}
        dag.setdefault("inputDefinitions", {}).setdefault("parameters", {})[name] = kind
        _parameters(task)[name] = {"componentInputParameter": name}


def _digest(spec: Json) -> str:
    """Returns a digest of all stages; who is notified of the run's end is no part of it."""
    tasks = stage_tasks(spec)
    components = {name: spec["components"][name] for name in tasks}
    labels = {component["executorLabel"] for component in components.values()}
    executors = {name: spec["deploymentSpec"]["executors"][name] for name in labels}
    content = json.dumps([tasks, components, executors], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _declare(component: Json, side: str, *names: str) -> None:
    parameters = component.setdefault(side, {}).setdefault("parameters", {})
    for name in names:
        parameters[name] = {"parameterType": "STRING"}


def _give_output(task: Json, producer: str, name: str) -> None:
    _parameters(task)[name] = {
        "taskOutputParameter": {"producerTask": producer, "outputParameterKey": name}
    }
    dependencies = task.setdefault("dependentTasks", [])
    if producer not in dependencies:
        dependencies.append(producer)
        dependencies.sort()


def _give_constant(task: Json, name: str, value: str) -> None:
    _parameters(task)[name] = {"runtimeValue": {"constant": value}}


def _parameters(task: Json) -> Json:
    parameters: Json = task.setdefault("inputs", {}).setdefault("parameters", {})
    return parameters
