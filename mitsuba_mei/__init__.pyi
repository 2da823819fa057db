from typing import Any

from .config.fields import Part
from .api.analyses import (
    compare as compare,
    diverse as diverse,
    factors as factors,
    metamer as metamer,
    pixel_mei as pixel_mei,
    recover as recover,
    run as run,
)
from .api.folders import read_run as read_run
from .api.mei import MEI as MEI
from .api.results import Run as Run
from .api.scene import Scene as Scene
from .api.sweeps import run_sweep as run_sweep
from .api.tuning import tune as tune
from .config.load import load_config as load_config
from .errors import UserError as UserError
from .neurons.cards import load_card as load_model
from .neurons.layer import layer as layer

__all__ = [
    "Area",
    "Camera",
    "Constant",
    "Diffuse",
    "Directional",
    "Environment",
    "Input",
    "MEI",
    "Plastic",
    "Point",
    "Pose",
    "Principled",
    "RBFDeformation",
    "Render",
    "Run",
    "Scene",
    "SphericalHarmonics",
    "Spot",
    "Stimulus",
    "Sun",
    "UserError",
    "capsule",
    "compare",
    "cube",
    "diverse",
    "factors",
    "icosphere",
    "layer",
    "load_config",
    "load_model",
    "metamer",
    "pixel_mei",
    "read_run",
    "recover",
    "run",
    "run_sweep",
    "torus",
    "tune",
    "__version__",
]

__version__: str

def Area(position: Any = ..., target: Any = ..., size: Any = ..., radiance: Any = ..., free: Any = ...) -> Part: ...
def Camera(fov: Any = ..., distance: Any = ..., azimuth: Any = ..., elevation: Any = ..., free: Any = ...) -> Part: ...
def Constant(radiance: Any = ..., free: Any = ...) -> Part: ...
def Diffuse(reflectance: Any = ..., free: Any = ...) -> Part: ...
def Directional(direction: Any = ..., irradiance: Any = ..., free: Any = ...) -> Part: ...
def Environment(path: Any, intensity: Any = ..., rotation: Any = ..., free: Any = ...) -> Part: ...
def Input(mean: Any, std: Any, size: Any = ..., channels: Any = ..., range: Any = ...) -> Part: ...
def Plastic(reflectance: Any = ..., roughness: Any = ..., ior: Any = ..., free: Any = ...) -> Part: ...
def Point(position: Any = ..., intensity: Any = ..., free: Any = ...) -> Part: ...
def Pose(rotation: Any = ..., translation: Any = ..., scale: Any = ..., free: Any = ...) -> Part: ...
def Principled(
    reflectance: Any = ..., roughness: Any = ..., metallic: Any = ..., specular: Any = ..., free: Any = ...
) -> Part: ...
def RBFDeformation(control_points: Any = ..., kernel: Any = ..., scale: Any = ..., normalize: Any = ...) -> Part: ...
def Render(
    type: Any = ...,
    variant: Any = ...,
    resolution: Any = ...,
    spp: Any = ...,
    max_depth: Any = ...,
    gradient: Any = ...,
    cells: Any = ...,
) -> Part: ...
def SphericalHarmonics(coefficients: Any = ..., free: Any = ...) -> Part: ...
def Spot(
    position: Any = ..., target: Any = ..., intensity: Any = ..., cutoff: Any = ..., beam: Any = ..., free: Any = ...
) -> Part: ...
def Stimulus(
    size: Any = ..., norm: Any = ..., mean: Any = ..., contrast: Any = ..., clip: Any = ..., mask: Any = ...
) -> Part: ...
def Sun(direction: Any = ..., irradiance: Any = ..., sharpness: Any = ..., free: Any = ...) -> Part: ...
def capsule(aspect: Any = ..., segments: Any = ...) -> Part: ...
def cube(subdivisions: Any = ...) -> Part: ...
def icosphere(subdivisions: Any = ...) -> Part: ...
def torus(tube_radius: Any = ..., segments: Any = ..., tube_segments: Any = ...) -> Part: ...
