"""Radiance along rays: a path tracer whose continuous derivatives are all attached.

It estimates what Mitsuba's ``path`` integrator does (emitter sampling and BSDF sampling joined by the balance
heuristic, Veach & Guibas 1995), unrolled to a fixed depth. In the attached mode a path's primary ray is fixed, surfaces
move through it, and every further ray leaves in a fixed world direction from its moving origin. What this leaves to
:mod:`~mitsuba_mei.render.path.boundary` is exactly the motion of visibility.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import drjit as dr
import mitsuba as mi

from .environment import EnvironmentTable
from .sampler import Sampler

__all__ = ["RenderContext", "radiance", "surface", "unoccluded"]

GRAZING = 1e-3
"""The least cosine between a shading normal and the viewer, or a direction drawn from the material."""


@dataclass
class RenderContext:
    """Geometry, material and lights that paths are traced in.

    Attributes
    ----------
    scene : mi.Scene
        For the ray intersections.
    mesh : mi.Mesh
        Its only shape, with vertex normals.
    bsdf : mi.BSDF
        Its material.
    environment : EnvironmentTable or None
        The distant light.
    lights : list
        Lights at a place or in a single direction (:mod:`~mitsuba_mei.render.path.lights`).
    background : mi.Spectrum
        Radiance where the camera sees no surface; it lights nothing.
    max_depth : int
        Segments of the longest path, the camera's included: 2 is direct light, 3 one interreflection.
    """

    scene: mi.Scene
    mesh: mi.Mesh
    bsdf: mi.BSDF
    environment: EnvironmentTable | None
    lights: list
    background: mi.Spectrum
    max_depth: int
    context: mi.BSDFContext = field(default_factory=mi.BSDFContext)


def surface(
    world: RenderContext, pi: mi.PreliminaryIntersection3f, ray: mi.Ray3f, active: mi.Bool
) -> mi.SurfaceInteraction3f:
    """The surface at an intersection, its normals turned to the viewer.

    A mesh is seen from both sides. Where the interpolated normal points away from the viewer, as it can in the last
    facet before a silhouette, it is turned just as far as to be seen, so that silhouettes carry no black fringe.
    """
    si = pi.compute_surface_interaction(ray, mi.RayFlags.All, active)
    # A masked lane keeps zeros, and a zero normal has no finite derivative.
    si.n = dr.select(active, si.n, mi.Normal3f(0, 0, 1))
    normal = dr.select(active, si.sh_frame.n, mi.Normal3f(0, 0, 1))
    front = dr.dot(si.n, ray.d) <= 0
    si.n = dr.select(front, si.n, -si.n)
    normal = dr.select(front, normal, -normal)
    # n' = normalize(n - max(n.d + c, 0) d) with c = GRAZING: no change where n.d <= -c.
    along = dr.dot(normal, ray.d)
    normal = dr.normalize(normal - dr.maximum(along + GRAZING, 0) * ray.d)
    si.sh_frame = mi.Frame3f(normal)
    si.wi = si.to_local(-ray.d)
    with dr.suspend_grad():
        lift = _lift(world, pi, si.p, front, active)
    si.p += dr.detach(lift)
    return si


def _lift(
    world: RenderContext, pi: mi.PreliminaryIntersection3f, p: mi.Point3f, front: mi.Bool, active: mi.Bool
) -> mi.Vector3f:
    """From a point on a facet to the smooth surface that its vertex normals describe, where that lies above the facet.

    Light leaves from there, so that facets do not shadow themselves and their neighbours near the terminator (Hanika,
    "Hacking the Shadow Terminator", Ray Tracing Gems II, 2021).
    """
    corners = world.mesh.face_indices(pi.prim_index, active)
    weights = 1 - pi.prim_uv.x - pi.prim_uv.y, pi.prim_uv.x, pi.prim_uv.y
    lift = mi.Vector3f(0)
    for corner, weight in zip(corners, weights):
        normal = mi.Vector3f(world.mesh.vertex_normal(corner, active))
        normal = dr.select(front, normal, -normal)
        # Onto the tangent plane of each vertex, where p lies below it: p' = p - sum_k b_k min((p - v_k).n_k, 0) n_k
        # (Hanika 2021), with barycentrics b_k.
        height = dr.dot(p - world.mesh.vertex_position(corner, active), normal)
        lift -= weight * dr.minimum(height, 0) * normal
    return lift


def unoccluded(
    world: RenderContext, si: mi.SurfaceInteraction3f, d: mi.Vector3f, distance: mi.Float, active: mi.Bool
) -> mi.Bool:
    """Whether light from direction ``d``, ``distance`` away, reaches the front of the surface."""
    active = active & (dr.dot(si.sh_frame.n, d) > 0)
    ray = si.spawn_ray(d)
    ray.maxt = distance * (1 - mi.math.ShadowEpsilon)
    # Visibility V(x, x + t d) of the rendering equation (Kajiya 1986): 1 where no surface lies before t = distance.
    return active & ~world.scene.ray_test(dr.detach(ray), active)


def direct(
    world: RenderContext, si: mi.SurfaceInteraction3f, sampler: Sampler, weigh: bool, active: mi.Bool
) -> mi.Spectrum:
    """Reflected radiance by sampling the lights; ``weigh`` the distant one's share by the balance heuristic."""
    result = mi.Spectrum(0)
    if world.environment is not None:
        with dr.suspend_grad():
            d, pdf, _ = world.environment.sample(sampler.next_2d(), active)
            visible = unoccluded(world, si, d, mi.Float(dr.inf), active)
            # A sample of L_o = int f L_i cos is f cos L_i / p. With the balance heuristic (Veach 1997, eq. 9.8) its
            # weight w_e = p_e / (p_e + p_b) cancels its own density: w_e / p_e = 1 / (p_e + p_b).
            inverse = dr.rcp(pdf)
            if weigh:
                inverse = dr.rcp(pdf + world.bsdf.pdf(world.context, si, si.to_local(d), visible))
        value = world.bsdf.eval(world.context, si, si.to_local(d), visible)
        result += dr.select(visible, value * world.environment.eval(d, visible) * inverse, 0)
    for light in world.lights:
        sample = light.sample(si.p, sampler.next_2d())
        with dr.suspend_grad():
            visible = unoccluded(world, si, sample.d, dr.detach(sample.distance), active)
        # The integral over a light that nothing else samples, so without a weight: f cos * (L_i / p), in sample.value.
        value = world.bsdf.eval(world.context, si, si.to_local(sample.d), visible)
        result += dr.select(visible, value * sample.value, 0)
    return result


def reflected(
    world: RenderContext, si: mi.SurfaceInteraction3f, sampler: Sampler, depth: int, active: mi.Bool
) -> mi.Spectrum:
    """Radiance that leaves the surface towards ``si.wi``.

    Parameters
    ----------
    depth : int
        Segments that the path may still have after this vertex, at least 1.
    """
    # A direction drawn from the material serves the next vertex and, weighed, the distant light. The last vertex of a
    # longer path can go without where the material is matt: drawing from the light is as good.
    last_is_glossy = world.max_depth == 2 or mi.has_flag(world.bsdf.flags(), mi.BSDFFlags.Glossy)
    draws = depth >= 2 or (last_is_glossy and world.environment is not None)
    result = direct(world, si, sampler, draws, active)
    if not draws:
        return result
    with dr.suspend_grad():
        sample, _ = world.bsdf.sample(world.context, dr.detach(si), sampler.next_1d(), sampler.next_2d(), active)
        d = si.to_world(sample.wo)
        # At the horizon rounding leaves little of a cosine, and the ratio of BSDF to density is anything.
        alive = active & (sample.pdf > 0) & (mi.Frame3f.cos_theta(sample.wo) > GRAZING)
        inverse = dr.select(alive, dr.rcp(sample.pdf), 0)
    d = dr.detach(d)
    # Detached sampling (Zeltner et al. 2021): d and 1 / p_b carry no derivative, f cos and L_i do.
    throughput = world.bsdf.eval(world.context, si, si.to_local(d), alive)
    ray = si.spawn_ray(d)
    with dr.suspend_grad():
        pi = world.scene.ray_intersect_preliminary(dr.detach(ray), coherent=False, active=alive)
        met = alive & pi.is_valid()
        missed = alive & ~pi.is_valid()
    incident = mi.Spectrum(0)
    if world.environment is not None:
        with dr.suspend_grad():
            # Balance heuristic (Veach 1997, eq. 9.8): w_b = p_b / (p_b + p_e), the rest of the weight in direct().
            weight = dr.select(missed, sample.pdf / (sample.pdf + world.environment.pdf(d, missed)), 0)
        incident += world.environment.eval(d, missed) * weight
    if depth >= 2:
        # L_i(x, d) = L_o(x', -d), the recursion of the rendering equation (Kajiya 1986); the mesh itself emits nothing.
        incident += dr.select(met, reflected(world, surface(world, pi, ray, met), sampler, depth - 1, met), 0)
    return result + dr.select(alive, throughput * inverse * incident, 0)


def radiance(
    world: RenderContext, ray: mi.Ray3f, sampler: Sampler, active: mi.Bool = True
) -> tuple[mi.Spectrum, mi.PreliminaryIntersection3f]:
    """Radiance that arrives at the camera along ``ray``, the background where it meets nothing, and what it met."""
    pi = world.scene.ray_intersect_preliminary(dr.detach(ray), coherent=True, active=active)
    met = active & pi.is_valid()
    si = surface(world, pi, ray, met)
    return dr.select(met, reflected(world, si, sampler, world.max_depth - 1, met), world.background), pi
