// The 3D view of one RNA: its conformers, superposed.
const FEW = 12, MANY = 40;
// Cartoons of more residues are slow to draw.
const drawsCartoon = (rna) => rna.n * rna.length <= 3000;

function viewerCode() {
  if (!window.$3Dmol) document.body.append(h("script", {}, $("viewer-code").textContent));
  return window.$3Dmol;
}

// Atoms for a tube through the residues and a stick for each base.
function tube(rna, k, trace, detail) {
  const atoms = [];
  const add = (point, residue, kind) => {
    const serial = atoms.length;
    atoms.push({ elem: "C", atom: kind, x: point[0], y: point[1], z: point[2], resi: residue + 1, resn: rna.sequence[residue], chain: "A",
      hetflag: true, serial, index: serial, bonds: [], bondOrder: [], properties: { conformer: k } });
    return serial;
  };
  const bond = (a, b) => { atoms[a].bonds.push(b); atoms[a].bondOrder.push(1); atoms[b].bonds.push(a); atoms[b].bondOrder.push(1); };
  const points = Array.from({ length: rna.length }, (_, i) => rna.at(k, i, rna.atomNamed(i, trace)) || rna.at(k, i, rna.c1));
  let last = null;
  for (let i = 0; i < rna.length; i++) {
    if (!points[i]) { last = null; continue; }
    const here = add(points[i], i, "T");
    if (last !== null) bond(last, here);
    last = here;
    const c1 = rna.at(k, i, rna.c1), nitrogen = rna.at(k, i, rna.atomNamed(i, "N"));
    if (detail.bases && c1) {
      const foot = trace === "C1'" ? here : add(c1, i, "B");
      if (foot !== here) bond(here, foot);
      if (nitrogen) {
        const along = nitrogen.map((one, c) => one - c1[c]), size = Math.hypot(...along) || 1;
        bond(foot, add(c1.map((one, c) => one + ((purine(rna, i) ? 5.2 : 4.2) * along[c]) / size), i, "B"));
      }
    }
    if (!rna.joined(i) || !points[i + 1]) { last = null; continue; }
    const before = i > 0 && rna.joined(i - 1) && points[i - 1] ? points[i - 1] : points[i];
    const after = i + 2 < rna.length && rna.joined(i + 1) && points[i + 2] ? points[i + 2] : points[i + 1];
    for (let s = 1; s < detail.parts; s++) {
      const between = add(curve(before, points[i], points[i + 1], after, s / detail.parts), s / detail.parts < 0.5 ? i : i + 1, "T");
      bond(last, between);
      last = between;
    }
  }
  return atoms;
}

const purine = (rna, i) => "AG".includes(rna.sequence[i]);
// Catmull and Rom's cubic through b and c.
const curve = (a, b, c, d, t) => b.map((_, k) =>
  0.5 * (2 * b[k] + (c[k] - a[k]) * t + (2 * a[k] - 5 * b[k] + 4 * c[k] - d[k]) * t * t + (3 * b[k] - a[k] - 3 * c[k] + d[k]) * t ** 3));

// The atoms of the files, bonded by distance.
function allAtoms(rna, k) {
  const atoms = [];
  for (let i = 0; i < rna.length; i++) for (let a = 0; a < rna.atoms.length; a++) {
    const point = rna.at(k, i, a);
    if (!point) continue;
    const name = rna.atoms[a] === "N" ? (purine(rna, i) ? "N9" : "N1") : rna.atoms[a], serial = atoms.length;
    const atom = { elem: name[0], atom: name, x: point[0], y: point[1], z: point[2], resi: i + 1, resn: rna.sequence[i], chain: "A",
      hetflag: false, serial, index: serial, bonds: [], bondOrder: [], properties: { conformer: k }, place: i };
    // Whole residues by the lengths of bonds; beads are further apart.
    for (let b = serial - 1; b >= 0 && atoms[b].place >= i - 1; b--) {
      const other = atoms[b], apart = Math.hypot(atom.x - other.x, atom.y - other.y, atom.z - other.z);
      const same = other.place === i;
      const bonded = rna.whole ? apart < 1.95 && (same || name === "P") : same ? isNext(other.atom, name) : name === "P" && other.atom === "C4'" && rna.joined(i - 1);
      if (bonded) { atom.bonds.push(b); atom.bondOrder.push(1); other.bonds.push(serial); other.bondOrder.push(1); }
    }
    atoms.push(atom);
  }
  return atoms;
}
const isNext = (a, b) => ["P C4'", "C4' C1'", "C1' N1", "C1' N9"].includes(`${a} ${b}`);

// One viewer for all RNAs, which moves to the section that is open: browsers have few contexts of WebGL, and a new one is slow.
const stage = { box: h("div", { class: "stage" }), viewer: null };

function newViewer() {
  const viewer = viewerCode().createViewer(stage.box, { backgroundAlpha: 0, antialias: true, disableFog: true });
  if (!viewer) throw new Error("no WebGL");
  viewer.setBackgroundColor(0xffffff, 0);
  return viewer;
}

class View {
  constructor(rna, place) {
    this.rna = rna;
    this.place = place;
    this.shown = rna.n <= 1 ? 0 : null;
    this.colour = rna.n > 1 ? "conformer" : "residue";
    this.style = rna.whole && drawsCartoon(rna) ? "cartoon" : "C1'";
    place.append(stage.box);
    this.viewer = stage.viewer ||= newViewer();
    this.viewer.resize();
    this.build();
    this.reset();
  }
  reset() {
    this.viewer.setView([0, 0, 0, 0, 0, 0, 0, 1]);
    this.viewer.zoomTo();
    this.viewer.zoom(1.35);
    this.viewer.render();
  }
  build() {
    const { rna, viewer } = this;
    viewer.removeAllModels();
    const detail = rna.n * rna.length <= 1500 ? { parts: 4, bases: true } : rna.n <= FEW ? { parts: 2, bases: true } : { parts: 1, bases: rna.n <= MANY };
    this.models = Array.from({ length: rna.n }, (_, k) => {
      const model = viewer.addModel();
      model.addAtoms(["cartoon", "atoms"].includes(this.style) ? allAtoms(rna, k) : tube(rna, k, this.style, detail));
      return model;
    });
    this.paint();
    this.show(this.shown);
  }
  paint() {
    const thin = this.rna.n > MANY ? 0.22 : this.rna.n > FEW ? 0.35 : 0.55;
    this.models.forEach((model) => {
      const colorfunc = (atom) => this.colourOf(atom);
      if (this.style === "cartoon") {
        model.setStyle({}, { cartoon: { colorfunc }, stick: { radius: 0.12, colorfunc } });
        model.setStyle({ atom: ["P", "OP1", "OP2", "O5'", "O3'", "C5'", "C4'", "C3'", "O4'", "C2'", "O2'"] }, { cartoon: { colorfunc } });
      } else if (this.style === "atoms") model.setStyle({}, { stick: { radius: thin / 2, colorfunc } });
      else {
        model.setStyle({ atom: "T" }, { stick: { radius: thin, colorfunc } });
        model.setStyle({ atom: "B" }, { stick: { radius: thin / 2.4, colorfunc } });
      }
    });
    this.viewer.render();
  }
  colourOf(atom) {
    const { rna } = this, k = atom.properties.conformer, i = atom.resi - 1;
    if (this.colour === "residue") return hex(scale(VIRIDIS, i / Math.max(rna.length - 1, 1)));
    if (this.colour === "base") return BASES[rna.sequence[i]] || BASES.N;
    if (this.colour === "confidence") return rna.lddt[k] ? hex(scale(TRUST, rna.lddt[k][i])) : UNKNOWN;
    return hex(rgbOf(conformerColour(k, rna.n)));
  }
  show(which) {
    this.shown = which;
    this.models.forEach((model, k) => (which === null || which === k ? model.show() : model.hide()));
    this.viewer.render();
  }
  image() { return this.viewer.pngURI(); }
  close() {
    this.viewer.removeAllModels();
    this.place.replaceChildren();
  }
}

const hex = (rgb) => `#${rgb.map((one) => one.toString(16).padStart(2, "0")).join("")}`;
function rgbOf(colour) {
  const pen = (rgbOf.pen ||= document.createElement("canvas").getContext("2d"));
  pen.fillStyle = colour;
  return [1, 3, 5].map((k) => parseInt(pen.fillStyle.slice(k, k + 2), 16));
}
