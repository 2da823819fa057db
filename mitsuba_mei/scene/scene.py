"""The scene: all its parts, and the state that they add up to."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import torch
from torch import Tensor, nn

from ..config.quantities import Quantity
from ..geometry.mesh import TriangleMesh
from .camera import Camera
from .color import to_channels
from .component import Component
from .deformation import RBFDeformation
from .emitters import Lighting
from .material import Material
from .pose import Pose
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

    def parameter_groups(self) -> dict[str, list[nn.Parameter]]:
        """The free parameters of each part that has any."""
        parts = {name: [p for p in getattr(self, name).parameters() if p.requires_grad] for name in self.GROUPS}
        return {name: parameters for name, parameters in parts.items() if parameters}

    def named(self) -> Iterator[tuple[str, Component, str]]:
        """Each parameter's path in the scene file, the part that has it, and its name there."""
        for group in self.GROUPS:
            part = getattr(self, group)
            if isinstance(part, Lighting):
                parts = [(f"{group}.{index}", emitter) for index, emitter in enumerate(part.emitters)]
            else:
                parts = [(group, part)]
            for path, component in parts:
                yield from ((f"{path}.{name}", component, name) for name in component.parameter_names)

    def quantity(self, path: str) -> Quantity:
        """Quantity of the parameter at a path in the scene file."""
        return next(component.quantity(name) for known, component, name in self.named() if known == path)

    def free_parameters(self) -> dict[str, nn.Parameter]:
        """Every free parameter by its path in the scene file."""
        stored = {path: getattr(component, name) for path, component, name in self.named()}
        return {path: parameter for path, parameter in stored.items() if parameter.requires_grad}

    def rotation_parameters(self) -> dict[str, nn.Parameter]:
        """Free parameters that rotate the object or a light."""
        free = self.free_parameters().items()
        return {path: value for path, value in free if path == "pose.rotation" or path.endswith(".direction")}

    def freeze_except(self, paths: Collection[str]) -> None:
        """Freeze every free parameter but those of these paths; the scene stays the same to the last bit."""
        for path, component, name in self.named():
            if path not in paths and getattr(component, name).requires_grad:
                component.freeze(name)

    def to_settings(self) -> dict:
        """Pose, camera, lighting and material as a scene file says them."""
        return {
            "pose": self.pose.to_settings(),
            "camera": self.camera.to_settings(),
            "lighting": [emitter.to_settings() for emitter in self.lighting.emitters],
            "material": self.material.to_settings(),
        }
