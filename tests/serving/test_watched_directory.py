"""The watch of the push directory in this process, while its folders change at random."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline_config import UserInputError
from serving import metrics
from serving.push_directory.model_versions import served_version
from serving.settings import ServerSettings
from serving.watched_directory import PushDirectory
from tests.serving.tiny_detector import push, signals

MODEL = "model"


@pytest.fixture(scope="module")
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def watched(models_dir: Path, threads: ThreadPoolExecutor) -> PushDirectory:
    return PushDirectory(ServerSettings(models_dir=models_dir), threads, threads)


def spoil(folder: Path, version: int, how: str) -> None:
    directory = folder / str(version)
    if how == "push" and not directory.exists():
        push(folder, version, level=float(version))
    elif how == "remove":
        shutil.rmtree(directory, ignore_errors=True)
    elif how == "empty":
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
    elif how == "no variables":
        shutil.rmtree(directory / "variables", ignore_errors=True)
    elif how == "withhold":
        folder.mkdir(exist_ok=True)
        (folder / "versions.json").write_text(f'{{"withheld": [{version}]}}')
    elif how == "pin":
        folder.mkdir(exist_ok=True)
        (folder / "versions.json").write_text(f'{{"pinned": {version}}}')
    elif how == "remove all":
        shutil.rmtree(folder, ignore_errors=True)


STEPS = st.tuples(
    st.integers(1, 3),
    st.sampled_from(
        ["push", "push", "remove", "empty", "no variables", "withhold", "pin", "remove all"]
    ),
)


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(STEPS, min_size=3, max_size=8))
def test_the_server_serves_what_the_commands_say(
    tmp_path: Path, threads: ThreadPoolExecutor, steps: list[tuple[int, str]]
) -> None:
    models_dir = tmp_path / "models"
    shutil.rmtree(models_dir, ignore_errors=True)
    models_dir.mkdir()

    async def follow() -> None:
        directory = watched(models_dir, threads)
        for version, how in steps:
            spoil(models_dir / MODEL, version, how)
            await directory.look()
            try:
                expected = served_version(models_dir / MODEL)
            except UserInputError:
                expected = None
            model = directory.models.get(MODEL)
            assert (model.default if model else None) == expected

    asyncio.run(follow())


def test_a_version_that_comes_and_goes_while_it_is_looked_at(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    folder = tmp_path / MODEL
    push(folder, 1, level=1.0)
    done = threading.Event()

    def come_and_go() -> None:
        while not done.is_set():
            shutil.copytree(folder / "1", folder / "2")
            shutil.rmtree(folder / "2")

    async def look() -> None:
        directory = watched(tmp_path, threads)
        for _ in range(60):
            await directory.look()
            assert directory.models[MODEL].default in (1, 2)

    changer = threading.Thread(target=come_and_go)
    changer.start()
    try:
        asyncio.run(look())
    finally:
        done.set()
        changer.join()


def test_the_metrics_of_a_dropped_version_do_not_come_back(
    tmp_path: Path, threads: ThreadPoolExecutor
) -> None:
    # The registry is the process's: other tests' versions are in it under the usual name.
    name = "dropped"
    push(tmp_path / name, 1, level=1.0)

    def series() -> set[str]:
        return {
            sample.labels["version"]
            for metric in (metrics.EXAMPLES, metrics.ANOMALIES, metrics.ERROR, metrics.LOADED)
            for family in metric.collect()
            for sample in family.samples
            if sample.labels.get("model") == name
        }

    async def ask(directory: PushDirectory) -> dict[str, np.ndarray]:
        model = directory.find(name)
        version = model.find()
        inputs: dict[str, np.ndarray] = {"signal": signals(1)}
        # It is answered by the version that it had found, after that was dropped.
        push(tmp_path / name, 2, level=2.0)
        await directory.look()
        return await model.predict(version, version.signature(None), inputs, "test")

    async def run() -> dict[str, np.ndarray]:
        directory = watched(tmp_path, threads)
        await directory.look()
        return await ask(directory)

    np.testing.assert_allclose(asyncio.run(run())["reconstruction"], signals(1) * 0.5 + 1.0)
    assert series() == {"2"}
