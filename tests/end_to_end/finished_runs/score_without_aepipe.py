"""Scores a pushed model on a pipeline's eval split, knowing TensorFlow and nothing of aepipe.

python -I score_without_aepipe.py MODEL EXAMPLES TRANSFORMED OUTPUT.npz; TRANSFORMED is "" if
the model is judged on clean inputs. EXAMPLES and TRANSFORMED are folders of TFRecord files.
"""

import importlib.util
import sys
from pathlib import Path

# aepipe is installed as an editable package: this is what finds it.
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in repr(finder)]
for name in ("pipeline_config", "trainer", "components", "pipeline"):
    assert importlib.util.find_spec(name) is None, f"{name} can be imported"

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402


def records(folder: str) -> list[bytes]:
    files = sorted(str(path) for path in Path(folder).iterdir())
    return list(tf.data.TFRecordDataset(files, "GZIP").as_numpy_iterator())


def noisy_errors(model: tf.Module, examples: list[bytes], transformed: str) -> np.ndarray:
    """MSE between what the served model makes of the noisy image and the clean image."""
    parsed = [tf.train.Example.FromString(record) for record in records(transformed)]
    by_id = {
        example.features.feature["example_id"].bytes_list.value[0]: example for example in parsed
    }
    ids = [
        tf.train.Example.FromString(r).features.feature["example_id"].bytes_list.value[0]
        for r in examples
    ]

    def values(key: str) -> np.ndarray:
        return np.array(
            [by_id[i].features.feature[key].float_list.value for i in ids], np.float32
        ).reshape(-1, 28, 28)

    served = model.signatures["serving_default"](image=tf.constant(values("noisy") * 255))
    difference = served["reconstruction"].numpy() - values("target")
    return np.mean(difference**2, axis=(1, 2))


def main(model_path: str, examples_path: str, transformed: str, output: str) -> None:
    model = tf.saved_model.load(model_path)
    examples = records(examples_path)
    served = model.signatures["serve_examples"](examples=tf.constant(examples))
    arrays = {name: tensor.numpy() for name, tensor in served.items()}
    if transformed:
        arrays["noisy_input_error"] = noisy_errors(model, examples, transformed)
    np.savez(output, **arrays)


main(*sys.argv[1:])
