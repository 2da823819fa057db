"""The schema of what is shown: shape, pose, camera, lighting, material."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Union

from pydantic import AfterValidator, Field, model_validator

from .fields import (
    LOOKED_UP,
    Angle,
    Azimuth,
    Direction,
    Distance,
    EulerAngles,
    FilePath,
    Fraction,
    Part,
    Position,
    Positive,
    Power,
    Reflectance,
    Roughness,
    Size,
    freeable,
)

__all__ = ["Camera", "Emitter", "Material", "Placement", "Pose", "Shape"]


class Icosphere(Part):
    """A sphere of nearly equal triangles: an icosahedron, each face split in four, again and again."""

    type: Literal["icosphere"] = "icosphere"
    subdivisions: int = Field(4, ge=0, le=7, description="Splits; 20 * 4^n faces (4: 5120 faces).")


class Cube(Part):
    """A cube whose corners touch the unit sphere."""

    type: Literal["cube"] = "cube"
    subdivisions: int = Field(4, ge=0, le=7, description="Splits; every side has 2^n x 2^n squares of two triangles.")


class Torus(Part):
    """A ring about the z axis, scaled into the unit sphere."""

    type: Literal["torus"] = "torus"
    tube_radius: float = Field(0.35, gt=0, lt=1, description="Radius of the tube over that of the ring.")
    segments: int = Field(96, ge=3, le=1024, description="Vertices around the ring.")
    tube_segments: int = Field(32, ge=3, le=1024, description="Vertices around the tube.")


class Capsule(Part):
    """A cylinder with two hemispheres, scaled into the unit sphere."""

    type: Literal["capsule"] = "capsule"
    aspect: float = Field(2.0, gt=1, le=20, description="Length over diameter.")
    segments: int = Field(48, ge=4, le=1024, description="Vertices around the axis.")


class FileTemplate(Part):
    """A mesh of yours, cleaned, centred and scaled into the unit sphere."""

    type: Literal["file"] = "file"
    path: FilePath = Field(description=f"PLY, OBJ, STL or GLB file, {LOOKED_UP}.")
    max_faces: int = Field(200_000, ge=4, le=2_000_000, description="A mesh with more faces is refused.")


Template = Annotated[Union[Icosphere, Cube, Torus, Capsule, FileTemplate], Field(discriminator="type")]


class RBF(Part):
    """The smooth deformation of the template: control points on it that pull their neighbourhood along."""

    control_points: int = Field(128, ge=1, le=20_000, description="How many; at most as many as vertices.")
    kernel: Literal["gaussian", "wendland_c2", "thin_plate"] = Field(
        "gaussian", description="How a control point's pull falls off with distance."
    )
    scale: float = Field(0.2, ge=0.001, le=10, description="Starting reach of a control point, scene units.")
    normalize: bool = Field(False, description="Divide by the sum of the kernels: a partition of unity.")


class RandomShape(Part):
    """A smooth random displacement, the same for the same seed whatever else is random."""

    size: float = Field(0.1, ge=0, le=1, description="Root mean square over the surface and x, y, z; template radii.")
    seed: int = Field(0, ge=0, lt=2**32, description="Of this displacement.")


class Shape(Part):
    """What is shown: a template mesh and its deformation."""

    template: Template = Icosphere()
    rbf: RBF = RBF()
    random: RandomShape | None = Field(
        None,
        description="The object starts displaced at random; null: as the template. (Where offsets are free, the first "
        "step is taken a root mean square of 0.02 template radii beside, so that no symmetry holds it; initial figures "
        "and pictures are of the scene without that.)",
    )
    free: freeable("offsets", "scales") = ("offsets", "scales")


# ------------------------------------------------------------------------------------------------- pose and camera


class Pose(Part):
    """Where the object stands: scaled, turned about x, then y, then z, then moved."""

    rotation: EulerAngles = Field((0.0, 0.0, 0.0), description="Euler angles about x, y, z, applied x first; degrees.")
    translation: Position = Field((0.0, 0.0, 0.0), description="Scene units; y is up, the camera looks along -z.")
    scale: Size = Field(1.0, description="Uniform; the template has radius 1.")
    free: freeable("rotation", "translation", "scale") = ()


class Placement(Part):
    """Where the object starts, found from what the neurons look at, in place of the pose's translation and scale."""

    on: Literal["receptive_field"] | None = Field(
        None, description="receptive_field: its centre projects there. null: the object starts as the pose says."
    )
    size: Annotated[float, Field(gt=0, le=20)] = Field(
        2.0, description="Radius of the object's outline in the image over the receptive field's."
    )


class Camera(Part):
    """A perspective camera that looks at the origin."""

    fov: Angle = Field(35.0, gt=0, lt=170, description="Full field of view, degrees.")
    distance: Distance = Field(5.0, description="From the origin, scene units.")
    azimuth: Azimuth = Field(0.0, description="About the y axis, degrees; 0 looks along -z.")
    elevation: Angle = Field(0.0, gt=-89, lt=89, description="Above the horizon, degrees.")
    free: freeable("fov", "distance", "azimuth", "elevation") = ()


# ------------------------------------------------------------------------------------------------------- lighting


class Sun(Part):
    """A round light at infinity: a von Mises-Fisher lobe of radiance about one direction."""

    type: Literal["sun"] = "sun"
    direction: Direction = Field((-0.6, -0.5, -1.0), description="Where the light travels to; any length.")
    irradiance: Power = Field(3.0, description="On a surface that faces it; a number or [r, g, b].")
    sharpness: float = Field(
        50.0, ge=1, le=10_000, description="Concentration kappa; the lobe is about 1/sqrt(kappa) wide."
    )
    free: freeable("direction", "irradiance") = ()


class Constant(Part):
    """The same light from everywhere."""

    type: Literal["constant"] = "constant"
    radiance: Power = Field(0.3, description="A number or [r, g, b].")
    free: freeable("radiance") = ()


class Environment(Part):
    """A picture of the world around, as a latitude-longitude map."""

    type: Literal["environment"] = "environment"
    path: FilePath = Field(description=f"EXR, HDR or PNG file, {LOOKED_UP}.")
    intensity: Power = Field(1.0, description="Factor on the picture; a number or [r, g, b].")
    rotation: Azimuth = Field(0.0, description="About the y axis, degrees.")
    free: freeable("intensity", "rotation") = ()


def _complete_bands(value: tuple[float, ...]) -> tuple[float, ...]:
    if len(value) not in (1, 4, 9, 16):
        raise ValueError(f"bands come whole: 1, 4, 9 or 16 numbers, not {len(value)}")
    return value


class SphericalHarmonics(Part):
    """Smooth light from everywhere, real spherical harmonics to order 3."""

    type: Literal["spherical_harmonics"] = "spherical_harmonics"
    coefficients: Annotated[tuple[float, ...], AfterValidator(_complete_bands), Field(strict=False)] = Field(
        (1.0, 0.0, 0.0, 0.0), description="Radiance, bands 0 to 3 in turn, m from -l to l: 1, 4, 9 or 16 numbers."
    )
    free: freeable("coefficients") = ()


class _Aimed(Part):
    """A light with a place that faces a target."""

    @model_validator(mode="after")
    def _faces_something(self) -> _Aimed:
        if math.dist(self.position, self.target) < 1e-12:
            raise ValueError(
                "from position to target: the direction has no length; give three numbers that are not all zero"
            )
        return self


class Area(_Aimed):
    """A glowing rectangle that faces its target."""

    type: Literal["area"] = "area"
    position: Position = Field((0.0, 3.0, 3.0), description="Its centre, scene units.")
    target: Position = Field((0.0, 0.0, 0.0), description="The point that it faces, scene units.")
    size: Annotated[tuple[Positive, Positive], Field(strict=False)] = Field(
        (1.0, 1.0), description="Width and height, scene units."
    )
    radiance: Power = Field(10.0, description="A number or [r, g, b].")
    free: freeable("position", "target", "radiance") = ()


class Point(Part):
    """A light in one point, the same in all directions."""

    type: Literal["point"] = "point"
    position: Position = Field((0.0, 3.0, 3.0), description="Scene units.")
    intensity: Power = Field(10.0, description="Power per solid angle; a number or [r, g, b].")
    free: freeable("position", "intensity") = ()


class Directional(Part):
    """Parallel light from infinity: hard shadows."""

    type: Literal["directional"] = "directional"
    direction: Direction = Field((-0.6, -0.5, -1.0), description="Where the light travels to; any length.")
    irradiance: Power = Field(3.0, description="On a surface that faces it; a number or [r, g, b].")
    free: freeable("direction", "irradiance") = ()


class Spot(_Aimed):
    """A cone of light from one point."""

    type: Literal["spot"] = "spot"
    position: Position = Field((0.0, 3.0, 3.0), description="Scene units.")
    target: Position = Field((0.0, 0.0, 0.0), description="The point that the cone is aimed at, scene units.")
    intensity: Power = Field(20.0, description="On the axis, power per solid angle; a number or [r, g, b].")
    cutoff: Angle = Field(30.0, gt=0, lt=90, description="Half angle beyond which there is no light, degrees.")
    beam: Angle = Field(20.0, gt=0, lt=90, description="Half angle of the full light, below the cutoff, degrees.")
    free: freeable("position", "target", "intensity") = ()

    @model_validator(mode="after")
    def _beam_inside(self) -> Spot:
        if self.beam >= self.cutoff:
            raise ValueError(f"beam must be below cutoff, not {self.beam:g} with cutoff {self.cutoff:g}")
        return self


Emitter = Annotated[
    Union[
        Sun,
        Constant,
        Environment,
        SphericalHarmonics,
        Area,
        Point,
        Directional,
        Spot,
    ],
    Field(discriminator="type"),
]


# ------------------------------------------------------------------------------------------------------- material


class Diffuse(Part):
    """Matte: equally bright from everywhere."""

    type: Literal["diffuse"] = "diffuse"
    reflectance: Reflectance = Field(0.7, description="0 to 1; a number or [r, g, b].")
    free: freeable("reflectance") = ()


class Plastic(Part):
    """Matte under a rough clear coat."""

    type: Literal["plastic"] = "plastic"
    reflectance: Reflectance = Field(0.7, description="Of the body, 0 to 1; a number or [r, g, b].")
    roughness: Roughness = Field(0.3, description="Of the coat: 0 mirror-like, 1 dull; where free, above 0.01.")
    ior: float = Field(1.5, gt=1, le=3, description="Refractive index of the coat.")
    free: freeable("reflectance", "roughness") = ()


class Principled(Part):
    """The Disney BRDF, its four main parameters."""

    type: Literal["principled"] = "principled"
    reflectance: Reflectance = Field(0.7, description="Base colour, 0 to 1; a number or [r, g, b].")
    roughness: Roughness = Field(0.5, description="0 mirror-like, 1 dull; where free, above 0.01.")
    metallic: Fraction = Field(0.0, description="0 dielectric, 1 metal.")
    specular: Fraction = Field(0.5, description="Strength of the dielectric reflection.")
    free: freeable("reflectance", "roughness", "metallic", "specular") = ()


Material = Annotated[Union[Diffuse, Plastic, Principled], Field(discriminator="type")]
