"""How well a denoising model does at noise of other strengths than it was trained with."""

import functools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from components.example_noise import standard_normal_per_example
from components.raw_examples import parse, records
from components.scorer import SavedModel
from components.threshold_evaluator.config import EvaluationConfig
from components.threshold_evaluator.scores import SCORE_SIGNATURE, Scores
from pipeline_config import ImageData

NOISE_LEVELS = (0.1, 0.2, 0.3, 0.4, 0.5)
"""Standard deviations, in units of the scaled range; the pipeline's own is measured beside them."""

MOST_EXAMPLES = 500

_BATCH_SIZE = 250
_WINDOW = 11
"""Pixels across the Gaussian window of SSIM as published, and in `tf.image.ssim`."""


def measure_noise_levels(
    files: Sequence[str], scores: Scores, model_directory: str, config: EvaluationConfig
) -> list[dict[str, float | None]]:
    """Measures PSNR and SSIM of the noisy and of the denoised eval examples.

    The noise is Transform's own, scaled: an example's is drawn from `config.noise_seed` and its id
    and clipped with it to [0, 1]. Of a split of more than `MOST_EXAMPLES` those with the least ids
    are measured; as an id is a digest of the content, they are a sample that does not depend on
    the order of the files.

    Sources: `tf.image.psnr`; `tf.image.ssim`, Z. Wang, A. Bovik, H. Sheikh, E. Simoncelli: Image
    quality assessment: from error visibility to structural similarity. IEEE Transactions on Image
    Processing 13 (2004).

    Args:
        files: TFRecord files of the eval split, in the order of `scores`.
        scores: Of these files.
        model_directory: SavedModel with a `score` signature.
        config: Feature, shape, noise and its seed.

    Returns:
        An entry a level, of rising noise: `noise`; `psnr_db` and `ssim` of what the model returns
        and `noisy_psnr_db` and `noisy_ssim` of what it is given, each the mean over `examples`
        examples against the clean ones. The peak is 1, the scaled range. PSNR is None if it is
        infinite for each example; SSIM is None for signals and for pictures of fewer than 11
        pixels a side. Empty if no noise is trained with, there is no example, or examples have
        no ids.
    """
    ids = scores.example_id
    if config.noise == 0 or ids is None or not len(ids):
        return []
    chosen = np.lexsort((ids[:, 1], ids[:, 0]))[:MOST_EXAMPLES]
    levels = sorted({*NOISE_LEVELS, round(config.noise, 6)})
    model = SavedModel(model_directory, SCORE_SIGNATURE)
    compare = tf.function(functools.partial(_compare, model, config, levels), reduce_retracing=True)
    batches = [compare(batch) for batch in _chosen(files, chosen).batch(_BATCH_SIZE)]
    return [
        {
            "noise": level,
            "examples": len(chosen),
            **_means([batch[place] for batch in batches]),
        }
        for place, level in enumerate(levels)
    ]


def _chosen(files: Sequence[str], chosen: np.ndarray) -> tf.data.Dataset:
    wanted = np.zeros(int(chosen.max()) + 1, bool)
    wanted[chosen] = True
    flags = tf.data.Dataset.from_tensor_slices(wanted)
    marked = tf.data.Dataset.zip(records(files), flags)
    return marked.filter(lambda _, is_chosen: is_chosen).map(lambda record, _: record)


def _compare(
    model: SavedModel, config: EvaluationConfig, levels: Sequence[float], examples: tf.Tensor
) -> list[dict[str, tf.Tensor]]:
    """Returns for each level PSNR and SSIM of each example; see `_likeness`."""
    raw = parse(examples, config.feature, config.shape)
    unit = standard_normal_per_example(raw.example_id, config.shape, config.noise_seed)
    clean = model(**{config.feature: raw.values, "noise": tf.zeros_like(unit)})["given"]
    return [
        _likeness(model(**{config.feature: raw.values, "noise": level * unit}), clean, config)
        for level in levels
    ]


def _likeness(
    outputs: Mapping[str, tf.Tensor], clean: tf.Tensor, config: EvaluationConfig
) -> dict[str, tf.Tensor]:
    """Returns PSNR and SSIM of each example, float32 [n]; no SSIM if it is not defined."""
    # `tf.image.psnr` takes the mean over the last three axes.
    as_row = functools.partial(tf.reshape, shape=[-1, 1, 1, math.prod(config.shape)])
    found = {}
    for prefix, values in (("", outputs["reconstruction"]), ("noisy_", outputs["given"])):
        found[f"{prefix}psnr_db"] = tf.image.psnr(as_row(values), as_row(clean), max_val=1.0)
        if config.feature == ImageData.feature and min(config.shape) >= _WINDOW:
            found[f"{prefix}ssim"] = tf.image.ssim(
                values[..., None], clean[..., None], max_val=1.0, filter_size=_WINDOW
            )
    return found


def _means(batches: Iterable[dict[str, tf.Tensor]]) -> dict[str, float | None]:
    parts = [{name: values.numpy() for name, values in batch.items()} for batch in batches]
    result: dict[str, Any] = {}
    for name in ("psnr_db", "ssim", "noisy_psnr_db", "noisy_ssim"):
        values = np.concatenate([part[name] for part in parts if name in part] or [np.empty(0)])
        # Of an example that is reconstructed exactly, PSNR is infinite.
        finite = values[np.isfinite(values)]
        result[name] = float(np.mean(finite, dtype=np.float64)) if len(finite) else None
    return result
