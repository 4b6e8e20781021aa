"""Learning-rate schedules: the multiplier of the peak rate at each share of a run."""

import numpy as np

FLOOR = 0.1  # what a decay ends at
WARMUP = 0.05  # share of the steps, linear


def _cosine(x: np.ndarray, length: float) -> np.ndarray:
    return FLOOR + (1 - FLOOR) * (1 + np.cos(np.pi * x / length)) / 2


def _linear(x: np.ndarray, start: float, floor: float) -> np.ndarray:
    return 1 - (1 - floor) * np.clip((x - start) / (1 - start), 0, 1)


SCHEDULES = {
    "constant": np.ones_like,
    "cosine": lambda x: _cosine(x, 1.0),
    "cosine_double": lambda x: _cosine(x, 2.0),  # stopped half way
    "wsd_10": lambda x: _linear(x, 0.9, FLOOR),  # constant, then a decay over the last 10 %
    "wsd_30": lambda x: _linear(x, 0.7, FLOOR),
    "linear": lambda x: _linear(x, 0.0, 0.0),
}


def rates(schedule: str, peak: float, steps: int) -> np.ndarray:
    """Return the learning rate of every step, (step,)."""
    x = np.arange(steps) / steps
    warm = np.minimum(1.0, (np.arange(steps) + 1) / max(1.0, WARMUP * steps))
    return peak * warm * SCHEDULES[schedule](x)
