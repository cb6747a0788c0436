"""A Kubeflow Pipelines server of one process, as far as its driver and its launcher go.

It does with a specification what the server's Go code does (backend/src/v2: `driver`,
`component`, `cacheutils`): orders the tasks, resolves their inputs, keys the cache, fills `{{$}}`
in a container's arguments, runs its command as it stands, and takes over what its output file says.
"""

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from google.protobuf import json_format, struct_pb2
from kfp.pipeline_spec import pipeline_spec_pb2 as pb

WHATEVER_HAPPENED = pb.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED
"""Of an exit handler."""


@dataclasses.dataclass(frozen=True)
class TaskRun:
    """What one task gave: parameters and artifacts by name."""

    parameters: dict[str, struct_pb2.Value]
    artifacts: dict[str, pb.RuntimeArtifact]
    cached: bool = False
    log: str = ""


class StepFailedError(Exception):
    def __init__(self, task: str, log: str) -> None:
        super().__init__(f"{task}: {log[-3000:]}")
        self.task = task
        self.log = log


class DryRun:
    """A server with one pipeline; its cache outlives a run.

    Args:
        file: The compiled documents.
        folder: Its object store.
        secrets: Secret -> key -> value, as the cluster holds them.
    """

    def __init__(
        self, file: Path, folder: Path, secrets: Mapping[str, Mapping[str, str]] | None = None
    ) -> None:
        documents = list(yaml.safe_load_all(file.read_text()))
        self.spec = json_format.ParseDict(documents[0], pb.PipelineSpec())
        self.executors = json_format.ParseDict(
            json_format.MessageToDict(self.spec.deployment_spec), pb.PipelineDeploymentConfig()
        ).executors
        kubernetes = documents[1]["platforms"]["kubernetes"] if documents[1:] else {}
        self._platform = kubernetes.get("deploymentSpec", {}).get("executors", {})
        self._secrets = secrets or {}
        self._folder = folder
        self._cache: dict[str, TaskRun] = {}

    def run(self, **parameters: str) -> dict[str, TaskRun]:
        """Runs all tasks in the order of their dependencies, then an exit handler in any case."""
        given = {name: struct_pb2.Value(string_value=text) for name, text in parameters.items()}
        for name, declared in self.spec.root.input_definitions.parameters.items():
            if name not in given:
                assert declared.HasField("default_value"), f"{name} has no default"
                given[name] = declared.default_value
        run_folder = self._folder / self.spec.pipeline_info.name / str(uuid.uuid4())
        done: dict[str, TaskRun] = {}
        try:
            self._run_dag(self.spec.root.dag.tasks, done, given, run_folder)
        finally:
            for name, task in self.spec.root.dag.tasks.items():
                if task.trigger_policy.strategy == WHATEVER_HAPPENED:
                    done[name] = self._run_task(name, task, done, given, run_folder)
        return done

    def _run_dag(
        self,
        tasks: Mapping[str, pb.PipelineTaskSpec],
        done: dict[str, TaskRun],
        given: dict[str, struct_pb2.Value],
        run_folder: Path,
    ) -> None:
        for name in order(tasks):
            task = tasks[name]
            component = self.spec.components[task.component_ref.name]
            if not component.HasField("dag"):
                done[name] = self._run_task(name, task, done, given, run_folder)
                continue
            # A DAG has what its task hands down to it and nothing else.
            inner = {
                key: _parameter(source, done, given, run_folder)
                for key, source in task.inputs.parameters.items()
            }
            assert set(inner) == set(component.input_definitions.parameters)
            self._run_dag(component.dag.tasks, done, inner, run_folder)

    def _run_task(
        self,
        name: str,
        task: pb.PipelineTaskSpec,
        done: dict[str, TaskRun],
        given: dict[str, struct_pb2.Value],
        run_folder: Path,
    ) -> TaskRun:
        component = self.spec.components[task.component_ref.name]
        container = self.executors[component.executor_label].container
        call = pb.ExecutorInput()
        for key, source in task.inputs.parameters.items():
            assert key in component.input_definitions.parameters, f"{name}: {key} not declared"
            call.inputs.parameter_values[key].CopyFrom(_parameter(source, done, given, run_folder))
        for key, source in task.inputs.artifacts.items():
            produced = source.task_output_artifact
            artifact = done[produced.producer_task].artifacts[produced.output_artifact_key]
            call.inputs.artifacts[key].artifacts.append(artifact)
        key = _cache_key(call, component, container)
        if task.caching_options.enable_cache and key in self._cache:
            return dataclasses.replace(self._cache[key], cached=True)
        task_folder = run_folder / name / uuid.uuid4().hex
        for output, declared in component.output_definitions.artifacts.items():
            call.outputs.artifacts[output].artifacts.add(
                uri=f"{task_folder}/{output}",
                type=declared.artifact_type,
                metadata=declared.metadata,
            )
        for output in component.output_definitions.parameters:
            call.outputs.parameters[output].output_file = f"{task_folder}/parameters/{output}"
        call.outputs.output_file = f"{task_folder}/kfp_outputs/output_metadata.json"
        variables = self._secret_variables(component.executor_label)
        self._cache[key] = _execute(name, container, call, task_folder, variables)
        return self._cache[key]

    def _secret_variables(self, executor: str) -> dict[str, str]:
        return {
            pair["envVar"]: self._secrets[secret["secretName"]][pair["secretKey"]]
            for secret in self._platform.get(executor, {}).get("secretAsEnv", [])
            for pair in secret["keyToEnv"]
        }


def order(tasks: Mapping[str, pb.PipelineTaskSpec]) -> list[str]:
    """Returns the tasks, each after all that it depends on; an exit handler is not among them."""
    names = [n for n in sorted(tasks) if tasks[n].trigger_policy.strategy != WHATEVER_HAPPENED]
    ordered: list[str] = []
    while len(ordered) < len(names):
        ready = [
            name
            for name in names
            if name not in ordered and set(dependencies(tasks[name])) <= set(ordered)
        ]
        assert ready, f"a cycle, or a task that is not there, after {ordered}"
        ordered += ready
    return ordered


def dependencies(task: pb.PipelineTaskSpec) -> list[str]:
    """Returns explicit dependencies and those that inputs make."""
    return [
        *task.dependent_tasks,
        *(
            source.task_output_parameter.producer_task
            for source in task.inputs.parameters.values()
            if source.HasField("task_output_parameter")
        ),
        *(source.task_output_artifact.producer_task for source in task.inputs.artifacts.values()),
    ]


def _parameter(
    source: pb.TaskInputsSpec.InputParameterSpec,
    done: dict[str, TaskRun],
    given: dict[str, struct_pb2.Value],
    run_folder: Path,
) -> struct_pb2.Value:
    kind = source.WhichOneof("kind")
    if kind == "runtime_value":
        assert source.runtime_value.HasField("constant"), "the server takes no other value"
        if source.runtime_value.constant.string_value == "{{$.pipeline_job_uuid}}":
            return struct_pb2.Value(string_value=run_folder.name)
        return source.runtime_value.constant
    if kind == "component_input_parameter":
        return given[source.component_input_parameter]
    assert kind == "task_output_parameter", kind
    wanted = source.task_output_parameter
    return done[wanted.producer_task].parameters[wanted.output_parameter_key]


def _cache_key(call: pb.ExecutorInput, component: Any, container: Any) -> str:
    """As the server's `GenerateCacheKey`: of artifacts the names, which they do not have."""
    content = {
        "artifacts": {
            key: [a.name for a in v.artifacts] for key, v in call.inputs.artifacts.items()
        },
        "parameters": {
            key: json_format.MessageToDict(value)
            for key, value in call.inputs.parameter_values.items()
        },
        "outputs": json_format.MessageToDict(component.output_definitions),
        "container": [container.image, *container.command, *container.args],
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _execute(
    name: str,
    container: Any,
    call: pb.ExecutorInput,
    folder: Path,
    variables: Mapping[str, str],
) -> TaskRun:
    folder.mkdir(parents=True)
    invocation = json_format.MessageToJson(call, indent=None)
    command = [part.replace("{{$}}", invocation) for part in (*container.command, *container.args)]
    finished = subprocess.run(
        command,
        # Of an image: the interpreter's folder is on PATH, and the current folder is no help.
        env={
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "HOME": str(folder),
            "TF_CPP_MIN_LOG_LEVEL": "2",
            **variables,
        },
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    if finished.returncode:
        raise StepFailedError(name, finished.stdout)
    output = pb.ExecutorOutput()
    file = Path(call.outputs.output_file)
    if file.exists():
        json_format.Parse(file.read_text(), output)
    artifacts = {}
    for key, provisioned in call.outputs.artifacts.items():
        (artifact,) = provisioned.artifacts
        for written in output.artifacts[key].artifacts[:1]:
            artifact.uri = written.uri or artifact.uri
            artifact.metadata.update(json_format.MessageToDict(written.metadata))
        # What the server adds to every artifact that it records.
        artifact.metadata.update({"display_name": key})
        artifacts[key] = artifact
    parameters = {}
    for key, expected in call.outputs.parameters.items():
        if key in output.parameter_values:
            parameters[key] = output.parameter_values[key]
        else:
            text = Path(expected.output_file).read_text()
            parameters[key] = struct_pb2.Value(string_value=text)
    return TaskRun(parameters, artifacts, log=finished.stdout)
