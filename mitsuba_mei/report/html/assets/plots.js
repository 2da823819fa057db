// Plots are drawn when they come into sight, the others of an open section when the browser has time, and taken away when
// it is closed. Browsers keep some 16 WebGL drawings at a time: of more objects than MOST_MESHES, the one drawn first is
// taken away until it is asked for again. Paper gets a still picture of each plot, of its own size.
const MOST_MESHES = 8;
const PLAIN = { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["select2d", "lasso2d", "autoScale2d"] };
const FONT = { family: getComputedStyle(document.body).fontFamily, size: 14, color: "#1a1a1a" };
const PAPER = { width: 690, size: 13 };
const meshes = [];
let plotlyOnce = null;

const bytes = (text) => {
  const letters = atob(text);
  const values = new Uint8Array(letters.length);
  for (let i = 0; i < letters.length; i += 1) values[i] = letters.charCodeAt(i);
  return values;
};

const loadPlotly = () => {
  plotlyOnce ??= (async () => {
    const packed = new Blob([bytes(document.getElementById("plotly").textContent)]);
    const code = await new Response(packed.stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
    const address = URL.createObjectURL(new Blob([code], { type: "text/javascript" }));
    await new Promise((done, failed) => {
      const script = Object.assign(document.createElement("script"), { src: address, onload: done, onerror: failed });
      document.head.append(script);
    });
    URL.revokeObjectURL(address);
    return window.Plotly;
  })();
  return plotlyOnce;
};

const unpackMesh = (mesh) => {
  const faces = JSON.parse(document.getElementById("faces").textContent);
  const whole = new Uint16Array(bytes(mesh.vertices).buffer);
  const indices = new (mesh.wide ? Uint32Array : Uint16Array)(bytes(faces[mesh.faces]).buffer);
  const every = (values, offset) => Array.from({ length: values.length / 3 }, (_, i) => values[3 * i + offset]);
  const coordinate = (axis) => every(whole, axis).map((value) => mesh.origin[axis] + mesh.step * value);
  const [x, y, z] = [0, 1, 2].map(coordinate);
  const [i, j, k] = [0, 1, 2].map((corner) => every(indices, corner));
  return { x, y, z, i, j, k };
};

const takeAway = (box) => {
  if (!box.drawn) return;
  const canvases = [...box.querySelectorAll("canvas")];
  window.Plotly.purge(box);
  for (const canvas of canvases) {
    const context = canvas.getContext("webgl") || canvas.getContext("webgl2");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
  }
  box.replaceChildren();
  box.drawn = false;
  box.still?.remove();
  box.still = null;
  box.classList.remove("has-still");
  if (meshes.includes(box)) meshes.splice(meshes.indexOf(box), 1);
};

const offer = (box, figure) => {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: "Draw the object again" });
  button.addEventListener("click", () => draw(box, figure));
  box.append(button);
};

const makeRoom = () => {
  while (meshes.length >= MOST_MESHES) {
    const [box] = meshes;
    const { figure, still } = box;
    takeAway(box);
    offer(box, figure);
    if (still) keepStill(box, still.src);
  }
};

const NO_WEBGL = "This browser has no WebGL, which turning the object takes; mesh.glb and mesh.ply in the run's folder hold it.";
let webglThere = null;
const webgl = () => {
  webglThere ??= Boolean(document.createElement("canvas").getContext("webgl"));
  return webglThere;
};

// An axis' title in lines that fit along it.
const wrapped = (title, pixels, size) => {
  const most = Math.max(12, Math.floor(pixels / (0.62 * size)));
  const lines = [""];
  for (const word of title.text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (longer.length <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return { ...title, text: lines.filter(Boolean).join(" <br>") };
};

const fitted = (layout, width) => {
  const { size } = layout.font;
  const lengths = { xaxis: width - 90, yaxis: (layout.height ?? 320) - 110 };
  for (const [axis, pixels] of Object.entries(lengths)) {
    if (layout[axis]?.title) layout[axis].title = wrapped(layout[axis].title, pixels, 1.2 * size);
  }
  return layout;
};

const keepStill = (box, address) => {
  box.still ??= Object.assign(new Image(), { className: "still", alt: "" });
  box.still.src = address;
  if (!box.still.isConnected) box.after(box.still);
  box.classList.add("has-still");
};

// Of an object as it is turned now; no second drawing of it is made.
const meshStill = (box) => {
  const scene = box._fullLayout?.scene?._scene;
  if (box.drawn && scene) keepStill(box, scene.toImage("png"));
};

const plotStill = async (plotly, box, data, layout) => {
  const font = { ...layout.font, size: PAPER.size };
  const onPaper = fitted({ ...structuredClone(layout), font, width: PAPER.width }, PAPER.width);
  const address = await plotly.toImage({ data: structuredClone(data), layout: onPaper }, { format: "svg", width: PAPER.width, height: layout.height });
  if (box.drawn) keepStill(box, address);
};

addEventListener("beforeprint", () => meshes.forEach(meshStill));

const drawNow = async (box, figure) => {
  if (figure.mesh && !webgl()) {
    box.textContent = NO_WEBGL;
    for (const button of box.closest("section").querySelectorAll("[data-turn]")) button.disabled = true;
    return;
  }
  box.drawn = true;
  box.figure = figure;
  if (figure.mesh) {
    makeRoom();
    meshes.push(box);
  }
  try {
    const plotly = await loadPlotly();
    if (!box.drawn) return;
    const data = structuredClone(figure.data);
    const shown = figure.mesh;
    if (figure.mesh) Object.assign(data[0], unpackMesh(figure.mesh));
    const narrow = box.clientWidth < 500;
    const layout = {
      font: { ...FONT, size: narrow ? 12 : 14 },
      margin: { l: 10, r: 16, t: 36, b: 10 },
      legend: { orientation: "h", y: 1, yanchor: "bottom", x: 0 },
      paper_bgcolor: "#fff",
      plot_bgcolor: "#fff",
      dragmode: false,
      ...structuredClone(figure.layout),
    };
    if (figure.mesh && narrow) layout.height = 320;
    for (const axis of ["xaxis", "yaxis"]) {
      if (layout[axis]) Object.assign(layout[axis], { linecolor: "#595959", showline: true, gridcolor: "#e3e3e3", ticks: "outside" });
    }
    box.replaceChildren();
    await plotly.newPlot(box, data, fitted(structuredClone(layout), box.clientWidth), { ...PLAIN, scrollZoom: Boolean(figure.mesh), displayModeBar: figure.mesh ? false : "hover" });
    if (figure.mesh !== shown) choose(box, figure, figure.meshes.indexOf(figure.mesh));
    if (figure.mesh) meshStill(box);
    else await plotStill(plotly, box, figure.data, layout);
  } catch (error) {
    console.error(error);
    box.textContent = "This browser cannot draw the plot; a newer one can.";
    box.drawn = false;
  }
};

const draw = (box, figure) => {
  if (!box.drawn) box.drawing = drawNow(box, figure);
  return box.drawing;
};
