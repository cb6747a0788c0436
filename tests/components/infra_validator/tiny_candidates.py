"""Detectors that take a fraction of a second to write: a sound one, and one for each fault."""

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from tests.components.artifacts import example

LENGTH = 6
SHAPE = (2, 3)


class TinyCandidate(tf.Module):
    """Reconstructs a signal as its own half; the trainer's signatures, on 6 samples."""

    def __init__(self, threshold: float = 1.0) -> None:
        super().__init__()
        self.threshold = tf.Variable(threshold, dtype=tf.float32)

    def serve(self, signal: tf.Tensor) -> dict[str, tf.Tensor]:
        error = tf.reduce_mean(tf.abs(signal) / 2, axis=1)
        return {
            "reconstruction": signal / 2,
            "error": error,
            "threshold": tf.fill(tf.shape(error), self.threshold),
            "is_anomaly": error > self.threshold,
        }

    def parse(self, examples: tf.Tensor) -> tf.Tensor:
        spec = {"signal": tf.io.FixedLenFeature([LENGTH], tf.float32)}
        return tf.io.parse_example(examples, spec)["signal"]

    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.serve(self.parse(examples))

    def signatures(self) -> dict[str, Any]:
        raw = tf.TensorSpec([None, LENGTH], tf.float32, name="signal")
        serialized = tf.TensorSpec([None], tf.string, name="examples")
        return {
            "serving_default": tf.function(self.serve, input_signature=[raw]),
            "serve_examples": tf.function(self.serve_examples, input_signature=[serialized]),
        }


class ImageCandidate(TinyCandidate):
    """The same for images, whose examples hold uint8 bytes."""

    def serve(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"reconstruction": image / 255, "error": tf.reduce_mean(image, axis=[1, 2])}

    def parse(self, examples: tf.Tensor) -> tf.Tensor:
        spec = {"image": tf.io.FixedLenFeature([], tf.string)}
        image = tf.io.decode_raw(tf.io.parse_example(examples, spec)["image"], tf.uint8)
        return tf.reshape(tf.cast(image, tf.float32), [-1, *SHAPE])

    def signatures(self) -> dict[str, Any]:
        raw = tf.TensorSpec([None, *SHAPE], tf.float32, name="image")
        serve = tf.function(self.serve, input_signature=[raw])
        return super().signatures() | {"serving_default": serve}


class ChannelCandidate(TinyCandidate):
    """The same for signals of 3 channels, whose examples hold floats as those of one channel do."""

    def serve(self, signal: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"reconstruction": signal / 2, "error": tf.reduce_mean(signal, axis=[1, 2])}

    def parse(self, examples: tf.Tensor) -> tf.Tensor:
        return tf.reshape(super().parse(examples), [-1, *SHAPE])

    def signatures(self) -> dict[str, Any]:
        raw = tf.TensorSpec([None, *SHAPE], tf.float32, name="signal")
        serve = tf.function(self.serve, input_signature=[raw])
        return super().signatures() | {"serving_default": serve}


class NeverEnding(TinyCandidate):
    """Answers raw signals; an example has it count for ever."""

    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        signal = self.parse(examples)
        never = tf.while_loop(
            lambda count: count > -1.0, lambda count: (count + 1.0) % 7.0, [tf.abs(signal[0, 0])]
        )
        return self.serve(signal + never)


class ParsesOtherExamples(TinyCandidate):
    def parse(self, examples: tf.Tensor) -> tf.Tensor:
        spec = {"signal": tf.io.FixedLenFeature([LENGTH + 1], tf.float32)}
        return tf.io.parse_example(examples, spec)["signal"][:, :LENGTH]


class MixesUpSamples(TinyCandidate):
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.serve(tf.reverse(self.parse(examples), axis=[1]))


class AnswersInfinity(TinyCandidate):
    def serve_examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        answer = self.serve(self.parse(examples))
        return answer | {"reconstruction": answer["reconstruction"] / 0.0}


class TakesRawOnly(TinyCandidate):
    def signatures(self) -> dict[str, Any]:
        signatures = super().signatures()
        del signatures["serve_examples"]
        return signatures


class TakesNoText(TinyCandidate):
    def signatures(self) -> dict[str, Any]:
        signatures = super().signatures()
        return signatures | {"serve_examples": signatures["serving_default"]}


class KnowsAnotherFeature(TinyCandidate):
    def signatures(self) -> dict[str, Any]:
        raw = tf.TensorSpec([None, LENGTH], tf.float32, name="pulse")
        return super().signatures() | {
            "serving_default": tf.function(
                lambda pulse: self.serve(pulse), input_signature=[raw], autograph=False
            )
        }


def write(candidate: TinyCandidate, directory: Path) -> Path:
    tf.saved_model.save(candidate, str(directory), candidate.signatures())
    return directory


def write_without_weights(directory: Path) -> Path:
    shutil.rmtree(write(TinyCandidate(), directory) / "variables")
    return directory


def write_garbled(directory: Path) -> Path:
    (write(TinyCandidate(), directory) / "saved_model.pb").write_bytes(b"\xff" * 100)
    return directory


FAULTY: dict[str, tuple[Callable[[Path], Path], str]] = {
    "weights": (
        write_without_weights,
        "the server cannot load the candidate: ",
    ),
    "graph": (write_garbled, "the server cannot load the candidate: "),
    "threshold": (
        lambda folder: write(TinyCandidate(math.inf), folder),
        "serve_examples: 'threshold' is not finite",
    ),
    "parsing": (
        lambda folder: write(ParsesOtherExamples(), folder),
        "serve_examples: the answer was INVALID_ARGUMENT: the model cannot read the input: ",
    ),
    "order": (
        lambda folder: write(MixesUpSamples(), folder),
        "serving_default: 'reconstruction' is [2.5, 2. , 1.5] for an example, and [0. , 0.5, 1. ] "
        "for its raw values",
    ),
    "infinity": (
        lambda folder: write(AnswersInfinity(), folder),
        "serve_examples: 'reconstruction' is not finite",
    ),
    "signature": (
        lambda folder: write(TakesRawOnly(), folder),
        "the candidate has no signature serve_examples",
    ),
    "text": (
        lambda folder: write(TakesNoText(), folder),
        "serve_examples: its input 'signal' is not a serialized tf.Example",
    ),
    "feature": (
        lambda folder: write(KnowsAnotherFeature(), folder),
        "serving_default: its input 'pulse' has the shape [6], and an example holds 0 values",
    ),
}
"""What is wrong -> who writes it, and how the reason begins."""


SIGNAL = example(np.arange(LENGTH, dtype=np.float32))
IMAGE = example(np.arange(math.prod(SHAPE), dtype=np.uint8))
