"""A table becomes arrays, or is refused in one sentence: table, column, row and remedy."""

import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest

import jaxlaws as jl
from jaxlaws._columns import read_table
from jaxlaws._law import law
from jaxlaws.quantities import Amplitude, Exponent, Loss, Params, Scale

CHINCHILLA = jl.laws.chinchilla


def frame(n: int = 12) -> pd.DataFrame:
    """A sound table: two axes, no repeats, labels of its own."""
    rng = np.random.default_rng(0)
    N, D = np.exp(rng.uniform(17, 23, n)), np.exp(rng.uniform(21, 26, n))
    loss = np.asarray(CHINCHILLA(N, D, **CHINCHILLA.published()))
    sweep = np.where(np.arange(n) % 2, "wide", "deep")
    return pd.DataFrame(
        dict(n_params=N, n_tokens=D, val_loss=loss, sweep=sweep),
        index=[f"run-{i}" for i in range(n)],
    )


def runs(table: pd.DataFrame, **changes: Any) -> jl.Runs:
    given = dict(N="n_params", D="n_tokens", target="val_loss", name="sweep.csv") | changes
    return jl.Runs.from_frame(table, **given)


def fit(table: pd.DataFrame, made: jl.Law = CHINCHILLA, **changes: Any) -> jl.Fit:
    return jl.fit(made, runs(table, **changes), starts=2)


def put(column: str, row: int, value: Any) -> pd.DataFrame:
    table = frame()
    table[column] = table[column].astype(object)
    table.iloc[row, list(table.columns).index(column)] = value
    return table


# Every cell of the survey's table of bad inputs (NaN loss, loss of -1, four points, constant N,
# D = 20 N, D = 0, nothing at all), and more of the kind: what is said must name the place and the
# remedy.
FOUR = frame().iloc[:4]
BAD: dict[str, tuple[pd.DataFrame, list[str]]] = {
    "NaN loss": (
        put("val_loss", 3, np.nan),
        ["sweep.csv", "'val_loss' (target)", "missing", "run-3", "drop"],
    ),
    "loss of -1": (
        put("val_loss", 2, -1.0),
        ["sweep.csv", "target", "above zero", "run-2", "drop"],
    ),
    "loss of 0": (put("val_loss", 2, 0.0), ["target", "above zero", "run-2"]),
    "four points": (FOUR, ["5 parameters", "4 runs", "add runs", "fix"]),
    "constant N": (
        frame().assign(n_params=1e9),
        ["'n_params' (N)", "1e+09", "every run", "vary it"],
    ),
    "D = 20 N": (
        frame().assign(n_tokens=lambda t: 20 * t.n_params),
        ["'n_params' (N)", "'n_tokens' (D)", "together", "ratio"],
    ),
    "D = 0": (put("n_tokens", 5, 0.0), ["'n_tokens' (D, tokens)", "above zero", "run-5"]),
    "empty": (frame().iloc[:0], ["sweep.csv", "no rows"]),
    "N negative": (
        put("n_params", 1, -5.0),
        ["'n_params' (N, parameters)", "above zero", "-5", "run-1"],
    ),
    "infinite loss": (put("val_loss", 4, np.inf), ["target", "inf", "run-4"]),
    "infinite tokens": (put("n_tokens", 4, np.inf), ["'n_tokens' (D)", "inf", "run-4"]),
    "text": (put("val_loss", 7, "n/a"), ["target", "'n/a'", "run-7", "number"]),
    "text with a unit": (put("n_params", 7, "70B"), ["'n_params' (N)", "'70B'", "run-7", "number"]),
    "None": (put("val_loss", 7, None), ["target", "missing", "run-7"]),
    "all losses equal": (frame().assign(val_loss=2.5), ["target", "2.5", "every run"]),
    "true and false": (frame().assign(val_loss=lambda t: t.val_loss > 3), ["target", "number"]),
}


@pytest.mark.parametrize(("table", "words"), BAD.values(), ids=list(BAD))
def test_bad_tables_are_refused_in_words(table: pd.DataFrame, words: list[str]) -> None:
    with pytest.raises(jl.InputError) as caught:
        fit(table)
    said = str(caught.value)
    assert [w for w in words if w not in said] == [], said
    assert "\n" not in said
    assert len(said) < 400


def test_every_number_of_numpy_is_a_number() -> None:
    table = frame()
    mixed = table.assign(
        n_params=table.n_params.round().astype("Int64"),
        n_tokens=table.n_tokens.astype(np.float32),
        val_loss=table.val_loss.map(str),
    )
    made = runs(mixed)
    assert made.inputs["N"].dtype == made.target.dtype == np.float64
    np.testing.assert_allclose(made.target, table.val_loss)


def test_missing_value_of_a_nullable_column() -> None:
    table = frame()
    table["n_params"] = table.n_params.round().astype("Int64")
    table.loc["run-6", "n_params"] = pd.NA
    with pytest.raises(jl.InputError, match=r"'n_params' \(N\) is missing .* row run-6"):
        runs(table)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (dict(N="params"), ["no column 'params'", "did you mean 'n_params'"]),
        (dict(target="Val_Loss"), ["no column 'Val_Loss'", "did you mean 'val_loss'"]),
        (dict(target="accuracy"), ["no column 'accuracy'", "n_params, n_tokens, val_loss"]),
        (dict(group="sweeps"), ["did you mean 'sweep'"]),
        (dict(weight="w"), ["no column 'w'"]),
        (dict(D=["n_tokens", "tokens"]), ["no column 'tokens'"]),
        (dict(where="n_params > 1e99"), ["no row is left", "n_params > 1e99"]),
        (dict(where="params > 1e9"), ["filter 'params > 1e9'", "n_params, n_tokens"]),
        (dict(where="n_params >"), ["filter 'n_params >'", "could not be read"]),
    ],
)
def test_columns_and_filters_that_are_not_there(changes: dict, words: list[str]) -> None:
    with pytest.raises(jl.InputError) as caught:
        runs(frame(), **changes)
    assert [w for w in words if w not in str(caught.value)] == [], str(caught.value)


def test_a_filter_keeps_rows_and_their_labels() -> None:
    made = runs(frame(), where="sweep == 'deep'")
    assert len(made) == 6
    assert made.rows == tuple(f"run-{i}" for i in range(0, 12, 2))


def test_an_input_the_law_needs_but_nobody_gave() -> None:
    with pytest.raises(jl.InputError, match=r"needs the input 'D' \(tokens\); sweep.csv has N"):
        jl.fit(
            CHINCHILLA,
            jl.Runs.from_frame(frame(), N="n_params", target="val_loss", name="sweep.csv"),
        )


def test_more_inputs_than_the_law_needs_are_left_out() -> None:
    made = runs(frame(), lr="val_loss").checked(CHINCHILLA)
    assert list(made.inputs) == ["N", "D"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (dict(N=[1e9, 2e9]), "'N' has 2 values where target has 3"),
        (dict(N=1e9), "'N' has 1 values where target has 3"),
        (dict(weight=[1.0, 1.0]), "'weight' has 2 values"),
        (dict(weight=[1.0, -1.0, 1.0]), "weights must be zero or more"),
        (dict(weight=[0.0, 0.0, 0.0]), "at least one above zero"),
        (dict(weight=[1.0, np.nan, 1.0]), "'weight' is missing .* row 1"),
        (dict(group=["a", None, "b"]), "'group' is missing in row 1"),
        (dict(group=[0.0, np.nan, 1.0]), "'group' is missing in row 1"),
        (dict(group=["a", "b"]), "group"),
    ],
)
def test_arrays_that_do_not_fit_together(given: dict, words: str) -> None:
    with pytest.raises(jl.InputError, match=words):
        jl.Runs.from_arrays([3.0, 2.9, 2.8], **{"N": [1e8, 2e8, 3e8], **given})


def test_no_runs_at_all() -> None:
    with pytest.raises(jl.InputError, match="no rows"):
        jl.Runs.from_arrays([], N=[])


def test_two_columns_as_target_are_refused() -> None:
    with pytest.raises(jl.InputError, match="target"):
        jl.Runs.from_arrays(np.ones((4, 2)), N=np.arange(1.0, 5.0))


# Groups and weights


def test_group_labels_become_numbers_in_order() -> None:
    made = runs(frame(), group="sweep")
    assert made.groups == ("deep", "wide")
    np.testing.assert_array_equal(made.group, np.arange(12) % 2)
    numbers = jl.Runs.from_arrays([3.0, 2.9, 2.8], N=[1.0, 2.0, 3.0], group=[30, 10, 30])
    assert numbers.groups == ("10", "30")
    np.testing.assert_array_equal(numbers.group, [1, 0, 1])
    assert runs(frame()).groups == ("all",)


def test_weights_are_taken_from_a_column() -> None:
    made = runs(frame().assign(w=np.arange(12.0)), weight="w")
    np.testing.assert_array_equal(made.weight, np.arange(12.0))


def test_runs_of_zero_weight_do_not_count_as_runs() -> None:
    table = frame().assign(w=lambda t: (np.arange(len(t)) < 4) * 1.0)
    with pytest.raises(jl.InputError, match=r"5 parameters and sweep\.csv only 4 runs"):
        fit(table, weight="w")


def test_where_takes_a_mask_and_only_a_mask() -> None:
    made = runs(frame(), group="sweep")
    big = made.where(made.inputs["N"] > np.median(made.inputs["N"]))
    assert len(big) == 6
    assert set(big.rows) <= set(made.rows)
    assert len(big.group) == len(big.weight) == 6
    with pytest.raises(jl.InputError, match=r"shape \(12,\); got \(3,\)"):
        made.where([True, False, True])
    with pytest.raises(jl.InputError, match="no run is left"):
        made.where(np.zeros(12, bool))


def test_padding_repeats_the_first_run_with_no_weight() -> None:
    made = runs(frame(), group="sweep")
    longer = made.padded(15)
    assert len(longer) == 15
    assert longer.weight[12:].sum() == 0
    np.testing.assert_array_equal(longer.inputs["N"][:12], made.inputs["N"])
    with pytest.raises(jl.InputError, match="more than 5"):
        made.padded(5)


# Warnings


def heard(table: pd.DataFrame, made: jl.Law = CHINCHILLA, **changes: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        runs(table, **changes).checked(made)
    assert all(issubclass(w.category, jl.InputWarning) for w in caught)
    return [str(w.message) for w in caught]


def test_a_sound_table_is_silent() -> None:
    assert heard(frame()) == []


def test_repeated_rows_are_pointed_out() -> None:
    table = pd.concat([frame(), frame().iloc[[2, 5]].set_axis(["again-2", "again-5"])])
    (said,) = heard(table)
    assert "2 rows repeat" in said
    assert "again-2" in said
    assert "too narrow" in said
    assert "group" in said


def test_seeds_are_no_repeats() -> None:
    again = frame().assign(val_loss=lambda t: t.val_loss * 1.001)
    assert heard(pd.concat([frame(), again.set_axis([f"seed-{i}" for i in range(12)])])) == []


def test_perplexity_is_suspected() -> None:
    (said,) = heard(frame().assign(val_loss=lambda t: np.exp(t.val_loss) * 2))
    assert "perplexity" in said
    assert "logarithm" in said


def test_counts_in_billions_are_suspected() -> None:
    said = heard(
        frame().assign(n_params=lambda t: t.n_params / 1e9, n_tokens=lambda t: t.n_tokens / 1e12)
    )
    assert len(said) == 2
    assert all("plain counts" in s for s in said)
    assert "column 'n_params' (N) has a median" in said[0]


def test_the_columns_of_a_vector_are_told_apart() -> None:
    table = frame().assign(a=0.5, b=put("val_loss", 3, "x")["val_loss"])
    with pytest.raises(jl.InputError, match=r"column 'b' \(h\) holds 'x' in row run-3"):
        runs(table, h=["a", "b"])
    made = runs(frame(), h=["n_params", "n_tokens"], weight="n_params", group="sweep")
    assert made.called("h", "share") == "columns 'n_params', 'n_tokens' (h, share)"
    assert made.called("group") == "column 'sweep' (group)"
    assert jl.Runs.from_arrays([1.0], N=[2.0]).called("N", "parameters") == "'N' (parameters)"


def test_a_negative_weight_is_named() -> None:
    with pytest.raises(jl.InputError, match=r"column 'w' \(weight\) is -1 in row run-2"):
        runs(frame().assign(w=[1.0, 1.0, -1.0] + 9 * [1.0]), weight="w")


def test_warnings_point_at_the_callers_line() -> None:
    table = frame().assign(val_loss=lambda t: np.exp(t.val_loss) * 2)
    with pytest.warns(jl.InputWarning) as caught:
        jl.fit(CHINCHILLA.fix(alpha=0.3, beta=0.3), runs(table), starts=2, objective=jl.Squared())
    assert Path(caught[0].filename).name == Path(__file__).name, caught[0].filename


# Collinear designs


@law
def only_n(N: Params, *, A: Amplitude, alpha: Exponent) -> Loss:
    """A power of N."""
    return A * N**-alpha


@law
def two_scales(x: Scale, N: Params, *, A: Amplitude, alpha: Exponent) -> Loss:
    """Two inputs of which one is constant in some tables."""
    return A * N**-alpha + 0.0 * x


def test_almost_collinear_inputs_pass() -> None:
    rng = np.random.default_rng(1)
    table = frame(40)
    table["n_tokens"] = 20 * table.n_params * np.exp(0.1 * rng.standard_normal(40))
    assert heard(table) == []


def test_a_law_without_d_is_content_with_constant_d() -> None:
    assert heard(frame().assign(n_tokens=1e10), only_n) == []


def test_constant_among_the_runs_that_count() -> None:
    """A run without weight does not vary anything."""
    table = frame().assign(n_params=1e9, w=1.0)
    table.iloc[0, 0], table.iloc[0, -1] = 2e9, 0.0
    with pytest.raises(jl.InputError, match=r"'n_params' \(N\) is 1e\+09 in every run"):
        runs(table, weight="w").checked(CHINCHILLA)


def test_targets_constant_among_the_runs_that_count() -> None:
    table = frame().assign(val_loss=2.5, w=1.0)
    table.iloc[0, 2], table.iloc[0, -1] = 9.0, 0.0
    with pytest.raises(jl.InputError, match=r"'val_loss' \(target\) is 2\.5 in every run"):
        runs(table, weight="w").checked(CHINCHILLA)


def test_group_numbers_beyond_the_laws_groups_are_refused() -> None:
    """A law with two values per group cannot be fitted to three groups."""
    table = frame().assign(sweep=[f"s{i % 3}" for i in range(12)])
    with pytest.raises(jl.InputError, match="group"):
        runs(table, group="sweep").checked(CHINCHILLA.per_group("E", groups=2))


def test_vector_inputs_come_from_several_columns() -> None:
    table = frame().assign(web=0.6, code=0.4)
    made = runs(table, h=["web", "code"])
    assert made.inputs["h"].shape == (12, 2)


# Stack


def test_a_padded_stack_gives_the_same_fits(simulated: Any) -> None:
    """Padding and the neighbours' data change nothing: objectives agree to 1e-10."""
    tables = [simulated(1), simulated(2).where(np.arange(81) % 2 == 0)]
    stacked = jl.fit(CHINCHILLA, jl.Runs.stack(tables), objective=jl.Squared(), starts=8)
    assert len(stacked) == len(jl.Runs.stack(tables)) == 2
    for table, made in zip(tables, stacked, strict=True):
        alone = jl.fit(CHINCHILLA, table, objective=jl.Squared(), starts=8)
        assert len(made.runs) == len(table)
        assert made.value == pytest.approx(alone.value, rel=1e-10)
        for k, v in made.params.items():
            assert float(v) == pytest.approx(float(alone.params[k]), rel=1e-6), k
        np.testing.assert_allclose(made.residual, alone.residual, atol=1e-9)


def test_a_bad_table_in_a_stack_is_named() -> None:
    good, bad = runs(frame()), runs(frame().iloc[:4], name="small.csv")
    with pytest.raises(jl.InputError, match=r"small\.csv only 4 runs"):
        jl.fit(CHINCHILLA, jl.Runs.stack([good, bad]), starts=2)


def test_an_empty_stack_is_refused() -> None:
    with pytest.raises(jl.InputError):
        jl.fit(CHINCHILLA, jl.Runs.stack([]), starts=2)


def test_something_else_than_runs_is_refused() -> None:
    with pytest.raises(jl.InputError, match="Runs"):
        jl.fit(CHINCHILLA, frame(), starts=2)  # type: ignore[arg-type]


# Files


def test_read_table_counts_lines_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "sweep.csv"
    frame().to_csv(path, index=False)
    table = read_table(path)
    assert table.index[0] == 2
    assert table.attrs["name"] == "sweep.csv"
    text = path.read_text().splitlines()
    text[4] = text[4].replace(text[4].split(",")[2], "-1.0")
    path.write_text("\n".join(text))
    with pytest.raises(jl.InputError, match=r"sweep\.csv: column 'val_loss' \(target, .* row 5"):
        jl.fit(CHINCHILLA, runs(read_table(path)), starts=2)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "is empty"),
        ("a;b\n1;2\n", "separated by ';'"),
        ("a\tb\n1\t2\n", "separated by tabs"),
        ("a,b\n1,2\n1,2,3\n", "could not be read"),
    ],
)
def test_files_that_are_no_tables(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(content)
    with pytest.raises(jl.InputError, match=words):
        read_table(path)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    (tmp_path / "sweep.csv").write_text("a,b\n")
    with pytest.raises(jl.InputError, match=r"did you mean sweep\.csv"):
        read_table(tmp_path / "swep.csv")


def test_runs_are_a_pytree_and_say_what_they_are() -> None:
    made = runs(frame(), group="sweep")
    again = jax.tree.map(lambda leaf: leaf, made)
    assert again.rows == made.rows
    assert len(again) == 12
    assert repr(made).startswith("Runs(sweep.csv: 12 runs; N ")
