"""Numbers from results: ratios, boundaries, Sobol' indices, linear analysis of a network."""

from gbaexplore.analysis.boundaries import divergence_boundary, linear_boundary
from gbaexplore.analysis.linear import (
    henrici_departure,
    non_normality,
    numerical_abscissa,
    stationary_covariance,
    transient_gain,
)
from gbaexplore.analysis.ratios import elasticity, propagation_ratio
from gbaexplore.analysis.sobol import sobol_indices

__all__ = [
    "divergence_boundary",
    "elasticity",
    "henrici_departure",
    "linear_boundary",
    "non_normality",
    "numerical_abscissa",
    "propagation_ratio",
    "sobol_indices",
    "stationary_covariance",
    "transient_gain",
]
