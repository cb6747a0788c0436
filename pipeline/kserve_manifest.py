"""KServe's InferenceService for each pushed model.

Without an image of aepipe, KServe's own runtime for TensorFlow Serving takes the model; with one,
`aepipe serve` runs in it as a custom predictor.
"""

import dataclasses
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipeline_config import UserInputError
from serving.push_directory.layout import largest_number
from serving.push_directory.model_versions import served_version

SCHEMES = ("gs", "s3", "pvc", "file", "https", "http", "hdfs", "webhdfs", "oci", "hf")
"""What KServe's storage initializer fetches or mounts."""

MOUNT = "/mnt/models"
"""Where KServe puts what a storage URI names, and where its runtimes look for it."""

HTTP_PORT = 8080
GRPC_PORT = 9000

_RESOURCES = {
    "requests": {"cpu": "500m", "memory": "1Gi"},
    "limits": {"cpu": "2", "memory": "2Gi"},
}

_NAME = re.compile(r"[a-z]([-a-z0-9]*[a-z0-9])?")
"""KServe's rule for the name of an InferenceService: a DNS-1123 label that starts with a letter."""

_LONGEST_NAME = 63 - len("-predictor")
"""KServe names a service NAME-predictor; that, too, must be a DNS label."""

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

_URI = re.compile(rf"(?:{'|'.join(SCHEMES)})://[^\s/][^\s]*")

_IMAGE = re.compile(
    r"[a-z0-9][a-zA-Z0-9.-]*(:[0-9]+)?(/[a-z0-9][a-z0-9._-]*)*"
    r"(:[\w][\w.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)


@dataclasses.dataclass(frozen=True)
class Deployment:
    """How models are served.

    Attributes:
        storage_uri: Where the cluster finds the push directory, such as `s3://bucket/serving` or
            `pvc://claim/folder`.
        image: Image in which the command `aepipe` is found, or None for TensorFlow Serving.
        namespace: Kubernetes namespace; None leaves it to `kubectl`.
    """

    storage_uri: str
    image: str | None = None
    namespace: str | None = None

    def __post_init__(self) -> None:
        if not _URI.fullmatch(self.storage_uri):
            raise UserInputError(
                f"--storage-uri {self.storage_uri!r}: expected one of "
                f"{', '.join(f'{scheme}://' for scheme in SCHEMES)} and a place"
            )
        if self.image is not None and not _IMAGE.fullmatch(self.image):
            raise UserInputError(
                f"--image {self.image!r}: expected an image such as registry.example/aepipe:0.1.0"
            )
        if self.namespace is not None and not _NAMESPACE.fullmatch(self.namespace):
            raise UserInputError(
                f"--namespace {self.namespace!r}: expected lower-case letters, digits and '-', "
                "at most 63"
            )

    def uri_of(self, *parts: str) -> str:
        """Returns the URI of something below the push directory."""
        return "/".join([self.storage_uri.rstrip("/"), *parts])


def manifest(folders: Sequence[Path], deployment: Deployment) -> str:
    """Returns the YAML documents of some models' InferenceServices.

    Args:
        folders: Folders of models below the push directory.
        deployment: How they are served.

    Raises:
        UserInputError: A model's name cannot be made a service's name, or two become the same.
    """
    import yaml

    names: dict[str, str] = {}
    for folder in folders:
        name = service_name(folder.name)
        if names.setdefault(name, folder.name) != folder.name:
            raise UserInputError(
                f"models {names[name]} and {folder.name} would both be the service {name}: "
                "write one at a time, with --model"
            )
    documents = [
        yaml.safe_dump(_service(name, folder, deployment), sort_keys=False, explicit_start=True)
        for name, folder in zip(names, dict.fromkeys(folders), strict=True)
    ]
    return "".join(documents)


def service_name(model: str) -> str:
    """Returns the name of a model's InferenceService, such as `ecg-anomaly-detector`.

    Raises:
        UserInputError: No name that KServe takes can be made of it.
    """
    name = re.sub(r"[^a-z0-9]+", "-", model.lower()).strip("-")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        raise UserInputError(
            f"model {model!r} cannot be an InferenceService: {name!r} is not a name that starts "
            f"with a letter and has at most {_LONGEST_NAME} letters, digits and '-'"
        )
    return name


def _service(name: str, folder: Path, deployment: Deployment) -> dict[str, Any]:
    metadata: dict[str, Any] = {"name": name}
    if deployment.namespace is not None:
        metadata["namespace"] = deployment.namespace
    if deployment.image is None:
        predictor = _tf_serving(folder, deployment)
    else:
        predictor = _aepipe_serve(folder, deployment)
        # KServe hands them on to the pods, where Prometheus' usual scrape rules find them.
        metadata["annotations"] = {
            "prometheus.io/scrape": "true",
            "prometheus.io/port": str(HTTP_PORT),
            "prometheus.io/path": "/metrics",
        }
    return {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": metadata,
        "spec": {"predictor": predictor},
    }


def _tf_serving(folder: Path, deployment: Deployment) -> dict[str, Any]:
    """TensorFlow Serving takes the largest version it finds, so an older one is given alone."""
    model = {
        "modelFormat": {"name": "tensorflow", "version": "2"},
        "protocolVersion": "v1",
        "resources": _RESOURCES,
    }
    served = served_version(folder)
    if served == largest_number(folder):
        return {"model": model | {"storageUri": deployment.uri_of(folder.name)}}
    uri = deployment.uri_of(folder.name, str(served))
    return {"model": model, "storageUris": [{"uri": uri, "mountPath": f"{MOUNT}/{served}"}]}


def _aepipe_serve(folder: Path, deployment: Deployment) -> dict[str, Any]:
    container = {
        "name": "kserve-container",
        "image": deployment.image,
        "command": ["aepipe", "serve"],
        "args": [
            f"--models-dir={MOUNT}",
            "--host=0.0.0.0",
            f"--port={HTTP_PORT}",
            f"--grpc-port={GRPC_PORT}",
        ],
        # Knative allows one port; gRPC listens beside it all the same.
        "ports": [{"containerPort": HTTP_PORT, "protocol": "TCP"}],
        "readinessProbe": _probe("/v2/health/ready", initial_delay=5),
        "livenessProbe": _probe("/v2/health/live", initial_delay=60),
        "resources": _RESOURCES,
    }
    # The whole model folder, with versions.json in it: the server follows pins and rollbacks.
    uri = deployment.uri_of(folder.name)
    models = {"uri": uri, "mountPath": f"{MOUNT}/{folder.name}"}
    return {"containers": [container], "storageUris": [models]}


def _probe(path: str, initial_delay: int) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": HTTP_PORT},
        "initialDelaySeconds": initial_delay,
        "periodSeconds": 5,
        "timeoutSeconds": 3,
        "failureThreshold": 6,
    }
