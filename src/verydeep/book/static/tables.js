/* Tables that answer: large ones are sorted by a click or Enter on a heading, filtered, and copied.
   Sorting is sortable-tablesort's (vendor/); here its tables are made ready, and what it lacks is added. Without
   JavaScript every table is there as it was built. */
"use strict";

const SORTED = 8;    // rows from which a table can be sorted
const FILTERED = 12; // and from which it is filtered and copied

const textOf = (cell) => cell.textContent.replace(/\s+/g, " ").trim();
const MISSING = new Set(["", "not run", "not tested", "none"]);
const NUMBER = /^[<~]? ?([+\-\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:e[+\-]?\d+)?)(?![\w,;:\-\u00d7]|\.\d)/i;

/* Rows that share a cell get a copy each, so that they can stand anywhere. */
function separateRows(table) {
  const body = table.tBodies[0];
  for (const row of [...body.rows])
    for (const cell of [...row.cells].filter((cell) => cell.rowSpan > 1)) {
      const column = [...row.cells].indexOf(cell);
      let below = row;
      for (let k = 1; k < cell.rowSpan && (below = below.nextElementSibling); k++) {
        const copy = cell.cloneNode(true);
        copy.rowSpan = 1;
        below.insertBefore(copy, below.cells[column] || null);
      }
      cell.rowSpan = 1;
    }
}

/* Numbers are sorted as numbers whatever stands behind them, an interval for example; what is missing comes last. */
function giveValues(table) {
  const rows = [...table.tBodies[0].rows];
  for (let column = 0; column < rows[0].cells.length; column++) {
    const cells = rows.map((row) => row.cells[column]).filter(Boolean);
    const texts = cells.map((cell) => textOf(cell));
    const numbers = texts.map((text) => MISSING.has(text) || NUMBER.exec(text));
    cells.forEach((cell, k) => {
      if (MISSING.has(texts[k])) cell.dataset.sort = "";
      else if (numbers.every(Boolean)) cell.dataset.sort = numbers[k][1].replaceAll(",", "").replace("\u2212", "-");
    });
  }
}

function makeSortable(table) {
  const columns = Math.max(...[...table.tBodies[0].rows].map((row) => row.cells.length));
  const headings = [...table.tHead.rows].findLast((row) => row.cells.length === columns && [...row.cells].some(textOf));
  if (!headings) return;
  let ready = false;
  const getReady = () => {
    if (ready) return;
    ready = true;
    separateRows(table);
    giveValues(table);
  };
  for (const heading of table.tHead.querySelectorAll("th")) {
    if (heading.parentNode !== headings || !textOf(heading)) {
      heading.classList.add("no-sort");
      continue;
    }
    heading.tabIndex = 0;
    heading.title = "Sort by this column";
    heading.addEventListener("click", getReady);
    heading.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" && event.key !== " ") return;
      event.preventDefault();
      heading.click();
    });
  }
  table.classList.add("sortable", "asc", "n-last");
}

async function copy(text) {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea"); // a book opened as a file has no clipboard of its own
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

function addTools(table) {
  const tools = document.createElement("div");
  tools.className = "table-tools";
  tools.innerHTML = `<input type="search" placeholder="Filter rows" aria-label="Filter the rows of this table">
    <button type="button">Copy</button><span role="status"></span>`;
  const [field, button, status] = tools.children;
  const rows = () => [...table.tBodies[0].rows];
  field.addEventListener("input", () => {
    separateRows(table);
    const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const row of rows()) row.hidden = !words.every((word) => textOf(row).toLowerCase().includes(word));
    const shown = rows().filter((row) => !row.hidden).length;
    status.textContent = words.length ? `${shown} of ${rows().length} rows` : "";
  });
  button.addEventListener("click", async () => {
    separateRows(table);
    const lines = [...table.tHead.rows, ...rows().filter((row) => !row.hidden)];
    await copy(lines.map((row) => [...row.cells].map(textOf).join("\t")).join("\n"));
    status.textContent = `copied ${lines.length - table.tHead.rows.length} rows`;
  });
  table.before(tools);
}

/* A table that is wider than its place fades where it goes on, and is scrolled by keys too. On a phone, where every table
   is, sentences in it are given room. */
function showEdges(table) {
  for (const cell of table.querySelectorAll("td")) {
    const length = textOf(cell).length;
    cell.classList.toggle("long", length > 60);
    cell.classList.toggle("phrase", length > 24 && length <= 60);
    cell.classList.toggle("short", length <= 16);
  }
  for (const head of table.querySelectorAll("tbody th")) head.classList.toggle("phrase", textOf(head).length > 16);
  const look = () => {
    const rest = table.scrollWidth - table.clientWidth;
    table.classList.toggle("goes-on", rest - table.scrollLeft > 2);
    if (rest > 2) table.tabIndex = 0;
    else table.removeAttribute("tabindex");
  };
  table.addEventListener("scroll", look, {passive: true});
  new ResizeObserver(look).observe(table);
}

document.addEventListener("DOMContentLoaded", () => {
  for (const table of document.querySelectorAll(".bd-article table")) {
    showEdges(table);
    if (!table.tHead || table.tBodies.length !== 1 || table.closest(".sd-row")) continue; // beside others, it is read
    const rows = table.tBodies[0].rows.length;
    if (rows >= SORTED) makeSortable(table);
    if (rows >= FILTERED) addTools(table);
  }
});
