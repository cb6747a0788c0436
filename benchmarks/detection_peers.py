"""What `detection.py` compares with: scikit-learn's detectors, on the values as they are.

Each is fitted on the normal examples of the training split, and all have scikit-learn's defaults
but for what is said here: what a user has in five lines.
"""

from collections.abc import Callable, Mapping

import numpy as np
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.neighbors import LocalOutlierFactor, NearestNeighbors
from sklearn.svm import OneClassSVM

from components.conformal import conformal_threshold, least_held_out

Score = Callable[[np.ndarray], np.ndarray]
"""float32 [n, values] -> float [n]; the greater, the less normal."""

PCA_VARIANCE = 0.95
"""Share of the training examples' variance that the components of PCA keep."""

RANDOM = ("isolation forest",)
"""Peers whose result depends on a seed."""


def isolation_forest(train: np.ndarray, seed: int) -> Score:
    """Liu, Ting, Zhou: Isolation forest. ICDM 2008."""
    fitted = IsolationForest(random_state=seed).fit(train)
    return lambda values: -fitted.score_samples(values)


def local_outlier_factor(train: np.ndarray, seed: int) -> Score:
    """Breunig, Kriegel, Ng, Sander: LOF. SIGMOD 2000."""
    neighbors = min(20, len(train) - 1)
    fitted = LocalOutlierFactor(n_neighbors=neighbors, novelty=True).fit(train)
    return lambda values: -fitted.score_samples(values)


def one_class_svm(train: np.ndarray, seed: int) -> Score:
    """Schölkopf et al.: Estimating the support of a high-dimensional distribution. 2001."""
    fitted = OneClassSVM().fit(train)
    return lambda values: -fitted.decision_function(values)


def pca_reconstruction(train: np.ndarray, seed: int) -> Score:
    """Mean squared error of a reconstruction from the components of `PCA_VARIANCE`."""
    fitted = PCA(PCA_VARIANCE, svd_solver="full").fit(train)

    def score(values: np.ndarray) -> np.ndarray:
        reconstruction = fitted.inverse_transform(fitted.transform(values))
        return np.mean((values - reconstruction) ** 2, axis=1)

    return score


def nearest_neighbour(train: np.ndarray, seed: int) -> Score:
    """Euclidean distance to the nearest normal training example."""
    fitted = NearestNeighbors(n_neighbors=1).fit(train)
    return lambda values: fitted.kneighbors(values)[0][:, 0]


PEERS: Mapping[str, Callable[[np.ndarray, int], Score]] = {
    "isolation forest": isolation_forest,
    "local outlier factor": local_outlier_factor,
    "one-class SVM": one_class_svm,
    "PCA reconstruction": pca_reconstruction,
    "nearest neighbour": nearest_neighbour,
}
"""Name -> what fits it on float32 [n, values] of normal examples, with a seed."""


def peer_threshold(held_out: np.ndarray, rate: float) -> float | None:
    """Returns the threshold that `detector` would have by `evaluator.threshold=conformal`.

    Args:
        held_out: float32 [n], scores of normal examples that nothing was fitted on.
        rate: False alarms that are promised.

    Returns:
        None if there are too few of them for that rate.
    """
    return None if len(held_out) < least_held_out(rate) else conformal_threshold(held_out, rate)
