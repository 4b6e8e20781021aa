"""The command line over the public functions, nothing else."""

from jaxlaws._cli._main import main as main
