"""The posterior density of a law's parameters and of its noise, in the coordinate z."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxlaws._coordinates import Coordinates, Frame, coordinates
from jaxlaws._errors import InputError
from jaxlaws._fit import Fit
from jaxlaws._inputs import Blur, blur, numeric
from jaxlaws._law import Law
from jaxlaws._risk import residuals

NOISE = "noise"  # what the noise scale is called beside the law's parameters
GROWTH = "noise growth"  # and its growth with the scale of a run
NOISE_SHARE = 0.05  # median of its prior, as a share of the target's spread
NOISE_WIDTH = 1.5  # standard deviation of its logarithm: a factor of 12 either way
GROWTH_WIDTH = 0.5  # sd of the log noise's slope from the middle of the runs to their end
POOLED = (math.log(0.3), 1.0)  # middle and sd of the log spread in z of a pooled parameter
OUTER = math.sqrt(3)  # outer nodes of the Gauss-Hermite rule of three points, of weight 1/6
SHARP = 1e-6  # share of the noise that inputs add at least: none would have no derivative
THINNEST = 1e-4  # noise below this share of the target's spread is no place to start from


class Known(NamedTuple):
    """What the density of one data set depends on; leaves may gain a leading axis of data sets.

    objective, inputs {name: (n,) or (n, k)}, target (n,) in the space of residuals, weight (n,),
    size (n,) the runs' scale from -1 to 1, frame, noise (2,) middle and width of the log noise
    scale, priors {name: NumPyro distribution}, blurs {input: what is known of its true values}.
    """

    objective: Any
    inputs: Mapping[str, Array]
    target: Array
    weight: Array
    size: Array
    frame: Frame
    noise: Array
    priors: Mapping[str, Any]
    blurs: Mapping[str, Blur]


@dataclass(frozen=True)
class Model:
    """The static part of a posterior.

    Attributes:
        law: The law.
        space: Space of the residuals.
        growing: Whether the noise may grow or shrink with scale.
        pooled: Parameters whose values of single groups come from one population.
        blurred: Inputs that were measured with an error.
    """

    law: Law
    space: str
    growing: bool = False
    pooled: tuple[str, ...] = ()
    blurred: tuple[str, ...] = ()

    @property
    def layout(self) -> Coordinates:
        """The coordinate z of the law."""
        return coordinates(self.law)

    @property
    def size(self) -> int:
        """d, the length of a place.

        A place is z, the log noise scale, its growth if there is one, for every input with errors
        the population of its true values, and for every pooled parameter the middle of its
        population and the log of its spread; the z of a pooled parameter counts from that middle,
        in units of that spread.
        """
        own = len(self.blurred) * (len(numeric(self.law)) + 1)
        return self.layout.size + 1 + self.growing + own + 2 * len(self.pooled)

    def population(self, place: Array) -> tuple[Array, Array]:
        """(..., q) middles and log spreads in z of the pooled parameters at places (..., d)."""
        first, q = self._first_middle, len(self.pooled)
        return place[..., first : first + q], place[..., first + q :]

    @property
    def _first_middle(self) -> int:
        """Where the middles of populations begin in a place."""
        return self.size - 2 * len(self.pooled)

    def truth(self, place: Array) -> dict[str, Array]:
        """Input with errors -> (..., k + 1) the population of its true values."""
        k, first = len(numeric(self.law)) + 1, self.layout.size + 1 + self.growing
        ends = range(first, first + k * len(self.blurred), k)
        return {name: place[..., i : i + k] for name, i in zip(self.blurred, ends, strict=True)}

    @property
    def views(self) -> np.ndarray:
        """(c, d) which coordinates of a place are counted from the middle of their prior.

        A term that the runs see is best told by its size among them, a term that has vanished by
        its prior, of which that size is a bent function. So each is seen both ways: no coordinate
        from its prior, those of one term, or those of all terms.
        """
        middles = {name: self._first_middle + i for i, name in enumerate(self.pooled)}
        every = np.zeros((1 + len(self.layout.bent), self.size), bool)
        for row, name in zip(every[1:], self.layout.bent, strict=True):
            row[middles.get(name, self.layout.slices[name])] = True
        return np.unique(np.concatenate([every, every.any(axis=0)[None]]), axis=0)

    def prior_frame(self, place: Array, known: Known) -> tuple[Array, Array]:
        """Middles and widths (d,) of the default priors of the coordinates, the others given.

        Those of a term depend on the other parameters in it; all others are constant. The
        populations of true inputs are in units of the measured spread, as weak as one run.
        """
        layout, p = self.layout, self.layout.size
        middle, width = jnp.zeros_like(place), jnp.ones_like(place)
        middle, width = middle.at[p].set(known.noise[0]), width.at[p].set(known.noise[1])
        if self.growing:
            width = width.at[p + 1].set(GROWTH_WIDTH)
        first = self._first_middle
        middle = middle.at[first + len(self.pooled) :].set(POOLED[0])
        width = width.at[first + len(self.pooled) :].set(POOLED[1])
        spreads = self.population(place)[1]
        sizes = layout.term_sizes(self.z(place), known.frame)
        for name in layout.terms:
            spec, where = self.law.params[name], layout.slices[name]
            own = spec.centre - known.frame.level + sizes[name]
            if name in self.pooled:
                i = self.pooled.index(name)
                shared = jnp.mean(own) - jnp.exp(spreads[i]) * jnp.mean(place[where])
                middle = middle.at[first + i].set(shared)
                width = width.at[first + i].set(spec.spread)
            else:
                middle, width = middle.at[where].set(own), width.at[where].set(spec.spread)
        return middle, width

    def z(self, place: Array) -> Array:
        """(p,) the coordinate of the law at a place (d,)."""
        z = place[: self.layout.size]
        middles, spreads = self.population(place)
        for i, name in enumerate(self.pooled):
            where = self.layout.slices[name]
            z = z.at[where].set(middles[i] + jnp.exp(spreads[i]) * place[where])
        return z

    def params(self, place: Array, known: Known) -> dict[str, Array]:
        """Name -> value at a place (d,)."""
        return self.layout.to_params(self.z(place), known.frame)

    def log_noise(self, place: Array, known: Known) -> Array:
        """(n,) log noise scale of every run."""
        p = self.layout.size
        grown = place[p + 1] * known.size if self.growing else jnp.zeros_like(known.size)
        return place[p] + grown

    def log_scale(self, place: Array, known: Known) -> Array:
        """(n,) log scale of every residual: of the noise and what the inputs' errors add."""
        noise = self.log_noise(place, known)
        if not self.blurred:
            return noise
        return 0.5 * jnp.log(jnp.exp(2 * noise) + self.blur(place, known) ** 2)

    def blur(self, place: Array, known: Known) -> Array:
        """(n,) standard deviation that the inputs' errors add to the residuals."""
        variance = (SHARP * jnp.exp(self.log_noise(place, known))) ** 2
        for up, down in self.around(place, known)[1]:
            added = (up**2 + down**2) / 6 - ((up + down) / 6) ** 2
            variance += jnp.where(known.weight > 0, added, 0.0)
        return jnp.sqrt(variance)

    def residuals(self, place: Array, known: Known) -> Array:
        """(n,) predicted minus measured, the mean over what the true inputs may be.

        Zero where a run does not count.
        """
        mean, sides = self.around(place, known)
        for up, down in sides:
            mean += (up + down) / 6
        return jnp.where(known.weight > 0, mean, 0.0)

    def around(self, place: Array, known: Known) -> tuple[Array, list[tuple[Array, Array]]]:
        """(n,) predicted minus measured at the middle of what the true inputs may be, and around.

        How much more it is with each input that has errors moved up and down to the outer nodes of
        a Gauss-Hermite rule of three points, (n,) each: what the mean over an input is and the
        variance, to third order of its error.
        """
        params, inputs = self.params(place, known), dict(known.inputs)
        ends = []
        for name, population in self.truth(place).items():
            mean, sd = known.blurs[name].true(population)
            constrain = self.law.inputs[name].support.constrain
            inputs[name] = constrain(mean)
            ends.append((name, constrain(mean + OUTER * sd), constrain(mean - OUTER * sd)))

        def at(**moved: Array) -> Array:
            return residuals(self.law, self.space, params, {**inputs, **moved}, known.target)

        middle = at()
        return middle, [
            (at(**{name: up}) - middle, at(**{name: down}) - middle) for name, up, down in ends
        ]

    def log_likelihood(self, place: Array, known: Known) -> Array:
        """(n,) log density of every run's residual."""
        r, scale = self.residuals(place, known), jnp.exp(self.log_noise(place, known))
        if not self.blurred:
            return known.objective.log_density(r, scale)
        return known.objective.blurred(r, scale, self.blur(place, known))

    def log_priors(self, place: Array, known: Known) -> dict[str, Array]:
        """Name -> log prior density at a place (d,), up to a constant, for each parameter."""
        layout, p = self.layout, self.layout.size
        z, params = self.z(place), self.params(place, known)
        unconstrained = known.frame.middle + known.frame.width * z
        middle, width = self.prior_frame(place, known)
        each = -0.5 * ((place - middle) / width) ** 2
        found = {NOISE: each[p]}
        if NOISE in known.priors:
            found[NOISE] = jnp.sum(known.priors[NOISE].log_prob(jnp.exp(place[p]))) + place[p]
        if self.growing:
            found[GROWTH] = each[p + 1]
        for name, population in self.truth(each).items():
            found[f"{name}_population"] = jnp.sum(population)
        for name, where in layout.slices.items():
            found[name] = jnp.sum(each[where])
            if name in self.pooled:
                # The typical range is the population's: its middle counts once, not per group.
                found[name] += sum(part[self.pooled.index(name)] for part in self.population(each))
            elif name in known.priors:
                value, constrain = params[name], self.law.params[name].support.constrain
                inside = jnp.ravel(jnp.log(value)) if name in layout.terms else unconstrained[where]
                stretch = jax.vmap(jax.grad(constrain))(inside)
                own = jnp.sum(known.priors[name].log_prob(value))
                found[name] = own + jnp.sum(jnp.log(jnp.abs(stretch)))
        return found

    def log_prior(self, place: Array, known: Known) -> Array:
        """Log prior density of a place (d,), up to a constant."""
        return sum(self.log_priors(place, known).values(), start=jnp.zeros((), place.dtype))

    def log_density(self, place: Array, known: Known) -> Array:
        r"""Log posterior density at a place (d,), up to a constant.

        $$\log p(\theta) + \log p(\sigma) + \sum_i w_i \log p(s(f(x_i; \theta)) - s(y_i) | \sigma)$$

        and the density of the measured inputs, where these have errors.
        """
        each = self.log_likelihood(place, known)
        total = jnp.sum(jnp.where(known.weight > 0, known.weight * each, 0.0))
        return total + self._log_rest(place, known)

    def _log_rest(self, place: Array, known: Known) -> Array:
        """The log density without the targets."""
        total = self.log_prior(place, known)
        for name, population in self.truth(place).items():
            each = known.blurs[name].log_density(population)
            total += jnp.sum(jnp.where(known.weight > 0, known.weight * each, 0.0))
        return total

    def precision(self, place: Array, known: Known) -> Array:
        """(d, d) Gauss-Newton precision at a place: an objective's corners are smoothed."""
        scale = jnp.exp(self.log_scale(place, known))
        slopes = jax.jacfwd(self.residuals)(place, known) / scale[:, None]
        growth = jax.jacfwd(self.log_scale)(place, known)
        data = jnp.einsum("ni,n,nj->ij", slopes, known.weight, slopes)
        data += 2 * jnp.einsum("ni,n,nj->ij", growth, known.weight, growth)
        return data - jax.hessian(self._log_rest)(place, known)


def known_of(
    fit: Fit, n: int, priors: Mapping[str, Any], errors: Mapping[str, np.ndarray]
) -> Known:
    """The data set of a fit, padded to n runs.

    Args:
        fit: The fit.
        n: How many runs.
        priors: Parameter -> NumPyro distribution.
        errors: Input -> (n,) standard errors on its unconstrained line.
    """
    problem = fit.problem
    dtype, extra = problem.dtype, n - problem.runs

    def padded(values: Any) -> Array:
        values = np.asarray(values)
        return jnp.asarray(np.concatenate([values, np.repeat(values[:1], extra, axis=0)]), dtype)

    weight = np.concatenate([problem.weight[0], np.zeros(extra)])
    return Known(
        objective=problem.shared.objective,
        inputs={k: padded(v[0]) for k, v in problem.shared.inputs.items()},
        target=padded(problem.target[0]),
        weight=jnp.asarray(weight, dtype),
        size=padded(size_of(fit, fit.runs.inputs)),
        frame=problem.frame(),
        noise=jnp.asarray([np.log(NOISE_SHARE * spread_of(fit)), NOISE_WIDTH], dtype),
        priors=jax.tree.map(lambda leaf: jnp.asarray(leaf, dtype), dict(priors)),
        blurs={
            name: jax.tree.map(
                lambda leaf: padded(leaf) if leaf.ndim else jnp.asarray(leaf, dtype),
                blur(fit.law, fit.runs, name, error),
            )
            for name, error in errors.items()
        },
    )


def spread_of(fit: Fit) -> float:
    """Standard deviation of the targets in the space of residuals.

    Raises:
        InputError: All targets are the same.
    """
    target, weight = fit.problem.target[0], fit.problem.weight[0]
    spread = float(np.std(target[weight > 0]))
    if not spread > 0:
        raise InputError(
            f"{fit.runs.name}: the target is the same in every run, so that no noise is seen in it."
        )
    return spread


def size_of(fit: Fit, points: Mapping[str, Any]) -> np.ndarray:
    """(m,) the scale of points: the log product of their positive inputs, -1 to 1 over the runs."""
    names = [
        name
        for name, v in fit.law.inputs.items()
        if v.support.name == "positive" and not v.size and name not in ("group", "curve")
    ]

    def logs(inputs: Mapping[str, Any]) -> np.ndarray:
        some = np.asarray(next(iter(inputs.values())))
        return sum((np.log(np.asarray(inputs[k])) for k in names), start=np.zeros(len(some)))

    seen = logs(fit.runs.inputs)[fit.runs.weight > 0]
    low, high = seen.min(), seen.max()
    return (2 * logs(points) - low - high) / max(high - low, 1e-12)


def left_of_prior(model: Model, places: np.ndarray, known: Known) -> dict[str, float]:
    """Parameter -> the posterior's spread as a share of the prior's, from places (draw, d).

    Parameters with a prior of one's own, and those without a typical range, are left out.
    """
    layout = model.layout
    standard = np.asarray(_standard(model, jnp.asarray(places), known)).std(axis=0)
    own = {name for name in known.priors if name in layout.slices}
    return {
        label: float(standard[i])
        for name, where in layout.slices.items()
        if name not in (*own, *model.pooled) and layout.law.params[name].support.name != "simplex"
        for i, label in zip(range(where.start, where.stop), layout.names()[where], strict=True)
    }


@partial(jax.jit, static_argnums=0)
def _standard(model: Model, places: Array, known: Known) -> Array:
    """(draw, p) parameters at places (draw, d) in units of their default priors."""
    middle, width = jax.vmap(lambda place: model.prior_frame(place, known))(places)
    return ((places - middle) / width)[:, : model.layout.size]
