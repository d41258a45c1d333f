// Tables that are sorted by a click on a column's head. Without this they stand in the order of the page.

for (const table of document.querySelectorAll("table[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "sort";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const ascending = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", ascending ? "ascending" : "descending");
      const rows = [...table.tBodies[0].rows];
      const isNumber = head.classList.contains("number");
      const textOf = ({ cells }) => cells[column].textContent.trim().replaceAll(isNumber ? "," : "\0", "");
      rows.sort((a, b) => textOf(a).localeCompare(textOf(b), "en", { numeric: true }) * (ascending ? 1 : -1));
      table.tBodies[0].append(...rows);
    });
  });
}
