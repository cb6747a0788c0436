"""Who trains: the cluster of `TF_CONFIG`, checked before TensorFlow reads it."""

import dataclasses
import json
import re
from collections.abc import Mapping
from typing import Any

from pipeline_config import UserInputError

TF_CONFIG = "TF_CONFIG"
WORKER_WAIT = "AEPIPE_WORKER_WAIT"

_DEFAULT_WAIT = 600
_EXAMPLE = (
    '{"cluster": {"chief": ["host:port"], "worker": ["host:port"]}, '
    '"task": {"type": "chief", "index": 0}}'
)
_ADDRESS = re.compile(r"\S+:\d{1,5}")


@dataclasses.dataclass(frozen=True)
class ClusterTask:
    """One process of a multi-worker training.

    Attributes:
        addresses: All processes, by type ("chief", "worker"), each as "host:port".
        type: This process's type.
        index: Its place among those of its type.
    """

    addresses: Mapping[str, tuple[str, ...]]
    type: str
    index: int

    @classmethod
    def from_environment(cls, environ: Mapping[str, str]) -> "ClusterTask":
        """Reads `TF_CONFIG`.

        Raises:
            pipeline_config.UserInputError: It is missing, or not what TensorFlow expects.
        """
        text = environ.get(TF_CONFIG)
        if not text:
            raise UserInputError(
                f"{TF_CONFIG} is not set: trainer.distribution=multi_worker expects {_EXAMPLE}"
            )
        try:
            config = json.loads(text)
        except json.JSONDecodeError as error:
            raise _malformed(f"not JSON ({error})") from error
        addresses = _addresses(config)
        task = config.get("task")
        if not isinstance(task, dict) or task.get("type") not in addresses:
            raise _malformed(f"task.type is none of {', '.join(addresses)}")
        index, count = task.get("index"), len(addresses[task["type"]])
        if type(index) is not int or not 0 <= index < count:
            raise _malformed(f"task.index={index!r} is not 0 to {count - 1}")
        return cls(addresses, task["type"], index)

    @property
    def is_chief(self) -> bool:
        """Whether this process writes: the chief or, in a cluster without one, worker 0."""
        return self.type == "chief" or ("chief" not in self.addresses and self.index == 0)

    def __str__(self) -> str:
        return f"{self.type} {self.index} ({self.addresses[self.type][self.index]})"


def wait_seconds(environ: Mapping[str, str]) -> int:
    """Returns how long a process waits for the others, by `AEPIPE_WORKER_WAIT`; 600 by default.

    Raises:
        pipeline_config.UserInputError: It is not a whole number of seconds.
    """
    text = environ.get(WORKER_WAIT, str(_DEFAULT_WAIT))
    if not text.isdecimal() or int(text) < 1:
        raise UserInputError(f"{WORKER_WAIT}={text}: expected a number of seconds, 1 or more")
    return int(text)


def _addresses(config: Any) -> dict[str, tuple[str, ...]]:
    cluster = config.get("cluster") if isinstance(config, dict) else None
    if not isinstance(cluster, dict) or not cluster:
        raise _malformed("no cluster")
    for kind, addresses in cluster.items():
        if kind not in ("chief", "worker"):
            raise _malformed(f"cluster.{kind}: only chief and worker train")
        if not isinstance(addresses, list) or not addresses:
            raise _malformed(f"cluster.{kind} is no list of host:port")
        for address in addresses:
            if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
                raise _malformed(f"cluster.{kind}: {address!r} is not host:port")
    if len(cluster.get("chief", ["one"])) > 1:
        raise _malformed("cluster.chief has more than one address")
    return {kind: tuple(addresses) for kind, addresses in cluster.items()}


def _malformed(what: str) -> UserInputError:
    return UserInputError(f"{TF_CONFIG}: {what}; expected {_EXAMPLE}")
