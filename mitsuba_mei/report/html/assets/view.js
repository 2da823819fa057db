// The object turned and zoomed by buttons, for those who do not drag.
const STEP = Math.PI / 12;
const NEARER = 0.85;

// Another one of several objects, in the same drawing, seen from where the last one is.
const choose = (box, figure, number) => {
  figure.mesh = figure.meshes[number];
  if (!box.drawn || !box._fullLayout?.scene?._scene) return;
  const values = Object.entries(unpackMesh(figure.mesh)).map(([name, list]) => [name, [list]]);
  window.Plotly.restyle(box, Object.fromEntries(values), [0]);
};

const turn = (box, how) => {
  const figure = box.figure;
  if (!box.drawn || !box._fullLayout?.scene?._scene) return;
  const first = figure.layout.scene.camera;
  if (how === "camera") {
    window.Plotly.relayout(box, { "scene.camera": structuredClone(first) });
    return;
  }
  const { eye } = box._fullLayout.scene._scene.getCamera();
  const length = Math.hypot(eye.x, eye.y, eye.z);
  let around = Math.atan2(eye.x, eye.z);
  let above = Math.asin(eye.y / length);
  if (how === "left") around -= STEP;
  if (how === "right") around += STEP;
  if (how === "up") above = Math.min(above + STEP, 1.5);
  if (how === "down") above = Math.max(above - STEP, -1.5);
  const away = length * (how === "nearer" ? NEARER : how === "further" ? 1 / NEARER : 1);
  const moved = { x: Math.sin(around) * Math.cos(above), y: Math.sin(above), z: Math.cos(around) * Math.cos(above) };
  for (const axis of ["x", "y", "z"]) moved[axis] *= away;
  window.Plotly.relayout(box, { "scene.camera": { eye: moved, center: first.center, up: first.up } });
};
