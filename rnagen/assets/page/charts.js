// Heat maps on canvas and line charts as SVG.
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const TRUST = [[213, 94, 0], [240, 190, 60], [86, 180, 233], [0, 83, 160]];
const OKABE = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#b8a900", "#7a5195"];
const UNKNOWN = "#999999";
const BASES = { A: "#d98200", C: "#0072b2", G: "#c0392b", U: "#009e73", N: "#888888" };

function scale(stops, share) {
  const place = Math.min(Math.max(Number.isFinite(share) ? share : 0, 0), 1) * (stops.length - 1);
  const k = Math.min(Math.floor(place), stops.length - 2), part = place - k;
  return stops[k].map((one, c) => Math.round(one + (stops[k + 1][c] - one) * part));
}
const css = (rgb) => `rgb(${rgb.join(",")})`;
const gradient = (stops) => `linear-gradient(90deg, ${stops.map(css).join(",")})`;
const conformerColour = (k, n) => (n <= OKABE.length ? OKABE[k] : `hsl(${Math.round((360 * k) / n)}, 65%, 48%)`);

// A map of rows × columns; value(i, j) in the range [low, high].
function heat({ rows, columns, value, low, high, stops, label, describe, ticks, flat }) {
  const spread = (all, count) => (all.length === count ? "justify-content:space-around" : null);
  const canvas = h("canvas", { width: columns, height: rows, role: "img", "aria-label": label });
  const context = canvas.getContext("2d"), image = context.createImageData(columns, rows);
  for (let i = 0; i < rows; i++) for (let j = 0; j < columns; j++) {
    const found = value(i, j), place = 4 * (i * columns + j);
    if (found === null || !Number.isFinite(found)) continue;
    image.data.set([...scale(stops, (found - low) / (high - low || 1)), 255], place);
  }
  context.putImageData(image, 0, 0);
  const read = h("div", { class: "read", "aria-live": "off" }, "");
  canvas.addEventListener("mousemove", (event) => {
    const box = canvas.getBoundingClientRect();
    const i = Math.min(rows - 1, Math.floor(((event.clientY - box.top) / box.height) * rows));
    const j = Math.min(columns - 1, Math.floor(((event.clientX - box.left) / box.width) * columns));
    read.textContent = i >= 0 && j >= 0 ? describe(i, j, value(i, j)) : "";
  });
  canvas.style.aspectRatio = flat ? "auto" : `${columns} / ${rows}`;
  if (flat) canvas.style.height = `${Math.min(Math.max(rows * 16, 24), 320)}px`;
  const key = h("div", { class: "legend" }, `${low}`, h("span", { class: "bar", style: `background:${gradient(stops)}` }), `${high}`);
  return [h("div", { class: flat ? "heat flat" : "heat" },
    h("div", { class: "ys", style: spread(ticks.y, rows) }, ticks.y.map((one) => h("span", {}, String(one)))), canvas,
    h("div", { class: "xs", style: spread(ticks.x, columns) }, ticks.x.map((one) => h("span", {}, String(one))))), key, read];
}

function someOf(length, most = 5) {
  if (length <= most) return Array.from({ length }, (_, k) => k + 1);
  return Array.from({ length: most }, (_, k) => 1 + Math.round((k * (length - 1)) / (most - 1)));
}

// Mean distances between C1', in blocks of residues where there are very many.
function distances(rna) {
  const stride = Math.ceil(rna.length / 1000), size = Math.ceil(rna.length / stride);
  const total = new Float32Array(size * size), counts = new Uint16Array(size * size);
  for (let k = 0; k < rna.n; k++) {
    const points = Array.from({ length: size }, (_, i) => rna.at(k, i * stride, rna.c1));
    for (let i = 0; i < size; i++) for (let j = i; j < size; j++) {
      const a = points[i], b = points[j];
      if (!a || !b) continue;
      total[i * size + j] += Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
      counts[i * size + j]++;
    }
  }
  const value = (i, j) => { const at = Math.min(i, j) * size + Math.max(i, j); return counts[at] ? total[at] / counts[at] : null; };
  return { size, stride, value };
}

function distanceMap(rna) {
  const { size, stride, value } = distances(rna);
  let high = 1;
  for (let i = 0; i < size; i++) for (let j = i; j < size; j++) high = Math.max(high, value(i, j) || 0);
  const ticks = someOf(rna.length);
  return heat({ rows: size, columns: size, value, low: 0, high: Math.ceil(high), stops: [...VIRIDIS].reverse(), label: "Mean distances between C1'",
    ticks: { x: ticks, y: ticks }, describe: (i, j, found) => `${i * stride + 1} – ${j * stride + 1}: ${fixed(found, 1)} Å` });
}

// Lines over the residues; each series has values, a name and a colour.
function chart(series, { low, high, unit, label, wide }) {
  const [width, height, left, bottom, top] = [wide ? 1240 : 600, 200, 38, 24, 8];
  const length = series[0].values.length;
  const x = (k) => left + ((width - left - 8) * k) / Math.max(length - 1, 1);
  const y = (value) => height - bottom - ((height - bottom - top) * (value - low)) / (high - low || 1);
  const parts = [];
  for (let k = 0; k <= 4; k++) {
    const value = low + ((high - low) * k) / 4;
    parts.push(`<line class="axis" x1="${left}" x2="${width - 8}" y1="${y(value)}" y2="${y(value)}"/>`);
    parts.push(`<text x="${left - 6}" y="${y(value) + 4}" text-anchor="end">${value.toFixed(high - low < 4 ? 2 : 0)}</text>`);
  }
  for (const residue of someOf(length, 9)) parts.push(`<text x="${x(residue - 1)}" y="${height - 8}" text-anchor="middle">${residue}</text>`);
  for (const one of series) {
    const path = one.values.map((value, k) => `${x(k).toFixed(1)},${y(value).toFixed(1)}`).join(" ");
    parts.push(`<polyline points="${path}" fill="none" stroke="${one.colour}" stroke-width="${one.width || 1.6}" opacity="${one.opacity || 1}"/>`);
  }
  const made = h("div", { role: "img", "aria-label": label });
  made.innerHTML = `<svg class="chart" viewBox="0 0 ${width} ${height}">${parts.join("")}</svg>`;
  return [h("p", { class: "dim" }, unit), made];
}
