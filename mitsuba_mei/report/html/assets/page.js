// What happens when: sections opened and closed, buttons pressed.
const opened = new Map();

const leisure = () => new Promise((go) => { (window.requestIdleCallback ?? setTimeout)(go); });

// All of a section, those in sight first; the object last, for it is slow.
const drawEach = async (run, sight, figures) => {
  const boxes = [...run.querySelectorAll(".plot")];
  const isMesh = (box) => box.dataset.plot === "mesh";
  for (const kind of [boxes.filter((box) => !isMesh(box)), boxes.filter(isMesh)]) {
    for (const box of kind) sight.observe(box);
    for (const box of kind) {
      await leisure();
      if (opened.get(run) !== sight) return;
      if (!isMesh(box) || meshes.length < MOST_MESHES) await draw(box, figures[box.dataset.plot]);
    }
  }
};

const open = (run) => {
  if (opened.has(run)) return;
  const data = JSON.parse(document.getElementById(`data-${run.dataset.run}`).textContent);
  const choice = run.querySelector("[data-objects]");
  const { mesh } = data.figures;
  if (mesh) mesh.mesh = mesh.meshes[choice ? choice.value : 0];
  if (choice) choice.onchange = () => choose(run.querySelector("[data-plot=mesh]"), mesh, choice.value);
  const sight = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) {
      if (!isIntersecting) continue;
      sight.unobserve(target);
      draw(target, data.figures[target.dataset.plot]);
    }
  }, { rootMargin: "300px" });
  opened.set(run, sight);
  drawEach(run, sight, data.figures);
  const frames = run.querySelector(".frames");
  if (frames && frames.hidden) slide(frames, data.frames);
};

const close = (run) => {
  opened.get(run)?.disconnect();
  opened.delete(run);
  for (const box of run.querySelectorAll(".plot")) takeAway(box);
};

const openAddressed = () => {
  const run = document.getElementById(location.hash.slice(1));
  if (run?.matches("details.run")) run.open = true;
};

const copy = async (button) => {
  const code = button.parentElement.querySelector("code");
  let done = true;
  try {
    await navigator.clipboard.writeText(code.textContent);
  } catch {
    getSelection().selectAllChildren(code);
    done = document.execCommand("copy");
  }
  button.textContent = done ? "Copied" : "Selected: copy it with the keyboard";
  setTimeout(() => { button.textContent = "Copy"; }, 2500);
};

for (const table of document.querySelectorAll("table.sortable")) sortTable(table);
for (const run of document.querySelectorAll("details.run")) {
  run.addEventListener("toggle", () => (run.open ? open(run) : close(run)));
  if (run.open) open(run);
}
for (const run of document.querySelectorAll("[data-open]")) open(run);
for (const button of document.querySelectorAll("[data-copy]")) {
  button.hidden = false;
  button.addEventListener("click", () => copy(button));
}
for (const button of document.querySelectorAll("[data-turn]")) {
  const box = button.closest("section").querySelector(".plot");
  button.addEventListener("click", () => turn(box, button.dataset.turn));
}
const all = (name, state) => {
  for (const button of document.querySelectorAll(name)) {
    button.hidden = false;
    button.addEventListener("click", () => document.querySelectorAll("details.run").forEach((run) => { run.open = state; }));
  }
};
all("[data-open-all]", true);
all("[data-close-all]", false);
for (const link of document.querySelectorAll('a[href^="#run-"]')) {
  link.addEventListener("click", () => { document.querySelector(link.getAttribute("href")).open = true; });
}
addEventListener("hashchange", openAddressed);
openAddressed();
