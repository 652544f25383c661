// Data of the page: scripts of base64 text, expanded when they are needed.
const $ = (id) => document.getElementById(id);

async function expanded(id) {
  const raw = atob($(id).textContent.trim());
  const bytes = Uint8Array.from(raw, (one) => one.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("deflate"));
  const buffer = await new Response(stream).arrayBuffer();
  const length = new DataView(buffer).getUint32(0, true);
  const header = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { header, numbers: new Int16Array(buffer, 4 + length) };
}

// An element; children are elements or text, which is never read as HTML.
function h(tag, given = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(given)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.flat().filter((one) => one !== null && one !== undefined));
  return made;
}

function table(heads, rows, texts = []) {
  const kind = (k) => (texts.includes(k) ? "text" : null);
  return h("div", { class: "scroll" }, h("table", {},
    h("thead", {}, h("tr", {}, heads.map((one, k) => h("th", { class: kind(k), scope: "col" }, one)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((one, k) => h("td", { class: kind(k) }, one === null ? "–" : String(one))))))));
}

const percent = (value) => (value === null || value === undefined ? null : `${(100 * value).toFixed(1)} %`);
const fixed = (value, digits = 3) => (value === null || value === undefined ? null : value.toFixed(digits));

class RNA {
  constructor({ header, numbers }) {
    Object.assign(this, header);
    this.numbers = numbers;
    this.c1 = this.atoms.indexOf("C1'");
  }
  // [x, y, z] in Å of an atom of a conformer, or null.
  at(conformer, residue, atom) {
    const place = 3 * ((conformer * this.length + residue) * this.atoms.length + atom);
    if (atom < 0 || this.numbers[place] === -32768) return null;
    return [0, 1, 2].map((k) => this.numbers[place + k] * this.step);
  }
  atomNamed(residue, name) {
    if (name !== "N" || this.atoms.includes("N")) return this.atoms.indexOf(name);
    return this.atoms.indexOf("AG".includes(this.sequence[residue]) ? "N9" : "N1");
  }
  // Whether the next residue is of the same strand.
  joined(residue) {
    if (residue + 1 >= this.length) return false;
    let end = 0;
    for (const strand of this.strands) { end += strand; if (residue + 1 === end) return false; }
    return true;
  }
}
