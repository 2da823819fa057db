"""The loops of others: Mitsuba's tutorials, and a bare replay backpropagation, on the same scene.

Mitsuba must have its variant (:func:`mitsuba_mei.render.backend.prepare`) before anything here is called.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mitsuba_mei.config.load import Config
from mitsuba_mei.errors import UserError
from mitsuba_mei.scene.scene import Scene

__all__ = ["MitsubaScene", "ReplayLoop", "TutorialLoop"]


class MitsubaScene:
    """A scene as Mitsuba describes it: the mesh in the camera's frame, a perspective camera, Mitsuba's own emitters.

    A sun becomes a directional light of the same irradiance. Mitsuba has no background apart from its emitters: behind
    the object is the constant light.

    Parameters
    ----------
    config : Config
        Its lights (sun, directional, constant), resolution and field of view.
    scene : Scene
        Its diffuse object.
    integrator : mapping
        As Mitsuba's ``load_dict`` takes it.
    film : mapping
        What is not as it comes.
    """

    def __init__(self, config: Config, scene: Scene, integrator: Mapping, film: Mapping) -> None:
        import mitsuba as mi

        mi.set_log_level(mi.LogLevel.Error)  # its advice on silhouettes, every iteration
        with torch.no_grad():
            state = scene()
        reflectance = {"type": "spectrum", "value": float(state.material.values["reflectance"][0])}
        properties = mi.Properties()
        properties["bsdf"] = mi.load_dict({"type": "diffuse", "reflectance": reflectance})
        mesh = mi.Mesh("object", len(state.vertices), len(state.faces), properties, has_vertex_normals=True)
        parameters = mi.traverse(mesh)
        parameters["faces"] = mi.UInt32(state.faces.cpu().numpy().astype("uint32").ravel())
        parameters["vertex_positions"] = mi.Float(state.vertices.cpu().numpy().ravel())
        parameters.update()
        film = {"type": "hdrfilm", "pixel_format": "luminance", "width": config.render.resolution, **film}
        film["height"] = film["width"]
        sensor = {
            "type": "perspective",
            "fov": config.camera.fov,
            "to_world": mi.ScalarTransform4f().look_at(origin=[0, 0, 0], target=[0, 0, -1], up=[0, 1, 0]),
            "film": film,
            "sampler": {"type": "independent", "sample_count": config.render.spp},
        }
        rotation = scene.camera.rotation_matrix().detach().cpu()
        emitters = {f"light{i}": _emitter(light, rotation) for i, light in enumerate(config.lighting)}
        self.scene = mi.load_dict(
            {"type": "scene", "integrator": dict(integrator), "sensor": sensor, "object": mesh, **emitters}
        )
        self.parameters = mi.traverse(self.scene)
        self.positions = next(key for key in self.parameters.keys() if key.endswith("vertex_positions"))

    def set(self, vertices) -> None:
        """Move the mesh to (3V,) Dr.Jit positions, which may be attached."""
        self.parameters[self.positions] = vertices
        self.parameters.update()

    def image(self, vertices: Tensor, spp: int, seed: int, integrator) -> Tensor:
        """An image (H, W, 1) without gradients, by another integrator."""
        import drjit as dr
        import mitsuba as mi

        with dr.suspend_grad():
            self.set(mi.Float(vertices.detach().cpu().numpy().ravel()))
            return mi.render(self.scene, integrator=integrator, spp=spp, seed=seed).torch().clone()


def _emitter(light, rotation: Tensor) -> dict:
    if light.type == "constant":
        return {"type": "constant", "radiance": {"type": "spectrum", "value": light.radiance}}
    if light.type not in ("sun", "directional"):
        raise UserError(f"the benchmark has no Mitsuba emitter for '{light.type}'; use sun, directional or constant")
    direction = (rotation @ torch.tensor(light.direction)).tolist()
    return {
        "type": "directional",
        "direction": direction,
        "irradiance": {"type": "spectrum", "value": light.irradiance},
    }


class TutorialLoop:
    """Mitsuba's tutorials with PyTorch: ``dr.wrap`` around ``mi.render``, with ``direct_projective`` as it comes.

    Parameters
    ----------
    config : Config
    scene : Scene
    spp : int
        Handed to ``mi.render``.
    """

    def __init__(self, config: Config, scene: Scene, spp: int) -> None:
        import drjit as dr
        import mitsuba as mi

        self.spp = spp
        self._scene = MitsubaScene(config, scene, {"type": "direct_projective"}, {"sample_border": True})
        self._direct = mi.load_dict({"type": "direct"})

        @dr.wrap(source="torch", target="drjit")
        def render(vertices, seed):
            self._scene.set(dr.ravel(vertices))
            return mi.render(self._scene.scene, self._scene.parameters, spp=spp, seed=seed)

        self._render = render

    def render(self, vertices: Tensor, seed: int) -> Tensor:
        """The image (H, W, 1) of vertices (V, 3) in the camera's frame, with a gradient."""
        return self._render(vertices, seed)

    def converged(self, vertices: Tensor, spp: int, seed: int) -> Tensor:
        """The same with many samples, without a gradient."""
        return self._scene.image(vertices, spp, seed, self._direct)


class ReplayLoop:
    """``prb``, forward and backward to the vertices, in pure Dr.Jit.

    Parameters
    ----------
    config : Config
    scene : Scene
    spp : int
    adjoint : Tensor
        Derivative of the objective by the image, (H, W, 1).
    """

    def __init__(self, config: Config, scene: Scene, spp: int, adjoint: Tensor) -> None:
        import mitsuba as mi

        self._spp = spp
        self._scene = MitsubaScene(config, scene, {"type": "prb", "max_depth": config.render.max_depth}, {})
        self._vertices = mi.Float(self._scene.parameters[self._scene.positions])
        self._adjoint = mi.TensorXf(adjoint.cpu().numpy())

    def iterate(self, seed: int) -> None:
        """One forward and backward pass."""
        import drjit as dr
        import mitsuba as mi

        vertices = mi.Float(self._vertices)
        dr.enable_grad(vertices)
        self._scene.set(vertices)
        image = mi.render(self._scene.scene, self._scene.parameters, spp=self._spp, seed=seed)
        dr.backward(dr.sum(image * self._adjoint))
        dr.eval(dr.grad(vertices))
        dr.sync_thread()
