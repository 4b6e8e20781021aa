"""A signature becomes a schema, a law is called like a function, and variants are new laws."""

from collections.abc import Callable
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import Array

import jaxlaws as jl
from jaxlaws._law import NORMAL_90, Parameter, Variable, law
from jaxlaws._support import positive, real, unit
from jaxlaws.quantities import Amplitude, Entropy, Exponent, Loss, Params, Tokens

CHINCHILLA = jl.laws.chinchilla
CONSTANTS = CHINCHILLA.published()
N, D = 7e10, 1.4e12


@law(source="me2026", constants={"me2026": dict(A=2.0, alpha=0.5)})
def line(N: Params, *, A: Amplitude, alpha: Exponent) -> Loss:
    r"""A power of N.

    $$L = A
      N^{-\alpha}$$

    Its second paragraph [me2026].
    """
    return A * N**-alpha


def value(made: jl.Law, *inputs: object, **params: object) -> float:
    return float(made(*inputs, **params))


# The schema


def test_signature_is_the_schema() -> None:
    assert list(line.inputs) == ["N"]
    assert list(line.params) == ["A", "alpha"]
    assert line.inputs["N"].unit == "parameters"
    assert line.inputs["N"].name == "N"
    assert line.params["alpha"].name == "alpha"
    assert line.params["alpha"].support is positive
    assert (line.target.unit, line.target.space, line.target.name) == ("nats/token", "log", "L")
    assert line.name == "line"
    assert line.formula == r"L = A N^{-\alpha}"
    assert line.summary == "A power of N."
    assert line.recipe == (("law", "line"),)


def test_plain_decorator_and_own_name() -> None:
    def scaled(N: Params, *, A: Amplitude) -> Loss:
        """A law."""
        return A / N

    assert law(scaled).name == "scaled"
    assert law(scaled, name="mine").name == "mine"
    assert law(name="yours")(scaled).name == "yours"


def no_docstring(N: Params, *, A: Amplitude) -> Loss:
    return A / N


def bare_input(N, *, A: Amplitude) -> Loss:  # type: ignore[no-untyped-def]
    """A law."""
    return A / N


def bare_parameter(N: Params, *, A) -> Loss:  # type: ignore[no-untyped-def]
    """A law."""
    return A / N


def parameter_before_the_star(N: Params, A: Amplitude) -> Loss:
    """A law."""
    return A / N


def input_after_the_star(*, N: Params, A: Amplitude) -> Loss:
    """A law."""
    return A / N


def bare_return(N: Params, *, A: Amplitude):  # type: ignore[no-untyped-def]
    """A law."""
    return A / N


@pytest.mark.parametrize(
    ("fn", "words"),
    [
        (no_docstring, "no_docstring needs a docstring"),
        (bare_input, "annotate 'N' with a variable"),
        (bare_parameter, "annotate 'A' with a parameter"),
        (parameter_before_the_star, "annotate 'A' with a variable"),
        (input_after_the_star, "annotate 'N' with a parameter"),
        (bare_return, "annotate the return"),
    ],
)
def test_a_signature_that_says_too_little_is_refused(fn: object, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        law(fn)  # type: ignore[arg-type]


def test_constants_must_name_every_parameter() -> None:
    with pytest.raises(TypeError, match=r"constants 'x2020' must name A, alpha, got A"):
        law(line.fn, constants={"x2020": dict(A=1.0)})


def test_typical_range_is_the_central_90_percent_of_z() -> None:
    for p in (Parameter("", positive, (0.03, 1.5)), Parameter("", unit, (0.05, 0.95)), Parameter()):
        z = np.asarray(p.unconstrain(jnp.asarray(p.typical)))
        np.testing.assert_allclose(z, [-NORMAL_90, NORMAL_90], rtol=1e-12)
        np.testing.assert_allclose(p.constrain(jnp.asarray(z)), p.typical, rtol=1e-12)


def test_static_numbers_of_a_parameter_survive_a_trace() -> None:
    p = Parameter("", positive, (0.03, 1.5))
    out = jax.jit(lambda z: p.constrain(z) * p.spread + p.centre)(0.3)
    assert np.isfinite(out)


# The call


def test_call_by_position_and_by_name() -> None:
    by_position = value(CHINCHILLA, N, D, **CONSTANTS)
    assert by_position == value(CHINCHILLA, D=D, N=N, **CONSTANTS)
    assert by_position == value(CHINCHILLA, N, D=D, **CONSTANTS)
    c = CONSTANTS
    by_hand = c["E"] + c["A"] * N ** -c["alpha"] + c["B"] * D ** -c["beta"]
    assert by_position == pytest.approx(by_hand, rel=1e-14)


def test_arrays_broadcast() -> None:
    sizes, tokens = jnp.geomspace(1e8, 1e10, 3)[:, None], jnp.geomspace(1e9, 1e11, 4)[None]
    table = CHINCHILLA(sizes, tokens, **CONSTANTS)
    assert table.shape == (3, 4)
    assert value(CHINCHILLA, sizes[2, 0], tokens[0, 1], **CONSTANTS) == pytest.approx(
        float(table[2, 1]), rel=1e-14
    )


def test_arrays_of_different_rank_broadcast() -> None:
    """As the docstring says, also where silent rank promotion is an error."""
    row = CHINCHILLA(jnp.asarray([1e8, 1e9]), jnp.full((3, 1), 1e10), **CONSTANTS)
    assert row.shape == (3, 2)
    draws = {k: jnp.full(5, v) for k, v in CONSTANTS.items()}
    assert CHINCHILLA(N, D, **draws).shape == (5,)
    assert CHINCHILLA(jnp.full((2, 1), N), jnp.full((2, 1), D), **draws).shape == (2, 5)


@pytest.mark.parametrize(
    ("args", "kwargs", "words"),
    [
        ((N, D, 1.0), {}, "takes 2 inputs by position"),
        ((N,), CONSTANTS, "needs D as well"),
        ((N, D), {k: v for k, v in CONSTANTS.items() if k != "E"}, "needs E as well"),
        ((N, D), {**CONSTANTS, "gamma": 1.0}, "no input or parameter 'gamma'"),
        ((N, D), {**CONSTANTS, "N": 1.0}, "got 'N' twice"),
    ],
)
def test_a_wrong_call_is_told_in_words(args: tuple, kwargs: dict, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        CHINCHILLA(*args, **kwargs)


def test_published_constants_by_key() -> None:
    assert CHINCHILLA.published("hoffmann2022")["E"] == 1.69
    assert CHINCHILLA.published() == CHINCHILLA.published("besiroglu2024")
    with pytest.raises(ValueError, match="has constants of besiroglu2024.*got 'kaplan2020'"):
        CHINCHILLA.published("kaplan2020")
    with pytest.raises(ValueError, match="no published constants"):
        jl.laws.m1.published()
    CHINCHILLA.published()["E"] = 0.0  # a copy
    assert CHINCHILLA.published()["E"] == 1.8172


def test_a_law_is_frozen() -> None:
    with pytest.raises(AttributeError):
        CHINCHILLA.name = "mine"  # type: ignore[misc]
    with pytest.raises(TypeError):
        CHINCHILLA.params["E"] = Parameter()  # type: ignore[index]


# Variants


def without(*names: str, **more: float) -> dict[str, float]:
    return {**{k: v for k, v in CONSTANTS.items() if k not in names}, **more}


def test_fix_is_the_law_at_that_value() -> None:
    fixed = CHINCHILLA.fix(E=1.69, alpha=0.34)
    assert list(fixed.params) == ["A", "B", "beta"]
    assert fixed.name == "chinchilla[E=1.69, alpha=0.34]"
    found = value(fixed, N, D, **without("E", "alpha"))
    assert found == value(CHINCHILLA, N, D, **without(E=1.69, alpha=0.34))
    assert list(CHINCHILLA.params) == ["E", "A", "B", "alpha", "beta"]


def test_tie_is_the_law_with_equal_parameters() -> None:
    tied = CHINCHILLA.tie(beta="alpha")
    assert "beta" not in tied.params
    found = value(tied, N, D, **without("beta", alpha=0.3))
    assert found == value(CHINCHILLA, N, D, **without(alpha=0.3, beta=0.3))


def test_fix_and_tie_combine_in_any_order() -> None:
    both = {"A": 400.0, "B": 400.0}
    one = CHINCHILLA.tie(beta="alpha").fix(E=1.7).fix(alpha=0.34)
    two = CHINCHILLA.fix(E=1.7).tie(beta="alpha").fix(alpha=0.34)
    three = CHINCHILLA.fix(E=1.7, alpha=0.34, beta=0.34)
    assert list(one.params) == list(two.params) == list(three.params) == ["A", "B"]
    assert value(one, N, D, **both) == value(two, N, D, **both) == value(three, N, D, **both)


def test_everything_fixed_is_a_function_of_the_inputs() -> None:
    bound = CHINCHILLA.fix(**CONSTANTS)
    assert value(bound, N, D) == value(CHINCHILLA, N, D, **CONSTANTS)


def test_fix_takes_vectors() -> None:
    c = np.array([0.3, 0.5])
    whole = jl.laws.bnsl(2)
    own = dict(a=0.1, b=2.0, c0=0.2, d=jnp.asarray([1e2, 1e5]), f=jnp.asarray([0.3, 0.2]))
    assert value(whole.fix(c=c), 50.0, **own) == value(whole, 50.0, c=c, **own)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: CHINCHILLA.fix(gamma=1.0), "fix: there is no parameter 'gamma'"),
        (lambda: CHINCHILLA.fix(N=1.0), "fix: there is no parameter 'N'"),
        (lambda: CHINCHILLA.fix(E=-1.0), "E must be positive, got -1"),
        (lambda: CHINCHILLA.fix(E=float("nan")), "E must be positive, got nan"),
        (lambda: CHINCHILLA.tie(gamma="alpha"), "tie: there is no parameter 'gamma'"),
        (lambda: CHINCHILLA.tie(beta="gamma"), "tie: there is no parameter 'gamma'"),
        (lambda: CHINCHILLA.tie(beta="alpha", alpha="beta"), "tied to a parameter tied itself"),
        (lambda: CHINCHILLA.tie(beta="beta"), "tied"),
        (lambda: CHINCHILLA.fix(alpha=0.3).tie(beta="alpha"), "no parameter 'alpha'"),
        (lambda: CHINCHILLA.per_group("gamma", groups=2), "no parameter 'gamma'"),
        (lambda: CHINCHILLA.per_group("E", groups=2).per_group("A", groups=2), "`group` already"),
        (lambda: jl.laws.bnsl(1).per_group("d", groups=2), "d has a size already"),
        (lambda: CHINCHILLA.then(CHINCHILLA), "must take one input"),
        (lambda: jl.laws.kaplan_n.then(jl.laws.ppl_to_error).then(jl.laws.ppl_to_error), "both"),
        (lambda: jl.laws.bnsl(-1), "0 or more breaks"),
    ],
)
def test_a_variant_that_cannot_be_is_refused(make: object, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make()  # type: ignore[operator]


def test_per_group_gives_each_group_its_own_value() -> None:
    grouped = CHINCHILLA.per_group("E", "B", groups=2)
    assert list(grouped.inputs) == ["N", "D", "group"]
    assert grouped.params["E"].size == (2,)
    own = without(E=jnp.asarray([1.5, 2.0]), B=jnp.asarray([400.0, 900.0]))
    for g, (E, B) in enumerate([(1.5, 400.0), (2.0, 900.0)]):
        assert value(grouped, N, D, float(g), **own) == pytest.approx(
            value(CHINCHILLA, N, D, **without(E=E, B=B)), rel=1e-14
        )


def test_chain_is_the_second_law_of_the_first() -> None:
    chain = CHINCHILLA.then(jl.laws.ppl_to_error)
    second = jl.laws.ppl_to_error.published()
    middle = CHINCHILLA(N, D, **CONSTANTS)
    assert value(chain, N, D, **CONSTANTS, **second) == pytest.approx(
        value(jl.laws.ppl_to_error, middle, **second), rel=1e-14
    )
    assert chain.target is jl.laws.ppl_to_error.target
    assert chain.source == "hoffmann2022, besiroglu2024, sardana2024, gadre2024"


@pytest.mark.parametrize(
    "made",
    [
        CHINCHILLA,
        CHINCHILLA.fix(E=1.69).tie(beta="alpha"),
        CHINCHILLA.per_group("E", groups=3).fix(A=400.0),
        jl.laws.bnsl(2).fix(a=0.1),
        jl.laws.bnsl(2).fix(c=[0.1, 0.2]),
        jl.laws.olmo_ladder.fix(E=0.5),
    ],
    ids=lambda made: made.name,
)
def test_a_recipe_makes_the_same_law_again(made: jl.Law) -> None:
    again = jl.laws.rebuild(made.recipe)
    assert again.name == made.name
    assert list(again.params) == list(made.params)
    rng = np.random.default_rng(0)
    inputs = {k: jnp.asarray(1e3 * rng.uniform(1, 9)) for k in made.inputs}
    inputs |= {"group": jnp.asarray(1.0)} if "group" in made.inputs else {}
    params = {
        k: p.constrain(jnp.asarray(rng.uniform(-1, 1, p.size))) for k, p in made.params.items()
    }
    assert value(made, **inputs, **params) == value(again, **inputs, **params)


def test_repr_shows_inputs_parameters_and_target() -> None:
    assert repr(line) == "line(N [parameters]; A, alpha) -> L [nats/token]"


def test_vector_inputs_take_their_own_axis() -> None:
    @law
    def mix(
        h: Annotated[Array, Variable("share", unit, size=(None,))],
        *,
        c: Entropy,
        t: Annotated[Array, Parameter("", real, size=(3,))],
    ) -> Loss:
        """A mixture."""
        return c + jnp.exp(jnp.dot(h, t))

    shares = jnp.asarray([[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]])
    t = jnp.asarray([0.1, 0.2, 0.3])
    got = mix(shares, c=1.0, t=t)
    np.testing.assert_allclose(got, 1.0 + np.exp(np.asarray(shares) @ np.asarray(t)), rtol=1e-14)


def test_find_suggests_the_nearest_law() -> None:
    assert jl.laws.find("chinchilla") is CHINCHILLA
    assert jl.laws.find("bnsl(2)") is jl.laws.bnsl(2)
    with pytest.raises(jl.InputError, match="did you mean 'chinchilla'"):
        jl.laws.find("chinchila")


MEMBERS = {
    "bnsl(2)": "bnsl(2)",
    "qqt_mixture(3)": "qqt_mixture(3)",
    "ye_data_mixing(domains=4)": "ye_data_mixing(4)",
    "shukor_mixture(3)": "shukor_mixture(3, additive)",
    "shukor_mixture(3, joint)": "shukor_mixture(3, joint)",
    "shukor_mixture(3, joint=True)": "shukor_mixture(3, joint)",
    "ruan_observational()": "ruan_observational(3)",
    "sloth_skills(2, 5, 3)": "sloth_skills(2, 5, 3)",
    "flp_m_loss(3)": "flp_m_loss(3)",
    "code_multilingual([[0, 0.4], [0.4, 0]])": "code_multilingual(2)",
    "vocab_parametric(count)": "vocab_parametric(count)",
    "vocab_parametric('count')": "vocab_parametric(count)",
    "lr_annealing(((1, 1, 0.5), (1, 0.5, 0.1)))": "lr_annealing",
}


@pytest.mark.parametrize("word", MEMBERS)
def test_members_of_every_family_are_found_as_they_are_written(word: str) -> None:
    found = jl.laws.find(word)
    assert found.name == MEMBERS[word]
    if found.name not in ("code_multilingual(2)", "lr_annealing"):  # names without their tables
        assert jl.laws.find(found.name) is found
    assert {w.partition("(")[0] for w in MEMBERS} | {"multi_power_law"} == set(jl.laws.FAMILIES)


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("bnsl", "no arguments"),
        ("bnsl(", "was never closed"),
        ("bnsl(-1)", "0 or more breaks"),
        ("bnsl(1.5)", "breaks is a whole number, got 1.5"),
        ("bnsl(1, 2)", "too many positional"),
        ("bnsl(1)(2)", "no arguments"),
        ("bnsl(open('x'))", "malformed"),
        ("shukor_mixture(3, jont)", "joint cannot be 'jont'"),
        ("vocab_parametric(kilo)", "kilo"),
        ("sloth_skills(2)", r"write it sloth_skills\(skills, families, benchmarks\)"),
        ("multi_power_law(3)", "table of learning rates"),
        ("bnsll(2)", "did you mean 'bnsl'"),
    ],
)
def test_members_that_cannot_be_are_refused(word: str, reason: str) -> None:
    with pytest.raises(jl.InputError, match=reason):
        jl.laws.find(word)


def test_a_variant_asked_for_again_is_the_same_law() -> None:
    """So that its compiled code is found again; another value is another law."""
    fixed = CHINCHILLA.fix(E=1.69, A=jnp.asarray(400.0))
    assert fixed is CHINCHILLA.fix(E=np.float64(1.69), A=400)
    assert fixed is not CHINCHILLA.fix(E=1.7, A=400)
    assert fixed.tie(beta="alpha") is fixed.tie(beta="alpha")
    assert CHINCHILLA.per_group("E", groups=2) is CHINCHILLA.per_group("E", groups=2)
    d = jl.laws.bnsl(2)
    assert d.fix(d=[1e3, 1e6]) is d.fix(d=np.array([1e3, 1e6]))
    assert d.fix(d=[1e3, 1e6]) is not d.fix(d=[1e3, 1e7])


def test_whole_numbers_outside_x64(python: Callable) -> None:
    """6,887,575,552 parameters do not fit an int32, in which JAX counts unless told otherwise."""
    found = python("""
import json, numpy as np, jaxlaws as jl
law = jl.laws.chinchilla.fix(**jl.laws.chinchilla.published())
D = np.array([4_000_000_000_000])
print(json.dumps([float(law(6887575552, D)[0]), float(law([6887575552], 4e12)[0])]))
""")
    exact = value(CHINCHILLA, 6887575552, 4e12, **CONSTANTS)
    assert found == pytest.approx([exact, exact], rel=1e-6)  # float32


def test_equal_inputs_as_dtype_do_not_change_the_value() -> None:
    """Integer counts are counts."""
    assert value(CHINCHILLA, 70_000_000_000, 1_400_000_000_000, **CONSTANTS) == pytest.approx(
        value(CHINCHILLA, N, D, **CONSTANTS), rel=1e-12
    )


def test_tokens_are_an_input_of_their_own() -> None:
    @law
    def tokens_only(D: Tokens, *, E: Entropy) -> Loss:
        """A law."""
        return E + 0.0 * D

    assert tokens_only(jnp.ones(4), E=2.0).shape == (4,)


@pytest.mark.parametrize("values", [dict(N=-1e9, D=1e9), dict(N=1e9, D=np.nan)])
def test_outside_its_support_a_law_is_nan(values: dict[str, float]) -> None:
    assert np.isnan(CHINCHILLA(**values, **CONSTANTS))


def test_shares_that_do_not_sum_to_one_are_nan_alone() -> None:
    mixture = jl.laws.find("ye_data_mixing(3)")
    params = {name: jnp.full(p.size, 0.5) for name, p in mixture.params.items()}
    (name,) = mixture.inputs
    shares = np.array([[0.2, 0.3, 0.5], [0.9, 0.9, 0.9]])
    assert np.isnan(mixture(**{name: shares}, **params)).tolist() == [False, True]
