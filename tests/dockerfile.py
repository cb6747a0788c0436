"""The Dockerfile as a list of instructions, its rules, and its build without Docker."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import subprocess
from pathlib import Path, PurePosixPath

INSTRUCTIONS = {"FROM", "RUN", "COPY", "ENV", "WORKDIR", "USER", "EXPOSE", "CMD", "ARG", "LABEL"}
"""Those that there is a use for; ADD, ONBUILD, SHELL and the deprecated ones are faults."""

_WAY_TO_THE_INDEX = re.compile(r"(PIP|UV|SSL|REQUESTS|CURL)_|(https?|no|all)_proxy$", re.IGNORECASE)
"""Environment variables of this machine that a real build would be given too."""


@dataclasses.dataclass(frozen=True)
class Instruction:
    line: int
    name: str
    text: str

    @property
    def flags(self) -> dict[str, str]:
        found = re.findall(r"--([a-z]+)=(\S+)", self.text.split(" -- ")[0])
        return dict(found) if self.name in ("COPY", "RUN") else {}

    @property
    def words(self) -> list[str]:
        return [word for word in shlex.split(self.text) if not re.match(r"--[a-z]+=", word)]


def parse(text: str) -> list[Instruction]:
    """Joins continued lines, as Docker does; a line that is no instruction is a fault."""
    instructions: list[Instruction] = []
    pending, start = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        start = start if pending else number
        pending += stripped.removesuffix("\\").strip() + " "
        if stripped.endswith("\\"):
            continue
        name, _, rest = pending.strip().partition(" ")
        if name not in INSTRUCTIONS:
            raise ValueError(f"line {start}: {name}: not an instruction that is used here")
        instructions.append(Instruction(start, name, rest.strip()))
        pending = ""
    if pending:
        raise ValueError(f"line {start}: the last line is continued")
    return instructions


def stages_of(instructions: list[Instruction]) -> list[list[Instruction]]:
    stages: list[list[Instruction]] = []
    for instruction in instructions:
        if instruction.name == "FROM":
            stages.append([])
        stages[-1].append(instruction)
    return stages


def faults(text: str, context: set[str]) -> list[str]:
    """Returns what hadolint's rules that can apply here have against a Dockerfile.

    Args:
        text: The Dockerfile.
        context: Files that the build sees, relative to it.
    """
    stages = stages_of(parse(text))
    found = [fault for stage in stages for one in stage for fault in _instruction_faults(one)]
    names = [one.words[2] for stage in stages for one in stage[:1] if len(one.words) == 3]
    for stage in stages:
        for one in stage:
            if one.name != "COPY":
                continue
            *sources, target = one.words
            origin = one.flags.get("from")
            if origin is not None and origin not in names:
                found.append(f"line {one.line}: DL3022: no stage is named {origin}")
            if len(sources) > 1 and not target.endswith("/"):
                found.append(f"line {one.line}: DL3021: several sources need a target with /")
            if origin is None:
                found += [
                    f"line {one.line}: {source} is not in the build's context"
                    for source in sources
                    if not any(PurePosixPath(path).is_relative_to(source) for path in context)
                ]
    last = stages[-1]
    users = [one.text for one in last if one.name == "USER"]
    if not users or not re.fullmatch(r"[1-9]\d*(:[1-9]\d*)?", users[-1]):
        found.append("DL3002: the last USER has to be a number that is not root's")
    if sum(one.name == "CMD" for one in last) != 1:
        found.append("DL4003: one CMD")
    return found


def _instruction_faults(one: Instruction) -> list[str]:
    at = f"line {one.line}:"
    rules = {
        f"{at} DL3006/DL3007: pin a tag that is not latest": one.name == "FROM"
        and not re.match(r"[\w./-]+:(?!latest\b)[\w.-]+( AS \w+)?$", one.text),
        f"{at} DL3000: WORKDIR has to be absolute": one.name == "WORKDIR"
        and not one.text.startswith("/"),
        f"{at} DL3025: JSON form": one.name == "CMD" and not one.text.startswith("["),
        f"{at} DL3004/DL3003: no sudo, no cd": one.name == "RUN"
        and bool(re.search(r"(^|[;&|] *)(sudo|cd) ", one.text)),
        f"{at} DL3008/DL3009: apt-get without pinned packages or with its lists left": one.name
        == "RUN"
        and "apt-get" in one.text
        and not ("rm -rf /var/lib/apt/lists" in one.text and "=" in one.text),
        f"{at} DL3042: a package cache in the layer": one.name == "RUN"
        and "pip " in one.text
        and "--mount=type=cache" not in one.text
        and "--no-cache" not in one.text,
        f"{at} DL3013: packages that the lock does not pin": one.name == "RUN"
        and any(
            "--require-hashes" not in command and "--no-deps" not in command
            for command in one.text.split("&&")
            if re.search(r"\bpip (install|sync)\b", command)
        ),
        f"{at} DL4001/DL3020: wget and curl are not needed": bool(
            one.name == "RUN" and re.search(r"\b(wget|curl)\b", one.text)
        ),
    }
    if one.name == "CMD" and one.text.startswith("["):
        json.loads(one.text)
    return [fault for fault, holds in rules.items() if holds]


def context_files(root: Path) -> set[str]:
    """Returns the files that `.dockerignore` lets through: of all rules the last that matches."""
    rules = [
        rule
        for line in (root / ".dockerignore").read_text().splitlines()
        if (rule := line.strip()) and not rule.startswith("#")
    ]
    # Docker walks the tree too; these are excluded by its first rule and too many to look at.
    skipped = {".git", ".venv", ".uv", ".flink", "build", "output", ".mypy_cache"}
    found = set()
    for folder, folders, names in os.walk(root):
        if Path(folder) == root:
            folders[:] = [name for name in folders if name not in skipped]
        for name in names:
            path = (Path(folder) / name).relative_to(root).as_posix()
            if not _ignored(path, rules):
                found.add(path)
    return found


def _ignored(path: str, rules: list[str]) -> bool:
    ancestors = [path, *(str(parent) for parent in PurePosixPath(path).parents)]
    ignored = False
    for rule in rules:
        pattern = rule.removeprefix("!").strip("/")
        # `**/` is any number of folders, `*` is within one.
        regex = "(?:.*/)?".join(
            "[^/]*".join(map(re.escape, part.split("*"))) for part in pattern.split("**/")
        )
        if any(re.fullmatch(regex, ancestor) for ancestor in ancestors):
            ignored = not rule.startswith("!")
    return ignored


def build_stage(stage: list[Instruction], context: Path, root: Path) -> dict[str, str]:
    """Carries out ENV, WORKDIR, COPY and RUN below `root` instead of `/`; returns the environment.

    What the Dockerfile has below /opt is below `root/opt` here. `root/usr/local/bin` has to hold
    the image's Python.
    """

    def moved(text: str) -> str:
        return re.sub(r"(?<![\w.])/opt/", f"{root}/opt/", text)

    image_path = f"{root}/usr/local/bin:/usr/bin:/bin"
    environment = {
        **{name: value for name, value in os.environ.items() if _WAY_TO_THE_INDEX.match(name)},
        "HOME": os.environ["HOME"],
        "PATH": image_path,
    }
    folder = root
    for one in stage[1:]:
        if one.name == "ENV":
            for word in shlex.split(one.text):
                name, _, value = word.partition("=")
                environment[name] = moved(value).replace("$PATH", environment["PATH"])
        elif one.name == "WORKDIR":
            folder = Path(moved(one.text))
            folder.mkdir(parents=True, exist_ok=True)
        elif one.name == "COPY":
            *sources, target = one.words
            for source in sources:
                _copy(context / source, folder / target, into=target.endswith("/"))
        elif one.name == "RUN":
            command = moved(re.sub(r"--mount=\S+", "", one.text))
            # The cache lies on the same disk here, so links do and save gigabytes.
            links = {**environment, "UV_LINK_MODE": "hardlink"}
            subprocess.run(["/bin/sh", "-c", command], cwd=folder, env=links, check=True)
    return environment


def _copy(source: Path, target: Path, into: bool) -> None:
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
        return
    file = target / source.name if into else target
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, file)
