// Tables are sorted by a click on a heading, and long ones are searched; without scripts all is shown.
"use strict";
const LONG = 12;
const numberOf = (text) => Number(text.replace(/[,\u202f %]/g, "").replace("\u2212", "-"));

function sortBy(table, column, heading) {
  const descending = heading.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  heading.setAttribute("aria-sort", descending ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [row, row.cells[column].textContent.trim()]);
  const numeric = rows.every(([, text]) => text === "" || !Number.isNaN(numberOf(text)));
  rows.sort(([, a], [, b]) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    const order = numeric ? numberOf(a) - numberOf(b) : a.localeCompare(b);
    return descending ? -order : order;
  });
  body.append(...rows.map(([row]) => row));
}

function addSearch(table) {
  const field = document.createElement("input");
  field.type = "search";
  field.placeholder = "search";
  field.setAttribute("aria-label", "search the table");
  field.addEventListener("input", () => {
    const text = field.value.toLowerCase();
    for (const row of table.tBodies[0].rows) row.hidden = !row.textContent.toLowerCase().includes(text);
  });
  table.parentElement.before(field);
}

for (const table of document.querySelectorAll("table.sortable")) {
  [...table.tHead.rows[0].cells].forEach((heading, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...heading.childNodes);
    button.addEventListener("click", () => sortBy(table, column, heading));
    heading.append(button);
  });
  if (table.tBodies[0].rows.length > LONG) addSearch(table);
}
