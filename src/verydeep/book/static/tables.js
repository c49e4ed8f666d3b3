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

/* What a row is about: its index, or the first columns that tell it from every other row. A bare number names nothing, so
   the words beside it join it. */
const KEYS = 4;          // columns at most are looked at
const WIDE = window.matchMedia("(min-width: 601px)");
const SHARE = 0.5;       // of what is seen of a table, at most, is held; of a phone's width that is less
const NARROWEST = 68;    // pixels of such a column, where it would need more

/* Every cell of some rows with the column in which it stands, where cells span rows and columns. */
function placed(rows) {
  const taken = [], cells = [];
  rows.forEach((row, k) => {
    let column = 0;
    for (const cell of row.cells) {
      while (taken[k]?.[column]) column++;
      cells.push({cell, row: k, column});
      for (let below = k; below < k + cell.rowSpan; below++)
        for (let beside = column; beside < column + cell.colSpan; beside++) (taken[below] ??= [])[beside] = cell;
      column += cell.colSpan;
    }
  });
  return {cells, grid: taken.slice(0, rows.length)};
}

const distinct = (texts, columns) =>
  new Set(texts.map((row) => columns.map((column) => row[column]).join("\n"))).size === texts.length;

function keysOf(grid) {
  const texts = grid.map((row) => [...row].map((cell) => (cell ? textOf(cell) : "")));
  const columns = Math.min(...grid.map((row) => row.length));
  const first = (count) => [...Array(count).keys()];
  const named = (column) => texts.every((row) => /^\p{L}/u.test(row[column]) && row[column].length <= 90);
  let keys = first(Math.max(0, grid[0].findIndex((cell) => cell?.tagName !== "TH")));
  if (!keys.length) {
    const enough = first(Math.min(KEYS, columns - 1)).find((k) => distinct(texts, first(k + 1))) ?? 0;
    keys = first(enough + 1);
    for (const column of first(enough).slice(1).reverse()) {
      const others = keys.filter((other) => other !== column);
      if (distinct(texts, others)) keys = others;
    }
  }
  if (keys.length === 1 && columns > 2 && texts.every((row) => /^\d*$/.test(row[0])) && named(1)) keys = [0, 1];
  return {keys, texts};
}

/* Those of the keys that have room: where they are too many, first those go without which rows differ as well. */
function withRoom(keys, texts, widths, room) {
  const needed = (columns) => columns.reduce((sum, column) => sum + Math.min(widths[column], NARROWEST), 0);
  let kept = keys;
  while (kept.length > 1 && needed(kept) > room) {
    const spare = kept.find((column) => distinct(texts, kept.filter((other) => other !== column)));
    kept = kept.filter((other) => other !== (spare ?? kept.at(-1)));
  }
  let left = room, open = kept.length; // the narrow ones have what they need, the others share what is left
  const given = {};
  for (const column of [...kept].sort((one, other) => widths[one] - widths[other])) {
    given[column] = Math.min(widths[column], left / open--);
    left -= given[column];
  }
  return given;
}

function holdKeys(table) {
  const body = placed([...table.tBodies[0].rows]), head = placed([...(table.tHead?.rows ?? [])]);
  const {keys, texts} = keysOf(body.grid);
  const ofKeys = [...body.cells, ...head.cells].filter(({cell, column}) => keys.includes(column) && cell.colSpan === 1);
  return () => {
    const seen = table.clientWidth;
    for (const {cell} of ofKeys) cell.classList.remove("key", ...keys.map((column) => `key-${column}`));
    if (table.scrollWidth - seen <= 2) return;
    const widthOf = (column) => ofKeys.find((one) => one.column === column).cell.getBoundingClientRect().width;
    const widths = Object.fromEntries(keys.map((column) => [column, widthOf(column)]));
    const given = withRoom(keys.filter((column) => widths[column]), texts, widths, SHARE * seen); // none of those told once
    let left = 0;
    for (const column of keys.filter((column) => column in given)) {
      const width = Math.ceil(given[column]);
      table.style.setProperty(`--key-${column}`, `${width}px`);
      table.style.setProperty(`--left-${column}`, `${left}px`);
      left += width - 1; // no gap between two, whatever a pixel is
    }
    for (const {cell, column} of ofKeys) if (column in given) cell.classList.add("key", `key-${column}`);
  };
}

/* Whether a table has one row of headings, and a cell of its own in each column of every row. */
function isEven(table) {
  const columns = table.rows[0]?.cells.length;
  return table.tHead?.rows.length === 1 && [...table.rows].every((row) => row.cells.length === columns
    && [...row.cells].every((cell) => cell.rowSpan === 1 && cell.colSpan === 1));
}

/* Where a table is too wide for a phone, columns that say one thing in every row are told once, in its caption. Values,
   what is missing and links stay where they are. */
function tellOnce(table) {
  const rows = [...table.rows], columns = rows[0].cells.length;
  if (!isEven(table) || rows.length < 3) return () => {};
  const [head, ...body] = rows.map((row) => [...row.cells]);
  const isSame = (column) => {
    const said = textOf(body[0][column]);
    return textOf(head[column]) && !MISSING.has(said) && !NUMBER.test(said)
      && body.every((row) => textOf(row[column]) === said && !row[column].querySelector("a"));
  };
  const same = [...Array(columns).keys()].filter(isSame);
  if (!same.length) return () => {};
  const line = document.createElement("span");
  const told = same.map((column) => `${textOf(head[column])} ${textOf(body[0][column])}`);
  line.className = "told";
  line.textContent = `In every row: ${told.join("; ")}.`;
  const tell = (once) => {
    for (const column of same) for (const row of [head, ...body]) row[column].hidden = once;
    if (once) (table.caption ?? table.createCaption()).append(line);
    else line.remove();
  };
  return () => {
    tell(false);
    if (!WIDE.matches && table.scrollWidth - table.clientWidth > 2) tell(true);
  };
}

/* Where a table is too wide for its place and the last column has sentences, as the reason for a verdict, these stand
   below the rest of their row, as wide as the table. */
function lastBelow(table) {
  const rows = [...table.rows], columns = rows[0]?.cells.length;
  if (!isEven(table) || columns < 5 || !rows.some((row) => row.cells[columns - 1].classList.contains("long"))) return () => {};
  const scrolls = () => table.scrollWidth - table.clientWidth > 2;
  table.style.setProperty("--columns", columns - 1);
  table.style.setProperty("--last", JSON.stringify(`${textOf(table.tHead.rows[0].cells[columns - 1])}: `));
  return () => {
    table.classList.remove("last-below");
    if (WIDE.matches && scrolls()) table.classList.add("last-below");
    if (scrolls()) table.classList.remove("last-below");
  };
}

/* A table that is wider than its place fades where it goes on, and is scrolled by keys too; what a row is about stays in
   view. On a phone, where every table is, sentences in it are given room. */
function showEdges(table) {
  for (const cell of table.querySelectorAll("td")) {
    const text = textOf(cell), length = text.length;
    cell.classList.toggle("long", length > 60);
    cell.classList.toggle("phrase", length > 24 && length <= 60);
    cell.classList.toggle("words", length > 16 && length <= 24 && /^\p{L}/u.test(text));
    cell.classList.toggle("short", length <= 16);
  }
  for (const head of table.querySelectorAll("tbody th")) head.classList.toggle("phrase", textOf(head).length > 16);
  const fits = table.tBodies[0]?.rows.length ? [tellOnce, lastBelow, holdKeys].map((fit) => fit(table)) : [];
  let seen;
  const look = () => {
    if (table.clientWidth !== seen) {
      for (const fit of fits) fit();
      seen = table.clientWidth;
    }
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
