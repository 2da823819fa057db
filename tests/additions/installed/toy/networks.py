import math

import torch
from torch import nn


class Gratings(nn.Module):
    def __init__(self, image_size, cycles):
        super().__init__()
        rows = torch.linspace(0, 1, image_size[0])[None, :, None]
        gratings = torch.sin(2 * math.pi * torch.tensor(cycles)[:, None, None] * rows).expand(-1, -1, image_size[1])
        self.register_buffer("gratings", gratings / gratings.flatten(1).norm(dim=1)[:, None, None])

    def forward(self, images):
        return torch.einsum("bhw,nhw->bn", images.mean(1), self.gratings)
