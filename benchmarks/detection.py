"""The detectors beside scikit-learn's, on the same splits of every set of signals in a folder.

    python benchmarks/detection.py FOLDER [--ecg FILE] [--normal NAME=CLASS ...] [--sets NAME ...]
                                   [--seeds 42 43 44] [--contamination 0.01 0.05 0.1]
                                   [--work DIR] [--json FILE]

FOLDER holds sets in the UCR archive's form; FILE is the tutorial's ecg.csv, which keeps the
tutorial's split. Without both, they are signals/ and ecg/ecg.csv in AEPIPE_DATA. A pipeline is run
as a user runs it, once a seed. The others are fitted on the normal examples of the first
pipeline's own training split, get their threshold by split-conformal prediction from its held-out
normals, and see the eval split once. Nothing is chosen on it but the oracle accuracy, which is
there to compare with published figures that were. The false-alarm rate that is promised is the
default one, or a higher one if a set has too few rows for it.

`--contamination` takes the labels of such shares of the abnormal training rows of ecg.csv away and
reports how the ROC AUC of a robust training falls. Runs in `--work` are not run again.
"""

import argparse
import contextlib
import dataclasses
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from detection_peers import PEERS, RANDOM, peer_threshold
from detection_results import Measures, mean_sd, measure, overall_results, overall_table, set_table
from detection_runs import FinishedRun, RunFailedError, Splits, read_splits, run
from detection_sets import (
    ROBUST,
    SignalSet,
    chosen_sets,
    contaminated_set,
    find_sets,
    robustly_trained,
    tutorial_set,
)
from rich.console import Console

CONSOLE = Console(width=140)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, nargs="?", help="of sets in the UCR archive's form")
    parser.add_argument("--ecg", type=Path, help="the tutorial's ecg.csv")
    parser.add_argument("--normal", nargs="+", default=[], metavar="NAME=CLASS")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="of all; ecg.csv is one")
    parser.add_argument("--seeds", nargs="+", type=int, default=[42, 43, 44])
    parser.add_argument("--pipelines", nargs="+", default=["detector", "anomaly"])
    parser.add_argument("--contamination", nargs="+", type=float, default=[], metavar="SHARE")
    parser.add_argument("--work", type=Path, help="folder for data and homes; kept")
    parser.add_argument("--json", type=Path, help="file for all figures")
    arguments = parser.parse_args()
    try:
        sets = asked_sets(arguments, os.environ)
    except (ValueError, OSError) as error:
        parser.error(str(error))
    # TFX's Beam executors read `sys.argv` as options of their own.
    del sys.argv[1:]
    with contextlib.ExitStack() as stack:
        work = arguments.work or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        result = measure_all(sets, arguments, work)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=2) + "\n")


def asked_sets(arguments: argparse.Namespace, environ: Mapping[str, str]) -> list[SignalSet]:
    """Returns the sets that the arguments name.

    Raises:
        ValueError: They name none, or one that is not there.
        OSError: A file cannot be read.
    """
    folder, ecg = arguments.folder, arguments.ecg
    if folder is None and ecg is None:
        if not environ.get("AEPIPE_DATA"):
            raise ValueError("name a folder of sets or --ecg, or set AEPIPE_DATA")
        data = Path(environ["AEPIPE_DATA"])
        folder, ecg = data / "signals", data / "ecg" / "ecg.csv"
    normal = dict(pair.split("=", 1) for pair in arguments.normal if "=" in pair)
    if len(normal) < len(arguments.normal):
        raise ValueError("--normal: expected NAME=CLASS")
    sets = [tutorial_set(ecg)] if ecg else []
    sets += find_sets(folder, normal) if folder else []
    return chosen_sets(sets, arguments.sets)


def measure_all(
    sets: Sequence[SignalSet], arguments: argparse.Namespace, work: Path
) -> dict[str, Any]:
    """Measures set after set and prints a table of each, then one over all."""
    result: dict[str, Any] = {"seeds": arguments.seeds, "sets": {}}
    for of_set in sets:
        with reported_failure(of_set.name):
            result["sets"][of_set.name] = measure_set(of_set, arguments, work)
        if of_set.settings == ("data.split=tutorial",) and arguments.contamination:
            result["contamination"] = measure_contamination(of_set, arguments, work)
    aucs = {
        name: {
            method: np.mean([one["roc_auc"] for one in results])
            for method, results in found["methods"].items()
        }
        for name, found in result["sets"].items()
    }
    found = overall_results(aucs)
    if len(aucs) > 1:
        CONSOLE.print(overall_table(found))
    return result | {"overall": [dataclasses.asdict(one) for one in found]}


@contextlib.contextmanager
def reported_failure(what: str) -> Any:
    """Reports a run that failed on standard error; the others go on."""
    try:
        yield
    except RunFailedError as error:
        print(f"{what}: {error}", file=sys.stderr)


def measure_set(of_set: SignalSet, arguments: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Measures all methods on one set.

    Raises:
        RunFailedError: A run ended without a judged model.
    """
    runs = {
        pipeline: [run(pipeline, of_set, seed, work) for seed in arguments.seeds]
        for pipeline in arguments.pipelines
    }
    first = runs[arguments.pipelines[0]][0]
    splits = read_splits(first.outcome, of_set, work)
    methods = {name: [measure_run(one) for one in of_name] for name, of_name in runs.items()}
    methods |= measure_peers(splits, arguments.seeds, of_set.false_alarm_rate)
    counts = {
        "normal": of_set.normal,
        "train": len(splits.train),
        "held_out": 0 if splits.calibration is None else len(splits.calibration),
        "eval_normal": int((~splits.is_abnormal).sum()),
        "eval_abnormal": int(splits.is_abnormal.sum()),
    }
    title = (
        f"{of_set.name}: normal class {of_set.normal}, {of_set.length} samples; normals "
        f"{counts['train']} trained on, {counts['held_out']} held out; eval "
        f"{counts['eval_normal']} normal, {counts['eval_abnormal']} abnormal"
    )
    CONSOLE.print(set_table(title, methods))
    ratios = served_time(runs, splits)
    if ratios:
        shown = ", ".join(f"{ratio:.2f} at batch {size}" for size, ratio in ratios.items())
        CONSOLE.print(f"served model's time, {' / '.join(runs)}: {shown}")
    return {
        **counts,
        "methods": {
            name: [dataclasses.asdict(one) for one in results] for name, results in methods.items()
        },
        "served_time_ratio": ratios,
    }


def measure_run(finished: FinishedRun) -> Measures:
    """Returns the measures of a run by what its evaluator wrote."""
    return measure(
        finished.errors,
        finished.is_abnormal,
        finished.threshold,
        promised=finished.promised,
        seconds=finished.outcome["seconds"].get("Trainer"),
    )


def measure_peers(
    splits: Splits, seeds: Sequence[int], false_alarm_rate: float
) -> dict[str, list[Measures]]:
    """Returns the measures of all peers, of one that draws nothing once."""
    found = {}
    for name, fit in PEERS.items():
        found[name] = []
        for seed in seeds if name in RANDOM else seeds[:1]:
            start = time.perf_counter()
            score = fit(splits.train, seed)
            seconds = time.perf_counter() - start
            threshold = None
            if splits.calibration is not None:
                held_out = score(splits.calibration).astype(np.float32)
                threshold = peer_threshold(held_out, false_alarm_rate)
            promised = None if threshold is None else false_alarm_rate
            found[name].append(
                measure(
                    score(splits.eval).astype(np.float32),
                    splits.is_abnormal,
                    threshold,
                    promised=promised,
                    seconds=seconds,
                )
            )
    return found


def served_time(runs: Mapping[str, Sequence[FinishedRun]], splits: Splits) -> dict[int, float]:
    """Returns the time of the first pipeline's served model over that of the second's."""
    from detection_serving import time_ratios

    models = [of_pipeline[-1].model for of_pipeline in runs.values()]
    if len(models) != 2 or None in models:
        return {}
    return time_ratios(models[0], models[1], splits.eval)


def measure_contamination(
    tutorial: SignalSet, arguments: argparse.Namespace, work: Path
) -> dict[str, Any]:
    """Measures how the first pipeline's ROC AUC falls, seed by seed, if it is trained robustly."""
    pipeline, tutorial = arguments.pipelines[0], robustly_trained(tutorial)
    clean = [_auc(run(pipeline, tutorial, seed, work)) for seed in arguments.seeds]
    CONSOLE.print(f"{pipeline} with {', '.join(ROBUST)}: ROC AUC {_mean_and_spread(clean)}")
    result = {}
    for share in arguments.contamination:
        with reported_failure(f"{share:g} of the abnormal rows unlabelled"):
            aucs = []
            for seed in arguments.seeds:
                changed = contaminated_set(tutorial, share, seed, work)
                aucs.append(_auc(run(pipeline, changed, seed, work)))
            falls = [before - after for before, after in zip(clean, aucs, strict=True)]
            CONSOLE.print(
                f"and with {share:.0%} of the abnormal training rows unlabelled: "
                f"{_mean_and_spread(aucs)}, a fall of {_mean_and_spread(falls)}"
            )
            result[f"{share:g}"] = {"roc_auc": aucs, "fall": falls}
    return result


def _mean_and_spread(values: Sequence[float]) -> str:
    mean, sd = mean_sd(values) or (math.nan, math.nan)
    return f"{mean:.4f} ± {sd:.4f}"


def _auc(finished: FinishedRun) -> float:
    return measure_run(finished).roc_auc


if __name__ == "__main__":
    main()
