"""Known minima of standard problems, what each status means, and a queue that changes nothing."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxlaws._solver import (
    CONVERGED,
    NOT_FINITE,
    OUT_OF_STEPS,
    STALLED,
    STATUS,
    Newton,
    Solution,
    Tasks,
    _newton,
    solve,
)
from jaxlaws._solver._newton import FLOOR, backsolve, factor

FREE = 50.0  # bounds that no problem reaches


def run(
    fn: Callable,
    start: Any,
    *,
    rows: Any = None,
    widen: Any = 1.0,
    lower: Any = -FREE,
    upper: Any = FREE,
    count: int | None = None,
    table: Any = None,
    shared: Any = None,
    lanes: int = 4,
    max_steps: int = 300,
) -> Solution:
    """Minimise from every start (t, p); one problem for all unless rows say otherwise."""
    start = jnp.atleast_2d(jnp.asarray(start, float))
    t = len(start)
    tasks = Tasks(
        start=start,
        row=jnp.zeros(t, jnp.int32) if rows is None else jnp.asarray(rows, jnp.int32),
        widen=jnp.broadcast_to(jnp.asarray(widen, float), (t,)),
        lower=jnp.broadcast_to(jnp.asarray(lower, float), start.shape),
        upper=jnp.broadcast_to(jnp.asarray(upper, float), start.shape),
    )
    found = solve(
        fn,
        tasks,
        jnp.asarray(t if count is None else count, jnp.int32),
        shared,
        jnp.zeros((1, 1)) if table is None else table,
        lanes=lanes,
        max_steps=max_steps,
    )
    return jax.tree.map(np.asarray, found)


def plain(fn: Callable) -> Callable:
    return lambda z, widen, shared, row: fn(z)


# Moré, Garbow, Hillstrom (1981) unless said otherwise: function, start, minimiser, minimum.
def rosenbrock(z: jax.Array) -> jax.Array:
    return 100 * (z[1] - z[0] ** 2) ** 2 + (1 - z[0]) ** 2


def powell_badly_scaled(z: jax.Array) -> jax.Array:
    return (1e4 * z[0] * z[1] - 1) ** 2 + (jnp.exp(-z[0]) + jnp.exp(-z[1]) - 1.0001) ** 2


def powell_singular(z: jax.Array) -> jax.Array:
    return (
        (z[0] + 10 * z[1]) ** 2
        + 5 * (z[2] - z[3]) ** 2
        + (z[1] - 2 * z[2]) ** 4
        + 10 * (z[0] - z[3]) ** 4
    )


def beale(z: jax.Array) -> jax.Array:
    powers = jnp.asarray([1.0, 2.0, 3.0])
    return jnp.sum((jnp.asarray([1.5, 2.25, 2.625]) - z[0] * (1 - z[1] ** powers)) ** 2)


def wood(z: jax.Array) -> jax.Array:
    return (
        100 * (z[1] - z[0] ** 2) ** 2
        + (1 - z[0]) ** 2
        + 90 * (z[3] - z[2] ** 2) ** 2
        + (1 - z[2]) ** 2
        + 10.1 * ((z[1] - 1) ** 2 + (z[3] - 1) ** 2)
        + 19.8 * (z[1] - 1) * (z[3] - 1)
    )


def freudenstein_roth(z: jax.Array) -> jax.Array:
    return (-13 + z[0] + ((5 - z[1]) * z[1] - 2) * z[1]) ** 2 + (
        -29 + z[0] + ((z[1] + 1) * z[1] - 14) * z[1]
    ) ** 2


def box_3d(z: jax.Array) -> jax.Array:
    t = 0.1 * jnp.arange(1.0, 11.0)
    terms = jnp.exp(-t * z[0]) - jnp.exp(-t * z[1]) - z[2] * (jnp.exp(-t) - jnp.exp(-10 * t))
    return jnp.sum(terms**2)


def log_cosh(z: jax.Array) -> jax.Array:
    """Flat far away: an undamped Newton step overshoots without end."""
    return jnp.sum(jnp.logaddexp(2 * (z - 1), -2 * (z - 1)))


def ill_conditioned(z: jax.Array) -> jax.Array:
    return 1.0 + jnp.sum(jnp.asarray([1.0, 1e-4, 1e-8]) * (z - 1) ** 2)


PROBLEMS: dict[str, tuple[Callable, list[float], list[float], float]] = {
    "Rosenbrock": (rosenbrock, [-1.2, 1.0], [1, 1], 0.0),
    "Powell badly scaled": (powell_badly_scaled, [0.0, 1.0], [1.0981593e-5, 9.1061467], 0.0),
    "Beale": (beale, [1.0, 1.0], [3, 0.5], 0.0),
    "Wood": (wood, [-3.0, -1.0, -3.0, -1.0], [1, 1, 1, 1], 0.0),
    "Freudenstein-Roth": (freudenstein_roth, [6.0, 5.0], [5, 4], 0.0),
    "Box": (box_3d, [0.0, 10.0, 20.0], [1, 10, 1], 0.0),
    "log cosh": (log_cosh, [9.0, -7.0], [1, 1], 2 * np.log(2.0)),
    "ill conditioned": (ill_conditioned, [0.0, 0.0, 0.0], [1, 1, 1], 1.0),
}


# Its valley bends by nine orders of magnitude: Newton in z, where one unit is a standard deviation
# of a typical range, creeps along it and says that it ran out of steps.
TOO_HARD = {"Powell badly scaled"}
LISTED = [
    pytest.param(*row, id=name, marks=pytest.mark.xfail(strict=True) if name in TOO_HARD else ())
    for name, row in PROBLEMS.items()
]


@pytest.mark.parametrize(("fn", "start", "best", "value"), LISTED)
def test_known_minima(fn: Callable, start: list, best: list, value: float) -> None:
    found = run(plain(fn), start)
    assert found.status[0] == CONVERGED
    assert found.value[0] == pytest.approx(value, abs=1e-12)
    np.testing.assert_allclose(found.z[0], best, rtol=1e-5)
    assert found.decrement[0] < 1e-12
    assert found.steps[0] < 150


def test_a_singular_hessian_at_the_minimum() -> None:
    """Powell's singular function: Newton converges linearly only, the value still goes to zero."""
    found = run(plain(powell_singular), [3.0, -1.0, 0.0, 1.0])
    assert found.value[0] < 1e-9
    assert np.abs(found.z[0]).max() < 1e-2


def test_from_far_and_wide_all_starts_of_a_convex_problem_agree() -> None:
    starts = np.random.default_rng(0).uniform(-20, 20, (100, 3))
    scale = jnp.asarray([1.0, 30.0, 0.01])

    def fn(z: jax.Array) -> jax.Array:
        return jnp.sum(jnp.sqrt(1 + scale * (z - 2) ** 2))

    found = run(plain(fn), starts, lanes=16)
    assert (found.status == CONVERGED).all()
    np.testing.assert_allclose(found.z, 2.0, atol=1e-5)


# Statuses


def test_statuses_have_words() -> None:
    assert sorted(STATUS) == [CONVERGED, STALLED, OUT_OF_STEPS, NOT_FINITE]


def test_a_start_that_is_not_a_number() -> None:
    fn = plain(lambda z: jnp.sum(z**2 - jnp.log(z)))
    found = run(fn, [[-1.0, 1.0], [1.0, 1.0], [np.nan, 1.0]])
    assert list(found.status) == [NOT_FINITE, CONVERGED, NOT_FINITE]
    np.testing.assert_allclose(found.z[1], np.sqrt(0.5), atol=1e-6)
    assert found.steps[0] == 1


def test_a_step_into_the_undefined_is_taken_back() -> None:
    """-log z + z from near zero: a full Newton step would land below zero."""
    found = run(plain(lambda z: jnp.sum(z - jnp.log(z))), [[1e-3, 12.0]])
    assert found.status[0] == CONVERGED
    np.testing.assert_allclose(found.z[0], 1.0, atol=1e-6)


def test_out_of_steps() -> None:
    found = run(plain(rosenbrock), [-1.2, 1.0], max_steps=4)
    assert found.status[0] == OUT_OF_STEPS
    assert found.steps[0] == 4
    assert np.isfinite(found.value[0])
    assert found.value[0] < rosenbrock(jnp.asarray([-1.2, 1.0]))


def test_a_corner_is_no_certified_minimum() -> None:
    """|z| has no curvature: the lane comes close and says it stalled."""
    found = run(plain(lambda z: jnp.sum(jnp.abs(z - 0.3))), [2.0, -1.0])
    assert found.status[0] == STALLED
    assert found.value[0] < 1.0


def test_a_plateau_is_left_to_the_caller() -> None:
    """Nothing to gain and nowhere to go: the lane stays where it is and hands in at once."""
    found = run(plain(lambda z: 1.0 + 0.0 * jnp.sum(z)), [0.3, -0.2])
    np.testing.assert_array_equal(found.z[0], [0.3, -0.2])
    assert found.steps[0] <= 20


def test_a_saddle_is_left() -> None:
    found = run(plain(lambda z: z[0] ** 2 - z[1] ** 2 + z[1] ** 4 + 1), [1.0, 1e-4])
    assert found.status[0] == CONVERGED
    np.testing.assert_allclose(np.abs(found.z[0]), [0, np.sqrt(0.5)], atol=1e-6)


def test_a_function_without_minimum_ends_at_its_bound_or_out_of_steps() -> None:
    found = run(plain(lambda z: jnp.exp(-z[0]) + 1.0), [0.0], lower=-5.0, upper=5.0)
    assert found.z[0, 0] == pytest.approx(5.0)


# Bounds


def test_pinned_coordinates_do_not_move() -> None:
    found = run(plain(rosenbrock), [[0.5, 1.0]], lower=[[0.5, -FREE]], upper=[[0.5, FREE]])
    assert found.status[0] == CONVERGED
    assert found.z[0, 0] == pytest.approx(0.5)
    assert found.z[0, 1] == pytest.approx(0.25)


def test_everything_pinned_is_an_evaluation() -> None:
    found = run(plain(rosenbrock), [[0.5, 0.5]], lower=[[0.5, 0.5]], upper=[[0.5, 0.5]])
    assert found.status[0] == CONVERGED
    assert found.value[0] == pytest.approx(float(rosenbrock(jnp.asarray([0.5, 0.5]))))


@pytest.mark.parametrize(
    ("lower", "upper", "best"),
    [
        ([-FREE, -FREE], [0.5, FREE], [0.5, 0.25]),
        ([1.5, -FREE], [FREE, FREE], [1.5, 2.25]),
        ([-FREE, -FREE], [FREE, 0.5], [0.71, 0.5]),
        ([-FREE, -FREE], [FREE, FREE], [1.0, 1.0]),
    ],
)
def test_bounds_hold_and_the_best_point_within_them_is_found(
    lower: list, upper: list, best: list
) -> None:
    start = np.clip([[-1.2, 1.0]], lower, upper)
    found = run(plain(rosenbrock), start, lower=[lower], upper=[upper])
    assert found.status[0] == CONVERGED
    np.testing.assert_allclose(found.z[0], best, atol=2e-2)
    assert (found.z[0] >= lower).all()
    assert (found.z[0] <= upper).all()


def test_a_minimum_on_the_bound_is_certified_by_the_free_gradient() -> None:
    found = run(plain(lambda z: jnp.sum((z - 3) ** 2)), [[0.0, 0.0]], upper=[[1.0, FREE]])
    assert found.status[0] == CONVERGED
    np.testing.assert_allclose(found.z[0], [1.0, 3.0], atol=1e-9)


# Annealing


def narrow(z: jax.Array, widen: jax.Array, shared: Any, row: Any) -> jax.Array:
    """Huber's location problem, narrow: quadratic when widened."""
    r = row["y"] - z[0]
    delta = 1e-3 * widen
    size = jnp.abs(r)
    return jnp.sum(jnp.where(size <= delta, 0.5 * r**2, delta * (size - 0.5 * delta)) / widen)


def test_annealing_ends_at_the_narrow_objective() -> None:
    y = np.random.default_rng(3).standard_t(3, 25)
    table = {"y": jnp.asarray(y)[None]}
    found = run(narrow, [[30.0], [30.0]], widen=[1.0, 1e4], table=table)
    assert found.status[1] == CONVERGED
    assert found.z[1, 0] == pytest.approx(np.median(y), abs=2e-3)
    assert found.value[1] <= found.value[0] * (1 + 1e-9)
    at_its_own_width = narrow(jnp.asarray(found.z[1]), jnp.ones(()), None, {"y": jnp.asarray(y)})
    assert found.value[1] == pytest.approx(float(at_its_own_width), rel=1e-12)


def test_given_up_while_annealed_has_no_value() -> None:
    """A value of the widened objective must not be compared with others."""
    y = np.random.default_rng(3).standard_t(3, 25)
    found = run(narrow, [[30.0]], widen=[1e4], table={"y": jnp.asarray(y)[None]}, max_steps=2)
    assert found.status[0] == OUT_OF_STEPS
    assert found.value[0] == np.inf


# The queue


def quartic(z: jax.Array, widen: jax.Array, shared: Any, row: Any) -> jax.Array:
    """Two wells, tilted by the row and moved by what is shared."""
    return jnp.sum((z**2 - 1) ** 2 + 0.3 * row["tilt"] * z) + shared + 1.0


TILTS = {"tilt": jnp.asarray(np.random.default_rng(1).uniform(-1, 1, (10, 2)))}
STARTS = np.random.default_rng(2).uniform(-2, 2, (150, 2))
ROWS = np.random.default_rng(4).integers(0, 10, 150)


def queue(lanes: int, order: Any = slice(None), count: int | None = None) -> Solution:
    return run(
        quartic, STARTS[order], rows=ROWS[order], table=TILTS, shared=0.5, lanes=lanes, count=count
    )


def same(a: Solution, b: Solution) -> None:
    np.testing.assert_array_equal(a.status, b.status)
    np.testing.assert_allclose(a.z, b.z, atol=1e-9)
    np.testing.assert_allclose(a.value, b.value, rtol=1e-13)
    np.testing.assert_array_equal(a.steps, b.steps)


@pytest.fixture(scope="module")
def reference() -> Solution:
    return queue(64)


def test_every_task_minimises_its_own_row(reference: Solution) -> None:
    assert (reference.status == CONVERGED).all()
    slope = jax.vmap(
        jax.grad(
            lambda z, row: quartic(z, jnp.ones(()), 0.5, jax.tree.map(lambda t: t[row], TILTS))
        )
    )(jnp.asarray(reference.z), jnp.asarray(ROWS))
    np.testing.assert_allclose(slope, 0.0, atol=1e-5)


@pytest.mark.parametrize("lanes", [1, 7, 200])
def test_the_number_of_lanes_changes_nothing(lanes: int, reference: Solution) -> None:
    same(queue(lanes), reference)


def test_the_order_of_tasks_changes_nothing(reference: Solution) -> None:
    order = np.random.default_rng(5).permutation(150)
    same(queue(7, order), jax.tree.map(lambda leaf: leaf[order], reference))


def test_tasks_beyond_the_count_are_left_alone(reference: Solution) -> None:
    found = queue(64, count=40)
    same(*(jax.tree.map(lambda leaf: leaf[:40], s) for s in (found, reference)))
    assert (found.status[40:] == -1).all()
    assert np.isinf(found.value[40:]).all()
    np.testing.assert_array_equal(found.z[40:], STARTS[40:])
    none = queue(64, count=0)
    assert (none.status == -1).all()


def test_one_bad_task_does_not_spoil_the_others(reference: Solution) -> None:
    starts = STARTS.copy()
    starts[[0, 70]] = np.nan
    found = run(quartic, starts, rows=ROWS, table=TILTS, shared=0.5, lanes=64)
    assert list(np.flatnonzero(found.status != CONVERGED)) == [0, 70]
    good = np.setdiff1d(np.arange(150), [0, 70])
    same(*(jax.tree.map(lambda leaf: leaf[good], s) for s in (found, reference)))


def test_float32_lanes_converge_too() -> None:
    fn = plain(lambda z: jnp.sum((z - 1) ** 2) + 1.0)
    tasks = Tasks(
        start=jnp.zeros((3, 2), jnp.float32),
        row=jnp.zeros(3, jnp.int32),
        widen=jnp.ones(3, jnp.float32),
        lower=jnp.full((3, 2), -9, jnp.float32),
        upper=jnp.full((3, 2), 9, jnp.float32),
    )
    table = jnp.zeros((1, 1), jnp.float32)
    found = solve(fn, tasks, jnp.asarray(3, jnp.int32), None, table, lanes=2, max_steps=50)
    assert found.z.dtype == found.value.dtype == jnp.float32
    assert (np.asarray(found.status) == CONVERGED).all()
    np.testing.assert_allclose(found.z, 1.0, atol=1e-3)


# The linear algebra


def test_factor_and_backsolve_solve_a_positive_definite_system() -> None:
    rng = np.random.default_rng(0)
    for p in (1, 2, 5, 9):
        root = rng.standard_normal((p, p))
        matrix = root @ root.T + 0.1 * np.eye(p)
        right = rng.standard_normal(p)
        lower, pivots, smallest = factor(jnp.asarray(matrix))
        np.testing.assert_allclose(lower @ np.diag(pivots) @ lower.T, matrix, atol=1e-9)
        solution = backsolve(lower, pivots, jnp.asarray(right))
        np.testing.assert_allclose(solution, np.linalg.solve(matrix, right), rtol=1e-7)
        assert smallest > 0


def test_indefinite_matrices_give_a_descent_direction() -> None:
    rng = np.random.default_rng(1)
    for _ in range(20):
        root = rng.standard_normal((4, 4))
        matrix, grad = root + root.T, rng.standard_normal(4)
        lower, pivots, smallest = factor(jnp.asarray(matrix))
        assert (np.asarray(pivots) > 0).all()
        assert (float(smallest) > 0) == (np.linalg.eigvalsh(matrix).min() > 0)
        step = -np.asarray(backsolve(lower, pivots, jnp.asarray(grad)))
        assert grad @ step < 0


def test_settings_are_a_value() -> None:
    assert Newton(max_steps=70) == Newton(lanes=None, max_steps=70)
    assert hash(Newton(lanes=8)) == hash(Newton(lanes=8))
    assert 0 < FLOOR < 1e-3


def test_a_large_system_is_solved_in_loops_as_a_small_one_entry_by_entry(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(4)
    root = rng.standard_normal((12, 12))
    matrix, right = root @ root.T + 0.1 * np.eye(12), rng.standard_normal(12)
    matrix[3, 3] -= 40.0  # a negative pivot, made positive
    found = []
    with jax.enable_x64(True):
        for size in (12, 11):
            monkeypatch.setattr(_newton, "UNROLLED", size)
            lower, pivots, smallest = factor(jnp.asarray(matrix))
            solved = backsolve(lower, pivots, jnp.asarray(right))
            found.append(np.concatenate([np.ravel(lower), pivots, solved, [smallest]]))
    # Rounding of 12 eliminations, times the condition of the matrix, about 1e3.
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10, atol=1e-12)
    assert found[0][-1] < 0
    made = np.asarray(lower) * np.asarray(pivots) @ np.asarray(lower).T
    assert np.linalg.norm(made @ solved - right) < 1e-10 * np.linalg.norm(right)
