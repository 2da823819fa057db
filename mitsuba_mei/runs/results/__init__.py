"""Results of experiments: frozen records that are written as JSON, and read again."""

from __future__ import annotations

from .comparison import ComparedNeuron, ComparisonResult
from .diverse import DiverseResult, DiverseScene, DiverseSet, Maximum, MetamerPair, MetamerResult
from .factors import FactorsNeuron, FactorsResult
from .files import read_result, read_run_result, result_json, result_type
from .inverse import InverseResult, ParameterError, Truth
from .optimization import SCHEMA_VERSION, MEIResult, OptimizationResult, PixelResult, Result
from .parts import Estimate, InitialFinal, MeshFlaws, PixelReference, Response, Spread, Start, Validation
from .populations import PopulationResult
from .responses import Axis, EvaluationResult, TunedNeuron, TuningResult, TuningSummary

__all__ = [
    "SCHEMA_VERSION",
    "Axis",
    "ComparedNeuron",
    "ComparisonResult",
    "DiverseResult",
    "DiverseScene",
    "DiverseSet",
    "Estimate",
    "EvaluationResult",
    "FactorsNeuron",
    "FactorsResult",
    "InitialFinal",
    "InverseResult",
    "MEIResult",
    "Maximum",
    "MeshFlaws",
    "MetamerPair",
    "MetamerResult",
    "OptimizationResult",
    "ParameterError",
    "PixelReference",
    "PixelResult",
    "PopulationResult",
    "Response",
    "Result",
    "Spread",
    "Start",
    "Truth",
    "TunedNeuron",
    "TuningResult",
    "TuningSummary",
    "Validation",
    "read_result",
    "read_run_result",
    "result_json",
    "result_type",
]
