// Tables that are sorted by a click on a column's head. Without this they stand in the order of the page. A table that is not
// whole on the page (`data-part`) is left as it is: sorting a part of it would look as if it were all of it.

const HEADS = "button.sort";

/** What a cell is sorted by: numbers as such, whatever else by its words. */
function valueOf(cell, isNumber) {
  const text = (cell?.textContent ?? "").trim();
  return isNumber ? text.replaceAll(",", "") : text;
}

function sort(table, column, ascending) {
  const heads = [...table.tHead.rows[0].cells];
  for (const head of heads) head.removeAttribute("aria-sort");
  heads[column].setAttribute("aria-sort", ascending ? "ascending" : "descending");
  const isNumber = heads[column].classList.contains("number");
  const rows = [...table.tBodies[0].rows].map((row) => [valueOf(row.cells[column], isNumber), row]);
  rows.sort(([a], [b]) => a.localeCompare(b, "en", { numeric: true }) * (ascending ? 1 : -1));
  table.tBodies[0].append(...rows.map(([, row]) => row));
}

function canBeSorted(table) {
  const isWhole = !table.closest("[data-part]") && table.tHead?.rows.length === 1 && table.tBodies.length === 1;
  if (!isWhole || table.tHead.querySelector(HEADS) || table.tBodies[0].rows.length < 2) return false;
  const columns = table.tHead.rows[0].cells.length;
  return [...table.tBodies[0].rows].every((row) => row.cells.length === columns);
}

/** Makes what is whole among the tables of an element ready to be sorted. */
export function prepare(root) {
  for (const table of root.querySelectorAll("table")) {
    if (!canBeSorted(table)) continue;
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      // A column of things to tick or to press has no order.
      if (table.tBodies[0].rows[0].cells[column].querySelector("input, select, button")) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      if (head.querySelector("a")) {
        // A head that leads somewhere keeps its link; the button stands beside it.
        button.setAttribute("aria-label", `Sort by ${head.textContent.trim()}`);
        button.textContent = "↕";
        head.append(" ");
      } else {
        button.append(...head.childNodes);
      }
      head.append(button);
      button.addEventListener("click", () => sort(table, column, head.getAttribute("aria-sort") !== "ascending"));
    });
  }
}

/** Sorts the tables of an element as those of the one that it replaces were. */
export function sortAlike(old, fresh) {
  const tables = fresh.querySelectorAll("table");
  old.querySelectorAll("table").forEach((table, at) => {
    const cells = [...(table.tHead?.rows[0]?.cells ?? [])];
    const column = cells.findIndex((head) => head.hasAttribute("aria-sort"));
    const head = tables[at]?.tHead?.rows[0]?.cells[column];
    if (head?.querySelector(HEADS)) sort(tables[at], column, cells[column].getAttribute("aria-sort") === "ascending");
  });
}

prepare(document);
