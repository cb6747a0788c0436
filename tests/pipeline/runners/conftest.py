"""Airflow imported into the tests' process, with a home of its own and no trace in the logging."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(scope="package", autouse=True)
def airflow_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Airflow makes its home when it is imported, and reads its settings then."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIRFLOW_HOME", str(tmp_path_factory.mktemp("airflow")))
        patch.setenv("AIRFLOW__CORE__LOAD_EXAMPLES", "False")
        yield


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """On import Airflow sends the root logger to stdout, where other tests read JSON."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
