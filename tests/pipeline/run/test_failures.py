import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from pipeline.run.failures import full_disk, gate_refusal, user_mistake
from pipeline_config import GateRefusalError, SettingError, UserInputError


def _raise(error: Exception) -> None:
    raise error


def _through_beam(error: Exception) -> BaseException:
    with (
        pytest.raises(Exception) as caught,  # noqa: PT011 - Beam chooses the type.
        beam.Pipeline(options=PipelineOptions(["--runner=FnApiRunner"])) as pipeline,
    ):
        _ = pipeline | beam.Create([1]) | beam.Map(lambda _: _raise(error))
    return caught.value


@pytest.mark.parametrize("kind", [UserInputError, SettingError])
def test_a_mistake_is_found_as_it_was_raised_behind_beam(kind: type[UserInputError]) -> None:
    error = _through_beam(kind("/d/x.csv, row 3: 'abc' is not a number; mend the row"))
    assert user_mistake(error) == "/d/x.csv, row 3: 'abc' is not a number; mend the row"


def test_a_mistake_is_found_behind_another_exception() -> None:
    error = RuntimeError("wrapped")
    error.__cause__ = UserInputError("line")
    assert user_mistake(error) == "line"


def test_a_bug_is_not_taken_for_a_mistake() -> None:
    error = _through_beam(ZeroDivisionError("division by zero"))
    assert user_mistake(error) is None
    assert full_disk(error) is None
    assert gate_refusal(error) is None


@pytest.mark.parametrize(
    "text", ["write failed: No space left on device", "sqlite: database or disk is full"]
)
def test_a_full_disk_is_found_in_the_text_of_any_exception(text: str) -> None:
    found = full_disk(_through_beam(RuntimeError(text)))
    assert found is not None
    assert "No space left" in str(found)


def test_a_refusal_is_found() -> None:
    assert (
        gate_refusal(GateRefusalError("feature 'signal': too large"))
        == "feature 'signal': too large"
    )
