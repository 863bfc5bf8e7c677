for (const section of document.querySelectorAll("section[data-table]")) {
  const rows = [...section.querySelectorAll("table.rows tbody tr")];
  const search = section.querySelector("input[type=search]");
  const kinds = [...section.querySelectorAll("input[type=checkbox]")];
  const shown = section.querySelector("output");
  if (!search) continue;
  const apply = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(kinds.filter((box) => box.checked).map((box) => box.value));
    let count = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !wanted.has(row.dataset.kind) || !words.every((word) => text.includes(word));
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = count === rows.length ? "" : `${count} of ${rows.length} rows`;
  };
  for (const control of [search, ...kinds]) control.addEventListener("input", apply);
}
