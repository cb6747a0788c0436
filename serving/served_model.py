"""One model: its versions in memory, and the status of the others."""

import dataclasses
import time
from collections.abc import Mapping
from concurrent.futures import Executor
from typing import Literal

import numpy as np
import tensorflow as tf

from serving import metrics
from serving.batching import Batcher
from serving.errors import InvalidRequestError, NotServedError
from serving.loaded_version import LoadedVersion, Signature
from serving.settings import ServerSettings
from serving.tensors import Arrays, check_inputs

State = Literal["LOADING", "AVAILABLE", "END"]
"""TensorFlow Serving's names (`tensorflow.serving.ModelVersionStatus.State`)."""

ERROR_OUTPUT = "error"
ANOMALY_OUTPUT = "is_anomaly"

_FRAME = ("Graph execution error:", "Detected at node", "<stack traces", "File ", "[[")
"""Beginnings of the lines that TensorFlow adds to the sentence of an error."""


@dataclasses.dataclass(frozen=True)
class VersionStatus:
    """State of a version, and the reason if it could not be loaded."""

    state: State
    reason: str = ""


class ServedModel:
    """The versions of one model that answer requests.

    Attributes:
        name: Folder of the model below the push directory.
        statuses: Version -> its status for a client.

    Args:
        name: The model.
        settings: Bounds of the batching.
        executor: Computes the batches.
    """

    def __init__(self, name: str, settings: ServerSettings, executor: Executor) -> None:
        self.name = name
        self.statuses: dict[int, VersionStatus] = {}
        self._settings = settings
        self._executor = executor
        self._default: int | None = None
        self._labels: Mapping[str, int] = {}
        self._loaded: dict[int, LoadedVersion] = {}
        self._batchers: dict[tuple[int, str], Batcher] = {}

    @property
    def default(self) -> int | None:
        """The version that answers a request which names none."""
        return self._default

    @property
    def most_rows(self) -> int:
        """Examples that one request may have."""
        return self._settings.queue_rows

    @property
    def loaded(self) -> Mapping[int, LoadedVersion]:
        """The versions in memory."""
        return self._loaded

    def add(self, version: LoadedVersion) -> None:
        """Adds a version; it answers requests that name it from now on."""
        self._loaded[version.number] = version
        self.statuses[version.number] = VersionStatus("AVAILABLE")
        metrics.LOADED.labels(self.name, version.number).set(1)

    def choose(self, default: int | None, labels: Mapping[str, int]) -> None:
        """Sets the default version and the labels, all of loaded versions, in one step."""
        self._default = default
        self._labels = dict(labels)
        metrics.DEFAULT_VERSION.labels(self.name).set(default or 0)

    def drop(self, number: int) -> None:
        """Drops a version; it still answers the requests that it has accepted."""
        del self._loaded[number]
        for key in [key for key in self._batchers if key[0] == number]:
            del self._batchers[key]
        self.statuses[number] = VersionStatus("END")
        metrics.forget_version(self.name, number)

    def find(self, version: int | None = None, label: str | None = None) -> LoadedVersion:
        """Returns the version that a request asks for.

        Raises:
            NotServedError: It is not in memory, or there is no such label.
        """
        if label is not None:
            if label not in self._labels:
                raise NotServedError(f"model {self.name} has no version labelled {label!r}")
            version = self._labels[label]
        number = self._default if version is None else version
        if number is None or number not in self._loaded:
            wanted = "any version" if version is None else f"version {version}"
            raise NotServedError(f"could not find {wanted} of model {self.name}")
        return self._loaded[number]

    async def predict(
        self, version: LoadedVersion, signature: Signature, inputs: Arrays, protocol: str
    ) -> dict[str, np.ndarray]:
        """Returns the outputs of one request by name, each with one row per example.

        Args:
            version: From `find`.
            signature: One of that version's.
            inputs: Arrays of the signature's types, with N examples each.
            protocol: Label of the protocol, for the metrics.

        Raises:
            InvalidRequestError: The inputs do not fit the signature, or cannot be computed.
            TooLargeError: N is larger than the queue.
            OverloadedError: Too many examples wait already.
        """
        rows = check_inputs(signature.inputs, inputs)
        start = time.perf_counter()
        try:
            outputs = await self._batcher(version, signature).submit(inputs, rows)
        except tf.errors.InvalidArgumentError as error:
            raise InvalidRequestError(
                f"the model cannot read the input: {_sentence(error)}"
            ) from error
        self._check_outputs(outputs)
        metrics.LATENCY.labels(self.name, protocol).observe(time.perf_counter() - start)
        self._count(version.number, rows, outputs)
        return outputs

    def _batcher(self, version: LoadedVersion, signature: Signature) -> Batcher:
        key = (version.number, signature.name)
        if key not in self._batchers:
            batcher = Batcher(
                signature.run,
                self._executor,
                batch_rows=self._settings.batch_rows,
                delay_seconds=self._settings.batch_delay_seconds,
                queue_rows=self._settings.queue_rows,
                observe=self._observe_batch,
            )
            if version.number not in self._loaded:
                # It was dropped after the request had found it: it answers, and is not kept.
                return batcher
            self._batchers[key] = batcher
        return self._batchers[key]

    def _observe_batch(self, rows: int, waiting: int) -> None:
        metrics.BATCH_ROWS.labels(self.name).observe(rows)
        metrics.QUEUE_ROWS.labels(self.name).set(waiting)

    def _check_outputs(self, outputs: Arrays) -> None:
        errors = outputs.get(ERROR_OUTPUT)
        if errors is not None and not np.isfinite(errors).all():
            row = int(np.argmin(np.isfinite(errors)))
            raise InvalidRequestError(
                f"example {row} is not finite or too large for the model: "
                "its reconstruction error is not a number"
            )

    def _count(self, version: int, rows: int, outputs: Arrays) -> None:
        if version not in self._loaded:
            # Its series are removed; a late answer must not create them again.
            return
        metrics.EXAMPLES.labels(self.name, version).inc(rows)
        if ANOMALY_OUTPUT in outputs:
            found = int(np.count_nonzero(outputs[ANOMALY_OUTPUT]))
            metrics.ANOMALIES.labels(self.name, version).inc(found)
        if ERROR_OUTPUT in outputs:
            histogram = metrics.ERROR.labels(self.name, version)
            for error in outputs[ERROR_OUTPUT].ravel().tolist():
                histogram.observe(error)


def version_number(text: str) -> int:
    """Returns the version that a request names by its number.

    Raises:
        InvalidRequestError: It is not a number.
    """
    if not (text.isascii() and text.isdecimal()):
        raise InvalidRequestError(f"version {text!r}: expected a number")
    return int(text)


def _sentence(error: tf.errors.OpError) -> str:
    """Returns TensorFlow's sentence, without the lines and the op's name around it."""
    lines = (line.strip() for line in error.message.splitlines())
    sentences = [line for line in lines if line and not line.startswith(_FRAME)]
    return sentences[0].partition(" [Op:")[0] if sentences else type(error).__name__
