"""The study of tiny language models: its machinery on a made-up corpus, and the shipped table."""

import dataclasses
import hashlib
import os
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import jax
import numpy as np
import pytest

import jaxlaws as jl
from benchmarks.tinylm import corpus, design, queue, schedule
from benchmarks.tinylm.model import CONTEXT, VOCABULARY, Shape, initialise, losses
from benchmarks.tinylm.optimum import best
from benchmarks.tinylm.train import SEGMENT, Run, order, train

SMALL = Shape(2, 8, 1)
FOUR = tuple(
    Run(f"r{i}", "surface", SMALL, batch, steps, 0.03, kind, unique, seed=i, points=points)
    for i, (batch, steps, kind, unique, points) in enumerate(
        [(2, 3, "cosine", 0, 0), (4, 150, "cosine", 0, 3), (4, 150, "constant", 8, 0),
         (4, 150, "wsd_30", 0, 0)]
    )
)  # fmt: skip


@pytest.fixture
def optax_promotes() -> Iterator[None]:
    """Optax raises a float to the integer of the steps, which the strict rule refuses."""
    with jax.numpy_dtype_promotion("standard"):
        yield


@pytest.fixture(scope="module")
def text() -> corpus.Corpus:
    """A corpus of two-letter words in a fixed cycle with random breaks: easy, but not at once."""
    random = np.random.default_rng(3)
    words = [b"ab cd ef gh "[3 * i :] for i in random.integers(0, 4, 8000)]
    joined = b"".join(words)
    return corpus.Corpus(corpus.blocks(joined[:-4000]), corpus.blocks(joined[-4000:]))


@pytest.mark.usefixtures("optax_promotes")
def test_four_runs_learn_and_are_not_trained_twice(
    text: corpus.Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.work(FOUR, text, tmp_path)
    rows = queue.results(tmp_path)
    assert [row["name"] for row in rows] == [run.name for run in FOUR]
    few, many, repeated, _ = (row["loss"] for row in rows)
    assert many < few < np.log(VOCABULARY) + 0.5, "at first all bytes are about equally likely"
    # Eight blocks seen 75 times are learnt by heart.
    assert rows[2]["train_loss"] < rows[2]["loss"]
    assert many < repeated
    assert rows[2]["unique_tokens"] == 8 * CONTEXT
    assert [step for step, _ in rows[1]["curve"]] == [50, 100, 150]
    assert rows[1]["curve"][-1][1] == pytest.approx(rows[1]["loss"], rel=1e-5)
    assert not list((tmp_path / "checkpoints").iterdir())
    capsys.readouterr()
    before = (tmp_path / "results" / "r1.json").stat().st_mtime_ns
    queue.work(FOUR, text, tmp_path)
    assert (tmp_path / "results" / "r1.json").stat().st_mtime_ns == before
    assert capsys.readouterr().out == ""

    other = dataclasses.replace(FOUR[0], rate=0.1)
    with pytest.raises(SystemExit, match=r"r0\.json is of another run .*: rate differ"):
        queue.work([other], text, tmp_path)


@pytest.mark.usefixtures("optax_promotes")
def test_a_run_goes_on_from_its_checkpoint_to_the_same_bits(
    text: corpus.Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "run.npz"
    whole = train(FOUR[1], text, tmp_path / "none.npz")
    monkeypatch.setattr("benchmarks.tinylm.train.SECONDS", 0.0)
    saved: list[int] = []

    def stop(beside: Path, place: Path) -> None:
        os.rename(beside, place)
        with np.load(place) as file:
            saved.append(int(file["done"]))
        if len(saved) == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("benchmarks.tinylm.train.os.replace", stop)
        with pytest.raises(KeyboardInterrupt):
            train(FOUR[1], text, path)
    assert saved == [50, SEGMENT]
    again = train(FOUR[1], text, path)
    same = ("loss", "train_loss", "curve", "loss_se")
    assert [again[k] for k in same] == [whole[k] for k in same]


def test_a_byte_is_predicted_from_those_before_it_alone() -> None:
    weights = initialise(SMALL, jax.random.key(0))
    blocks = jax.random.randint(jax.random.key(1), (2, CONTEXT + 1), 0, VOCABULARY)
    changed = blocks.at[:, 70].set((blocks[:, 70] + 1) % VOCABULARY)
    one, two = (losses(weights, b, SMALL.heads) for b in (blocks, changed))
    np.testing.assert_array_equal(one[:, :69], two[:, :69])  # byte 70 is target 69
    assert (np.asarray(one[:, 70:]) != np.asarray(two[:, 70:])).any(axis=1).all()


def test_every_parameter_is_counted_and_the_library_counts_the_cost() -> None:
    for shape in design.SHAPES:
        weights = jax.eval_shape(lambda k, s=shape: initialise(s, k), jax.random.key(0))
        assert sum(leaf.size for leaf in weights.values()) == shape.params
        assert shape.flops(10.0) == jl.flops.attention(shape.layers, shape.width, CONTEXT)(
            shape.params, 10.0
        )


def test_blocks_are_seen_once_an_epoch() -> None:
    run = dataclasses.replace(FOUR[1], batch=4, steps=10, unique=8)
    seen = order(run, 50).reshape(5, 8)
    assert len(set(map(tuple, seen))) > 1
    assert (np.sort(seen, axis=1) == np.sort(seen[0])).all()
    longer = order(dataclasses.replace(run, unique=0, steps=12), 50)
    assert len(np.unique(longer)) == longer.size
    np.testing.assert_array_equal(order(dataclasses.replace(run, unique=0), 50), longer[:10])


def test_schedules_warm_up_and_end_where_they_say() -> None:
    ends = {"constant": 1.0, "cosine": 0.1, "cosine_double": 0.55, "wsd_10": 0.1, "wsd_30": 0.1,
            "linear": 0.0}  # fmt: skip
    assert set(ends) == set(schedule.SCHEDULES)
    for kind, end in ends.items():
        pace = schedule.rates(kind, 2.0, 10_000)
        assert pace[0] == pytest.approx(2.0 / 500, rel=1e-3)
        assert pace[500] == pytest.approx(2.0, rel=0.06)
        # Rates are those at the start of a step; the last step of wsd_10 is 1e-3 of its decay away.
        assert pace[-1] == pytest.approx(2.0 * end, abs=2e-3)


def test_entries_of_a_headword_stay_together_and_repeats_go() -> None:
    entries = [f"Word{i % 200} \\W\\ n.\n   meaning {i}" for i in range(400)]
    text = "\n\n".join(["00-database-info\n   about", *entries, entries[0], "caf\xe9\n   x"])
    sides = [part.decode().split("\n\n") for part in corpus.assemble(text.encode("latin-1"))]
    assert sorted(sides[0] + sides[1]) == sorted(entries)
    words = [{entry.split()[0] for entry in side} for side in sides]
    assert words[1]
    assert not words[0] & words[1]


def test_the_design_asks_for_what_the_study_promises() -> None:
    runs = [*design.fitted(), *design.final()]
    assert len({run.name for run in runs}) == len(runs)
    surface = design.surface()
    assert len(surface) >= 80
    compute = [6 * run.shape.params * run.tokens for run in surface]
    assert max(compute) / min(compute) > 1000
    assert len(design.seeds()) >= 2 * len(surface) // 10
    largest = max(run.shape.flops(run.tokens) for run in design.fitted())
    assert min(run.shape.flops(run.tokens) for run in design.final()) >= 5 * largest
    available = 305_187 * CONTEXT  # blocks of the training text
    assert max(run.tokens for run in [*surface, *design.final()]) <= available, "one epoch at most"


def test_a_final_run_waits_for_its_forecast(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from benchmarks.tinylm import __main__, forecast

    monkeypatch.setattr(forecast, "PLACE", tmp_path / "forecast.csv")
    monkeypatch.setattr("sys.argv", ["tinylm", "final", str(tmp_path)])
    with pytest.raises(SystemExit, match="commit the forecast before its runs are trained"):
        __main__.main()


def test_the_best_of_a_grid_is_the_vertex_of_a_parabola_in_logs() -> None:
    at = [0.005, 0.01, 0.02, 0.04]
    loss = [2 + 0.1 * np.log(value / 0.013) ** 2 for value in at]
    assert best(at, loss) == (pytest.approx(0.013), True)
    assert best(at, [1.0, 2.0, 3.0, 4.0]) == (0.005, False)


@pytest.mark.parametrize("name", ["runs", "curves"])
def test_the_shipped_table_is_the_registered_one(name: str) -> None:
    about = jl.datasets.info("tinylm").tables[name]
    content = (files("jaxlaws.datasets") / "tables" / about.file).read_bytes()
    assert hashlib.sha256(content).hexdigest() == about.sha256


def test_the_shipped_runs_are_of_the_design() -> None:
    frame = jl.datasets.load("tinylm").set_index("run")
    asked = {run.name: run for run in [*design.fitted(), *design.final()]}
    assert set(frame.index) == set(asked)
    for name, row in frame.iterrows():
        run = asked[name]
        assert row["purpose"] == run.purpose
        assert (row["params"], row["tokens"]) == (run.shape.params, run.tokens)
        assert row["compute"] == 6 * row["params"] * row["tokens"]
        assert row["learning_rate"] == pytest.approx(run.rate, rel=1e-5)


def test_the_refit_of_the_shipped_table_is_the_published_one() -> None:
    about = jl.datasets.info("tinylm").tables["runs"].published
    fit = jl.fit(jl.laws.CATALOGUE[about.law], jl.datasets.runs("tinylm"))
    # The objective is printed with ten digits; the parameters follow it along a flat valley.
    assert fit.value == pytest.approx(about.value, rel=1e-8)
    for name, value in about.params.items():
        assert float(fit.params[name]) == pytest.approx(value, rel=1e-4)


@pytest.mark.usefixtures("optax_promotes")
@pytest.mark.slow
def test_a_run_of_the_grid_made_again_gives_its_loss(tmp_path: Path) -> None:
    """On a fresh clone: fetches the corpus with apt, then trains for about ten seconds.

    In single precision throughout, as the command trains. Another rounding alone, of another kind
    of processor or of doubles in the optimiser, moves a loss as much as another seed does.
    """
    corpus.build(tmp_path / "corpus")
    run = next(run for run in design.surface() if run.name == "surface-3-8192")
    with jax.enable_x64(False):
        row = train(run, corpus.load(tmp_path / "corpus"), tmp_path / "run.npz")
    shipped = jl.datasets.load("tinylm").set_index("run").loc[run.name]
    assert abs(row["loss"] - shipped["loss"]) < shipped["loss_se"]
