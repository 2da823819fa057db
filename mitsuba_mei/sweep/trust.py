"""What a sweep file may ask of a cluster without the user's trust.

Two of its entries can have code run: a scheduler, whose messages are unpickled, and options of sbatch, which can load
libraries, start in another folder or write anywhere (``--export``, ``--chdir``, ``--output``).
"""

from __future__ import annotations

from ..errors import UserError
from ..schema import Address, Slurm
from ..yaml_lines import Place, parse
from .plan import Plan

__all__ = ["check_cluster"]

HARMLESS = frozenset(
    f"--{name}"
    for name in """account begin comment constraint cores-per-socket cpus-per-gpu cpus-per-task deadline dependency
    distribution exclude exclusive gpus gpus-per-node gpus-per-socket gpus-per-task gres hint hold licenses mem
    mem-per-cpu mem-per-gpu mincpus nice no-requeue nodelist nodes ntasks ntasks-per-node partition priority qos requeue
    reservation signal sockets-per-node threads-per-core time time-min tmp use-min-nodes wckey""".split()
) | {"-A", "-C", "-G", "-L", "-N", "-c", "-m", "-n", "-p", "-q", "-t", "-w", "-x"}
"""Options of sbatch (Slurm 24.05) that say what a job needs, and nothing of what it does."""


def check_cluster(plan: Plan) -> None:
    """Raise UserError where a sweep file's cluster could run code, and the user did not say that it is trusted."""
    cluster = plan.sweep.cluster
    if plan.scene.trust_code or not isinstance(cluster, (Address, Slurm)):
        return
    said = parse(plan.text, Place(str(plan.file), plan.file.parent))
    if isinstance(cluster, Address):
        raise UserError(
            f"{said.at(('cluster', 'address'))}: cluster: address: a scheduler can have any code run here; if you "
            f"trust the one at {cluster.address}, say --trust-code, or name it yourself with --scheduler"
        )
    for index, directive in enumerate(cluster.directives):
        for word in directive.split():
            name = word.partition("=")[0] if word.startswith("--") else word[:2]
            if word.startswith("-") and name not in HARMLESS:
                raise UserError(
                    f"{said.at(('cluster', 'directives', index))}: cluster: directives: {name} is none of sbatch's "
                    "options that only say what a job needs, as --gres=gpu:1; if you trust it, say --trust-code"
                )
