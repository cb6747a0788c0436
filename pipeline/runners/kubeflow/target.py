"""The cluster that a pipeline is compiled for, checked before TFX is loaded."""

import dataclasses
import re
from typing import Literal

from pipeline_config import UserInputError

MOUNTS = "/mnt/aepipe"
"""A claim is mounted below it, under its own name: once, also if it is used for two things."""

RUNS_FOLDER = ".runs"
"""Below the push directory; it has a folder for each run that has not ended."""

_BUCKETS = ("gs://", "s3://", "minio://")
_SECRET_KEY = re.compile(
    r"(?P<secret>[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?)/(?P<key>[-._a-zA-Z0-9]{1,253})"
)
"""Kubernetes' rules for the name of a Secret (a DNS subdomain) and for a key in it."""

_CLAIM = re.compile(r"pvc://(?P<claim>[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?)(?:/(?P<path>.*))?")


@dataclasses.dataclass(frozen=True)
class Storage:
    """A folder as a container sees it.

    Attributes:
        path: Absolute path, or a remote prefix that TFX reads itself.
        claim: PersistentVolumeClaim that has to be mounted for it, or None.
        mount: Where the claim is mounted; empty without one.
    """

    path: str
    claim: str | None = None
    mount: str = ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KubeflowTarget:
    """The cluster, and what the steps run on.

    Attributes:
        image: Container image of all steps, built by the `Dockerfile`.
        data_uri: The data directory, in which each pipeline has its folder: `pvc://CLAIM/PATH`,
            `gs://BUCKET/PATH`, or an absolute path in the image.
        push_uri: The push directory: `pvc://CLAIM/PATH` or an absolute path. A push ends with a
            rename, which no bucket has.
        pipeline_root: Where artifacts go, in a bucket; None for the server's own.
        spans: How span folders are named, if the data comes in such.
        beam_profile: Where the steps' Beam pipelines run: in the step, or on Dataflow.
        beam_args: Options of Beam beside the profile's.
        webhook_secret: Secret and key that hold the webhook's URL, as NAME/KEY; None for no
            webhook.

    Raises:
        UserInputError: An address of another kind, or one that Dataflow's workers cannot reach.
    """

    image: str
    data_uri: str
    push_uri: str
    pipeline_root: str | None = None
    spans: Literal["number", "date"] | None = None
    beam_profile: str = "local"
    beam_args: tuple[str, ...] = ()
    webhook_secret: str | None = None

    def __post_init__(self) -> None:
        _ = self.data, self.push, self.webhook
        root = self.pipeline_root
        if root is not None and not root.startswith(_BUCKETS):
            raise UserInputError(
                f"--pipeline-root {root}: expected {', '.join(_BUCKETS)}, with a bucket and a path"
            )
        if self.beam_profile == "dataflow":
            for option, uri in (("--data-uri", self.data_uri), ("--pipeline-root", root)):
                if not (uri or "").startswith("gs://"):
                    raise UserInputError(f"{option} {uri or ''}: Dataflow's workers need gs://")

    @property
    def data(self) -> Storage:
        """The data directory."""
        if self.data_uri.startswith("gs://") and len(self.data_uri) > len("gs://"):
            return Storage(self.data_uri.rstrip("/"))
        remote = "pvc://CLAIM/PATH, gs://BUCKET/PATH"
        return _folder("--data-uri", self.data_uri, remote)

    @property
    def push(self) -> Storage:
        """The push directory."""
        return _folder("--push-uri", self.push_uri, "pvc://CLAIM/PATH")

    @property
    def webhook(self) -> tuple[str, str] | None:
        """The Secret and the key in it that hold the webhook's URL."""
        if self.webhook_secret is None:
            return None
        found = _SECRET_KEY.fullmatch(self.webhook_secret)
        if not found:
            # What was given may be the URL itself, which no log should hold.
            raise UserInputError(
                "--webhook-secret: expected NAME/KEY of a Secret in the cluster, such as "
                "aepipe/webhook-url"
            )
        return found["secret"], found["key"]

    @property
    def runs_folder(self) -> str | None:
        """Where a run's stages leave notes for its exit handler; None without one."""
        return f"{self.push.path}/{RUNS_FOLDER}" if self.webhook else None


def _folder(option: str, uri: str, remote: str) -> Storage:
    if found := _CLAIM.fullmatch(uri):
        path = (found["path"] or "").strip("/")
        mount = f"{MOUNTS}/{found['claim']}"
        return Storage(f"{mount}/{path}".rstrip("/"), found["claim"], mount)
    if uri.startswith("/"):
        return Storage(uri.rstrip("/") or "/")
    raise UserInputError(f"{option} {uri}: expected {remote} or an absolute path in the image")
