// A slider over the moments of an optimization.
const slide = (box, frames) => {
  const input = box.querySelector("input");
  const show = () => {
    const frame = frames[input.value];
    box.querySelector("output").textContent = frame.label;
    input.setAttribute("aria-valuetext", frame.label);
    for (const image of box.querySelectorAll("img")) image.src = frame[image.dataset.frame];
  };
  box.hidden = false;
  input.addEventListener("input", show);
  show();
};
