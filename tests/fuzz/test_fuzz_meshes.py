"""Damaged meshes are read, or refused in one sentence, and take no more memory than they could hold."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import trimesh
from hypothesis import given
from hypothesis import strategies as st

from mitsuba_mei.geometry.mesh_files import read_mesh
from tests.fuzz.byte_damage import damaged
from tests.fuzz.outcomes import examples, outcome

pytestmark = pytest.mark.slow

MAX_FACES = 20_000
MAX_MEMORY = 64 * 2**20
"""Bytes; the files have a few thousand."""

SPHERE = trimesh.creation.icosphere(1)
COLOURED = trimesh.Trimesh(SPHERE.vertices, SPHERE.faces, vertex_colors=np.full((42, 4), 9, np.uint8), process=False)
TWO = trimesh.Scene([SPHERE, trimesh.creation.box()])
FILES = {
    "ply": [
        SPHERE.export(file_type="ply"),
        COLOURED.export(file_type="ply"),
        SPHERE.export(file_type="ply", encoding="ascii"),
    ],
    "obj": [SPHERE.export(file_type="obj").encode(), TWO.export(file_type="obj").encode()],
    "stl": [SPHERE.export(file_type="stl"), SPHERE.export(file_type="stl_ascii").encode()],
    "glb": [TWO.export(file_type="glb"), COLOURED.export(file_type="glb")],
}


@pytest.mark.parametrize("kind", sorted(FILES))
@given(data=st.data())
@examples(80)
def test_a_mesh(folder, kind, data):
    path = folder / f"mesh.{kind}"
    path.write_bytes(data.draw(st.sampled_from(FILES[kind]).flatmap(damaged)))
    tracemalloc.start()
    try:
        mesh = outcome(read_mesh, path, MAX_FACES)
        memory = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert memory < MAX_MEMORY, f"{memory / 2**20:.0f} MiB"
    if mesh is not None:
        vertices, faces, _ = mesh
        assert np.isfinite(vertices).all() and 0 <= faces.min() and faces.max() < len(vertices)
        assert np.isclose(np.linalg.norm(vertices, axis=1).max(), 1)
