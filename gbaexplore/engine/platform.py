"""What JAX computes on."""

from __future__ import annotations

from typing import Any

import jax

from gbaexplore.basics.errors import UserError, text_of


def check_platform() -> None:
    """Raise UserError if JAX has nothing to compute on."""
    try:
        jax.devices()
    except (
        RuntimeError,
        AssertionError,
    ) as error:  # the latter, bare, for "cuda" without CUDA
        raise UserError(
            f"JAX can't compute here ({text_of(error)}); expected a platform that this machine has: unset "
            "JAX_PLATFORMS, or make it cpu"
        ) from None


def accelerated() -> bool:
    """Return whether JAX computes on something else than the processor.

    Raises:
        UserError: it has nothing to compute on.
    """
    check_platform()
    return jax.default_backend() != "cpu"


def compiler_options(backend: str) -> dict[str, Any] | None:
    """Return how programs that take steps are compiled for one of JAX's platforms."""
    if backend != "cpu":
        return None
    # Wider vectors than LLVM's default are worth a tenth of the time on this kernel. The pass divides an operation
    # between threads, which takes longer than a step does: another queue, or nothing, is for the other cores.
    return {"xla_cpu_prefer_vector_width": 512, "xla_disable_hlo_passes": "cpu-parallel-task-assigner"}
