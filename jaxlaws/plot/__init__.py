"""Figures: curves with bands, residuals, IsoFLOP curves, frontiers, draws, predictive checks.

Every function takes a result and gives back the axes or the figure it drew; `save` writes it.
matplotlib is loaded when the first figure is made.
"""

from jaxlaws.plot._band import fit_band as fit_band
from jaxlaws.plot._checks import checks as checks
from jaxlaws.plot._clouds import bootstrap_clouds as bootstrap_clouds
from jaxlaws.plot._frontier import frontier as frontier
from jaxlaws.plot._isoflop import isoflop as isoflop
from jaxlaws.plot._leaning import prior_sensitivity as prior_sensitivity
from jaxlaws.plot._overview import overview as overview
from jaxlaws.plot._residuals import residuals as residuals
from jaxlaws.plot._specification import specification_curve as specification_curve
from jaxlaws.plot._style import save as save
