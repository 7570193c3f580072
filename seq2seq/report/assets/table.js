/** Columns of `table.sortable` sort by the cells' data-sort: first the larger numbers (or A first), then turned round. */
function sortableTable(table) {
  const heads = [...table.tHead.rows[0].cells];
  const value = (row, column) => row.cells[column].dataset.sort;
  const compare = (a, b) => {
    if (a === "" || b === "") return (a === "") - (b === "");
    return Number.isNaN(Number(a)) || Number.isNaN(Number(b)) ? a.localeCompare(b) : Number(a) - Number(b);
  };
  heads.forEach((head, column) =>
    head.querySelector("button").addEventListener("click", () => {
      const direction =
        head.getAttribute("aria-sort") === "descending" ||
        (column === 0 && head.getAttribute("aria-sort") !== "ascending")
          ? "ascending"
          : "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", direction);
      const sign = direction === "ascending" ? 1 : -1;
      const rows = [...table.tBodies[0].rows];
      rows.sort((a, b) => {
        const [left, right] = [value(a, column), value(b, column)];
        return left === "" || right === "" ? compare(left, right) : sign * compare(left, right);
      });
      table.tBodies[0].append(...rows);
    }),
  );
}
