"""A scene in Python: parts put together, as a scene file says them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..config.arguments import checked
from ..config.fields import Part
from ..config.scene import RandomShape
from ..errors import UserError
from .inputs import is_mesh, mesh_file

__all__ = ["Scene"]


class Scene:
    """An object under lights before a camera, and which of its parameters are optimized.

    Parameters
    ----------
    template : Part, str, Path or mesh, optional
        The mesh that is deformed: :func:`icosphere`, :func:`cube`, :func:`torus`, :func:`capsule`, a PLY, OBJ, STL or
        GLB file, or a ``trimesh.Trimesh``, which is kept as a file in the user's cache folder. An icosphere of 5120
        faces by default.
    deformation : Part, optional
        Its radial basis functions: :func:`RBFDeformation`.
    pose, camera : Part, optional
        :func:`Pose` and :func:`Camera`.
    emitters : sequence of Part, optional
        The lights. A sun and a constant one by default.
    material : Part, optional
        :func:`Diffuse`, :func:`Plastic` or :func:`Principled`.
    background : float
        Radiance behind the object.
    free : sequence of str, optional
        The parameters that are optimized, as ``shape.offsets``, ``pose.rotation``, ``lighting.0.direction``, or all of
        a part, as ``pose``. By default ``shape.offsets`` and ``shape.scales``, and what the parts say themselves.
    random : tuple of (float, int), optional
        The object starts displaced at random: root mean square over the template's radius, and seed.
    placement : {'receptive_field'}, optional
        The object starts where the neurons look.
    placement_size : float
        Radius of the object's outline over the receptive field's.

    Raises
    ------
    UserError
        For a part of another kind, or a value that a scene file may not have either.

    Examples
    --------
    >>> import mitsuba_mei as mm
    >>> scene = mm.Scene(mm.icosphere(3), emitters=[mm.Sun(direction=(0, -1, -1)), mm.Constant(0.3)], free=["shape.offsets"])
    >>> scene
    Scene(icosphere, sun + constant, diffuse; free: shape.offsets)
    """

    def __init__(
        self,
        template: Any = None,
        *,
        deformation: Part | None = None,
        pose: Part | None = None,
        camera: Part | None = None,
        emitters: Sequence[Part] | None = None,
        material: Part | None = None,
        background: float = 0.5,
        free: Sequence[str] | None = None,
        random: tuple[float, int] | None = None,
        placement: str | None = None,
        placement_size: float = 2.0,
    ) -> None:
        if isinstance(free, str):
            raise UserError(f"Scene: free is '{free}'; give a list, as in free=['{free}']")
        shape: dict[str, Any] = {}
        if isinstance(template, (str, os.PathLike)):
            shape["template"] = {"type": "file", "path": os.fspath(template)}
        elif is_mesh(template):
            shape["template"] = {"type": "file", "path": mesh_file(template)}
        elif template is not None:
            shape["template"] = _plain("template", template)
        if deformation is not None:
            shape["rbf"] = _plain("deformation", deformation)
        if random is not None:
            size, seed = random
            shape["random"] = checked(RandomShape, "Scene: random", {"size": size, "seed": seed}).model_dump()
        self.free = None if free is None else tuple(free)
        self.mapping: dict[str, Any] = {"shape": shape, "background": float(background)}
        for name, part in (("pose", pose), ("camera", camera), ("material", material)):
            if part is not None:
                self.mapping[name] = _plain(name, part)
        if emitters is not None:
            emitters = [emitters] if isinstance(emitters, Part) else emitters
            self.mapping["lighting"] = [_plain(f"emitters[{index}]", each) for index, each in enumerate(emitters)]
        if placement is not None:
            self.mapping["placement"] = {"on": placement, "size": float(placement_size)}
        if self.free is not None:
            shape["free"] = []

    def __repr__(self) -> str:
        shape = self.mapping["shape"].get("template", {"type": "icosphere"})
        template = Path(shape["path"]).name if shape["type"] == "file" else shape["type"]
        lights = [each["type"] for each in self.mapping.get("lighting", ({"type": "sun"}, {"type": "constant"}))]
        material = self.mapping.get("material", {"type": "diffuse"})["type"]
        free = "shape.offsets, shape.scales" if self.free is None else ", ".join(self.free) or "nothing"
        return f"Scene({template}, {' + '.join(lights)}, {material}; free: {free})"


def _plain(name: str, part: Any) -> dict[str, Any]:
    """A part as a scene file says it."""
    if not isinstance(part, Part):
        raise UserError(f"Scene: {name} is a {type(part).__name__}; give a part, as mitsuba_mei.Sun() or .Pose()")
    return part.model_dump()
