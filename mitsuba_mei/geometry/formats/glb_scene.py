"""World transforms of the meshes of a glTF scene."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.spatial.transform import Rotation

from .contents import MeshFault

__all__ = ["Placement", "placements"]


@dataclass(frozen=True)
class Placement:
    """A mesh in its place.

    Parameters
    ----------
    index : int
        Of the mesh.
    mesh : dict
        As the file describes it.
    matrix : ndarray
        From the mesh to the scene, ``(4, 4)``.
    morph : sequence of float
        The morph targets' weights.
    joints : ndarray or None
        From the mesh to the scene by each joint of its skin, ``(J, 4, 4)``.
    """

    index: int
    mesh: dict[str, Any]
    matrix: np.ndarray
    morph: Sequence[float]
    joints: np.ndarray | None

    @property
    def mirrors(self) -> bool:
        """Whether what was wound counter-clockwise is wound clockwise in the scene."""
        return self.joints is None and bool(np.linalg.det(self.matrix[:3, :3]) < 0)

    def place(self, points: np.ndarray, skin: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
        """Points of the mesh in the scene, ``(N, 3)``.

        Parameters
        ----------
        points : ndarray
            ``(N, 3)``.
        skin : list of (ndarray, ndarray)
            Joints that move each point and their weights, ``(N, 4)`` each; a skinned mesh alone is moved by them.
        """
        if self.joints is None:
            return points @ self.matrix[:3, :3].T + self.matrix[:3, 3]
        if not skin:
            raise MeshFault("is damaged: a mesh has a skin, but its vertices have no joints")
        moved, total = np.zeros_like(points), np.zeros((len(points), 1))
        for joints, weights in skin:
            for joint, weight in zip(joints.T.astype(np.int64), weights.T[:, :, None]):
                by = self.joints[joint]
                moved += weight * (np.einsum("nij,nj->ni", by[:, :3, :3], points) + by[:, :3, 3])
                total += weight
        with np.errstate(all="ignore"):
            return moved / total


def placements(tree: dict[str, Any], accessor: Callable[[int], np.ndarray]) -> Iterator[Placement]:
    """Every mesh that the default scene shows, as often as it does."""
    nodes, meshes, skins = tree.get("nodes", []), tree.get("meshes", []), tree.get("skins", [])
    parents = _parents(nodes)
    globals_: dict[int, np.ndarray] = {}
    for index in _shown(tree, nodes, parents):
        node = nodes[index]
        if "EXT_mesh_gpu_instancing" in node.get("extensions", {}):
            raise MeshFault("uses EXT_mesh_gpu_instancing, which is not supported; export its copies as nodes")
        if "mesh" not in node:
            continue
        mesh = meshes[node["mesh"]]
        matrix = _in_scene(index, nodes, parents, globals_)
        joints = None
        if "skin" in node:
            skin = skins[node["skin"]]
            joints = np.stack([_in_scene(joint, nodes, parents, globals_) for joint in skin["joints"]])
            if "inverseBindMatrices" in skin:
                joints = joints @ accessor(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        morph = node.get("weights", mesh.get("weights", ()))
        yield Placement(node["mesh"], mesh, matrix, tuple(map(float, morph)), joints)


def _parents(nodes: list[dict[str, Any]]) -> dict[int, int]:
    """Each node's parent; in glTF a node has at most one."""
    parents: dict[int, int] = {}
    for index, node in enumerate(nodes):
        for child in node.get("children", ()):
            if child in parents or not 0 <= child < len(nodes):
                raise MeshFault("is damaged: a node of it has two parents, or does not exist")
            parents[child] = index
    return parents


def _shown(tree: dict[str, Any], nodes: list[dict[str, Any]], parents: dict[int, int]) -> Iterator[int]:
    """The nodes of the default scene, each before its children; of a file without scenes all that there are."""
    scenes = tree.get("scenes")
    waiting = list(scenes[tree.get("scene", 0)].get("nodes", ())) if scenes else None
    if waiting is None:
        waiting = [index for index in range(len(nodes)) if index not in parents]
    waiting.reverse()
    visited: set[int] = set()
    while waiting:
        index = waiting.pop()
        if index in visited or not 0 <= index < len(nodes):
            raise MeshFault("is damaged: a node of its scene is its own descendant, or does not exist")
        visited.add(index)
        if nodes[index].get("extensions", {}).get("KHR_node_visibility", {}).get("visible") is False:
            continue
        yield index
        waiting += reversed(nodes[index].get("children", []))


def _in_scene(
    index: int, nodes: list[dict[str, Any]], parents: dict[int, int], known: dict[int, np.ndarray]
) -> np.ndarray:
    """From a node to the scene, ``(4, 4)``."""
    path = [index]
    while path[-1] not in known and path[-1] in parents:
        path.append(parents[path[-1]])
        if len(path) > len(nodes):
            raise MeshFault("is damaged: a node of it is its own descendant")
    matrix = known.get(path[-1])
    if matrix is None:
        matrix = known[path[-1]] = _local(nodes[path[-1]])
    for node in reversed(path[:-1]):
        matrix = known[node] = matrix @ _local(nodes[node])
    return matrix


def _local(node: dict[str, Any]) -> np.ndarray:
    """From a node to its parent."""
    if "matrix" in node:
        return np.array(node["matrix"], dtype=np.float64).reshape(4, 4).T
    matrix = np.eye(4)
    quaternion = np.array(node.get("rotation", (0, 0, 0, 1)), dtype=np.float64)
    scale = np.array(node.get("scale", (1, 1, 1)), dtype=np.float64)
    matrix[:3, :3] = Rotation.from_quat(quaternion).as_matrix() * scale
    matrix[:3, 3] = node.get("translation", (0, 0, 0))
    return matrix
