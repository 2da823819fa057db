"""Models as users write them, right and wrong ones: what tests put beside a card. Nobody imports it as it lies here."""

import os
import sys

import torch
import torch.nn.functional as F
from torch import nn


class Cells(nn.Module):
    """Gratings, each with a gain of its own."""

    def __init__(self, count=3, size=32):
        super().__init__()
        x = (2 * torch.arange(size) + 1 - size) / size
        waves = torch.stack([torch.cos(torch.pi * (i + 1) * x) for i in range(count)])
        self.gain = nn.Parameter(torch.ones(count))
        self.register_buffer("waves", waves / size**0.5 / waves.norm(dim=1, keepdim=True))

    def forward(self, images):
        return images.mean(1).sum(1) @ self.waves.T * self.gain


class Adapting(Cells):
    """The responses fall slowly, call by call."""

    def __init__(self):
        super().__init__()
        self.calls = 0

    def forward(self, images):
        self.calls += 1
        return super().forward(images) * (1 - 4e-5 * self.calls)


class Recurrent(Cells):
    hidden = 0.0

    def forward(self, images):
        drive = super().forward(images)
        self.hidden = drive.detach().mean() + 0.9 * self.hidden
        return drive + self.hidden


class Dropping(Cells):
    def forward(self, images):
        return super().forward(F.dropout(images, 0.1))  # training is True by default


class Batching(Cells):
    def forward(self, images):
        return super().forward(F.batch_norm(images, None, None, training=True))


class Silent(Cells):
    def forward(self, images):
        return (super().forward(images) - 1000).relu()


class Leaving(Cells):
    def forward(self, images):
        sys.exit("no licence")


def float64():
    torch.set_default_dtype(torch.float64)
    return Cells()


def no_grad():
    torch.set_grad_enabled(False)
    return Cells()


def elsewhere():
    os.chdir(os.path.dirname(__file__))
    return Cells()


def threads():
    torch.set_num_threads(torch.get_num_threads() + 1)
    return Cells()


def seeded():
    torch.manual_seed(0)
    return Cells()


def deaf():
    import signal

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    return Cells()


def mute():
    sys.stdout = None
    return Cells()


def leave():
    sys.exit("no weights here")


def scripted():
    return torch.jit.script(Cells())


def traced():
    return torch.jit.trace(Cells(), torch.zeros(2, 1, 32, 32))


def frozen():
    return torch.jit.freeze(torch.jit.trace(Cells().eval(), torch.zeros(2, 1, 32, 32)))


SHARED = Cells()


class Cubed(Cells):
    def forward(self, images):
        return super().forward(images) ** 3


class Shifted(Cells):
    def forward(self, images):
        return super().forward(images + 0.2 * images.roll(3, -1))


class Below(Cells):
    """Two kinds of starts: the neuron answers less than nothing, or not at all."""

    def forward(self, images):
        response = super().forward(images)
        return torch.where(response > OPEN, 0 * response, response - 50)


OPEN = float(os.environ.get("OPEN_AT_OF_THESE_TESTS", "inf"))


class Whole(Cells):
    def forward(self, images):
        return super().forward(images).round().long()


class Half(Cells):
    def forward(self, images):
        return super().forward(images).bfloat16()


class Undefined(Cells):
    def forward(self, images):
        return super().forward(images) + torch.tensor([0, float("nan"), 0])


class Backless(Cells):
    def forward(self, images):
        responses = super().forward(images)
        root = responses.exp()
        root.mul_(2)  # exp's gradient needs what is overwritten here
        return root


class InPlace(Cells):
    def forward(self, images):
        images -= 0.3
        images *= 2
        return super().forward(images)


class Modal(Cells):
    def forward(self, images):
        return super().forward(images) * (1 if torch.is_grad_enabled() else 2)


class Restless(Cells):
    def forward(self, images):
        torch.set_default_dtype(torch.float64)
        os.chdir(os.path.dirname(__file__))
        sys.stdout = None
        return super().forward(images)


class Recording(Cells):
    """Keeps all that it is shown."""

    def forward(self, images):
        SHOWN.extend(images.detach().clone())
        return super().forward(images)


SHOWN = []


class Hooked(nn.Module):
    """Reads a layer out by a hook that holds on to the very object."""

    def __init__(self):
        super().__init__()
        self.cells, self.found = Cells(), {}
        self.cells.register_forward_hook(lambda module, given, value: self.found.update(value=value))

    def forward(self, images):
        self.cells(images)
        return self.found["value"] * 1


class Deep(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.other, self.drop = Cells(), Cells(), nn.Dropout(0.5)

    def forward(self, images):
        return self.one(images) + self.drop(self.other(images))


DEEP = Deep().double()
DEEP.other.eval()
DEEP.one.gain.requires_grad_(False)
DEEP.other.gain.grad = torch.full_like(DEEP.other.gain, 7)
HOOKED = Hooked()
HELD = Cells()
HELD.attribute = HELD.gain * 2  # what has a history cannot be copied


def the_same():
    return DEEP


def too_small():
    return torch.jit.script(Cells(size=16))


class Loading(Cells):
    def __init__(self, name, **wanted):
        super().__init__(**wanted)
        self.load_state_dict(torch.load(os.path.join(os.path.dirname(__file__), name)))


def environment():
    os.environ["OMP_NUM_THREADS"] = "7"
    return Cells()


def path():
    sys.path.insert(0, "/nowhere")
    return Cells()


def arguments():
    sys.argv.append("--trust-code")
    return Cells()


def deterministic():
    torch.use_deterministic_algorithms(True)
    return Cells()


def anomalies():
    torch.autograd.set_detect_anomaly(True)
    return Cells()


def hook():
    sys.excepthook = print
    return Cells()


def device():
    torch.set_default_device("meta")
    return nn.Identity()
