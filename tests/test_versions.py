"""The packages that the owner named are the ones that are really imported."""

import importlib
import re
from pathlib import Path

import pytest

LOCK = Path(__file__).parent.parent / "requirements" / "dev.txt"


def _locked(package: str) -> str:
    found = re.search(rf"^{re.escape(package)}==(\S+)", LOCK.read_text(), re.MULTILINE)
    assert found, f"{package} is not in {LOCK.name}"
    return found[1]


@pytest.mark.parametrize(
    ("module", "package", "version"),
    [
        ("tfx", "tfx", "1.21.0"),
        ("tensorflow", "tensorflow", "2.21.0"),
        ("tensorflow_data_validation", "tensorflow-data-validation", "1.16.1"),
        ("tensorflow_transform", "tensorflow-transform", "1.21.0"),
        ("apache_beam", "apache-beam", "2.77.0"),
        ("sklearn", "scikit-learn", "1.5.2"),
        ("keras", "keras", "3.15.1"),
        ("tfx_bsl", "tfx-bsl", "1.16.1"),
        ("ml_metadata", "ml-metadata", "1.17.1"),
    ],
)
def test_the_named_packages_import_in_the_locked_version(
    module: str, package: str, version: str
) -> None:
    assert importlib.import_module(module).__version__ == version == _locked(package)


def test_the_models_are_keras_3_on_tensorflow() -> None:
    import keras

    assert keras.backend.backend() == "tensorflow"
    assert keras.Model.__module__.startswith("keras.src")


@pytest.mark.parametrize("lock", sorted(LOCK.parent.glob("*.txt")), ids=lambda path: path.stem)
def test_a_lock_pins_every_package_by_hash_and_names_no_address(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    requirements = re.split(r"\n(?=\S)", text.strip())
    assert requirements
    for requirement in requirements:
        if requirement.startswith("#"):
            continue
        assert re.match(r"\S+==\S+", requirement), requirement
        assert "--hash=sha256:" in requirement, requirement
