"""The attackers of the membership attacks: classifiers of one number, fitted to weighted points.

Logistic regression: minimise Σ w log(1 + exp(-s (a x + b))) + a²/2, s = ±1, the intercept free: scikit-learn's defaults
(C = 1, L2), by damped Newton steps, several fits at once. Support vectors: rbf, C = 3, gamma = 1 ("auto" for one
feature): one fit by scikit-learn, many by sequential minimal optimisation over all of them at once (Fan, Chen and Lin
2005). Precision: the logistic optimum to 1e-8; support vectors to libsvm's own tolerance of 1e-3.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from harness.metrics.unlearning.outcomes import Floats

Bools = NDArray[np.bool_]
STEPS = 100
TOLERANCE = 1e-9
C = 3.0
LIBSVM = 1e-3  # largest violation of the optimality conditions
PAIRS = 20_000  # updates of pairs at most; some hundreds are usual


def logistic(
    x: Floats, member: Bools, weight: Floats, start: Floats | None = None, tolerance: float = TOLERANCE
) -> Floats:
    """(K, 2) slopes and intercepts of K fits to the same points. x, member (n,); weight (K, n); start (2,)."""
    sign = np.where(member, 1.0, -1.0)
    found = np.zeros((len(weight), 2)) if start is None else np.tile(start, (len(weight), 1))
    cost = _cost(x, sign, weight, found)
    for _ in range(STEPS):
        p = 0.5 * (1.0 + np.tanh(0.5 * (found[:, :1] * x + found[:, 1:])))
        rest, curve = weight * (p - member), weight * p * (1.0 - p)
        slope, intercept = rest @ x + found[:, 0], rest.sum(axis=1)
        aa, ab, bb = curve @ (x * x) + 1.0, curve @ x, curve.sum(axis=1) + 1e-12
        determinant = aa * bb - ab * ab
        step = np.stack([bb * slope - ab * intercept, aa * intercept - ab * slope], axis=1) / determinant[:, None]
        tried = _cost(x, sign, weight, found - step)
        for _ in range(30):  # halve what went too far
            worse = tried > cost + 1e-12 * (1.0 + cost)
            if not worse.any():
                break
            step[worse] *= 0.5
            tried = _cost(x, sign, weight, found - step)
        found, cost = found - step, tried
        if np.abs(step).max() <= tolerance * (1.0 + np.abs(found).max()):
            break
    return found


def _cost(x: Floats, sign: Floats, weight: Floats, at: Floats) -> Floats:
    margin = sign * (at[:, :1] * x + at[:, 1:])
    return np.asarray((weight * np.logaddexp(0.0, -margin)).sum(axis=1) + 0.5 * at[:, 0] ** 2)


def support_vectors(x: Floats, member: Bools, weight: Floats, target: Floats) -> Bools:
    """(m,) whether each of the values `target` is on the members' side. x, member, weight (n,); weight 0 drops out."""
    from sklearn.svm import SVC

    kept = weight > 0
    fitted = SVC(C=C, gamma=1.0, kernel="rbf", random_state=0)  # draws nothing, but asks for a state
    fitted.fit(x[kept, None], member[kept], sample_weight=weight[kept])
    return np.asarray(fitted.predict(target[:, None]), dtype=bool)


def many_support_vectors(x: Floats, member: Bools, weight: Floats, target: Floats) -> Bools:
    """(K, m) the same for K weights of the same points. x, member (n,); weight (K, n); target (m,)."""
    across = np.exp(-((x[:, None] - target) ** 2))
    coefficient, intercept = solve(np.exp(-((x[:, None] - x) ** 2)), member, C * weight)
    return np.asarray(coefficient @ across + intercept[:, None] > 0)


def solve(kernel: Floats, member: Bools, bound: Floats) -> tuple[Floats, Floats]:
    """(K, n) coefficients, (K,) intercepts of K support vector problems with one kernel matrix (n, n).

    Coefficients lie in [0, bound] for members and [-bound, 0] for others and sum to 0. bound (K, n).
    """
    upper, lower = np.where(member, bound, 0.0), np.where(member, 0.0, -bound)
    beta = np.zeros_like(upper)
    residual = np.tile(np.where(member, 1.0, -1.0), (len(bound), 1))  # s - K β
    active, diagonal = np.arange(len(bound)), np.diag(kernel)
    for _ in range(PAIRS):
        b, r, top, low = beta[active], residual[active], upper[active], lower[active]
        here = np.arange(len(active))
        up = np.where(b < top, r, -np.inf)
        i = up.argmax(axis=1)
        down = np.where(b > low, r, np.inf)
        violation = up[here, i][:, None] - down
        going = violation.max(axis=1) >= LIBSVM
        if not going.any():
            break
        if not going.all():
            active = active[going]
            continue
        curvature = np.maximum(diagonal[i][:, None] + diagonal - 2.0 * kernel[i], 1e-12)
        j = np.where(violation > 0, violation**2 / curvature, -1.0).argmax(axis=1)
        room_i, room_j = top[here, i] - b[here, i], b[here, j] - low[here, j]
        step = np.minimum(violation[here, j] / curvature[here, j], np.minimum(room_i, room_j))
        beta[active, i] = np.where(step >= room_i, top[here, i], b[here, i] + step)  # at the bound exactly, not nearly
        beta[active, j] = np.where(step >= room_j, low[here, j], b[here, j] - step)
        residual[active] = r - step[:, None] * (kernel[i] - kernel[j])
    free = (beta > lower) & (beta < upper)
    highest = np.where(beta < upper, residual, -np.inf).max(axis=1)
    lowest = np.where(beta > lower, residual, np.inf).min(axis=1)
    mean = np.where(free, residual, 0.0).sum(axis=1) / np.maximum(free.sum(axis=1), 1)
    return beta, np.where(free.any(axis=1), mean, (highest + lowest) / 2)
