"""What every contender's script shares: the points, the objective and how it is timed.

A script runs in its own environment, as `python NAME.py POINTS.npz ANSWER.npy REFITS CALLS`, and
needs nothing of this repository but this folder. A refit is the vector q = (a, b, e, alpha, beta)
of L = e^e + e^a N^-alpha + e^b D^-beta, as in Epoch AI's notebook.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

DELTA = 1e-3  # of Huber's function, on the logarithm of the loss
EVERY = 1024  # resamples whose objective is taken at a time


class Points(NamedTuple):
    """Runs N, D, L (n,), and for every refit the counts (r, n) of the runs and its start (r, 5)."""

    N: np.ndarray
    D: np.ndarray
    L: np.ndarray
    counts: np.ndarray
    starts: np.ndarray

    def resample(self, i: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """N, D and L of resample i with its runs repeated, as the tools without weights want it."""
        rows = np.repeat(np.arange(len(self.N)), self.counts[i].astype(int))
        return self.N[rows], self.D[rows], self.L[rows]


def misfit(q: np.ndarray, points: Points) -> np.ndarray:
    """(..., n) logarithm of the predicted loss minus that of the measured one; q (..., 5)."""
    a, b, e, alpha, beta = np.moveaxis(q[..., None], -2, 0)
    terms = [a - alpha * np.log(points.N), b - beta * np.log(points.D), e]
    return np.logaddexp(np.logaddexp(terms[0], terms[1]), terms[2]) - np.log(points.L)


def huber(r: np.ndarray) -> np.ndarray:
    size = np.abs(r)
    return np.where(size <= DELTA, 0.5 * r**2, DELTA * (size - 0.5 * DELTA))


def objective(q: np.ndarray, points: Points) -> np.ndarray:
    """(r,) the sum of Huber's function over each resample at its refit q (r, 5), in float64."""
    parts = [
        np.sum(
            points.counts[i : i + EVERY][: len(q) - i] * huber(misfit(q[i : i + EVERY], points)), 1
        )
        for i in range(0, len(q), EVERY)
    ]
    return np.concatenate(parts)


def gradient(q: np.ndarray, counts: np.ndarray, points: Points) -> tuple[float, np.ndarray]:
    """Objective () and its gradient (5,) at one q (5,), by hand."""
    a, b, e, alpha, beta = q
    n, d = np.log(points.N), np.log(points.D)
    terms = np.stack([a - alpha * n, b - beta * d, np.full(len(n), e)])
    top = terms.max(axis=0)
    parts = np.exp(terms - top)
    whole = parts.sum(axis=0)
    r = top + np.log(whole) - np.log(points.L)
    share = parts / whole * (counts * np.clip(r, -DELTA, DELTA))
    A, B, E = share
    slope = np.array([A.sum(), B.sum(), E.sum(), -(A * n).sum(), -(B * d).sum()])
    return float((counts * huber(r)).sum()), slope


def serve(contender: Callable[[Points], Callable[[int], np.ndarray]]) -> None:
    """Refit the first resamples as often as asked; print the time of every call as JSON.

    Args:
        contender: Points -> a function that refits the first k resamples and returns q (k, 5),
            with rows of nan for what it cannot tell.
    """
    source, answer, refits, calls = sys.argv[1:]
    # What a tool prints must not mix with our line.
    said, sys.stdout = sys.stdout, sys.stderr
    with np.load(source) as kept:
        points = Points(**kept)
    solve = contender(points)
    ready, seconds = time.time(), []
    for _ in range(int(calls)):
        begin = time.perf_counter()
        q = solve(int(refits))
        seconds.append(time.perf_counter() - begin)
    np.save(answer, np.asarray(q, float))
    print(json.dumps(dict(ready=ready, seconds=seconds)), file=said, flush=True)
    said.flush()
    os._exit(0)  # some tools leave threads and pools behind that would hold us up
