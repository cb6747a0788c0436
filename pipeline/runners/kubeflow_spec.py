"""What TFX compiles for Vertex AI, made into what a Kubeflow Pipelines server runs."""

import copy
import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from pipeline.runners.kubeflow_step import REMOTE_FLAG
from pipeline.runners.kubeflow_target import Storage

Json = dict[str, Any]

WINDOW_PARAMETER = "span_window"
FINGERPRINT_PARAMETER = "input_fingerprint"
SPEC_PARAMETER = "spec_digest"


def for_server(
    spec: Json,
    *,
    resolve_stage: str,
    ingestion_stage: str,
    defaults: Mapping[str, str],
    pipeline_root: str | None,
    remote_stages: Collection[str] = (),
) -> Json:
    """Returns the `PipelineSpec` of TFX's `KubeflowV2DagRunner` with what the server lacks.

    - The driver of ExampleGen is a hook of its container that only Vertex AI calls, so it goes;
      the stage before it hands over what it resolved, as parameters.
    - The server's cache knows a step by its image, command and parameters, and its input artifacts
      by names that they do not have. So each step also gets the digests of the data and of this
      specification: the same data and the same code find all results again, and a change of
      either finds none.
    - TFX gives runtime parameters no defaults, and writes the pipeline root beside the
      specification rather than into it.

    Args:
        spec: TFX's; it is not changed.
        resolve_stage: The stage that finds the data; it runs each time.
        ingestion_stage: ExampleGen.
        defaults: Runtime parameter -> default.
        pipeline_root: Where artifacts go; None for the server's own.
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
    digest = hashlib.sha256(json.dumps(spec, sort_keys=True).encode()).hexdigest()[:16]
    for stage, task in root["dag"]["tasks"].items():
        component = adapted["components"][task["componentRef"]["name"]]
        if stage == resolve_stage:
            task.pop("cachingOptions", None)
            _declare(component, "outputDefinitions", WINDOW_PARAMETER, FINGERPRINT_PARAMETER)
            continue
        _declare(component, "inputDefinitions", FINGERPRINT_PARAMETER, SPEC_PARAMETER)
        _give_output(task, resolve_stage, FINGERPRINT_PARAMETER)
        _give_constant(task, SPEC_PARAMETER, digest)
        if stage == ingestion_stage:
            _declare(component, "inputDefinitions", WINDOW_PARAMETER)
            _give_output(task, resolve_stage, WINDOW_PARAMETER)
    if pipeline_root is not None:
        adapted["defaultPipelineRoot"] = pipeline_root
    return adapted


def platform_spec(spec: Json, mounts: Mapping[str, Iterable[Storage]]) -> Json | None:
    """Returns the `PlatformSpec` that mounts claims; None where there are none.

    Args:
        spec: The `PipelineSpec`.
        mounts: Stage -> what it reads or writes; a stage that is not in the pipeline is left out.
    """
    executors = {
        spec["components"][stage]["executorLabel"]: {
            "pvcMount": [
                {"constant": storage.claim, "mountPath": storage.mount}
                for storage in storages
                if storage.claim
            ]
        }
        for stage, storages in mounts.items()
        if stage in spec["components"]
    }
    mounted = {label: config for label, config in executors.items() if config["pvcMount"]}
    if not mounted:
        return None
    return {"platforms": {"kubernetes": {"deploymentSpec": {"executors": mounted}}}}


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
