"""Procedures: what takes runs and returns draws, fits or tables, beside the laws they serve.

They stand above the engine, and enter the catalogue from here: the laws know nothing of them.
"""

from types import ModuleType

from jaxlaws.laws import QUANTITIES
from jaxlaws.procedures import (
    families,
    farseer,
    horizons,
    intrinsic,
    network,
    refits,
    released,
    skills,
    stages,
    transport,
)
from jaxlaws.procedures.families import family_error as family_error
from jaxlaws.procedures.farseer import farseer_by_stages as farseer_by_stages
from jaxlaws.procedures.horizons import Horizons as Horizons
from jaxlaws.procedures.horizons import time_horizons as time_horizons
from jaxlaws.procedures.intrinsic import Intrinsic as Intrinsic
from jaxlaws.procedures.intrinsic import intrinsic_fit as intrinsic_fit
from jaxlaws.procedures.network import TwoSteps as TwoSteps
from jaxlaws.procedures.network import flp_m as flp_m
from jaxlaws.procedures.skills import Skills as Skills
from jaxlaws.procedures.skills import sloth as sloth
from jaxlaws.procedures.stages import best_mixture as best_mixture
from jaxlaws.procedures.stages import two_stage as two_stage
from jaxlaws.procedures.transport import Projection as Projection
from jaxlaws.procedures.transport import projektor as projektor

MODULES: tuple[ModuleType, ...] = (
    refits,
    released,
    families,
    transport,
    horizons,
    network,
    skills,
    farseer,
    intrinsic,
    stages,
)

for _module in MODULES:
    for _id, _functions in _module.QUANTITIES.items():
        QUANTITIES.setdefault(_id, {}).update(_functions)
