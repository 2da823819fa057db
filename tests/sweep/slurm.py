"""Slurm on one node, this one, as long as a test needs it: munged, slurmctld and slurmd of the distribution."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["problem", "single_node"]

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "sinfo")
SECONDS = 20

CONFIGURATION = """
ClusterName=single
SlurmctldHost={host}
SlurmUser=root
SlurmdUser=root
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
SchedulerParameters=sched_interval=1,bf_interval=1
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName={host} NodeAddr=127.0.0.1 CPUs={cores} RealMemory=4000 State=UNKNOWN
PartitionName=cpu Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def problem() -> str | None:
    """Why there can be no Slurm here; None where there can."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=_path()) is None]
    if missing:
        return f"{', '.join(missing)} of Slurm not installed"
    return None if os.geteuid() == 0 else "Slurm's daemons need root"


def _path() -> str:
    return f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"


@contextmanager
def single_node(folder: Path) -> Iterator[dict[str, str]]:
    """Slurm with one node and the partition ``cpu``; gives the environment for its commands.

    Raises
    ------
    RuntimeError
        If the node does not become idle; with what the daemons say.
    """
    for name in ("state", "spool"):
        (folder / name).mkdir(parents=True)
    host = socket.gethostname().split(".")[0]
    ports = _free_ports(2)
    text = CONFIGURATION.format(host=host, folder=folder, ports=ports, cores=os.cpu_count())
    (folder / "slurm.conf").write_text(text)
    key = folder / "munge.key"
    key.write_bytes(os.urandom(128))
    key.chmod(0o400)
    environment = {**os.environ, "PATH": _path(), "SLURM_CONF": str(folder / "slurm.conf")}
    munge = ["munged", "--foreground", "--force", f"--key-file={key}", f"--socket={folder}/munge.socket"]
    munge += [f"--{name}-file={folder}/munge.{name}" for name in ("pid", "log", "seed")]
    daemons = [munge, ["slurmctld", "-D"], ["slurmd", "-D", "-N", host]]
    running: list[subprocess.Popen] = []
    try:
        with open(folder / "output.log", "wb") as log:
            for command in daemons:
                running.append(subprocess.Popen(command, env=environment, stdout=log, stderr=log))
                time.sleep(1)
        _wait_until_idle(environment, folder)
        yield environment
    finally:
        for daemon in reversed(running):
            daemon.terminate()
        for daemon in running:
            try:
                daemon.wait(timeout=10)
            except subprocess.TimeoutExpired:
                daemon.kill()


def _wait_until_idle(environment: dict[str, str], folder: Path) -> None:
    said = ""
    for _ in range(SECONDS):
        done = subprocess.run(["sinfo", "-h", "-o", "%T"], env=environment, capture_output=True, text=True)
        said = done.stdout + done.stderr
        if done.stdout.strip() == "idle":
            return
        time.sleep(1)
    logs = "".join((folder / name).read_text(errors="replace")[-500:] for name in ("output.log",))
    raise RuntimeError(f"Slurm's node is not idle: {said.strip()}; {' '.join(logs.split())}")


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    for probe in probes:
        probe.bind(("127.0.0.1", 0))
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports
