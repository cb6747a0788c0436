"""TFX's executors do not take the arguments of the program that runs them for their own."""

import sys

import pytest
from absl.flags import IllegalFlagValueError
from tfx.components.statistics_gen.executor import Executor
from tfx.dsl.components.base.base_beam_executor import BaseBeamExecutor

from pipeline.run.stage import program_arguments_hidden


def start_executor() -> None:
    context = BaseBeamExecutor.Context(beam_pipeline_args=["--runner=FnApiRunner"], unique_id="1")
    Executor(context)


def test_a_verbose_program_can_run_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    arguments = ["airflow", "dags", "test", "-v"]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(IllegalFlagValueError):
        start_executor()
    with program_arguments_hidden():
        start_executor()
    assert sys.argv == arguments
