"""Sampling: how a posterior was sampled, and whether it may be used."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from jaxlaws._density import Known, Model

RHAT = 1.05  # above it the chains disagree and no interval is given
FEW = 100  # effective draws below which no interval is given
KHAT = 0.7  # above it the weights of importance sampling have no usable mean [vehtari2024]
DIVERGED = 0.01  # share of divergent draws above which the posterior may be cut off
LEANING = 0.9  # share of the prior's spread left, above which the prior alone speaks
MINOR = 0.01  # a mode with less of the posterior is not worth a word


@dataclass(frozen=True, eq=False)
class Sampling:
    """How a posterior was sampled.

    Attributes:
        method: "NUTS" or "importance sampling".
        chains: Number of chains.
        stats: Name -> (chain, draw): diverging, n_steps, acceptance_rate, energy, lp.
        rhat: Parameter -> split R-hat of its rank-free draws; 1 where the chains agree.
        ess: Parameter -> effective number of draws.
        khat: Shape of the tail of the importance weights; below 0.7 their mean can be trusted.
        places: (draw, d) z, the log noise scale, and its growth with scale if there is one.
        left: Parameter -> the posterior's spread as a share of the prior's, where both are known.
        modes: (k, d) separate maxima of the density, highest first.
        mode: (draw,) which of them a draw belongs to.
        model: The static part of the density.
        known: The data set and the priors.
    """

    method: str
    chains: int
    stats: Mapping[str, np.ndarray]
    rhat: Mapping[str, float]
    ess: Mapping[str, float]
    khat: float
    places: np.ndarray
    left: Mapping[str, float]
    modes: np.ndarray
    mode: np.ndarray
    model: Model
    known: Known

    @property
    def scale(self) -> np.ndarray:
        """(draw,) noise scale in the space of residuals, in the middle of the runs."""
        return np.exp(self.places[:, self.model.layout.size])

    @property
    def growth(self) -> np.ndarray:
        """(draw,) slope of the log noise scale from the middle of the runs to their end."""
        p = self.model.layout.size
        return self.places[:, p + 1] if self.model.growing else np.zeros(len(self.places))

    @property
    def divergences(self) -> int:
        """How many draws ended in a divergence."""
        return int(np.sum(self.stats.get("diverging", 0)))

    @property
    def headline(self) -> str:
        """How well the draws mix, in a line."""
        ess = f"at least {min(self.ess.values()):.0f} effective"
        if self.method != "NUTS":
            return f"{ess}, k-hat {self.khat:.2f}"
        return f"R-hat at most {max(self.rhat.values()):.3f}, {ess}, {self.divergences} divergent"

    def only(self, keep: np.ndarray) -> "Sampling":
        """Some of the draws (draw,), as if there were no others."""
        mode = np.unique(self.mode[keep])
        return replace(
            self,
            stats={},
            places=self.places[keep],
            modes=self.modes[mode],
            mode=np.searchsorted(mode, self.mode[keep]),
        )

    def trouble(self) -> str:
        """Why these draws must not be used; empty when they may."""
        worst = max(self.rhat, key=lambda k: self.rhat[k])
        fewest = min(self.ess, key=lambda k: self.ess[k])
        if self.method != "NUTS" and not self.khat <= KHAT:
            return (
                f"the importance weights cannot be trusted (k-hat {self.khat:.2f}, at most {KHAT} "
                'may be); sample with sampler="nuts"'
            )
        if not self.rhat[worst] <= RHAT:
            return (
                f"the chains disagree about {worst} (R-hat {self.rhat[worst]:.2f}, at most {RHAT} "
                "may be): the posterior may have several modes; sample longer, or narrow a prior"
            )
        if not self.ess[fewest] >= FEW:
            return (
                f"{fewest} has only {self.ess[fewest]:.0f} effective draws (at least {FEW} are "
                "needed); sample longer"
            )
        if self.divergences > DIVERGED * len(self.places) and not self.khat <= KHAT:
            return (
                f"{self.divergences} of {len(self.places)} draws diverged, so that a narrow part "
                "of the posterior may be missing; narrow a prior, or fix a parameter"
            )
        return ""

    def notes(self) -> list[str]:
        """What a reader must know before believing the draws, in words."""
        out = []
        if self.method != "NUTS":
            out.append(
                "Importance sampling does not see what its mixture never reached, whatever k-hat "
                'says: along a bent valley intervals can be too narrow. sampler="nuts" tells.'
            )
        leaning = [name for name, share in self.left.items() if share > LEANING]
        if leaning:
            out.append(
                f"The runs say next to nothing about {', '.join(leaning)}: what is known of "
                f"{'it' if len(leaning) == 1 else 'them'} is the prior."
            )
        runs = int(np.sum(np.asarray(self.known.weight) > 0))
        if runs < self.model.layout.size:
            out.append(
                f"{runs} runs for {self.model.layout.size} parameters: the prior carries the rest."
            )
        shares = np.bincount(self.mode, minlength=len(self.modes)) / len(self.mode)
        shares = shares[shares >= MINOR]
        if len(shares) > 1:
            counts = ", ".join(f"{share:.0%}" for share in shares)
            out.append(
                f"The posterior has {len(shares)} separate modes with {counts} of the draws; an "
                "average over them may describe none. `by_mode()` gives the draws of each."
            )
        if self.divergences:
            out.append(
                f"{self.divergences} of {len(self.places)} trajectories diverged; jumps of the "
                f"learnt mixture (k-hat {self.khat:.2f}) go where they do not."
            )
        return out
