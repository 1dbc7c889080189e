"""Numbers from results: ratios, boundaries, Sobol' indices, linear analysis of a network."""

from gbaexplore.analysis.boundaries import divergence_boundary, linear_boundary
from gbaexplore.analysis.linear import stationary_covariance
from gbaexplore.analysis.ratios import elasticity, propagation_ratio
from gbaexplore.analysis.sobol import sobol_indices
from gbaexplore.models.non_normality import henrici_departure, numerical_abscissa, transient_gain

__all__ = [
    "divergence_boundary",
    "elasticity",
    "henrici_departure",
    "linear_boundary",
    "numerical_abscissa",
    "propagation_ratio",
    "sobol_indices",
    "stationary_covariance",
    "transient_gain",
]
