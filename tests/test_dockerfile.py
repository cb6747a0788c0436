"""The image: its Dockerfile's rules, and what its install steps make of a clean folder."""

import json
import re
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

from tests.dockerfile import build_stage, context_files, faults, parse, stages_of

REPOSITORY = Path(__file__).resolve().parents[1]
DOCKERFILE = (REPOSITORY / "Dockerfile").read_text()

pytestmark = pytest.mark.timeout(3000)


@pytest.fixture(scope="module")
def context() -> set[str]:
    return context_files(REPOSITORY)


def test_no_rule_is_broken(context: set[str]) -> None:
    assert faults(DOCKERFILE, context) == []


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("FROM python:3.11-slim-bookworm", "FROM python:latest", "DL3006"),
        ("FROM python:3.11-slim-bookworm", "FROM python", "DL3006"),
        ("USER 10001:10001", "USER aepipe", "DL3002"),
        ("USER 10001:10001", "USER 0", "DL3002"),
        ("WORKDIR /home/aepipe", "WORKDIR home", "DL3000"),
        ('CMD ["aepipe", "--help"]', "CMD aepipe --help", "DL3025"),
        ("COPY --from=build", "COPY --from=builder", "DL3022"),
        ("COPY trainer/ trainer/", "COPY tests/ tests/", "not in the build's context"),
        ("--mount=type=cache,target=/root/.cache", "", "DL3042"),
        ("--require-hashes --compile", "--compile", "DL3013"),
        ("RUN useradd", "RUN apt-get install -y g++ && useradd", "DL3008"),
        ("RUN useradd", "RUN sudo useradd", "DL3004"),
    ],
)
def test_a_broken_rule_is_found(context: set[str], old: str, new: str, rule: str) -> None:
    assert old in DOCKERFILE

    assert any(rule in fault for fault in faults(DOCKERFILE.replace(old, new), context))


def test_what_is_no_instruction_is_refused() -> None:
    with pytest.raises(ValueError, match="line 1: ADD"):
        parse("ADD x y\n")


def test_the_image_has_the_code_and_nothing_of_this_checkout_besides(context: set[str]) -> None:
    assert {"pipeline/cli.py", "components/schema/signal.pbtxt", "requirements/base.txt"} <= (
        context
    )
    assert not [path for path in context if path.startswith(("tests/", ".git/", ".venv/"))]
    assert not [path for path in context if path.startswith(("data/raw/", "data/sample/"))]
    assert not [path for path in context if "__pycache__" in path]


def test_the_lock_is_installed_before_the_code_is_copied() -> None:
    build = [one.text for one in stages_of(parse(DOCKERFILE))[0]]
    lock = next(number for number, text in enumerate(build) if "pip sync" in text)
    code = next(number for number, text in enumerate(build) if text.startswith("components/"))

    assert lock < code


@pytest.mark.slow
def test_the_install_steps_make_an_environment_that_runs_a_step_and_the_server(
    context: set[str], tmp_path: Path
) -> None:
    checkout = tmp_path / "context"
    for path in context:
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(REPOSITORY / path, checkout / path)
    root = tmp_path / "image"
    # The image's own Python, with pip.
    venv.create(root / "usr" / "local", with_pip=True, symlinks=True)

    build_stage(stages_of(parse(DOCKERFILE))[0], checkout, root)

    installed = root / "opt" / "venv" / "bin"
    # Nothing of the checkout is needed any more.
    shutil.rmtree(checkout)
    shutil.rmtree(root / "opt" / "aepipe")
    assert freeze(installed) == locked() | {"aepipe": "0.1.0"}
    for command in (["aepipe", "--help"], ["aepipe", "serve", "--help"]):
        assert run_in(tmp_path, installed, *command).returncode == 0
    schema = tmp_path / "schema"
    step = run_in(tmp_path, installed, *write_schema_step(tmp_path, schema))
    assert step.returncode == 0, step.stdout
    assert (schema / "schema.pbtxt").read_text() == 'feature {\n  name: "signal"\n}\n'
    reported = json.loads((tmp_path / "outputs" / "metadata.json").read_text())
    assert reported["artifacts"]["schema"]["artifacts"][0]["uri"] == str(schema)


def run_in(folder: Path, installed: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(installed / command[0]), *command[1:]],
        env={"PATH": f"{installed}:/usr/bin:/bin", "HOME": str(folder)},
        cwd=folder,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def write_schema_step(folder: Path, schema: Path) -> list[str]:
    invocation = {
        "inputs": {"parameterValues": {"content": 'feature {\n  name: "signal"\n}\n'}},
        "outputs": {
            "artifacts": {
                "schema": {
                    "artifacts": [{"uri": str(schema), "type": {"schemaTitle": "tfx.Schema"}}]
                }
            },
            "outputFile": str(folder / "outputs" / "metadata.json"),
        },
    }
    return [
        "python", "-m", "pipeline.runners.kubeflow.step",
        "--executor_class_path", "pipeline.runners.kubeflow.stages.WriteSchema_Executor",
        "--json_serialized_invocation_args", json.dumps(invocation),
        "--json_serialized_inputs_spec_args",
        '{"parameters": {"content": {"parameterType": "STRING"}}}',
    ]  # fmt: skip


def freeze(installed: Path) -> dict[str, str]:
    listing = subprocess.run(
        [
            str(installed / "python"),
            "-c",
            "import importlib.metadata as m, json;"
            "print(json.dumps({d.metadata['Name']: d.version for d in m.distributions()}))",
        ],
        text=True,
        check=True,
        stdout=subprocess.PIPE,
    )
    return {normalised(name): version for name, version in json.loads(listing.stdout).items()}


def locked() -> dict[str, str]:
    text = (REPOSITORY / "requirements" / "base.txt").read_text()
    found = re.findall(r"^([\w.-]+)(?:\[[\w,-]+\])?==(\S+)", text, re.MULTILINE)
    assert sys.version_info[:2] == (3, 11)
    return {normalised(name): version for name, version in found}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
