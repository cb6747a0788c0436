"""Every number that a user can set has a least and a greatest value, and is never NaN."""

import dataclasses
import math
import typing
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.settings import apply_settings, available_settings
from pipeline_config import PIPELINES, PipelineConfig, SettingError, UserInputError

NUMBERS = [
    pytest.param(config, name, id=f"{config.name}-{name}")
    for config in PIPELINES.values()
    for name, kind in available_settings(config).items()
    if kind in (int, float)
]


def field_of(config: PipelineConfig, name: str) -> dataclasses.Field[Any]:
    section, field, *_ = name.split(".")
    return {f.name: f for f in dataclasses.fields(getattr(config, section))}[field]


def test_all_sections_are_looked_at() -> None:
    assert {param.values[1].partition(".")[0] for param in NUMBERS} == {
        "data",
        "gate",
        "transform",
        "trainer",
        "evaluator",
        "infra_validator",
        "pusher",
        "schedule",
    }


@pytest.mark.parametrize(("config", "name"), NUMBERS)
@pytest.mark.parametrize("value", ["nan", "-nan", "inf", "-inf", "1e999", "9" * 20, f"-{'9' * 20}"])
def test_no_number_is_endless(config: PipelineConfig, name: str, value: str) -> None:
    is_bound = "_bounds." in name
    if is_bound and value.lstrip("-").isdigit():
        apply_settings(config, [f"{name}={value}"])
        return
    with pytest.raises(UserInputError) as caught:
        apply_settings(config, [f"{name}={value}"])
    text = str(caught.value)
    assert text.startswith(f"{name}=")
    assert ": expected " in text
    assert "\n" not in text


@pytest.mark.parametrize(("config", "name"), NUMBERS)
def test_a_number_takes_its_limits_and_nothing_beyond(config: PipelineConfig, name: str) -> None:
    if "_bounds." in name:
        return
    section_name, field_name = name.split(".")
    section = getattr(config, section_name)
    limits = field_of(config, name).metadata
    is_whole = typing.get_type_hints(type(section))[field_name] is int
    least = limits["ge"] if limits["ge"] is not None else math.nextafter(limits["gt"], math.inf)
    for value in (least, limits["le"]):
        assert getattr(dataclasses.replace(section, **{field_name: value}), field_name) == value
    below = least - 1 if is_whole else math.nextafter(least, -math.inf)
    above = limits["le"] + 1 if is_whole else math.nextafter(limits["le"], math.inf)
    for value in (below, above):
        with pytest.raises(SettingError, match=rf"{section_name}\.{field_name}="):
            dataclasses.replace(section, **{field_name: value})


@given(value=st.floats(), data=st.data())
def test_a_float_that_is_taken_is_finite(value: float, data: st.DataObject) -> None:
    config, name = data.draw(st.sampled_from([param.values for param in NUMBERS]))
    try:
        changed = apply_settings(config, [f"{name}={value!r}"])
    except UserInputError:
        return
    section_name, field, *metric = name.split(".")
    taken = getattr(getattr(changed, section_name), field)
    assert math.isfinite(taken[metric[0]] if metric else taken)
