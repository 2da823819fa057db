"""One neuron of a V4 model with an attention readout, against all of them and picking one."""

from __future__ import annotations

import statistics
from functools import partial

import torch

from mitsuba_mei.neurons.nnvision import build_nnvision
from mitsuba_mei.neurons.nnvision_layers import Encoder
from tests.neurons.checkpoints import macaque_v4_state

from .measure import seconds_each
from .report import Report, Target

__all__ = ["run"]

IMAGE_SIZE = (100, 100)
THREADS = (1, 2)
NEURON = 3
ALL, ONE = "all neurons", "one neuron"


def run(report: Report, steps: int = 10, rounds: int = 3) -> None:
    """Response of one neuron and its gradient to the image, with the whole readout and with that neuron's alone.

    Parameters
    ----------
    steps, rounds : int
        Calls of each in each round; they take turns.
    """
    model = build_nnvision(macaque_v4_state(), IMAGE_SIZE)
    contenders = {ALL: (model, NEURON), ONE: (model.select([NEURON]), 0)}
    image = torch.randn(1, 1, *IMAGE_SIZE, generator=torch.Generator().manual_seed(1))
    rows, targets = [], []
    before = torch.get_num_threads()
    for threads in THREADS:
        torch.set_num_threads(threads)
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for encoder, neuron in contenders.values():
            _ascend(encoder, neuron, image, 0)
        for _ in range(rounds):
            for name, (encoder, neuron) in contenders.items():
                times[name] += seconds_each(partial(_ascend, encoder, neuron, image), steps)
        whole = statistics.median(times[ALL])
        for name, values in times.items():
            median = statistics.median(values)
            rows.append(
                {
                    "threads": threads,
                    "readout": name,
                    "median ms": 1e3 * median,
                    "fastest ms": 1e3 * min(values),
                    "of all neurons": median / whole,
                    "calls": len(values),
                }
            )
        targets.append(Target(f"one neuron's time of that of all, threads: {threads}", median / whole, most=0.5))
    torch.set_num_threads(before)
    report.table(
        f"Response and gradient to the image: {model.n_neurons} neurons, {IMAGE_SIZE[0]} x {IMAGE_SIZE[1]} pixels",
        rows,
        "random weights in the format and of the size of the published V4 model with an attention readout",
        "times",
    )
    report.targets(*targets)


def _ascend(encoder: Encoder, neuron: int, image: torch.Tensor, _: int) -> torch.Tensor:
    image = image.clone().requires_grad_()
    return torch.autograd.grad(encoder(image)[0, neuron], image)[0]
