/** Columns of `table.sortable` sort by the cells' data-sort: first the larger numbers (or A first), then turned round; gaps last. */
function sortableTable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const compare = (a, b) => (isNaN(a) || isNaN(b) ? a.localeCompare(b) : a - b);
  heads.forEach((head, column) =>
    head.querySelector("button").addEventListener("click", () => {
      const [first, turned] = column ? ["descending", "ascending"] : ["ascending", "descending"];
      const direction = head.getAttribute("aria-sort") === first ? turned : first;
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const value = (row) => row.cells[column].dataset.sort;
      const rows = [...table.tBodies[0].rows].sort((a, b) => {
        const gaps = (value(a) === "") - (value(b) === "");
        return gaps || sign * compare(value(a), value(b));
      });
      table.tBodies[0].append(...rows);
    }),
  );
}
