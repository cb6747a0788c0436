"""Running a SavedModel over many rows, in this process or on Beam's workers."""

from collections.abc import Callable, Iterator
from typing import Any

import apache_beam as beam
import tensorflow as tf
from apache_beam.utils.shared import Shared


class ModelLoadError(Exception):
    """No model can be loaded from a folder, or it lacks the signature; the reason, on one line."""


class SavedModel:
    """A SavedModel that is called by one of its signatures.

    Attributes:
        model: What TensorFlow loaded, with the model's variables.
        inputs: tf.TensorSpec of each input, by name.
        outputs: tf.TensorSpec of each output, by name.

    Args:
        directory: Folder of the SavedModel.
        signature: Name of the signature.

    Raises:
        ModelLoadError: There is no SavedModel, it is damaged, or it has no such signature.

    Example:

    ```python
    model = SavedModel("output/serving/basic_autoencoder/1", "serving_default")
    error = model(image=tf.zeros([3, 28, 28]))["error"]
    ```
    """

    def __init__(self, directory: str, signature: str) -> None:
        try:
            # Kept: a signature holds its model's variables by weak reference only.
            self.model = tf.saved_model.load(directory)
        except (OSError, tf.errors.OpError) as error:
            raise ModelLoadError(str(error).strip().splitlines()[0]) from error
        if signature not in self.model.signatures:
            raise ModelLoadError(f"it has no signature '{signature}'")
        self._signature = self.model.signatures[signature]
        self.inputs: dict[str, tf.TensorSpec] = self._signature.structured_input_signature[1]
        self.outputs: dict[str, tf.TensorSpec] = self._signature.structured_outputs

    def __call__(self, **inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the signature's outputs by name, as part of a graph if it is called in one.

        An eager call does not check the shapes of the inputs.
        """
        outputs: dict[str, tf.Tensor] = self._signature(**inputs)
        return outputs


class ScoreFn(beam.DoFn):
    """Yields `score(model, element)` of each element; the model is loaded once a process.

    An element is work of some size, such as a file or a range of one, that `score` reads in
    batches of its own: cut by Beam, batches would differ from runner to runner, and with them the
    last bits of what the model returns.

    Args:
        load: Returns the model; pickled, as `score` is.
        score: Called from several threads at once, if the runner has them.
    """

    def __init__(self, load: Callable[[], Any], score: Callable[[Any, Any], Any]) -> None:
        self._load = load
        self._score = score
        self._shared = Shared()

    def setup(self) -> None:
        """Loads the model, unless another instance in this process has it."""
        self._model = self._shared.acquire(self._load)

    def process(self, element: Any) -> Iterator[Any]:
        """Scores one element."""
        yield self._score(self._model, element)
