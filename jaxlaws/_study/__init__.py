"""Studies: many tables x laws x objectives x resamplings x hold-outs, durable and resumable."""

from jaxlaws._study._cost import cost as cost
from jaxlaws._study._folder import Folder as Folder
from jaxlaws._study._report import summaries as summaries
from jaxlaws._study._run import State as State
from jaxlaws._study._run import Study as Study
from jaxlaws._study._run import Tell as Tell
from jaxlaws._study._run import run as run
from jaxlaws._study._run import study as study
from jaxlaws._study._run import usual_precision as usual_precision
from jaxlaws._study._settings import Settings as Settings
