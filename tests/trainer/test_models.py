import numpy as np
import pytest

from pipeline_config import PIPELINES, UserInputError
from trainer import model_names
from trainer.models import MODELS, build_model


@pytest.mark.parametrize(
    ("name", "shape", "encoder", "decoder"),
    [
        ("BasicAutoencoder", (28, 28), 50_240, 50_960),
        ("DenoisingAutoencoder", (28, 28), 1_320, 1_897),
        ("AnomalyDetector", (140,), 5_176, 5_308),
    ],
)
def test_has_the_tutorials_parameters(
    name: str, shape: tuple[int, ...], encoder: int, decoder: int
) -> None:
    model = build_model(name, shape)

    assert (model.encoder.count_params(), model.decoder.count_params()) == (encoder, decoder)


@pytest.mark.parametrize(
    ("name", "shape", "latent"),
    [
        ("BasicAutoencoder", (28, 28), (64,)),
        ("BasicAutoencoder", (5, 3), (64,)),
        ("BasicAutoencoder", (7,), (64,)),
        ("DenoisingAutoencoder", (28, 28), (7, 7, 8)),
        ("DenoisingAutoencoder", (30, 33), (8, 9, 8)),
        ("DenoisingAutoencoder", (1, 2), (1, 1, 8)),
        ("AnomalyDetector", (140,), (8,)),
        ("AnomalyDetector", (7,), (8,)),
        ("AnomalyDetector", (16, 3), (8,)),
        ("BasicAutoencoder", (16, 3), (64,)),
        ("DenoisingAutoencoder", (16, 3), (4, 1, 8)),
        ("WideAutoencoder", (28, 28), (64,)),
        ("WideAutoencoder", (7,), (64,)),
        ("ResidualDenoiser", (28, 28), (7, 7, 80)),
        ("ResidualDenoiser", (30, 33), (8, 9, 80)),
        ("ResidualDenoiser", (1, 2), (1, 1, 80)),
        ("ResidualDenoiser", (16, 3), (4, 1, 80)),
    ],
)
def test_reconstructs_in_the_inputs_shape_within_0_and_1(
    name: str, shape: tuple[int, ...], latent: tuple[int, ...]
) -> None:
    model = build_model(name, shape)
    x = np.random.default_rng(0).random((3, *shape), np.float32)

    output = np.asarray(model(x))

    assert output.shape == x.shape
    assert 0 <= output.min() <= output.max() <= 1
    assert tuple(model.encode(x).shape) == (3, *latent)


def test_every_pipeline_names_a_model() -> None:
    for config in PIPELINES.values():
        assert build_model(config.model, config.data.shape).count_params()


@pytest.mark.parametrize(
    ("name", "shape", "message"),
    [
        ("AnomalyDetektor", (140,), "did you mean AnomalyDetector?"),
        ("x", (140,), "expected one of BasicAutoencoder, DenoisingAutoencoder, AnomalyDetector"),
        ("DenoisingAutoencoder", (140,), "use data with a height and a width"),
        ("ResidualDenoiser", (140,), "use data with a height and a width"),
    ],
)
def test_a_wrong_name_or_shape_is_one_line(name: str, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UserInputError) as raised:
        build_model(name, shape)

    assert message in str(raised.value)
    assert "\n" not in str(raised.value)


def test_the_names_of_models_can_be_had_without_keras() -> None:
    assert model_names() == list(MODELS)
