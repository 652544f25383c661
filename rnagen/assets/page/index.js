// The list of RNAs: search, sort, open one.
const sections = [...document.querySelectorAll("details.rna")];
for (const one of sections) {
  one.addEventListener("toggle", () => {
    if (!one.open) return closeSection(one);
    for (const other of sections) if (other !== one && other.open) other.open = false;
    openSection(one).catch((error) => one.append(h("p", { class: "note" }, `This RNA cannot be displayed: ${error.message}`)));
  });
}
function openFromAddress() {
  const wanted = location.hash ? $(location.hash.slice(1)) : null;
  if (wanted && wanted.matches("details.rna")) { wanted.open = true; wanted.scrollIntoView(); }
}
addEventListener("hashchange", openFromAddress);

const list = $("rnas");
if (list) {
  const body = list.tBodies[0], rows = [...body.rows], count = $("found");
  $("search").addEventListener("input", (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    let found = 0;
    rows.forEach((row) => {
      const fits = row.cells[0].textContent.toLowerCase().includes(wanted);
      row.hidden = !fits;
      $(row.dataset.section).hidden = !fits;
      found += fits;
    });
    count.textContent = `${found} of ${rows.length}`;
  });
  [...list.tHead.rows[0].cells].forEach((head, column) => {
    head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      [...list.tHead.rows[0].cells].forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => row.cells[column].dataset.value;
      // Rows without a value come last either way.
      rows.sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        const order = column === 0 ? x.localeCompare(y, undefined, { numeric: true }) : Number(x) - Number(y);
        return down ? -order : order;
      });
      body.append(...rows);
    });
  });
  body.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (link && link.getAttribute("href") === location.hash) openFromAddress();
  });
}

addEventListener("beforeprint", () => {
  for (const one of sections) {
    if (!one.section || !one.section.view) continue;
    one.querySelectorAll(".snapshot").forEach((old) => old.remove());
    one.querySelector(".view").append(h("img", { class: "snapshot", alt: "conformers", src: one.section.view.image() }));
  }
});
if (sections.length === 1) sections[0].open = true;
openFromAddress();
