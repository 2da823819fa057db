"""Schema of sweep files: a scene, the axes that vary it, and the workers."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, Union

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from ..errors import Place, UserError
from .fields import FilePath, Index, Part
from .validation import validate
from .yaml.located import locate

__all__ = ["MAX_RUNS", "Address", "Slurm", "Sweep", "Workers", "bytes_of", "with_workers"]

MAX_RUNS = 1_000_000
"""Runs of one sweep."""

_UNITS = {"MB": 10**6, "GB": 10**9, "MIB": 2**20, "GIB": 2**30}
_MIN_MEMORY = 500 * 10**6


def bytes_of(memory: str) -> int:
    """``2GB`` or ``1500 MiB`` as a number.

    Raises
    ------
    ValueError
        If it is none.
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,3})?) ?([MG]i?B)", memory.strip(), re.IGNORECASE)
    if match is None:
        raise ValueError(f"'{memory[:60]}' is no amount of memory; write it as 2GB or 1500MB")
    return int(float(match[1]) * _UNITS[match[2].upper()])


def _memory(value: str) -> str:
    if bytes_of(value) < _MIN_MEMORY:
        raise ValueError(f"a run needs at least {_MIN_MEMORY // 10**6}MB, not {value}")
    return value


def _one_word(value: str) -> str:
    if not re.fullmatch(r"(?!-)[\w.,:@%+/=-]+", value, re.ASCII):
        raise ValueError(
            f"{value[:60]!r} is not allowed in a Slurm script; write letters, digits and . , : @ % + / = -"
        )
    return value


def _directive(value: str) -> str:
    if not re.fullmatch(r"--?\w[\w .,:@%+/=-]*", value, re.ASCII):
        raise ValueError(f"{value[:60]!r} is no option of sbatch; write it as --qos=long")
    return value


def _host_and_port(value: str) -> str:
    if not re.fullmatch(r"(?:(?:tcp|tls)://)?(?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}", value):
        raise ValueError(f"'{value[:60]}' is no scheduler's address; write it as tcp://10.0.0.5:8786")
    return value if "://" in value else f"tcp://{value}"


def _once(value: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(value)) < len(value):
        raise ValueError("a GPU is named twice; jobs_per_gpu says how many runs share one")
    return value


Memory = Annotated[str, AfterValidator(_memory)]
Word = Annotated[str, AfterValidator(_one_word)]


class Workers(Part):
    """The processes that do the runs, each one run at a time."""

    count: Annotated[int, Field(ge=1, le=10_000)] | None = Field(
        None, description="How many; null: as many as the cores allow, or jobs_per_gpu for each GPU."
    )
    threads: int = Field(1, ge=1, le=1024, description="Of each, for rendering and for the network.")
    memory: Memory = Field("4GB", description="A process that takes more is ended, and its run tried again.")
    recycle_after: Annotated[int, Field(ge=1)] | None = Field(
        20, description="Runs after which a process gives way to a new one, before its memory can grow; null never."
    )
    gpus: Annotated[tuple[Index, ...], Field(strict=False, min_length=1), AfterValidator(_once)] | None = Field(
        None, description="Devices, as CUDA counts them; each process sees one. null leaves them as they are."
    )
    jobs_per_gpu: int = Field(1, ge=1, le=64, description="Runs that share a GPU at a time.")

    @model_validator(mode="after")
    def _as_many_as_gpus(self) -> Workers:
        if self.gpus is not None and self.count is not None and self.count > len(self.gpus) * self.jobs_per_gpu:
            raise ValueError(
                f"count is {self.count}, but {len(self.gpus)} GPUs with jobs_per_gpu {self.jobs_per_gpu} do "
                f"{len(self.gpus) * self.jobs_per_gpu} runs at a time; leave count out, or raise jobs_per_gpu"
            )
        return self


class Address(Part):
    """A scheduler of dask that is there already, with its workers."""

    address: Annotated[str, AfterValidator(_host_and_port)] = Field(description="As tcp://10.0.0.5:8786.")


class Slurm(Part):
    """Workers that Slurm starts, a job for each."""

    type: Literal["slurm"] = "slurm"
    partition: Word | None = Field(None, description="Slurm's queue; null its default.")
    account: Word | None = Field(None, description="Who is charged.")
    time: Annotated[str, Field(pattern=r"^\d+(-\d+)?(:\d\d){0,2}$")] = Field(
        "24:00:00", description="How long a worker may live; a run that it cuts off is tried again by another."
    )
    memory: Memory | None = Field(None, description="Of a worker; null takes workers.memory.")
    cores: Annotated[int, Field(ge=1, le=1024)] | None = Field(
        None, description="Of a worker; null takes workers.threads."
    )
    interface: Word | None = Field(
        None, description="The network interface that the nodes reach this machine by, as ib0; null the first."
    )
    directives: Annotated[tuple[Annotated[str, AfterValidator(_directive)], ...], Field(strict=False)] = Field(
        (), description="Further options of sbatch, as --qos=long or --gres=gpu:1."
    )


def _cluster_kind(value: Any) -> str:
    if isinstance(value, (str, Address, Slurm)):
        return {Address: "address", Slurm: "slurm"}.get(type(value), "local")
    return "slurm" if isinstance(value, dict) and "type" in value else "address"


Cluster = Annotated[
    Union[
        Annotated[Literal["local"], Tag("local")],
        Annotated[Address, Tag("address")],
        Annotated[Slurm, Tag("slurm")],
    ],
    Discriminator(_cluster_kind),
]


class Sweep(Part):
    """A sweep file: one scene, varied along axes; every combination is a run."""

    scene: FilePath = Field(description="The scene file, looked for from the sweep file's folder, then from here.")
    axes: dict[str, Any] = Field(
        min_length=1,
        description="Lists of values, by key: neurons and seeds (also ranges, and all), or any key of the scene file, "
        "as lighting.0.irradiance: [1, 2, 4].",
    )
    leave_out: Annotated[tuple[dict[str, Any], ...], Field(strict=False)] = Field(
        (), description="Combinations that are not done: a value for each of some axes."
    )
    overrides: dict[str, Any] = Field({}, description="Values for all runs, by key, as optimizer.steps: 100.")
    workers: Workers = Workers()
    retries: int = Field(1, ge=0, le=100, description="How often a run that fails, or whose process dies, is repeated.")
    max_hours: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = Field(
        None, description="A run that takes longer is ended with its process, and tried again; null: none does."
    )
    cluster: Cluster = Field("local", description="local, {address: tcp://...}, or {type: slurm, ...}.")


def with_workers(asked: Sweep, scheduler: str | None, count: int | None) -> Sweep:
    """A sweep with other workers than its file says.

    Parameters
    ----------
    asked : Sweep
    scheduler : str or None
        Address of a dask scheduler, in place of workers here.
    count : int or None
        Worker processes.

    Raises
    ------
    UserError
        For an address that is none, or more workers than the GPUs that the file names take.
    """
    update = {}
    if scheduler is not None:
        update["cluster"] = validate(Address, locate({"address": scheduler}, Place("--scheduler", Path())))
    if count is not None:
        gpus = asked.workers.gpus
        if gpus is not None and count > len(gpus) * asked.workers.jobs_per_gpu:
            raise UserError(
                f"--workers {count}: {len(gpus)} GPUs with jobs_per_gpu {asked.workers.jobs_per_gpu} do "
                f"{len(gpus) * asked.workers.jobs_per_gpu} runs at a time; ask for fewer"
            )
        update["workers"] = asked.workers.model_copy(update={"count": count})
    return asked.model_copy(update=update)
