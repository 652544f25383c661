// The section of one RNA, made when it is opened.
const PLAY = 700;
const ORDERS = { "predicted TM-score": "the predicted TM-score, the highest first", agreement: "their mean TM-score with the others, or the predicted one where that is higher",
  "size of cluster": "the clusters that they stand for, the largest first", way: "the way from one state to the other" };

function card(title, wide, ...parts) {
  return h("section", { class: `card${wide ? " wide" : ""}${title === "Structure files" ? " no-print" : ""}` }, h("h2", {}, title), ...parts);
}

function viewCard(rna, section) {
  const place = h("div", { class: "view", tabindex: 0, role: "application", "aria-label": "3D view; left and right arrow: another conformer, space: play" });
  const legend = h("div", { class: "legend" });
  const colours = [...(rna.n > 1 ? ["conformer"] : []), "residue", "base", ...(rna.lddt ? ["confidence"] : [])];
  const whole = [["cartoon", "cartoon"], ["C1'", "tube through C1'"], ["atoms", "all atoms"]];
  const styles = rna.whole ? (drawsCartoon(rna) ? whole : [whole[1], whole[0], whole[2]])
    : [["C1'", "tube through C1'"], ["P", "tube through P"], ["atoms", "beads of the files"]];
  const names = Array.from({ length: rna.n }, (_, k) => [String(k), `conformer ${k + 1}`]);
  const option = ([value, text]) => h("option", { value }, text);
  const which = h("select", { onchange: () => choose(which.value === "all" ? null : Number(which.value)) }, rna.n > 1 ? option(["all", "all conformers"]) : null, names.map(option));
  const play = h("button", { type: "button", "aria-pressed": "false", onclick: () => run(!section.timer) }, "Play");
  let view = null;
  function choose(k) { which.value = k === null ? "all" : String(k); if (view) view.show(k); explain(); }
  function step(by) { const k = view && view.shown; choose(k === null ? (by > 0 ? 0 : rna.n - 1) : (k + by + rna.n) % rna.n); }
  function run(on) {
    clearInterval(section.timer);
    section.timer = on ? setInterval(() => step(1), PLAY) : null;
    play.setAttribute("aria-pressed", String(on));
    play.textContent = on ? "Stop" : "Play";
  }
  function explain() {
    const kind = view ? view.colour : colours[0], swatch = (colour, text) => h("span", {}, h("i", { style: `background:${colour}` }), text);
    const bar = (stops, low, high) => [low, h("span", { class: "bar", style: `background:${gradient(stops)}` }), high];
    legend.replaceChildren(...(kind === "residue" ? bar(VIRIDIS, "residue 1", String(rna.length))
      : kind === "confidence" ? bar(TRUST, "predicted lDDT 0", "1")
      : kind === "base" ? Object.entries(BASES).slice(0, 4).map(([base, colour]) => swatch(colour, base))
      : rna.n <= FEW ? names.map(([k, text]) => swatch(conformerColour(Number(k), rna.n), text)) : [`${rna.n} conformers, by hue`]));
  }
  const colour = h("select", { onchange: () => { view.colour = colour.value; view.paint(); explain(); } }, colours.map((one) => option([one, one === "residue" ? "residue number" : one])));
  const style = h("select", { onchange: () => { view.style = style.value; view.build(); } }, styles.map(option));
  place.addEventListener("keydown", (event) => {
    const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (by && view && rna.n > 1) { run(false); step(by); event.preventDefault(); }
    if (event.key === " " && view && rna.n > 1) { run(!section.timer); event.preventDefault(); }
  });
  section.start = () => {
    try { view = section.view = new View(rna, place); explain(); }
    catch (error) {
      place.previousElementSibling.hidden = legend.hidden = true;
      place.style.height = "auto";
      place.replaceChildren(h("p", { class: "note" }, "This browser has no WebGL, which the 3D view needs; the structure files below open in any viewer.")); console.warn(String(error));
    }
  };
  section.stop = () => run(false);
  const several = rna.n > 1 ? [h("button", { type: "button", "aria-label": "conformer before", onclick: () => { run(false); step(-1); } }, "◀"), play,
    h("button", { type: "button", "aria-label": "next conformer", onclick: () => { run(false); step(1); } }, "▶"), h("button", { type: "button", onclick: () => { run(false); choose(null); } }, "All")] : [];
  return card("Conformers", true, h("div", { class: "tools" }, h("label", {}, "show", which), several, h("label", {}, "colour by", colour), h("label", {}, "as", style),
    h("button", { type: "button", onclick: () => { view.reset(); } }, "Reset view")), place, legend,
    h("p", { class: "dim" }, rna.n > 1 ? `Superposed by C1' on conformer 1${rna.ordered_by ? `; they are in the order of ${ORDERS[rna.ordered_by]}` : ""}. ` : "",
      rna.whole ? "" : `The files have the atoms ${rna.atoms.join(", ")}: the tube joins residues, and each stick points along the bond to the base.`));
}

function pairsCard(rna) {
  const figure = h("div"), ruler = rulerOf(rna);
  figure.innerHTML = rna.svg;
  const width = String(rna.n).length, label = (text) => text.padEnd(11 + width);
  const lines = [label(""), ruler, "\n", label("sequence"), withStrands(rna), "\n", label("drawn"), rna.structure, "\n",
    ...rna.pairs.flatMap((one, k) => [label(`conformer ${k + 1}`), one, k + 1 < rna.n ? "\n" : ""])];
  return card("Secondary structure", true, h("div", { class: "grid" }, h("figure", { style: "margin:0" }, figure,
    h("figcaption", {}, `Drawn: ${rna.source}. Pairs from grey (base-pair probability 0) to dark blue (1); dashed: pairs that at least half of the conformers have and the drawn structure has not.`)),
    h("div", { style: "min-width:0" }, h("p", { class: "dim" }, "Watson-Crick and GU pairs found in the coordinates of each conformer:"), h("pre", { tabindex: 0, style: "max-height:420px" }, lines.join("")))));
}

function pairsIn(text) { return [...text].filter((one) => !".&)]}>".includes(one) && !/[a-z]/.test(one)).length; }

function interactionsCard(rna) {
  if (!rna.interactions) return null;
  const base = (number) => `${rna.sequence[number - 1]}${number}`;
  const rows = rna.interactions.map((one, k) => [k + 1, pairsIn(one.secondary_structure), one.noncanonical_pairs.length, one.stacking.length,
    one.noncanonical_pairs.map(([i, j, kind]) => `${base(i)}–${base(j)} ${kind}`).join(", ")]);
  return card("Base pairs and stacking", true, table(["conformer", "Watson-Crick and GU pairs", "other pairs", "stacked bases", "the other pairs"], rows, [4]),
    h("p", { class: "dim" }, "By RNApolis. Other pairs are named by Leontis and Westhof: c(is) or t(rans), and the edges W(atson-Crick), H(oogsteen) or S(ugar) of the two bases."));
}

function withStrands(rna) {
  let text = "", at = 0;
  for (const size of rna.strands.length ? rna.strands : [rna.length]) { text += (at ? "&" : "") + rna.sequence.slice(at, at + size); at += size; }
  return text;
}
function rulerOf(rna) {
  const marks = Array(rna.length).fill(" ");
  for (let k = 10; k <= rna.length; k += 10) [...String(k)].forEach((digit, c, all) => { marks[k - all.length + c] = digit; });
  let text = "", at = 0;
  for (const size of rna.strands.length ? rna.strands : [rna.length]) { text += (at ? " " : "") + marks.slice(at, at + size).join(""); at += size; }
  return text;
}

function likenessCard(rna) {
  const m = rna.tm.length, apart = [];
  for (let i = 0; i < m; i++) for (let j = i + 1; j < m; j++) apart.push(rna.tm[i][j]);
  const mean = apart.reduce((a, b) => a + b, 0) / apart.length;
  const order = rna.clusters ? [...Array(m).keys()].sort((a, b) => rna.clusters[a] - rna.clusters[b] || a - b) : [...Array(m).keys()];
  const ticks = m <= 12 ? order.map((k) => k + 1) : [];
  const parts = heat({ rows: m, columns: m, value: (i, j) => rna.tm[order[i]][order[j]], low: 0, high: 1, stops: VIRIDIS, label: "TM-scores between conformers", ticks: { x: ticks, y: ticks },
    describe: (i, j, value) => `conformers ${order[i] + 1} and ${order[j] + 1}: TM-score ${value.toFixed(2)}` });
  const groups = new Map();
  (rna.clusters || []).forEach((one, k) => groups.set(one, [...(groups.get(one) || []), k + 1]));
  const lines = [...groups].sort((a, b) => a[0] - b[0]).map(([number, members]) => h("li", {}, `cluster ${number}: ${members.length > 20 ? `${members.length} conformers` : members.join(", ")}`));
  return card("TM-scores between conformers", false, ...parts,
    h("p", { class: "dim" }, `Mean ${mean.toFixed(2)}${m < rna.n ? `, of the first ${m} conformers` : ""}.`),
    rna.clusters ? [h("p", { class: "dim" }, "Clusters, within which all TM-scores are at least 0.45; the map is in their order:"), h("ul", { class: "dim", style: "margin:.2rem 0" }, lines)]
      : h("p", { class: "dim" }, `Clusters need ${rna.least_clustered} conformers.`));
}

function confidenceCard(rna) {
  if (!rna.lddt) return card("Confidence", false, h("p", {}, "There is no confidence: the checkpoint has no confidence model."));
  const known = rna.lddt.filter((row) => row !== null);
  const mean = known[0].map((_, i) => known.reduce((total, row) => total + row[i], 0) / known.length), ticks = someOf(rna.length, 9);
  return card("Confidence", true, ...chart([{ values: mean, colour: "var(--mark)" }], { low: 0, high: 1, unit: "Predicted lDDT, mean of the conformers:", wide: true, label: "Predicted lDDT along the sequence" }),
    h("p", { class: "dim" }, "By conformer (rows):"),
    ...heat({ rows: rna.n, columns: rna.length, value: (i, j) => (rna.lddt[i] ? rna.lddt[i][j] : null), low: 0, high: 1, stops: TRUST, flat: true, label: "Predicted lDDT by conformer", ticks: { x: ticks, y: rna.n > 1 ? [1, rna.n] : [1] },
      describe: (i, j, value) => `conformer ${i + 1}, ${rna.sequence[j]}${j + 1}: ${value === null ? "unknown" : value.toFixed(2)}` }));
}

function conformersCard(rna) {
  const columns = [["conformer", (k) => k + 1]];
  columns.push(["sample", (k) => rna.conformers[k].sample]);
  if (new Set(rna.conformers.map((one) => one.checkpoint)).size > 1) columns.push(["made by", (k) => rna.conformers[k].checkpoint]);
  if (rna.clusters) columns.push(["cluster", (k) => rna.clusters[k] ?? null]);
  if (rna.conformers.some((one) => one.predicted_tm !== null)) columns.push(["predicted TM", (k) => fixed(rna.conformers[k].predicted_tm)]);
  if (rna.predicted_lddt) columns.push(["predicted lDDT", (k) => fixed(rna.predicted_lddt[k])]);
  columns.push(["bond outliers", (k) => percent(rna.geometry[k]?.bond_outliers)], ["clashes / 1,000 atoms", (k) => rna.conformers[k].clashes_per_1000 ?? null]);
  columns.push(["pairs", (k) => pairsIn(rna.pairs[k])]);
  if (rna.given) columns.push(["given pairs present", (k) => percent(rna.given.given_present[k])]);
  const built = new Map(rna.templates.map((one) => [one.conformer - 1, `${one.source} ${one.name}`]));
  columns.push(["built on", (k) => built.get(k) || "the model alone"]);
  const rows = Array.from({ length: rna.n }, (_, k) => columns.map(([, value]) => value(k) ?? null));
  return card("Conformers one by one", true, table(columns.map(([name]) => name), rows, [columns.length - 1]),
    h("p", { class: "dim" }, "Bond outliers: share of the bead distances that no RNA has. Clashes: pairs of atoms of the files that are too close."));
}

function geometryCard(rna) {
  if (!rna.all_atom) return null;
  const measures = [["bonds off", "bond_outliers", fine], ["angles off", "angle_outliers", fine], ["clashes / 1,000 atoms", "clashes_per_1000", (value) => value.toFixed(1)], ["handedness errors", "handedness_errors", count],
    ["breaks", "breaks", count], ["C3'-endo", "c3_endo", percent], ["C2'-endo", "c2_endo", percent], ["backbone outliers", "backbone_outliers", percent]];
  const row = (name, one, per) => [name, ...measures.map(([, key, text]) => text(one[key]) + (per && text === count ? " / 1,000 nt" : ""))];
  const rows = [...rna.all_atom.conformers.map((one, k) => row(`conformer ${k + 1}`, one)), ...rna.all_atom.experiments.map((one) => row(one.structures, one, true))];
  return card("Geometry beside experimental structures", true, table(["", ...measures.map(([name]) => name)], rows, [0]),
    h("p", { class: "dim" }, "Off: more than four standard deviations from the ideal value. Clashes: heavy atoms that overlap by more than 0.4 Å. Backbone outliers: suites like none of the consensus conformers of Richardson et al. (2008)."));
}
const fine = (value) => `${(100 * value).toFixed(2)} %`;
const count = (value) => String(Math.round(100 * value) / 100);

function templatesCard(rna) {
  if (!rna.templates.length) return card("Templates", false, h("p", {}, "No conformer is built on a known structure."));
  const part = new Set(["fix", "between"]);
  const rows = rna.templates.map((one) => [one.conformer, `${one.source} ${one.name}`, one.release_date || null, percent(one.identity), percent(one.coverage), fixed(one.score, 2), part.has(one.source) ? null : fixed(one.predicted_tm, 2)]);
  return card("Templates", true, table(["conformer", "template", "released", "identity", "coverage", "score", "expected TM"], rows, [1]));
}

function scoresCard(rna) {
  if (!rna.scores) return null;
  const names = [["best1", "TM-score of the first conformer"], ["best5", "TM-score, best of the first five"], ["independent1", "sequence-independent TM-score of the first"], ["independent5", "sequence-independent TM-score, best of five"],
    ["lddt", "C1'-lDDT, best of five"], ["one_minus_tm", "mean 1 − TM between the first five"]];
  const rows = names.filter(([key]) => rna.scores[key] !== undefined).map(([key, text]) => [text, fixed(rna.scores[key])]);
  return card("Against references", false, table(["score", ""], rows), h("p", { class: "dim" }, `Reference structures: ${rna.scores.references}. Date filter: ${rna.scores.date_filter}.`));
}

function filesCard(rna, number) {
  const save = async (name) => {
    const { header } = await expanded(`files-${number}`);
    const link = h("a", { href: URL.createObjectURL(new Blob([header[name]], { type: "text/plain" })), download: `${rna.folder}_${name}` });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const files = [...rna.files.slice(-1), ...rna.files.slice(0, -1)];
  return card("Structure files", false, h("div", { class: "tools", style: "max-height:11rem;overflow:auto" }, files.map((name) => h("button", { type: "button", "data-file": name, onclick: () => save(name) }, name))));
}

function settingsCard(rna) {
  const facts = Object.entries({ ...rna.options, evaluations: rna.evaluations, redrawn: rna.redrawn, label: rna.label }).filter(([, value]) => value !== null && value !== undefined);
  return card("Settings", false, h("dl", {}, facts.flatMap(([name, value]) => [h("dt", {}, name.replaceAll("_", " ")), h("dd", {}, String(value))])));
}

async function openSection(details) {
  if (details.dataset.state) return;
  details.dataset.state = "opening";
  const number = details.id.slice(4), rna = new RNA(await expanded(`data-${number}`));
  if (!details.open) return closeSection(details);
  const section = (details.section = { timer: null, view: null });
  details.append(h("div", { class: "grid" }, viewCard(rna, section), pairsCard(rna), interactionsCard(rna), confidenceCard(rna), conformersCard(rna), geometryCard(rna), rna.tm.length > 1 ? likenessCard(rna) : null,
    card("Mean distances between C1'", false, ...distanceMap(rna)), fluctuationCard(rna), scoresCard(rna), templatesCard(rna), filesCard(rna, number), settingsCard(rna)));
  details.dataset.state = "open";
  section.start();
}

function fluctuationCard(rna) {
  if (!rna.rmsf) return null;
  const high = Math.max(1, Math.ceil(Math.max(...rna.rmsf)));
  return card("Fluctuation", false, ...chart([{ values: rna.rmsf, colour: "var(--mark)" }], { low: 0, high, unit: "RMSF in Å:", label: "RMSF along the sequence" }),
    h("p", { class: "dim" }, "Root mean square distance of C1' from its mean position."));
}

// What was made of a section goes, so that a page of many RNAs stays light.
function closeSection(details) {
  const { section } = details;
  if (section) {
    section.stop();
    if (section.view) section.view.close();
  }
  details.section = null;
  details.replaceChildren(details.querySelector("summary"));
  delete details.dataset.state;
}
