"""The derivative of visibility: silhouettes before the camera, and edges of shadows and reflections.

Continuous derivatives miss what appears and disappears at the edges of things. Here that part is estimated on the edges
themselves, after Li et al., "Differentiable Monte Carlo Ray Tracing through Edge Sampling", SIGGRAPH Asia 2018, and
Zhang et al., "Path-Space Differentiable Rendering", SIGGRAPH 2020. An edge contributes the difference of radiance
across it times its normal velocity *relative to the point that sees it*: a shadowed point that moves along with its
occluder keeps its shadow. (Where that second motion is left out, as in Mitsuba's projective integrators, the gradient
of a body that shadows itself is wrong.)

Every term is an attached scalar whose derivative is the boundary's part of the derivative of ``sum(adjoint * image)``;
its value means nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import drjit as dr
import mitsuba as mi

from .edges import EdgeFrame, Edges, EdgeSample, draw
from .film import Film
from .sampler import Sampler
from .transport import RenderContext, radiance, reflected, surface

__all__ = ["View", "silhouette_term", "shadow_term"]

EPSILON = 2e-5
"""How far beside an edge its two sides are looked at, scene units."""

MIN_COSINE = 0.02
"""Bound on the stretch of a shadow on grazing facets, whose interpolated normals say less than their own."""


@dataclass
class View:
    """Scene, camera and adjoint image of a derivative.

    Attributes
    ----------
    world : RenderContext
        The scene.
    edges : Edges
        Of its mesh.
    vertices : mi.Float
        Attached vertex positions, (3V,).
    film : Film
        The camera.
    adjoint : mi.Float
        Derivative of the objective with respect to the image, (H * W * channels,).
    """

    world: RenderContext
    edges: Edges
    vertices: mi.Float
    film: Film
    adjoint: mi.Float


def silhouette_term(view: View, sampler: Sampler) -> mi.Float:
    """Boundary term of what the camera sees: between surface and surface, or surface and background."""
    world, edges, film = view.world, view.edges, view.film
    with dr.suspend_grad():
        index = dr.arange(mi.UInt32, len(edges))
        start, end = edges.ends(view.vertices, index)
        visible = (start.z < -film.near) & (end.z < -film.near)
        visible &= edges.outlines(view.vertices, index, -start)
        length = dr.norm(film.project(start) - film.project(end))
        edge, along, pmf, _ = draw(dr.select(visible, length, 0), sampler)
        active = pmf > 0
    start, end = (film.project(p) for p in edges.ends(view.vertices, edge))
    place = dr.lerp(start, end, along)
    with dr.suspend_grad():
        way = end - start
        length = dr.norm(way)
        normal = mi.Vector2f(-way.y, way.x) / length
        active &= film.contains(place)
        # The radiance just beside the edge, on both sides with the same random numbers.
        state = sampler.state()
        left, left_hit = radiance(world, film.ray(place - normal * film.epsilon), sampler, active)
        sampler.restore(state)
        right, right_hit = radiance(world, film.ray(place + normal * film.epsilon), sampler, active)
        active &= edges.touched(edge, left_hit) | edges.touched(edge, right_hit)
        # Edge sampling (Li et al. 2018): the integral over the edge of (L_left - L_right) (n . dq/dtheta), over a
        # pixel's area for the box filter. A sample of it is (L_left - L_right) length / (N pmf): q is uniform along the
        # edge.
        weight = sum((left - right) * film.gather(view.adjoint, place))
        weight = _where(active, weight * length / (pmf * (sampler.width * film.pixel_area)))
    # Only the motion of the place is attached: the derivative of n . q(theta) is the normal velocity.
    return dr.sum(weight * dr.dot(dr.detach(normal), place))


def shadow_term(view: View, sampler: Sampler, directions: Sampler) -> mi.Float:
    """Boundary term of what a surface point sees: the edges between lit and unlit, and between reflected surfaces.

    From a place on an edge, the ray away from the light finds the point that the edge shadows. Edges and directions are
    drawn in two ways and joined by the balance heuristic: a direction by the distant light and then an outline seen
    from there, or an edge and then one of the directions in which it is a silhouette. Boundaries that are seen through
    more than one reflection are left out.

    Parameters
    ----------
    sampler : Sampler
        As wide as there are samples of each kind.
    directions : Sampler
        As wide as there are directions (or places on a light) in which outlines are sought.
    """
    world = view.world
    total = mi.Float(0)
    if world.environment is not None or world.max_depth > 2:
        with dr.suspend_grad():
            samples = [view.edges.sample_lunes(view.vertices, sampler)]
            if world.environment is not None:
                outlines, length = _lit_outlines(view, sampler, directions)
                samples.append(outlines)
                _balance(view, *samples, length)
        for sample in samples:
            total += _distant_term(view, sample, sampler)
    for light in world.lights:
        total += _light_term(view, light, sampler, directions)
    return total


def _lit_outlines(view: View, sampler: Sampler, directions: Sampler) -> tuple[EdgeSample, mi.Float]:
    """Outlines seen from directions that the distant light is drawn from, and their mean projected length."""
    place = (dr.arange(mi.Float, directions.width) + directions.next_1d()) / directions.width
    # Stratified in the first number, one direction a stratum.
    d, pdf, _ = view.world.environment.sample(mi.Point2f(place, directions.next_1d()))
    dr.eval(d, pdf)
    sample, k, length = view.edges.sample_outlines(
        view.vertices, lambda k, p: dr.gather(mi.Vector3f, d, k), directions.width, sampler
    )
    sample.inverse /= dr.gather(mi.Float, pdf, k)
    return sample, length


def _balance(view: View, lunes: EdgeSample, outlines: EdgeSample, length: mi.Float) -> None:
    """Weigh the samples of both kinds by the balance heuristic.

    The density of an outline is taken with the outlines' mean ``length``, which differs little between directions; any
    weights that add up to one are unbiased.
    """
    total = view.edges.lune_weight(view.vertices)
    for sample in (lunes, outlines):
        a, b = view.edges.ends(view.vertices, sample.edge)
        # Densities over place and direction. Lunes: pmf = l opening / total, and d uniform in two lunes of solid angle
        # 2 opening each, together l / (4 total). Light: p_e(d) times projected length over the sum of such lengths.
        by_lune = dr.norm(b - a) / (4 * total)
        by_light = view.world.environment.pdf(sample.d) * dr.norm(dr.cross(b - a, sample.d)) / length
        # Balance heuristic (Veach 1997, eq. 9.8).
        own = by_lune if sample is lunes else by_light
        sample.inverse *= own / (by_lune + by_light)


def _distant_term(view: View, sample: EdgeSample, sampler: Sampler) -> mi.Float:
    """Shadows from distant light, and the edges of what surfaces reflect of each other."""
    frame = view.edges.frame(view.vertices, sample)
    term = mi.Float(0)
    for receiver in _receivers(view, frame, sample, sampler):
        with dr.suspend_grad():
            reached = sample.active & dr.any(receiver.weight != 0)
            # Boundary integral of the differentiated path integral (Zhang et al. 2020): the jump of L_i across the edge
            # times the edge's normal velocity relative to its receiver, over its projected length |(b - a) x d|.
            jump = _incident_jump(view.world, receiver, frame, sample.d, sampler, reached)
            weight = _where(reached, sum(receiver.weight * jump) * frame.length * sample.inverse)
        # Derivative: n . (dy - dx), edge point y and receiver x.
        term += dr.sum(weight * dr.dot(frame.normal, frame.y - receiver.point))
    return term


def _light_term(view: View, light, sampler: Sampler, places: Sampler) -> mi.Float:
    """Shadows from a light at a place or in a single direction."""
    with dr.suspend_grad():
        spots = places.next_2d()
        dr.eval(spots)
        sample, k, _ = view.edges.sample_outlines(
            view.vertices, lambda k, p: light.sample(p, dr.gather(mi.Point2f, spots, k)).d, places.width, sampler
        )
        spot = dr.gather(mi.Point2f, spots, k)
    frame = view.edges.frame(view.vertices, sample)
    with dr.suspend_grad():
        edge_to_light = light.sample(frame.y, spot).distance
        beyond = mi.Ray3f(frame.y + frame.normal * EPSILON, sample.d)
        beyond.maxt = edge_to_light * (1 - mi.math.ShadowEpsilon)
        sample.active = sample.active & ~view.world.scene.ray_test(beyond, sample.active)
    term = mi.Float(0)
    for receiver in _receivers(view, frame, sample, sampler):
        light_sample = light.sample(dr.detach(receiver.point), spot)
        with dr.suspend_grad():
            # A shadow is the larger, and follows the light's own motion the more, the nearer the light is to the edge.
            # Edge point y, receiver x and place z on the light are in line, y = r x + (1 - r) z with r = |z - y| / |z -
            # x|. At x the shadow's edge is longer by 1 / r and moves with n . (dy - r dx - (1 - r) dz) / r, hence 1 /
            # r^2.
            near = mi.Float(1) if light_sample.position is None else edge_to_light / light_sample.distance
            weight = -sum(receiver.weight * light_sample.value) * frame.length * sample.inverse / (near * near)
            weight = _where(sample.active, weight)
            way = dr.norm(frame.y - receiver.point)
        light_motion = light_sample.d * way if light_sample.position is None else light_sample.position * (1 - near)
        term += dr.sum(weight * dr.dot(frame.normal, frame.y - receiver.point * near - light_motion))
    return term


@dataclass
class _Receiver:
    """A point that an edge shadows, and what the image makes of it.

    Attributes
    ----------
    point : mi.Point3f
        The attached point, as it moves on its way from the camera.
    weight : mi.Spectrum
        Derivative of the objective by the radiance incident on it, per projected length of the edge and solid angle.
    depth : int
        Segments that a path may still have beyond the edge.
    """

    point: mi.Point3f
    weight: mi.Spectrum
    depth: int


def _receivers(view: View, frame: EdgeFrame, sample: EdgeSample, sampler: Sampler) -> list[_Receiver]:
    """The points that an edge shadows: seen by the camera, or by one reflection."""
    world, edges, d = view.world, view.edges, sample.d
    with dr.suspend_grad():
        back = mi.Ray3f(frame.y + frame.normal * EPSILON, -d)
        pi = world.scene.ray_intersect_preliminary(back, coherent=False, active=sample.active)
        active = sample.active & pi.is_valid()
        meeting = _CameraMeets(view, back(pi.t), active)
        si = meeting.si
        cosine = dr.abs(dr.dot(si.n, d))
        visible = meeting.visible & (dr.dot(si.sh_frame.n, d) > 0)
        weight = world.bsdf.eval(world.context, si, si.to_local(d), visible) * meeting.weight
        # bsdf.eval holds the cosine to the shading normal. On the facet a shadow is stretched by 1 / |n.d|.
        weight = dr.select(visible, weight / dr.maximum(cosine, MIN_COSINE), 0)
    point = edges.moving_point(view.vertices, meeting.face, *meeting.moving_ray(), visible)
    result = [_Receiver(point, weight, world.max_depth - 2)]
    if world.max_depth < 3:
        return result

    with dr.suspend_grad():
        # The receiver as seen by another point, which is drawn by the cosine about the receiver's normal.
        si = surface(world, pi, back, active)
        way = si.spawn_ray(mi.Frame3f(si.n).to_world(mi.warp.square_to_cosine_hemisphere(sampler.next_2d())))
        other = world.scene.ray_intersect_preliminary(way, coherent=False, active=active)
        meeting = _CameraMeets(view, way(other.t), active & other.is_valid())
        to_receiver = mi.Vector3f(-way.d)
        viewer_cosine = dr.abs(dr.dot(meeting.si.n, to_receiver))
        visible = meeting.visible & (dr.dot(meeting.si.sh_frame.n, to_receiver) > 0)
        si = surface(world, pi, mi.Ray3f(meeting.si.p, to_receiver), visible)
        cosine = dr.abs(dr.dot(si.n, d))
        visible &= dr.dot(si.sh_frame.n, d) > 0
        weight = world.bsdf.eval(world.context, si, si.to_local(d), visible) * meeting.weight
        weight *= world.bsdf.eval(world.context, meeting.si, meeting.si.to_local(to_receiver), visible)
        # dA' domega' = cos_x / |n'.d'| domega dA for viewer x' and receiver x; 1 / p(omega) = pi / cos_x; 1 / |n.d| as
        # above.
        weight *= dr.pi / (dr.maximum(cosine, MIN_COSINE) * dr.maximum(viewer_cosine, MIN_COSINE))
        weight = dr.select(visible, weight, 0)
    origin = edges.moving_point(view.vertices, meeting.face, *meeting.moving_ray(), visible)
    point = edges.moving_point(view.vertices, pi.prim_index, origin, dr.detach(to_receiver), visible)
    result.append(_Receiver(point, weight, world.max_depth - 3))
    return result


class _CameraMeets:
    """Whether the camera sees a point, and the derivative of the objective by the radiance it sends, per area of
    surface.
    """

    def __init__(self, view: View, p: mi.Point3f, active: mi.Bool) -> None:
        film = view.film
        self._film, self._place = film, film.project(p)
        ray = film.ray(self._place)
        active = active & film.contains(self._place) & (p.z < -film.near)
        hit = view.world.scene.ray_intersect_preliminary(ray, coherent=False, active=active)
        distance = dr.norm(p)
        self.visible = active & hit.is_valid() & (dr.abs(hit.t - distance) < 1e-3 * distance)
        self.face = hit.prim_index
        self.si = surface(view.world, hit, ray, self.visible)
        # dq / dA = (dq / domega) |n.d| / r^2, film area by surface area; over the pixel's area for the box filter.
        density = dr.abs(dr.dot(self.si.n, ray.d)) * film.area_per_solid_angle(ray.d) / dr.square(distance)
        self.weight = film.gather(view.adjoint, self._place) * density / film.pixel_area

    def moving_ray(self) -> tuple[mi.Point3f, mi.Vector3f]:
        """Origin and attached direction of the ray from the camera."""
        ray = self._film.ray(dr.detach(self._place))
        return ray.o, ray.d


def _incident_jump(
    world: RenderContext, receiver: _Receiver, frame: EdgeFrame, d: mi.Vector3f, sampler: Sampler, active: mi.Bool
) -> mi.Spectrum:
    """Radiance incident on the receiver from the occluder's side of an edge, less that from the open side."""
    outside, inside = frame.y + frame.normal * EPSILON, frame.y - frame.normal * EPSILON
    beyond = mi.Ray3f(outside, d)
    pi = world.scene.ray_intersect_preliminary(beyond, coherent=False, active=active)
    jump = mi.Spectrum(0)
    if world.environment is not None:
        missed = active & ~pi.is_valid()
        jump -= dr.select(missed, world.environment.eval(d, missed), 0)
    if receiver.depth < 1:
        return jump
    met = active & pi.is_valid()
    state = sampler.state()
    jump -= dr.select(met, reflected(world, surface(world, pi, beyond, met), sampler, receiver.depth, met), 0)
    sampler.restore(state)
    way = inside - receiver.point
    ray = mi.Ray3f(receiver.point + way * 1e-3, dr.normalize(way))
    pi = world.scene.ray_intersect_preliminary(ray, coherent=False, active=active)
    met = active & pi.is_valid()
    jump += dr.select(met, reflected(world, surface(world, pi, ray, met), sampler, receiver.depth, met), 0)
    return jump


def _where(active: mi.Bool, weight: mi.Float) -> mi.Float:
    return dr.detach(dr.select(active & dr.isfinite(weight), weight, 0))
