import dataclasses
import shlex
import subprocess
import sys
import urllib.parse
from pathlib import PurePosixPath
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline_config import (
    ANOMALY,
    PIPELINES,
    EvaluatorConfig,
    ImageData,
    InfraValidatorConfig,
    NameKind,
    PusherConfig,
    ScheduleConfig,
    SettingError,
    SignalData,
    ThresholdEvaluatorConfig,
    TrainerConfig,
    UserInputError,
    check_name,
    is_name,
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
        (lambda: ScheduleConfig(keep_runs=-1), "schedule.keep_runs"),
        (lambda: ScheduleConfig(keep_runs=10**20), "schedule.keep_runs"),
    ],
)
def test_a_value_out_of_range_names_its_setting(make, setting: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(SettingError, match=setting):
        make()


def test_only_a_detector_has_a_threshold() -> None:
    assert [name for name, config in PIPELINES.items() if config.is_detector] == [
        "anomaly",
        "detector",
    ]
    assert ANOMALY.evaluator.baseline_metric == "f1"


_SETTING_OF = {
    "pusher.model_name": lambda name: PusherConfig(model_name=name),
    "name": lambda name: dataclasses.replace(ANOMALY, name=name),
}

_NO_NAMES = [
    "",
    " ",
    ".",
    "..",
    ".hidden",
    "-o",
    "a/b",
    "../../x",
    "/abs",
    "a\\b",
    "a b",
    "a\n",
    "a\x00b",
    "a\x7f",
    "a:predict",
    "a%2fb",
    "a?b",
    "a*",
    "[a]",
    "möglich",
    "a" * 64,
]


@pytest.mark.parametrize("setting", _SETTING_OF)
@pytest.mark.parametrize("name", _NO_NAMES)
def test_what_is_no_name_is_refused(setting: str, name: str) -> None:
    with pytest.raises(SettingError) as caught:
        _SETTING_OF[setting](name)
    assert str(caught.value).startswith(f"{setting}={name!r}: expected a ")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("kind", ["model", "pipeline", "run", "label"])
@pytest.mark.parametrize("name", _NO_NAMES[:-1])
def test_no_kind_of_name_takes_it(kind: NameKind, name: str) -> None:
    with pytest.raises(UserInputError, match="letters, digits, _, - and"):
        check_name(kind, name)


@given(st.text(max_size=140))
def test_a_name_is_one_folder_of_its_own(name: str) -> None:
    for kind in get_args(NameKind):
        if is_name(kind, name):
            path = PurePosixPath("/home", name)
            assert (path.parent, path.name) == (PurePosixPath("/home"), name)
            assert len(f".{name}.part-01234567".encode()) <= 255
            assert urllib.parse.quote(name) == name == shlex.quote(name)


def test_a_label_does_not_read_as_a_version() -> None:
    assert [name for name in ("12", "1st", "v12", "stable") if is_name("label", name)] == [
        "v12",
        "stable",
    ]
    assert is_name("model", "12")


@pytest.mark.parametrize("data", [SignalData, ImageData])
@pytest.mark.parametrize("folder", ["", ".", "..", "../ecg", "a/../../b", "/srv", "a\nb", "a\0"])
def test_a_data_folder_stays_below_the_data_directory(data: type, folder: str) -> None:
    with pytest.raises(SettingError, match=r"data\.folder="):
        data(folder=folder)
    assert data(folder="plant 7/ecg").folder == "plant 7/ecg"
