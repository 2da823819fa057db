// A table that is sorted by its titles, with the mouse or the keyboard. What has no value stays last.
const sortTable = (table) => {
  const titles = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];
  const compare = { number: (a, b) => Number(a) - Number(b), text: (a, b) => a.localeCompare(b, "en", { numeric: true }) };
  titles.forEach((title, column) => {
    const button = title.querySelector("button");
    if (!button) return;
    button.addEventListener("click", () => {
      const down = title.getAttribute("aria-sort") === "ascending";
      titles.forEach((other) => other.hasAttribute("aria-sort") && other.setAttribute("aria-sort", "none"));
      title.setAttribute("aria-sort", down ? "descending" : "ascending");
      const value = (row) => row.cells[column].dataset.value;
      const order = compare[title.dataset.kind];
      const sorted = [...body.rows].sort((a, b) => {
        const [x, y] = [value(a), value(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        return down ? order(y, x) : order(x, y);
      });
      body.append(...sorted);
    });
  });
};
