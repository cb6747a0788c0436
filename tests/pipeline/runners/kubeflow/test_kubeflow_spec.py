"""What `aepipe compile kubeflow` writes, read back through KFP's own protobuf."""

import json
import re
from pathlib import Path
from typing import Any

import kfp
import pytest
import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2 as pb
from tfx.utils import import_utils

from pipeline.beam_profiles import beam_arguments
from pipeline.build import build_pipeline
from pipeline.home import Home
from pipeline_config import PIPELINES
from tests.conftest import Aepipe
from tests.pipeline.runners.kubeflow.dry_run import dependencies

REPOSITORY = Path(__file__).resolve().parents[3]

Documents = list[dict[str, Any]]


def compiled(aepipe: Aepipe, folder: Path, pipeline: str, *options: str) -> Documents:
    result = aepipe("compile", "kubeflow", pipeline, "-o", folder, *options)
    assert result.exit_code == 0, result.err
    assert result.out.split() == [
        str(folder / f"{name}.yaml") for name in PIPELINES if pipeline in (name, "all")
    ]
    return list(yaml.safe_load_all((folder / f"{pipeline}.yaml").read_text()))


def specification(documents: Documents) -> pb.PipelineSpec:
    return json_format.ParseDict(documents[0], pb.PipelineSpec())


def executors(documents: Documents) -> dict[str, Any]:
    config = json_format.ParseDict(documents[0]["deploymentSpec"], pb.PipelineDeploymentConfig())
    return dict(config.executors)


@pytest.fixture(params=list(PIPELINES))
def documents(request: pytest.FixtureRequest, aepipe: Aepipe, tmp_path: Path) -> Documents:
    return compiled(aepipe, tmp_path, request.param, "--image", "registry/aepipe:7")


def test_the_server_can_run_each_part_of_it(documents: Documents) -> None:
    spec = specification(documents)

    assert spec.schema_version == "2.1.0"
    job = pb.PipelineJob(pipeline_spec=spec_as_struct(documents[0]))
    assert job.pipeline_spec["pipelineInfo"]["name"] == spec.pipeline_info.name
    for name, task in spec.root.dag.tasks.items():
        component = spec.components[task.component_ref.name]
        executor = executors(documents)[component.executor_label]
        # No resolver, no importer, and no hook that only Vertex AI calls.
        assert executor.WhichOneof("spec") == "container"
        assert not executor.container.HasField("lifecycle")
        assert executor.container.image == "registry/aepipe:7"
        assert list(executor.container.command) == [
            "python", "-m", "pipeline.runners.kubeflow.step",
        ]  # fmt: skip
        # What a task is given is what its component declares.
        assert set(task.inputs.parameters) == set(component.input_definitions.parameters)
        assert set(task.inputs.artifacts) == set(component.input_definitions.artifacts)
        assert set(dependencies(task)) <= set(spec.root.dag.tasks) - {name}
        for declared in component.input_definitions.parameters.values():
            assert declared.parameter_type, "the server takes no other kind of type"


@pytest.mark.parametrize("name", ["Heart.Beats_2", "_pump-7", "___", "x" * 63])
def test_every_name_of_a_pipeline_is_one_that_a_specification_takes(
    name: str, aepipe: Aepipe, tmp_path: Path
) -> None:
    config = tmp_path / "own.toml"
    config.write_text(f'["{name}"]\nbase = "anomaly"\n')

    result = aepipe(
        "compile", "kubeflow", name, "-o", tmp_path, "--image", "aepipe:7", "--config", config
    )

    assert result.exit_code == 0, result.err
    documents = list(yaml.safe_load_all((tmp_path / f"{name}.yaml").read_text()))
    assert re.fullmatch("[a-z0-9][a-z0-9-]*", specification(documents).pipeline_info.name)


def spec_as_struct(document: dict[str, Any]) -> Any:
    from google.protobuf import struct_pb2

    return json_format.ParseDict(document, struct_pb2.Struct())


def test_tfx_entry_point_finds_each_executor_and_artifact_type(documents: Documents) -> None:
    from tfx.orchestration.kubeflow.v2.container import kubeflow_v2_entrypoint_utils

    spec = specification(documents)
    for executor in executors(documents).values():
        arguments = list(executor.container.args)
        path = arguments[arguments.index("--executor_class_path") + 1]
        assert hasattr(import_utils.import_class_by_path(path), "Do")
        assert arguments[arguments.index("--json_serialized_invocation_args") + 1] == "{{$}}"
    for component in spec.components.values():
        for artifact in component.output_definitions.artifacts.values():
            raw = pb.ArtifactList(artifacts=[{"uri": "x", "type": artifact.artifact_type}])
            (read,) = kubeflow_v2_entrypoint_utils.parse_raw_artifact_dict({"x": raw})["x"]
            title = yaml.safe_load(artifact.artifact_type.instance_schema)["title"]
            assert title == f"tfx.{type(read).__name__}"


def test_it_is_the_local_pipeline_with_one_stage_before_it(
    documents: Documents, tmp_path: Path
) -> None:
    spec = specification(documents)
    local = build_pipeline(
        PIPELINES[spec.pipeline_info.name.replace("-", "_")],
        data_directory="/data",
        data_sha256="",
        home=Home(tmp_path),
        beam_args=beam_arguments("local"),
    )

    edges = {
        (node.id, upstream.id)
        for node in local.components
        for upstream in node.upstream_nodes
        # The model that is served is asked for, not looked up among all of MLMD's.
        if node.id != "BaselineResolver" or upstream.id == "Trainer"
    }
    compiled_edges = {
        (name, upstream)
        for name, task in spec.root.dag.tasks.items()
        for upstream in dependencies(task)
    }
    assert set(spec.root.dag.tasks) == {*(node.id for node in local.components), "ResolveData"}
    assert edges <= compiled_edges
    assert {upstream for _, upstream in compiled_edges - edges} == {"ResolveData"}


def test_nothing_of_the_compiling_machine_is_in_it(documents: Documents, tmp_path: Path) -> None:
    text = json.dumps(documents)

    for path in (str(REPOSITORY), str(tmp_path), str(Path.home()), str(Path.cwd())):
        assert path not in text


def test_new_data_and_another_specification_miss_the_cache_everywhere(
    documents: Documents,
) -> None:
    spec = specification(documents)
    tasks = dict(spec.root.dag.tasks)

    # The one that looks at the data is not cached; all others hang on what it saw.
    assert not tasks.pop("ResolveData").caching_options.enable_cache
    digests = set()
    for task in tasks.values():
        assert task.caching_options.enable_cache
        seen = task.inputs.parameters["input_fingerprint"].task_output_parameter
        assert (seen.producer_task, seen.output_parameter_key) == (
            "ResolveData", "input_fingerprint",
        )  # fmt: skip
        digests.add(task.inputs.parameters["spec_digest"].runtime_value.constant.string_value)
    assert len(digests) == 1
    window = tasks["ExampleGen"].inputs.parameters["span_window"].task_output_parameter
    assert (window.producer_task, window.output_parameter_key) == ("ResolveData", "span_window")


def test_claims_are_mounted_where_they_are_used_and_nowhere_else(
    aepipe: Aepipe, tmp_path: Path
) -> None:
    documents = compiled(
        aepipe, tmp_path, "anomaly", "--data-uri", "pvc://raw/2026/", "--push-uri", "pvc://models",
        "--set", "trainer.warm_start=true",
    )  # fmt: skip

    platform = json_format.ParseDict(documents[1], pb.PlatformSpec())
    mounts = json_format.MessageToDict(platform)["platforms"]["kubernetes"]["deploymentSpec"]
    raw = {"pvcMount": [{"constant": "raw", "mountPath": "/mnt/aepipe/raw"}]}
    models = {"pvcMount": [{"constant": "models", "mountPath": "/mnt/aepipe/models"}]}
    assert mounts["executors"] == {
        "ResolveData_executor": raw,
        "ExampleGen_executor": raw,
        "WarmStartResolver_executor": models,
        "BaselineResolver_executor": models,
        "VersionedPusher_executor": models,
    }
    spec = specification(documents)
    folder = spec.root.input_definitions.parameters["data_folder"]
    assert folder.default_value.string_value == "/mnt/aepipe/raw/2026/ecg"
    pusher = spec.root.dag.tasks["VersionedPusher"].inputs.parameters
    assert pusher["push_root"].runtime_value.constant.string_value == "/mnt/aepipe/models"


def test_a_bucket_is_read_without_a_mount_and_artifacts_go_to_the_given_root(
    aepipe: Aepipe, tmp_path: Path
) -> None:
    documents = compiled(
        aepipe, tmp_path, "basic", "--data-uri", "gs://bucket/raw", "--push-uri", "/models",
        "--pipeline-root", "s3://bucket/artifacts",
    )  # fmt: skip

    assert len(documents) == 1
    spec = specification(documents)
    assert spec.default_pipeline_root == "s3://bucket/artifacts"
    folder = spec.root.input_definitions.parameters["data_folder"]
    assert folder.default_value.string_value == "gs://bucket/raw/fashion_mnist"


def test_on_dataflow_the_beam_stages_read_and_write_in_the_bucket(
    aepipe: Aepipe, tmp_path: Path
) -> None:
    documents = compiled(
        aepipe, tmp_path, "anomaly", "--data-uri", "gs://bucket/raw", "--beam-profile", "dataflow",
        "--pipeline-root", "gs://bucket/artifacts", "--beam-arg=--project=project-1",
        "--beam-arg=--region=europe-west4", "--beam-arg=--temp_location=gs://bucket/tmp",
        "--beam-arg=--sdk_container_image=registry/worker:1",
    )  # fmt: skip

    remote = {
        label.removesuffix("_executor")
        for label, executor in executors(documents).items()
        if executor.container.command[-1] == "--remote"
    }
    assert remote == {"ExampleGen", "StatisticsGen", "Transform", "ThresholdEvaluator"}


def test_a_window_of_spans_is_part_of_the_ingestion(aepipe: Aepipe, tmp_path: Path) -> None:
    options = ("--spans", "date", "--set", "data.window=3")
    spec = specification(compiled(aepipe, tmp_path, "anomaly", *options))

    given = {
        key: value.runtime_value.constant.string_value
        for key, value in spec.root.dag.tasks["ResolveData"].inputs.parameters.items()
    }
    ((split,),) = [json.loads(given["input_config"])["splits"]]
    assert split["pattern"] == "span-{YYYY}-{MM}-{DD}/*.csv{,.gz}"
    assert json.loads(given["range_config"]) == {"rolling_range": {"num_spans": 3}}


WEBHOOK = ("--webhook-secret", "aepipe/webhook-url")


def test_an_exit_handler_notifies_the_webhook_whatever_happens(
    aepipe: Aepipe, tmp_path: Path
) -> None:
    documents = compiled(aepipe, tmp_path, "anomaly", "--push-uri", "pvc://models/s", *WEBHOOK)

    spec = specification(documents)
    tasks = spec.root.dag.tasks
    assert set(tasks) == {"tfx-dag", "NotifyWebhook"}
    handler = tasks["NotifyWebhook"]
    assert list(handler.dependent_tasks) == ["tfx-dag"]
    strategy = pb.PipelineTaskSpec.TriggerPolicy.ALL_UPSTREAM_TASKS_COMPLETED
    assert handler.trigger_policy.strategy == strategy
    # Not all servers give an exit handler the final status of what was before it.
    assert {source.WhichOneof("kind") for source in handler.inputs.parameters.values()} == {
        "runtime_value"
    }
    dag = spec.components["tfx-dag"]
    assert set(dag.input_definitions.parameters) == {"data_folder"}
    handed_down = tasks["tfx-dag"].inputs.parameters["data_folder"]
    assert handed_down.component_input_parameter == "data_folder"
    # It is loaded by the KFP SDK too, which is what uploads it.
    loaded = kfp.components.load_component_from_text(yaml.safe_dump(documents[0]))
    assert loaded.name == "anomaly"


def test_every_stage_can_leave_a_note_for_the_exit_handler(aepipe: Aepipe, tmp_path: Path) -> None:
    options = ("--data-uri", "pvc://all/d", "--push-uri", "pvc://all/s", *WEBHOOK)
    documents = compiled(aepipe, tmp_path, "anomaly", *options)

    spec = specification(documents)
    stages = set(spec.components["tfx-dag"].dag.tasks)
    assert {"ResolveData", "Trainer", "RecordOutcome"} <= stages
    for stage in stages:
        command = list(executors(documents)[f"{stage}_executor"].container.command)
        assert command[3:] == ["--notes", "/mnt/aepipe/all/s/.runs", stage]
    mounts = documents[1]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    # One claim is one mount, also if a step reads the data and leaves a note.
    mounted = {"pvcMount": [{"constant": "all", "mountPath": "/mnt/aepipe/all"}]}
    secret = {
        "secretName": "aepipe",
        "keyToEnv": [{"secretKey": "webhook-url", "envVar": "AEPIPE_WEBHOOK_URL"}],
    }
    assert mounts == {f"{stage}_executor": mounted for stage in stages} | {
        "NotifyWebhook_executor": mounted | {"secretAsEnv": [secret]}
    }


def test_a_webhooks_url_is_never_compiled_in(aepipe: Aepipe, tmp_path: Path) -> None:
    setting = "schedule.webhook_url=https://hook.example/a"
    result = aepipe("compile", "kubeflow", "anomaly", "-o", tmp_path / "out", "--set", setting)
    assert result.exit_code == 2
    (line,) = result.err.splitlines()
    assert "--webhook-secret NAME/KEY" in line
    assert "hook.example" not in line
    assert not (tmp_path / "out").exists()


def test_who_is_notified_changes_nothing_of_what_is_cached(aepipe: Aepipe, tmp_path: Path) -> None:
    def steps(secret: str) -> tuple[Any, Any]:
        documents = compiled(aepipe, tmp_path, "anomaly", "--webhook-secret", secret)
        found = executors(documents)
        del found["NotifyWebhook_executor"]
        return specification(documents).components["tfx-dag"], found

    assert steps("aepipe/a") == steps("aepipe/b")


def test_a_setting_makes_another_specification(aepipe: Aepipe, tmp_path: Path) -> None:
    def digest(*options: str) -> str:
        spec = specification(compiled(aepipe, tmp_path, "anomaly", *options))
        task = spec.root.dag.tasks["Trainer"]
        return str(task.inputs.parameters["spec_digest"].runtime_value.constant.string_value)

    assert digest() == digest()
    assert digest() != digest("--set", "evaluator.threshold_k=2")


def test_a_schema_of_another_length_travels_along(aepipe: Aepipe, tmp_path: Path) -> None:
    documents = compiled(aepipe, tmp_path, "anomaly", "--set", "data.length=64")

    task = specification(documents).root.dag.tasks["SchemaGen"]
    content = task.inputs.parameters["content"].runtime_value.constant.string_value
    assert "size: 64" in content


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--data-uri", "s3://b/d"], "--data-uri s3://b/d: expected pvc://CLAIM/PATH, gs://"),
        (["--data-uri", "pvc://Not_a_claim/d"], "--data-uri pvc://Not_a_claim/d: expected"),
        (["--data-uri", "data"], "--data-uri data: expected"),
        (["--push-uri", "gs://b/p"], "--push-uri gs://b/p: expected pvc://CLAIM/PATH or an"),
        (["--pipeline-root", "/tmp"], "--pipeline-root /tmp: expected gs://, s3://, minio://"),
        (["--set", "data.pattern=s-{SPAN}/*", "--spans", "date"], "names spans itself"),
        (["--webhook-secret", "https://hook.example/a"], "expected NAME/KEY of a Secret"),
        (["--webhook-secret", "aepipe"], "--webhook-secret: expected NAME/KEY of a Secret"),
    ],
)
def test_what_cannot_work_there_is_refused(
    aepipe: Aepipe, tmp_path: Path, options: list[str], message: str
) -> None:
    result = aepipe("compile", "kubeflow", "anomaly", "-o", tmp_path / "out", *options)

    assert result.exit_code == 2
    (line,) = result.err.splitlines()
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_named(aepipe: Aepipe, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    result = aepipe("compile", "kubeflow", "anomaly", "-o", tmp_path / "file")

    assert result.exit_code == 2
    assert result.err.splitlines()[-1].startswith(f"aepipe: cannot write {tmp_path}/file/anomaly")
