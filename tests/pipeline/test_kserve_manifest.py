"""The manifest as KServe's own API models read it back."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from kserve import ApiClient, V1beta1InferenceService
from kubernetes.client import models as kubernetes_models

from pipeline.kserve_manifest import Deployment, manifest, service_name
from pipeline_config import UserInputError
from tests.conftest import Aepipe
from tests.serving.push_directory.whole_version import write_whole_version

URI = "s3://bucket/serving"


class KServeAndKubernetes(ApiClient):
    """KServe's client holds only its own types; its services are made of Kubernetes' too."""

    NATIVE_TYPES_MAPPING = {**vars(kubernetes_models), **ApiClient.NATIVE_TYPES_MAPPING}


def services(text: str) -> list[V1beta1InferenceService]:
    """Deserialises the YAML with client-side validation; an unknown field is refused."""
    client = KServeAndKubernetes()
    read = []
    for document in yaml.safe_load_all(text):

        class Response:
            data = json.dumps(document)

        service = client.deserialize(Response, "V1beta1InferenceService")
        read_back = client.sanitize_for_serialization(service)
        if model := read_back["spec"]["predictor"].get("model"):
            # The client adds the empty name that the document leaves out.
            assert model.pop("name") == ""
        assert read_back == document
        read.append(service)
    return read


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for version in (12, 13):
        write_whole_version(tmp_path / "serving" / "ecg_anomaly_detector" / str(version))
    return tmp_path / "serving" / "ecg_anomaly_detector"


def test_tensorflow_serving_takes_the_model(folder: Path) -> None:
    (service,) = services(manifest([folder], Deployment(storage_uri=f"{URI}/")))

    assert (service.api_version, service.kind) == (
        "serving.kserve.io/v1beta1",
        "InferenceService",
    )
    assert service.metadata.name == "ecg-anomaly-detector"
    assert service.metadata.namespace is None
    model = service.spec.predictor.model
    assert model.model_format.name == "tensorflow"
    assert model.protocol_version == "v1"
    assert model.storage_uri == f"{URI}/ecg_anomaly_detector"
    assert model.resources.limits == {"cpu": "2", "memory": "2Gi"}
    assert service.spec.predictor.storage_uris is None
    assert service.spec.predictor.containers is None


def test_after_a_rollback_the_served_version_is_given_alone(folder: Path) -> None:
    (folder / "versions.json").write_text('{"withheld": [13]}')

    (service,) = services(manifest([folder], Deployment(storage_uri=URI)))

    (uri,) = service.spec.predictor.storage_uris
    assert uri.uri == f"{URI}/ecg_anomaly_detector/12"
    assert uri.mount_path == "/mnt/models/12"
    # KServe refuses a service with both.
    assert service.spec.predictor.model.storage_uri is None


def test_an_image_serves_with_aepipe(folder: Path) -> None:
    deployment = Deployment(
        storage_uri="pvc://claim/serving",
        image="registry.example:5000/ml/aepipe:0.1",
        namespace="ml",
    )

    (service,) = services(manifest([folder], deployment))

    assert service.metadata.namespace == "ml"
    assert service.metadata.annotations == {
        "prometheus.io/scrape": "true",
        "prometheus.io/port": "8080",
        "prometheus.io/path": "/metrics",
    }
    assert service.spec.predictor.model is None
    (uri,) = service.spec.predictor.storage_uris
    assert uri.uri == "pvc://claim/serving/ecg_anomaly_detector"
    assert uri.mount_path == "/mnt/models/ecg_anomaly_detector"
    (container,) = service.spec.predictor.containers
    assert container.name == "kserve-container"
    assert container.image == deployment.image
    assert [port.container_port for port in container.ports] == [8080]
    assert container.readiness_probe.http_get.path == "/v2/health/ready"
    assert container.liveness_probe.http_get.path == "/v2/health/live"
    assert container.readiness_probe.http_get.port == 8080
    assert container.resources.requests == {"cpu": "500m", "memory": "1Gi"}


def test_the_image_is_asked_for_a_command_that_there_is(folder: Path) -> None:
    from pipeline.cli import main

    (service,) = services(manifest([folder], Deployment(storage_uri=URI, image="aepipe")))

    (container,) = service.spec.predictor.containers
    program, command, *_ = container.command
    assert program == "aepipe"
    serve = main.commands[command]
    with serve.make_context(command, list(container.args)) as context:
        assert context.params["models_dir"] == "/mnt/models"
        assert context.params["host"] == "0.0.0.0"
        assert context.params["port"] == 8080
        assert context.params["grpc_port"] == 9000


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("ecg_anomaly_detector", "ecg-anomaly-detector"),
        ("Basic.AutoEncoder__2_", "basic-autoencoder-2"),
        ("a" * 53, "a" * 53),
    ],
)
def test_a_models_name_becomes_a_dns_label(model: str, name: str) -> None:
    assert service_name(model) == name


@pytest.mark.parametrize("model", ["7seas", "___", "модель", "a" * 54])
def test_a_model_that_cannot_be_named_is_one_line(model: str) -> None:
    with pytest.raises(UserInputError, match=f"^model '{model}' cannot be an InferenceService"):
        service_name(model)


def test_two_models_of_one_name_are_refused(tmp_path: Path) -> None:
    for model in ("a_b", "a-b"):
        write_whole_version(tmp_path / model / "1")

    with pytest.raises(UserInputError, match="models a_b and a-b would both be the service a-b"):
        manifest([tmp_path / "a_b", tmp_path / "a-b"], Deployment(storage_uri=URI))


@pytest.mark.parametrize(
    "setting",
    [
        {"storage_uri": "serving"},
        {"storage_uri": "/serving"},
        {"storage_uri": "ftp://host/serving"},
        {"storage_uri": "s3://"},
        {"storage_uri": "s3:///serving"},
        {"storage_uri": "gs://bucket/my models"},
        {"image": ""},
        {"image": "my image"},
        {"image": "aepipe:"},
        {"image": "aepipe@sha256:0123"},
        {"namespace": "My_Team"},
        {"namespace": "-ml"},
        {"namespace": "n" * 64},
    ],
)
def test_a_wrong_option_is_one_line_and_exit_code_2(
    setting: dict[str, str], folder: Path, aepipe: Aepipe
) -> None:
    ((name, value),) = setting.items()
    option = f"--{name.replace('_', '-')}"

    result = aepipe("compile", "kserve", "--home", folder.parents[1], f"{option}={value}")

    assert result.exit_code == 2
    assert result.out == ""
    assert result.err.startswith(f"aepipe: {option} ")
    assert len(result.err.splitlines()) == 1


def test_the_command_writes_all_models_or_those_named(
    folder: Path, tmp_path: Path, aepipe: Aepipe
) -> None:
    write_whole_version(folder.parent / "basic_autoencoder" / "3")
    (folder.parent / "models.config").write_text("")
    home = ["--home", tmp_path]

    every = aepipe("compile", "kserve", *home)
    named = aepipe("compile", "kserve", *home, "--model", "anomaly", "-o", tmp_path / "one.yaml")

    def names(text: str) -> list[Any]:
        return [service.metadata.name for service in services(text)]

    assert names(every.out) == ["basic-autoencoder", "ecg-anomaly-detector"]
    assert named.out == f"{tmp_path}/one.yaml\n"
    assert names((tmp_path / "one.yaml").read_text()) == ["ecg-anomaly-detector"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["--model", "anomoly"], "no model anomoly; did you mean anomaly"),
        (["-o", "/proc/none/kserve.yaml"], "--out /proc/none/kserve.yaml: No such file"),
    ],
)
def test_what_cannot_be_read_or_written_is_one_line(
    arguments: list[str], line: str, folder: Path, aepipe: Aepipe
) -> None:
    result = aepipe("compile", "kserve", "--home", folder.parents[1], *arguments)

    assert result.exit_code == 2
    assert line in result.err
    assert len(result.err.splitlines()) == 1


def test_without_a_pushed_model_there_is_nothing_to_serve(tmp_path: Path, aepipe: Aepipe) -> None:
    result = aepipe("compile", "kserve", "--home", tmp_path)

    assert result.exit_code == 2
    assert f"{tmp_path}/serving: no model was pushed there" in result.err
