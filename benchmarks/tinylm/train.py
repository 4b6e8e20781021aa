"""One run: from a record of what to train to a row of results, interrupted as often as need be."""

import os
import time
from dataclasses import asdict, dataclass
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array

from benchmarks.tinylm.corpus import Corpus
from benchmarks.tinylm.model import CONTEXT, Shape, Weights, initialise, losses
from benchmarks.tinylm.schedule import rates

SEGMENT, WIDEST = 64, 128  # steps per call of the compiled loop, and blocks per step, at most
VALIDATION = 4096  # blocks of the final loss
GLANCE = 512  # blocks of a loss on a curve, the first of the former
SECONDS = 60.0  # between checkpoints

ADAMW = optax.chain(
    optax.clip_by_global_norm(1.0),
    optax.scale_by_adam(b1=0.9, b2=0.95),
    optax.add_decayed_weights(0.1),
)


@dataclass(frozen=True)
class Run:
    """What to train.

    Attributes:
        name: names the result; unique in a design.
        purpose: the question it answers.
        shape: the model.
        batch: blocks per step.
        steps: steps of `batch` blocks.
        rate: peak learning rate.
        schedule: one of `SCHEDULES`.
        unique: blocks of the corpus in use, seen again from epoch to epoch; 0 for all.
        seed: of the weights and of the order of the blocks.
        points: number of validation losses along the way.
    """

    name: str
    purpose: str
    shape: Shape
    batch: int
    steps: int
    rate: float
    schedule: str = "cosine"
    unique: int = 0
    seed: int = 0
    points: int = 0

    @property
    def tokens(self) -> int:
        """Bytes seen."""
        return self.steps * self.batch * CONTEXT


def order(run: Run, available: int) -> np.ndarray:
    """Return the blocks of every step, (step, batch): each epoch is a new shuffle of the same.

    Runs of one seed see the same blocks in the same order, as far as each goes.
    """
    random = np.random.default_rng([run.seed, 1])
    pool = random.permutation(available)[: run.unique or available]
    epochs = -(-run.steps * run.batch // len(pool))
    seen = np.concatenate([pool, *(random.permutation(pool) for _ in range(epochs - 1))])
    return seen[: run.steps * run.batch].reshape(run.steps, run.batch).astype(np.int32)


def train(run: Run, corpus: Corpus, checkpoint: Path) -> dict[str, Any]:
    """Train a run, or go on from its checkpoint, and return its row of results."""
    started = time.perf_counter(), time.process_time()
    data, valid = jnp.asarray(corpus.train), jnp.asarray(corpus.valid[:VALIDATION])
    blocks, rate = order(run, len(corpus.train)), rates(run.schedule, run.rate, run.steps)
    marks = np.unique(np.linspace(0, run.steps, run.points + 1).astype(int)[1:]).tolist()
    stops = sorted({*range(0, run.steps, SEGMENT), *marks, run.steps})
    weights = initialise(run.shape, jax.random.key(run.seed))
    state = (weights, ADAMW.init(weights))
    done, trained, curve, spent = 0, np.zeros(run.steps), [], [0.0, 0.0]
    if checkpoint.exists():
        state, done, trained, curve, spent = _restore(checkpoint, state)
    saved = time.perf_counter()
    for start, stop in pairwise(stops):
        if start < done:
            continue
        part = np.zeros((SEGMENT, WIDEST), np.int32)
        part[: stop - start, : run.batch] = blocks[start:stop]
        pace = np.zeros(SEGMENT, np.float32)
        pace[: stop - start] = rate[start:stop]
        extent = stop - start, run.batch
        *state, loss = _advance(run.shape)(*state, data, part, pace, *extent)
        trained[start:stop] = np.asarray(loss)[: stop - start]
        if stop in marks:
            glance = evaluate(run.shape, state[0], valid[:GLANCE])
            curve.append((stop, float(glance.mean())))
        if time.perf_counter() - saved > SECONDS:
            saved = time.perf_counter()
            total = [a + b for a, b in zip(spent, _since(started), strict=True)]
            _save(checkpoint, state, stop, trained, curve, total)
    block = evaluate(run.shape, state[0], valid)
    wall, cpu = (a + b for a, b in zip(spent, _since(started), strict=True))
    return {
        **asdict(run),
        "params": run.shape.params,
        "tokens": run.tokens,
        "unique_tokens": min(run.unique or len(data), run.steps * run.batch) * CONTEXT,
        "flops": run.shape.flops(run.tokens),
        "loss": float(block.mean()),
        "loss_se": float(block.std(ddof=1) / len(block) ** 0.5),
        "train_loss": float(trained[-max(1, run.steps // 10) :].mean()),
        "curve": curve,
        "seconds": wall,
        "cpu_seconds": cpu,
    }


def evaluate(shape: Shape, weights: Weights, valid: Array) -> np.ndarray:
    """Return the mean loss of every validation block, (block,)."""
    return np.asarray(_evaluate(shape)(weights, valid), np.float64)


@cache
def _evaluate(shape: Shape) -> Any:
    mean = lambda weights, block: losses(weights, block[None], shape.heads).mean()  # noqa: E731
    return jax.jit(
        lambda weights, valid: jax.lax.map(lambda b: mean(weights, b), valid, batch_size=4)
    )


@cache
def _advance(shape: Shape) -> Any:
    """Return the compiled loop over some steps of some blocks; how many is not compiled in."""
    micro = at_once(shape)
    scored = jax.value_and_grad(lambda w, blocks: losses(w, blocks, shape.heads).mean())

    @jax.jit
    def advance(
        weights: Weights, state: Any, data: Array, part: Array, pace: Array, n: int, batch: int
    ) -> Any:
        def step(i: Array, carry: Any) -> Any:
            weights, state, trained = carry

            def add(j: Array, total: Any) -> Any:
                chosen = jax.lax.dynamic_slice_in_dim(part[i], j * micro, micro)
                return jax.tree.map(jnp.add, total, scored(weights, data[chosen]))

            zero = (jnp.zeros((), jnp.float32), jax.tree.map(jnp.zeros_like, weights))
            total = jax.lax.fori_loop(0, batch // micro, add, zero)
            share = jnp.float32(micro) / jnp.asarray(batch, jnp.float32)
            loss, gradient = jax.tree.map(lambda x: x * share, total)
            update, state = ADAMW.update(gradient, state, weights)
            weights = jax.tree.map(lambda w, u: w - pace[i] * u, weights, update)
            return weights, state, trained.at[i].set(loss)

        return jax.lax.fori_loop(0, n, step, (weights, state, jnp.zeros(SEGMENT, jnp.float32)))

    return advance


def at_once(shape: Shape) -> int:
    """Return how many blocks go through the model together; it divides the batch.

    So few that what backpropagation stores stays in the second-level cache.
    """
    return 1 if shape.width < 64 else 4


def _since(started: tuple[float, float]) -> tuple[float, float]:
    return time.perf_counter() - started[0], time.process_time() - started[1]


def _save(path: Path, state: Any, done: int, trained: Any, curve: Any, spent: Any) -> None:
    """Write a checkpoint beside its place and move it there whole."""
    leaves = {f"leaf_{i}": np.asarray(x) for i, x in enumerate(jax.tree.leaves(state))}
    beside = path.with_suffix(".part.npz")
    np.savez(beside, **leaves, done=done, trained=trained, curve=curve, spent=spent)
    os.replace(beside, path)


def _restore(path: Path, like: Any) -> Any:
    """Read a checkpoint whose state has the structure of `like`."""
    with np.load(path) as file:
        leaves = [file[f"leaf_{i}"] for i in range(len(jax.tree.leaves(like)))]
        curve = [(int(step), float(loss)) for step, loss in file["curve"]]
        state = jax.tree.unflatten(jax.tree.structure(like), map(jnp.asarray, leaves))
        return state, int(file["done"]), file["trained"], curve, file["spent"].tolist()
