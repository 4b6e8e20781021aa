"""Measurements run by hand; the choices that the library states are taken from their output.

`python -m benchmarks` measures speed and writes docs/benchmarks.md; the other modules have commands
of their own, which docs/numbers.md and its neighbours name beside their numbers.
"""
