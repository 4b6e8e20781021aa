"""Band of the law and interval of a new run, against what they are by definition."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxlaws as jl

CHINCHILLA = jl.laws.chinchilla
HERE = dict(N=[1e9, 7e10, 4e11], D=1.4e12)


def test_estimate_and_band_are_the_law_at_point_and_draws(boot: jl.Draws) -> None:
    found = jl.predict(boot, **HERE)
    assert found.mean.shape == found.run.shape == (len(boot), 3)
    point = {k: jnp.full(3, v) for k, v in boot.point.items()}
    N, D = jnp.asarray(HERE["N"]), jnp.full(3, HERE["D"])
    np.testing.assert_allclose(found.estimate, CHINCHILLA(N, D, **point), rtol=1e-12)
    for i in (0, 17):
        draw = {k: jnp.full(3, float(v[i])) for k, v in boot.params.items()}
        np.testing.assert_allclose(found.mean[i], CHINCHILLA(N, D, **draw), rtol=1e-12)


def test_a_new_run_adds_one_of_the_residuals(boot: jl.Draws) -> None:
    found = jl.predict(boot, **HERE)
    step = np.log(found.run / found.mean)
    distance = np.abs(step[..., None] - boot.noise).min(axis=-1)
    np.testing.assert_allclose(distance, 0.0, atol=1e-10)
    assert step.std() == pytest.approx(boot.noise.std(), rel=0.1)


def test_frame_holds_both_intervals_side_by_side(boot: jl.Draws) -> None:
    found = jl.predict(boot, **HERE)
    frame = found.frame(prob=0.8)
    assert list(frame.columns) == [
        "N", "D", "L", "law_low", "law_high", "run_low", "run_high", "reach",
    ]  # fmt: skip
    np.testing.assert_allclose(frame["law_low"], np.quantile(found.mean, 0.1, axis=0))
    np.testing.assert_allclose(frame["run_high"], np.quantile(found.run, 0.9, axis=0))
    assert frame.attrs["prob"] == 0.8
    assert (frame["run_high"] - frame["run_low"] > frame["law_high"] - frame["law_low"]).all()
    assert "90 %" in repr(found)
    assert "nats/token" in repr(found)


def test_bands_widen_beyond_the_data(boot: jl.Draws, runs: jl.Runs) -> None:
    N = np.geomspace(1e9, 1e14, 6)
    frame = jl.predict(boot, N=N, D=20 * N).frame()
    width = (frame["law_high"] - frame["law_low"]) / frame["L"]
    assert width.iloc[-1] > width.iloc[0]
    assert (np.diff(frame["reach"]) >= 0).all()


def test_reach_says_how_far_outside_a_point_lies(boot: jl.Draws) -> None:
    N, D = boot.fit.runs.inputs["N"], boot.fit.runs.inputs["D"]
    inside, beyond, below = np.median(D), 10 * D.max(), D.min() / 4
    found = jl.predict(boot, N=np.median(N), D=[inside, beyond, below])
    np.testing.assert_allclose(found.reach, [1.0, 10.0, 4.0], rtol=1e-9)
    known = jl.published(CHINCHILLA)
    assert np.isnan(jl.predict(known, N=1e9, D=1e10).reach).all()


def test_a_report_says_what_it_is_about(boot: jl.Draws) -> None:
    """Also that runs were simulated, which their table's name says."""
    assert repr(jl.predict(boot, N=1e9, D=1e10)).startswith(
        "chinchilla fitted to simulated_chinchilla: L [nats/token], 90 % intervals"
    )
    known = jl.predict(jl.published(CHINCHILLA, "hoffmann2022"), N=1e9, D=1e10)
    assert repr(known).startswith("chinchilla (published constants hoffmann2022): L")


def test_published_constants_give_the_estimate_and_no_interval() -> None:
    found = jl.predict(jl.published(CHINCHILLA, "hoffmann2022"), N=7e10, D=1.4e12)
    assert float(found.estimate[0]) == pytest.approx(1.93664547056, rel=1e-9)
    assert found.frame()[["law_low", "law_high"]].isna().all().all()


def test_one_number_several_numbers_and_broadcasting(boot: jl.Draws) -> None:
    assert jl.predict(boot, N=1e9, D=1e10).estimate.shape == (1,)
    assert jl.predict(boot, N=[1e9, 2e9], D=[1e10, 2e10]).estimate.shape == (2,)
    assert jl.predict(boot, N=np.array([10**9]), D=[1e10, 2e10]).estimate.shape == (2,)


def test_same_key_same_runs(boot: jl.Draws, key: jax.Array) -> None:
    one, two = (jl.predict(boot, **HERE, key=key).run for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, jl.predict(boot, **HERE, key=jax.random.key(0)).run)


@pytest.mark.parametrize(
    ("inputs", "words"),
    [
        (dict(N=1e9), "needs D as well"),
        (dict(N=1e9, D=1e10, C=1e20), "has no input 'C'"),
        (dict(N=-1e9, D=1e10), "must be finite and positive"),
        (dict(N=0, D=1e10), "must be finite and positive"),
        (dict(N=[1e9, np.nan], D=1e10), "must be finite"),
        (dict(N=np.inf, D=1e10), "must be finite"),
        (dict(N="7B", D=1e10), "N must be a number, got '7B'"),
        (dict(N=np.ones((2, 2)), D=1e10), r"one axis; got shape \(2, 2\)"),
        (dict(N=[1e9, 2e9, 3e9], D=[1e10, 2e10]), "N|D"),
        (dict(N=[], D=1e10), "N|point"),
        ({}, "needs N, D as well"),
    ],
)
def test_points_that_are_none_are_refused(inputs: dict, words: str, boot: jl.Draws) -> None:
    with pytest.raises(jl.InputError, match=words):
        jl.predict(boot, **inputs)


def test_a_wrong_unit_shows_in_the_reach(boot: jl.Draws) -> None:
    """70 instead of 70e9."""
    assert jl.predict(boot, N=70, D=1.4e12).reach[0] > 1e5


def test_an_accuracy_stays_between_zero_and_one() -> None:
    """A new run's accuracy is an accuracy: the noise of other runs must not carry it outside."""
    task = jl.laws.ppl_to_error
    rng = np.random.default_rng(0)
    L = np.linspace(2.0, 4.0, 30)
    error = np.clip(
        np.asarray(task(L, **task.published())) + 0.05 * rng.standard_normal(30), 0.01, 0.99
    )
    fit = jl.fit(task, jl.Runs.from_arrays(error, L=L), objective=jl.Squared(), starts=16)
    found = jl.predict(jl.bootstrap(fit, draws=200), L=[0.8, 5.0])
    assert (found.run >= 0).all()
    assert (found.run <= 1).all()


def test_predictions_that_are_not_numbers_are_announced() -> None:
    """A law undefined at a point of some draws: no silent NaN in a table."""
    draws = jl.published(jl.laws.kaplan_n)
    poisoned = jl.Draws(
        law=draws.law,
        params=dict(aN=jnp.asarray([0.07, jnp.nan, 0.08, 0.075]), Nc=jnp.full(4, 8.8e13)),
        point=draws.point,
        status=np.zeros(4, int),
        origin="test",
        space="log",
        noise=np.zeros(1),
    )
    found = jl.predict(poisoned, N=1e9)
    if found.frame()[["law_low", "law_high"]].isna().any().any():
        assert found.withheld


def test_vector_inputs_are_points_too() -> None:
    from typing import Annotated

    from jax import Array

    from jaxlaws._law import Variable, law
    from jaxlaws._support import simplex
    from jaxlaws.quantities import Entropy, Loss

    @law(constants=dict(me=dict(c=2.0)))
    def mix(h: Annotated[Array, Variable("share", simplex, size=(None,))], *, c: Entropy) -> Loss:
        """A mixture."""
        return c + jnp.sum(h**2)

    known: Any = jl.published(mix)
    assert jl.predict(known, h=[[0.5, 0.5], [1.0, 0.0]]).estimate == pytest.approx([2.5, 3.0])
    assert jl.predict(known, h=[0.5, 0.5]).estimate == pytest.approx([2.5])
    assert isinstance(repr(jl.predict(known, h=[0.5, 0.5])), str)
    with pytest.raises(jl.InputError, match="h"):
        jl.predict(known, h=[0.7, 0.7])
    with pytest.raises(jl.InputError, match="h"):
        jl.predict(known, h=0.5)
