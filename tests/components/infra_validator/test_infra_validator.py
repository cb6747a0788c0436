"""The whole stage, on artifacts."""

from pathlib import Path
from typing import Any

import pytest
from tfx.components.pusher.executor import Executor as StockPusher

from tests.components.infra_validator.conftest import Bench, children
from tests.components.infra_validator.tiny_candidates import NeverEnding, TinyCandidate


def files(artifact: Any) -> set[str]:
    return {path.name for path in Path(artifact.uri).iterdir()}


def may_be_pushed(blessing: Any) -> bool:
    """What TFX's own Pusher reads of it."""
    return StockPusher().CheckBlessing({"infra_blessing": [blessing]})


def test_a_sound_candidate_is_blessed_and_its_server_ended(bench: Bench, temporary: Path) -> None:
    before = children()
    blessing = bench.validate(TinyCandidate(), requests=2)
    assert may_be_pushed(blessing), blessing.get_string_custom_property("reason")
    assert files(blessing) == {"INFRA_BLESSED", "server.log"}
    assert not blessing.has_custom_property("reason")
    assert "candidate: version 1 answers now" in Path(blessing.uri, "server.log").read_text()
    assert children() == before
    assert list(temporary.iterdir()) == []


def test_a_server_that_is_too_late_is_ended(bench: Bench, temporary: Path) -> None:
    before = children()
    blessing = bench.validate(TinyCandidate(), timeout_seconds=0.5)
    assert not may_be_pushed(blessing)
    assert files(blessing) == {"INFRA_NOT_BLESSED", "server.log"}
    reason = blessing.get_string_custom_property("reason")
    assert reason == "the server did not start within 0.5 s (infra_validator.timeout_seconds)"
    assert children() == before
    assert list(temporary.iterdir()) == []


@pytest.mark.slow
def test_a_candidate_that_never_answers_takes_no_longer_than_the_limit(bench: Bench) -> None:
    before = children()
    blessing = bench.validate(NeverEnding(), timeout_seconds=45)
    reason = blessing.get_string_custom_property("reason")
    assert reason.startswith("serve_examples: the candidate did not answer within 45 s ")
    assert not may_be_pushed(blessing)
    assert children() == before


def test_no_server_is_started_for_a_model_that_was_not_blessed(bench: Bench) -> None:
    bench.model_blessing.set_int_custom_property("blessed", 0)
    blessing = bench.validate(TinyCandidate())
    assert not may_be_pushed(blessing)
    assert files(blessing) == {"INFRA_NOT_BLESSED"}
    assert "did not bless the model" in blessing.get_string_custom_property("reason")
