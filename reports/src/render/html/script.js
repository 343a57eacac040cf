"use strict";
// Nothing here is needed to read the page. The head of a column becomes a button: once sorts
// its rows upwards, twice downwards, and a third time as they were.
for (const table of document.querySelectorAll("table.numbers")) {
  const body = table.tBodies[0];
  const rows = [...body.rows];
  if (rows.length < 2) continue;
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const next = { none: "ascending", ascending: "descending", descending: "none" };
      const order = next[head.getAttribute("aria-sort") || "none"];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (order !== "none") head.setAttribute("aria-sort", order);
      table.classList.toggle("grouped", order === "none");
      const key = (row) => {
        const cell = row.cells[column];
        const number = cell.dataset.v;
        return number === undefined ? cell.textContent.trim() : Number(number);
      };
      const rank = (value) => (typeof value === "number" ? 0 : value === "-" || value === "" ? 2 : 1);
      const compare = (a, b) => {
        const [x, y] = [key(a), key(b)];
        // What is missing stands last, whichever way.
        if (rank(x) !== rank(y)) return rank(x) - rank(y);
        const way = order === "descending" ? -1 : 1;
        return way * (typeof x === "number" ? x - y : x.localeCompare(y));
      };
      body.append(...(order === "none" ? rows : [...rows].sort(compare)));
    });
  });
}
// What is folded away is printed all the same.
let folded = [];
addEventListener("beforeprint", () => {
  folded = [...document.querySelectorAll("main details:not([open])")];
  folded.forEach((details) => (details.open = true));
});
addEventListener("afterprint", () => folded.forEach((details) => (details.open = false)));
