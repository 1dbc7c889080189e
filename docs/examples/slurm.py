"""Run a study on a SLURM cluster: N jobs of one core, each a dask worker, until every point is computed.

python slurm.py my_study.py --jobs 50 --store /shared/store --interface ib0

Start it where `sbatch` works and where it may run as long as the study does: it holds dask's scheduler. It needs
`pip install dask-jobqueue`. What your cluster wants besides (account, partition) goes into `cluster_of` or into
~/.config/dask/jobqueue.yaml.
"""

import argparse

from dask_jobqueue import SLURMCluster
from distributed import Client

import gbaexplore


def cluster_of(interface: str | None) -> SLURMCluster:
    """Return a cluster without jobs; `print(cluster.job_script())` shows what each would be."""
    return SLURMCluster(
        # account="...", queue="...",  # sbatch's -A and -p
        processes=1,
        cores=1,
        memory="2GB",
        # XLA, which computes the points, reads NPROC when it starts: one thread, as the job has one core.
        job_script_prologue=["export NPROC=1"],
        # SLURM kills a job at its walltime. A worker ends itself before, 51 to 59 minutes after its start so that
        # not all end together, and another computes what it was at.
        walltime="01:00:00",
        worker_extra_args=["--lifetime", "55m", "--lifetime-stagger", "4m"],
        # The network on which jobs reach this machine; `ip addr` lists them.
        interface=interface,
        scheduler_options={"dashboard_address": ":0"},  # any free port: others may run dask here too
        log_directory="slurm-logs",
    )


def main() -> None:
    """Run the study that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", metavar="STUDY.py", help="a study file, or the name of a shipped study")
    parser.add_argument("--jobs", metavar="N", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--store", metavar="DIR", default="store", help="folder, or X.zarr, that all jobs can write to")
    parser.add_argument("--interface", metavar="NAME", help="such as ib0 (default: what dask guesses)")
    args = parser.parse_args()

    study = gbaexplore.load_study(args.study)  # a mistake in it is reported before any job is submitted
    with cluster_of(args.interface) as cluster, Client(cluster) as client:
        print(f"scheduler: {cluster.scheduler_address}", flush=True)
        # `cluster.scale` would submit N jobs once; this submits another for each that has ended, too.
        cluster.adapt(minimum_jobs=args.jobs, maximum_jobs=args.jobs)
        client.wait_for_workers(1)  # jobs that start later get work as they come
        print(gbaexplore.run(study, store=args.store, scheduler=cluster.scheduler_address))


if __name__ == "__main__":
    main()
