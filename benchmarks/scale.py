"""Time and memory of the Beam stages as the rows grow: ExampleGen -> Transform -> scoring.

    python benchmarks/scale.py [--profiles local,multicore,flink] [--factors 1,10,100]
                               [--repeats 1] [--out FILE]

The rows are the built-in generator's heartbeats, 5,000 times each factor, in files of 25,000. A
point (one profile, one factor) runs in a process of its own, `--repeats` times: a stage's seconds
are the least of these, as timeit's are, and its peak is the greatest. The peak is the sum of the
resident memory of that process and its children, looked at five times a second. `exponent` is the
k of `seconds = fixed + unit * rows ** k` through three points; `memory_ratio` is the last peak
divided by the first. Everything on standard error but the JSON.
"""

import argparse
import contextlib
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from rich.console import Console
from rich.table import Table

from data.sample_heartbeats import write_csv
from pipeline_config import ANOMALY

ROWS = 5_000
ROWS_A_FILE = 25_000
ALL = "local,multicore,flink"
TIMED = ("ExampleGen", "Transform", "scoring")
SAMPLED_EVERY_S = 0.2
POINT = Path(__file__).with_name("scale_point.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--profiles", type=lambda text: text.split(","), default=ALL)
    parser.add_argument("--factors", type=_integers, default="1,10,100")
    parser.add_argument("--rows", type=int, default=ROWS, help="at factor 1")
    parser.add_argument("--repeats", type=int, default=1, help="of each point")
    parser.add_argument("--work", type=Path, help="folder for data and artifacts; kept")
    parser.add_argument("--model", help="folder of a pushed model to score with, else one is made")
    parser.add_argument("--out", type=Path, help="file for the JSON, else standard output")
    parser.add_argument("--limit", type=float, default=3600, help="seconds a point may take")
    arguments = parser.parse_args()
    with contextlib.ExitStack() as stack:
        work = arguments.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        result = measure(arguments, work)
    show(result)
    text = json.dumps(result, indent=2)
    if arguments.out:
        arguments.out.write_text(text + "\n")
    else:
        print(text)


def _integers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def measure(arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Runs all points; one that fails is reported, and the others go on."""
    data = {f: make_data(work / f"data-{f}", arguments.rows * f) for f in arguments.factors}
    model = arguments.model or train(data[arguments.factors[0]], work / "model")
    profiles: dict[str, Any] = {}
    for profile in arguments.profiles:
        points = []
        for factor in arguments.factors:
            home = work / f"home-{profile}-{factor}"
            command = [sys.executable, str(POINT), profile, str(data[factor]), model, str(home)]
            runs = []
            for _ in range(arguments.repeats):
                # In a used one TFX finds the stages done, and there is nothing to measure.
                shutil.rmtree(home, ignore_errors=True)
                runs.append(measured(command, arguments.limit))
            point = best_of(runs)
            rows = arguments.rows * factor
            if "scored" in point and sum(point["scored"].values()) != rows:
                point = {"failed": f"{point['scored']} scored of {rows:,} rows"}
            points.append({"rows": rows, **point})
            print(f"{profile}: {json.dumps(points[-1])}", file=sys.stderr)
        profiles[profile] = {"points": points, **growth(points)}
    return {"cores": len(os.sched_getaffinity(0)), "profiles": profiles}


def make_data(directory: Path, rows: int) -> Path:
    """Writes `rows` heartbeats, unless they are there."""
    rng = np.random.default_rng(rows)
    for number, start in enumerate(range(0, rows, ROWS_A_FILE)):
        path = directory / "ecg" / f"part-{number:05d}.csv"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            write_csv(path, rows=min(ROWS_A_FILE, rows - start), length=140, rng=rng)
    return directory


def train(data: Path, home: Path) -> str:
    """Returns the folder of a pushed model, whatever it is worth."""
    loose = [f"evaluator.lower_bounds.{metric}=0" for metric in ANOMALY.evaluator.lower_bounds]
    settings = [part for setting in loose for part in ("--set", setting)]
    command = [sys.executable, "-m", "pipeline", "run", "anomaly", "--json", *settings]
    ran = subprocess.run(
        [*command, "--home", str(home), "--data-dir", str(data)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    pushed: str = json.loads(ran.stdout)["runs"][0]["pushed"]
    return pushed


def measured(command: Sequence[str], limit_s: float) -> dict[str, Any]:
    """Runs a point and returns what it says, with its peak memory; or why there is none."""
    with (
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as process,
        peak_memory(process.pid) as peak,
    ):
        try:
            said, _ = process.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            process.kill()
            return {"failed": f"not done in {limit_s:.0f} s"}
        if process.returncode:
            errors.seek(0)
            lines = errors.read().strip().splitlines() or [""]
            return {"failed": f"exit code {process.returncode}: {lines[-1]}"}
    point: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
    return point | {"peak_mib": round(max(peak) / 2**20)}


def best_of(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Returns one point of its repeats: the least seconds by stage, the greatest peak."""
    for run in runs:
        if "failed" in run:
            return run
    seconds = {stage: min(run["seconds"][stage] for run in runs) for stage in runs[0]["seconds"]}
    return {
        "seconds": seconds,
        "total_s": round(sum(seconds.values()), 2),
        "scored": runs[0]["scored"],
        "peak_mib": max(run["peak_mib"] for run in runs),
    }


@contextlib.contextmanager
def peak_memory(pid: int) -> Iterator[list[int]]:
    """Yields a list that the greatest resident memory of a process tree, in bytes, is put in."""
    peak = [0]
    done = threading.Event()

    def watch() -> None:
        while not done.wait(SAMPLED_EVERY_S):
            with contextlib.suppress(psutil.NoSuchProcess):
                root = psutil.Process(pid)
                peak[0] = max(peak[0], sum(map(_resident, [root, *root.children(recursive=True)])))

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _resident(process: psutil.Process) -> int:
    try:
        size: int = process.memory_info().rss
    except psutil.NoSuchProcess:
        return 0
    return size


def growth(points: Sequence[dict[str, Any]]) -> dict[str, float | None]:
    """Returns the exponent of time and the ratio of memory; None if points are missing."""
    if any("failed" in point for point in points):
        return {"exponent": None, "memory_ratio": None}
    exponent = None
    if len(points) == 3 and points[1]["rows"] ** 2 == points[0]["rows"] * points[2]["rows"]:
        first, second, third = (point["total_s"] for point in points)
        step = points[1]["rows"] / points[0]["rows"]
        # (a + b*(s²n)^k - a - b*(sn)^k) / (a + b*(sn)^k - a - b*n^k) = s^k
        if third > second > first:
            exponent = round(math.log((third - second) / (second - first), step), 2)
    return {
        "exponent": exponent,
        "memory_ratio": round(points[-1]["peak_mib"] / points[0]["peak_mib"], 2),
    }


def show(result: dict[str, Any]) -> None:
    """Prints a row a point, and below them why there is none of the others."""
    columns = ("profile", "rows", *TIMED, "total s", "peak MiB", "exponent", "memory x")
    table = Table(*columns)
    failed = []
    for profile, of_profile in result["profiles"].items():
        points = of_profile["points"]
        failed += [f"{profile}, {p['rows']:,} rows: {p['failed']}" for p in points if "failed" in p]
        points = [point for point in points if "failed" not in point]
        for point in points:
            seconds = [f"{point['seconds'][stage]:.1f}" for stage in TIMED]
            total = (f"{point['total_s']:.1f}", f"{point['peak_mib']:,}")
            is_last = point is points[-1]
            grown = [str(of_profile[key]) for key in ("exponent", "memory_ratio") if is_last]
            table.add_row(profile, f"{point['rows']:,}", *seconds, *total, *grown)
    console = Console(stderr=True)
    console.print(table)
    for line in failed:
        console.print(line, soft_wrap=True)


if __name__ == "__main__":
    main()
