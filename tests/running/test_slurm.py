"""docs/examples/slurm.py: the job script that it submits, and a study on a real SLURM of one node."""

import contextlib
import importlib.util
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from grids import STUDY, same

from gbaexplore import load_study, open_study, run

pytestmark = pytest.mark.slow

pytest.importorskip("dask_jobqueue", reason="dask_jobqueue is not installed")

LONG_S = 300  # nothing here takes as long, unless it hangs; however busy the machine
EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "slurm.py"
PROGRAMS = ["slurmctld", "slurmd", "munged", "sbatch"]
MISSING = [program for program in PROGRAMS if shutil.which(program) is None]
LOOPBACK = next(n for n, found in psutil.net_if_addrs().items() if any(a.address == "127.0.0.1" for a in found))

# No systemd and no cgroups are needed: processes are followed by their parents, and nothing is limited.
SLURM_CONF = """
ClusterName=test
SlurmctldHost={node}(127.0.0.1)
NodeName={node} NodeAddr=127.0.0.1 CPUs=2 RealMemory=8192 State=UNKNOWN
PartitionName=all Nodes={node} Default=YES State=UP
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
CommunicationParameters=NoInAddrAny,NoCtldInAddrAny
SlurmUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
MailProg=/bin/true
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SlurmdParameters=config_overrides
ReturnToService=2
"""


def seconds(text):
    """Of SLURM's "01:00:00" or dask's "55m"."""
    if ":" in text:
        hours, minutes, rest = map(int, text.split(":"))
        return 3600 * hours + 60 * minutes + rest
    return float(text[:-1]) * {"s": 1, "m": 60, "h": 3600}[text[-1]]


def test_the_job_script(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # it makes the folder for the logs
    spec = importlib.util.spec_from_file_location("slurm_example", EXAMPLE)
    example = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(example)
    with example.cluster_of(LOOPBACK) as cluster:
        script = cluster.job_script()
        address = cluster.scheduler_address
    *before, command = script.strip().splitlines()
    assert "export NPROC=1" in before
    assert "#SBATCH --cpus-per-task=1" in before
    assert command.startswith(f"{sys.executable} -m distributed.cli.dask_worker {address} ")
    assert " --nthreads 1 " in command
    walltime = seconds(re.search(r"#SBATCH -t (\S+)", script)[1])
    lifetime, stagger = (
        seconds(re.search(rf"--{name} (\S+)", command)[1]) for name in ("lifetime", "lifetime-stagger")
    )
    assert 0 < stagger < lifetime < walltime
    assert lifetime + stagger < walltime


def free_ports(count):
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def waited_for(condition):
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > LONG_S:
            return False
        time.sleep(0.1)
    return True


def ended(process):
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


@pytest.fixture
def slurm(tmp_path):
    """The environment in which `sbatch` finds a SLURM of one node, on 127.0.0.1."""
    folder = tmp_path / "slurm"
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    node = platform.node().split(".")[0]
    (folder / "slurm.conf").write_text(SLURM_CONF.format(node=node, folder=folder, ports=free_ports(2)))
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o600)
    environment = {**os.environ, "SLURM_CONF": str(folder / "slurm.conf")}

    def ask(*command):
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=LONG_S).stdout.strip()

    munged = ["munged", "--foreground", "--force"]  # forced: a test's folder is closed to other users
    for option, name in [("key", "key"), ("pid", "pid"), ("seed", "seed"), ("log", "log")]:
        munged.append(f"--{option}-file={folder}/munge.{name}")
    daemons = ([*munged, f"--socket={folder}/munge.socket"], ["slurmctld", "-D", "-i"], ["slurmd", "-D"])
    with (folder / "output").open("w") as output, contextlib.ExitStack() as stack:
        for daemon in daemons:
            process = subprocess.Popen(daemon, env=environment, cwd=folder, stdout=output, stderr=output)
            stack.callback(ended, process)
            assert daemon[0] != "munged" or waited_for((folder / "munge.socket").exists), "munged does not start"
        ready = waited_for(lambda: ask("sinfo", "--noheader", "--format=%t") == "idle")
        assert ready, f"SLURM does not start: {(folder / 'output').read_text()[-3000:]}"
        yield environment
        ask("scancel", "--user=root")
        assert waited_for(lambda: not ask("squeue", "--noheader")), "a job does not end"


@pytest.mark.skipif(
    bool(MISSING), reason=f"not installed: {', '.join(MISSING)} (slurmctld, slurmd, slurm-client, munge)"
)
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start SLURM's daemons")
def test_a_study_on_a_real_slurm(slurm, tmp_path):
    path = tmp_path / "grid.py"
    path.write_text(STUDY)
    command = [sys.executable, EXAMPLE, path, "--jobs", "2", "--store", tmp_path / "jobs", "--interface", LOOPBACK]
    done = subprocess.run(command, env=slurm, cwd=tmp_path, capture_output=True, text=True, timeout=2 * LONG_S)
    logs = sorted((tmp_path / "slurm-logs").glob("*.err"))
    assert done.returncode == 0, done.stderr + "".join(log.read_text() for log in logs)
    assert len(logs) >= 2
    assert "scheduler: tcp://127.0.0.1:" in done.stdout
    same(open_study(tmp_path / "jobs" / "grid.zarr"), run(load_study(path), store=tmp_path / "here"))
