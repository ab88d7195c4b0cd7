"""Convolutional-recurrent estimators for music analysis."""

from crema.version import __version__

__all__ = ["__version__"]
