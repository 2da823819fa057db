"""In a real Jupyter kernel: the bar, the live figure, results in a cell, interrupts, and scenes of all kinds."""

from __future__ import annotations

import base64
import io
import os
import signal
import threading
import time
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from PIL import Image

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

SETUP = """
import torch, mitsuba_mei as mm
torch.manual_seed(0)
def network(channels=1):
    return torch.nn.Sequential(torch.nn.Conv2d(channels, 8, 7, stride=3), torch.nn.ReLU(), torch.nn.Flatten(), torch.nn.LazyLinear(4))
def problem(channels=1, renderer="raster", **more):
    net = network(channels); net(torch.zeros(1, channels, 32, 32))
    scene = mm.Scene(mm.icosphere(2), deformation=mm.RBFDeformation(20, scale=0.4))
    image = mm.Input(size=32, channels=channels, mean=[124.5] * channels, std=[70.3] * channels)
    return mm.MEI(net, 1, input=image, scene=scene, renderer=renderer, evaluate={"spp": 16, "repeats": 2}, **more)
"""


class Kernel:
    """A kernel, to which cells are given one after the other."""

    def __init__(self, folder) -> None:
        self.book = nbformat.v4.new_notebook()
        self.client = NotebookClient(
            self.book, timeout=60, kernel_name="python3", resources={"metadata": {"path": folder}}
        )

    def run(self, source: str) -> list:
        """A cell's outputs."""
        cell = nbformat.v4.new_code_cell(source)
        self.book.cells.append(cell)
        self.client.execute_cell(cell, len(self.book.cells) - 1)
        return cell.outputs


@pytest.fixture(scope="module")
def kernel(tmp_path_factory):
    kernel = Kernel(str(tmp_path_factory.mktemp("notebook")))
    with kernel.client.setup_kernel():
        kernel.run(SETUP)
        yield kernel


def of_type(outputs: list, kind: str) -> list:
    return [output["data"][kind] for output in outputs if kind in output.get("data", {})]


def streams(outputs: list, name: str) -> str:
    return "".join(output["text"] for output in outputs if output.get("name") == name)


def test_a_run_shows_a_bar_and_then_itself(kernel):
    outputs = kernel.run("mei = problem()\nresult = mei.optimize(4)\nresult")
    assert streams(outputs, "stdout") == ""
    assert "4/4" in streams(outputs, "stderr") or of_type(outputs, "application/vnd.jupyter.widget-view+json")
    (page,) = of_type(outputs, "text/html")
    assert "The activation is" in page
    picture = page.partition('src="data:image/png;base64,')[2].partition('"')[0]
    assert Image.open(io.BytesIO(base64.b64decode(picture))).width > 1000


def test_its_plot_is_a_picture_without_pyplot(kernel):
    outputs = kernel.run("result.plot()")
    (picture,) = of_type(outputs, "image/png")
    shown = np.asarray(Image.open(io.BytesIO(base64.b64decode(picture))).convert("L"))
    kernel.run("import shutil; shutil.copy(result.folder / 'summary.png', 'summary.png')")
    written = np.asarray(Image.open(kernel.client.resources["metadata"]["path"] + "/summary.png").convert("L"))
    assert shown.shape == written.shape and np.abs(shown.astype(int) - written).mean() < 1


def test_a_second_call_goes_on(kernel):
    (text,) = of_type(
        kernel.run("again = mei.optimize(3, progress=False)\n(again.initial_scene, again.steps)"), "text/plain"
    )
    assert text == "('earlier run', 3)"


def test_the_live_figure_shows_render_and_curve(kernel):
    outputs = kernel.run("live = problem().optimize(3, progress='live')")
    (picture,) = of_type(outputs, "image/png")
    assert Image.open(io.BytesIO(base64.b64decode(picture))).width == 630


def test_an_interrupt_ends_after_the_step_and_gives_the_result_so_far(kernel):
    metrics = Path(kernel.client.resources["metadata"]["path"]) / "long" / "metrics.csv"

    def stop() -> None:
        while not metrics.is_file() or metrics.read_bytes().count(b"\n") < 4:
            time.sleep(0.1)
        os.kill(kernel.client.km.provisioner.pid, signal.SIGINT)  # as the stop button does

    stopper = threading.Thread(target=stop)
    stopper.start()
    outputs = kernel.run(
        "long = problem().optimize(100_000, out='long', progress=False)\n(long.ended, long.steps > 1, long.stimulus.shape)"
    )
    stopper.join()
    (text,) = of_type(outputs, "text/plain")
    assert text == "('interrupted', True, (32, 32))"
    (text,) = of_type(kernel.run("problem().optimize(1, progress=False).ended"), "text/plain")
    assert text == "'done'"  # the next cell is as ever


@pytest.mark.parametrize("renderer", ["raster", "path"])
def test_grey_and_colour_in_one_kernel(kernel, renderer):
    source = f"[problem(c, '{renderer}').optimize(2, progress=False).stimulus.shape for c in (1, 3, 1)]"
    (text,) = of_type(kernel.run(source), "text/plain")
    assert text == "[(32, 32), (32, 32, 3), (32, 32)]"


def test_a_thread_can_run_it(kernel):
    source = """
import threading
done = []
thread = threading.Thread(target=lambda: done.append(problem().optimize(2, progress=False)))
thread.start(); thread.join()
done[0].ended
"""
    (text,) = of_type(kernel.run(source), "text/plain")
    assert text == "'done'"
