"use strict";
// Sorting: every header of a table.sortable becomes a button; empty cells stay last.
const key = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.sort ?? cell.textContent.trim();
  const value = Number(text);
  return text === "" ? null : Number.isNaN(value) ? text.toLowerCase() : value;
};
const compare = (a, b) => (typeof a === typeof b ? (a < b ? -1 : a > b ? 1 : 0) : typeof a === "number" ? -1 : 1);
const sortBy = (table, header) => {
  const down = header.getAttribute("aria-sort") === "ascending";
  for (const other of header.parentNode.cells) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const body = table.tBodies[0];
  const keyed = Array.from(body.rows, (row) => [key(row, header.cellIndex), row]);
  keyed.sort(([a], [b]) => (a === null || b === null ? (a === null) - (b === null) : (down ? -1 : 1) * compare(a, b)));
  body.append(...keyed.map(([, row]) => row));
};
const makeSortable = (table) => {
  for (const header of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...header.childNodes);
    button.addEventListener("click", () => sortBy(table, header));
    header.append(button);
  }
};
document.querySelectorAll("table.sortable").forEach(makeSortable);

// Filtering: the controls of a form.tools act on the table that its data-table names.
const filter = (form) => {
  const table = document.getElementById(form.dataset.table);
  const words = form.elements.words.value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = Array.from(form.querySelectorAll("select"), (choice) => [choice.name, choice.value]);
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    const chosen = wanted.every(([name, value]) => value === "" || value.split(" ").includes(row.dataset[name]));
    row.hidden = !(chosen && words.every((word) => text.includes(word)));
    shown += !row.hidden;
  }
  form.querySelector("output").textContent = `${shown} of ${table.tBodies[0].rows.length} shown`;
};
for (const form of document.querySelectorAll("form.tools")) {
  form.hidden = false;
  form.addEventListener("input", () => filter(form));
  form.addEventListener("submit", (event) => event.preventDefault());
  filter(form);
}
// A link to a claim or to something folded shows it, whatever the filter hides.
const reveal = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (target instanceof HTMLDetailsElement) target.open = true;
  if (target instanceof HTMLTableRowElement) target.hidden = false;
  target?.scrollIntoView();
};
addEventListener("hashchange", reveal);
reveal();

// The data of a figure, as a table, read from its download link when first opened.
const cells = (line) => Array.from(line.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g), (m) => m[1]?.replaceAll('""', '"') ?? m[2]).slice(0, line.endsWith(",") ? undefined : -1);
const MOST_ROWS = 200; // of a figure's data that the page shows; a phone cannot hold all
const fill = (box) => {
  const link = document.getElementById(box.dataset.from);
  const bytes = Uint8Array.from(atob(link.href.split(",")[1]), (c) => c.charCodeAt(0));
  const [head, ...lines] = new TextDecoder().decode(bytes).trimEnd().split("\n").map(cells);
  const table = document.createElement("table");
  table.className = "sortable";
  const top = table.createTHead().insertRow();
  for (const name of head) {
    const header = document.createElement("th");
    header.scope = "col";
    header.textContent = name;
    top.append(header);
  }
  const body = table.createTBody();
  for (const line of lines.slice(0, MOST_ROWS)) {
    const row = body.insertRow();
    head.forEach((_, index) => { row.insertCell().textContent = line[index] ?? ""; });
  }
  if (lines.length > MOST_ROWS) {
    table.createCaption().textContent = `The first ${MOST_ROWS} of ${lines.length} rows; the download has all.`;
  }
  makeSortable(table);
  box.replaceChildren(table);
};
for (const details of document.querySelectorAll("details.data")) {
  const box = details.querySelector("[data-from]");
  details.addEventListener("toggle", () => { if (details.open && !box.firstElementChild) fill(box); });
}
