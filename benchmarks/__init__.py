"""Measurements run by hand; the choices that the library states are taken from their output."""
