import subprocess
import sys

import pytest

from pipeline_config import (
    ANOMALY,
    PIPELINES,
    EvaluatorConfig,
    ImageData,
    InfraValidatorConfig,
    SettingError,
    SignalData,
    ThresholdEvaluatorConfig,
    TrainerConfig,
    section_as_dict,
)


def test_it_imports_nothing_but_the_standard_library() -> None:
    probe = (
        "import sys; before = set(sys.modules); import pipeline_config\n"
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}\n"
        "print(sorted(new - set(sys.stdlib_module_names) - {'pipeline_config'}))"
    )
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True)
    assert result.stdout == "[]\n", result.stderr


def test_the_tutorials_figures() -> None:
    basic, denoise, anomaly = PIPELINES["basic"], PIPELINES["denoise"], PIPELINES["anomaly"]
    assert (basic.loss, basic.trainer.epochs) == ("mse", 10)
    assert (denoise.loss, denoise.trainer.epochs, denoise.transform.noise) == ("mse", 10, 0.2)
    assert (anomaly.loss, anomaly.trainer.epochs, anomaly.trainer.batch_size) == ("mae", 20, 512)
    assert anomaly.trainer.normal_only
    assert anomaly.data.shape == (140,)
    assert basic.data.shape == (28, 28)


@pytest.mark.parametrize("config", PIPELINES.values(), ids=PIPELINES.keys())
def test_a_section_survives_the_way_to_a_stage(config) -> None:  # type: ignore[no-untyped-def]
    for section in (
        config.data,
        config.transform,
        config.trainer,
        config.evaluator,
        config.infra_validator,
        config.pusher,
    ):
        assert type(section)(**section_as_dict(section)) == section


@pytest.mark.parametrize(
    ("make", "setting"),
    [
        (lambda: SignalData(length=1), "data.length"),
        (lambda: SignalData(split="other"), "data.split"),  # type: ignore[arg-type]
        (lambda: ImageData(height=0), "data.height"),
        (lambda: TrainerConfig(epochs=0), "trainer.epochs"),
        (lambda: TrainerConfig(batch_size=0), "trainer.batch_size"),
        (lambda: TrainerConfig(seed=-1), "trainer.seed"),
        (lambda: EvaluatorConfig(baseline_metric="accuracy"), "evaluator.baseline_metric"),
        (lambda: EvaluatorConfig(upper_bounds={"accuracy": 1}), "evaluator.upper_bounds"),
        (lambda: ThresholdEvaluatorConfig(threshold_k=11), "evaluator.threshold_k"),
        (lambda: InfraValidatorConfig(timeout_seconds=0), "infra_validator.timeout_seconds"),
        (lambda: InfraValidatorConfig(requests=0), "infra_validator.requests"),
    ],
)
def test_a_value_out_of_range_names_its_setting(make, setting: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingError, match=setting):
        make()


def test_only_a_detector_has_a_threshold() -> None:
    assert [name for name, config in PIPELINES.items() if config.is_detector] == ["anomaly"]
    assert ANOMALY.evaluator.baseline_metric == "f1"
