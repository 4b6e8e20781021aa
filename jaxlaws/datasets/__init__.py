"""Public data of the scaling-law literature: what exists, where it is from, and its tidy tables."""

from jaxlaws.datasets._info import DataError as DataError
from jaxlaws.datasets._info import Info as Info
from jaxlaws.datasets._load import load as load
from jaxlaws.datasets._registry import info as info
from jaxlaws.datasets._registry import names as names
from jaxlaws.datasets._runs import runs as runs
