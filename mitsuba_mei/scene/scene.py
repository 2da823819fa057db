"""The scene: all its parts, and the state that they add up to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from .camera import Camera
from .component import Component
from .deformation import RBFDeformation
from .lighting import Lighting
from .material import Material
from .mesh import TriangleMesh
from .pose import Pose
from .spectrum import to_channels
from .state import SceneState

__all__ = ["Scene"]


class Scene(nn.Module):
    """A deformable object under lights before a camera.

    Parameters
    ----------
    template : TriangleMesh
        What is deformed.
    shape, pose, camera, lighting, material
        The parts; each knows which of its parameters are free.
    background : sequence of float
        Radiance where the camera sees no surface, (1,) or (3,); no light changes it.
    channels : int
        1 (luminance) or 3 (RGB).
    """

    GROUPS = ("shape", "pose", "camera", "lighting", "material")

    def __init__(
        self,
        template: TriangleMesh,
        shape: RBFDeformation,
        pose: Pose,
        camera: Camera,
        lighting: Lighting,
        material: Material,
        background: Sequence[float],
        channels: int,
    ) -> None:
        super().__init__()
        self.template = template
        self.shape = shape
        self.pose = pose
        self.camera = camera
        self.lighting = lighting
        self.material = material
        self.channels = channels
        self.register_buffer("background", to_channels(torch.as_tensor(background, dtype=torch.float32), channels))
        self.register_buffer("faces", template.faces)

    def forward(self, shape: Tensor | None = None, camera: Camera | None = None) -> SceneState:
        """The scene in the camera's frame.

        Parameters
        ----------
        shape : Tensor, optional
            Deformed vertices (V, 3) in the object's frame, where they are known already.
        camera : Camera, optional
            Another than the scene's own.
        """
        camera = self.camera if camera is None else camera
        vertices = camera(self.pose(self.shape() if shape is None else shape))
        environment = None
        if self.lighting.environment:
            rotation = camera.rotation_matrix()

            def environment(directions: Tensor) -> Tensor:
                return self.lighting.incident(directions @ rotation, self.channels)

        return SceneState(
            vertices=vertices,
            faces=self.faces,
            tan_half_fov=camera.tan_half_fov(),
            environment=environment,
            detail=self.lighting.detail,
            lights=self.lighting.local_states(camera, self.channels),
            material=self.material.state(self.channels),
            background=self.background,
            lobes=self.lighting.lobes(camera, self.channels),
        )

    def groups(self) -> dict[str, list[nn.Parameter]]:
        """The free parameters of each part that has any."""
        parts = {name: [p for p in getattr(self, name).parameters() if p.requires_grad] for name in self.GROUPS}
        return {name: parameters for name, parameters in parts.items() if parameters}

    def free_parameters(self) -> dict[str, nn.Parameter]:
        """Every free parameter by its path in the scene file."""
        found = {}
        for group in self.GROUPS:
            part = getattr(self, group)
            components = enumerate(part.emitters) if isinstance(part, Lighting) else [(None, part)]
            for index, component in components:
                found |= self._free_of(component, group if index is None else f"{group}.{index}")
        return found

    @staticmethod
    def _free_of(component: Component, path: str) -> dict[str, nn.Parameter]:
        named = ((name, getattr(component, name)) for name in component.parameter_names)
        return {f"{path}.{name}": parameter for name, parameter in named if parameter.requires_grad}

    def in_file_units(self) -> dict:
        """Pose, camera, lighting and material as a scene file says them."""
        return {
            "pose": self.pose.in_file_units(),
            "camera": self.camera.in_file_units(),
            "lighting": [emitter.in_file_units() for emitter in self.lighting.emitters],
            "material": self.material.in_file_units(),
        }
