"""The comparison with other simulators runs, at sizes that measure nothing, where these are installed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = {"tvboptim": "tvboptim's kernel", "neurolib": "neurolib", "cubnm": "cuBNM"}


def lines():
    command = [sys.executable, ROOT / "benchmarks" / "peers" / "peers.py"]
    environment = os.environ | {"GBAEXPLORE_SMALLEST_BENCHMARKS": "1"}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.splitlines()


def test_a_peer_that_is_not_installed_is_told():
    if all(installed(peer) for peer in PEERS):
        pytest.skip("all peers are installed")
    found = lines()
    for peer in PEERS:
        if not installed(peer):
            assert any(line.startswith(f"{peer}: not measured") and "make bench-peers" in line for line in found)


@pytest.mark.slow
@pytest.mark.parametrize("peer", PEERS)
def test_peers_are_measured(peer):
    if not installed(peer):
        pytest.skip(f"{peer} is not installed: make bench-peers")
    assert any(PEERS[peer] in line and line.endswith(" x") for line in lines())


def installed(peer):
    return (ROOT / f".venv-peers-{peer}" / "bin" / "python").exists()
