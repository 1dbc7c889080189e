"""cuBNM on the processor: E-I Wong-Wang simulations with noise and BOLD, without FC and FCD."""

import work
from cubnm import sim


def job():
    group = sim.rWWSimGroup(
        duration=work.EI_SECONDS, TR=1, sc=work.weights(work.EI_AREAS), sim_seed=1, do_fic=True, do_fc=False,
        do_fcd=False, force_cpu=True, bold_remove_s=0, gof_terms=[],
    )  # fmt: skip
    group.N = work.EI_THEIRS
    group.param_lists["G"] = work.couplings(group.N)
    group._set_default_params(missing=True)
    group.param_lists["G"] = work.couplings(group.N)
    return group.run


if __name__ == "__main__":
    work.serve({"noise": job()})
