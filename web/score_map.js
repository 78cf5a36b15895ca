// The map of Score Layers: sites by steps, to look at with the mouse and to choose sites from.
//
// What is chosen stands in the node's widget "sites" as text, so that a graph without this file, or without a browser,
// does the same.

import { app } from "../../scripts/app.js";

const ROW = 8; // pixels a site
const NAMES = 78; // pixels for the sites' names
const MOST = 2; // the most that D + C can be
const HINT = "Run to see where the concept can be steered; click sites to choose them.";

/** Red is steerable, blue is worse than nothing, grey is left alone. */
function colour(score, active) {
  if (!active) return "#777";
  const share = Math.min(1, Math.abs(score) / MOST);
  const pale = Math.round(255 * (1 - share));
  return score >= 0 ? `rgb(255, ${pale}, ${pale})` : `rgb(${pale}, ${pale}, 255)`;
}

/** attn1, attn2, ff or resnet. */
function kindOf(site) {
  const part = site.split(".")[1];
  return part.startsWith("resnet") ? "resnet" : part;
}

/** The mean score of a site over the steps. */
function mean(scores, row) {
  const line = scores.discriminability[row].map((d, step) => d + scores.consistency[row][step]);
  return line.reduce((sum, value) => sum + value, 0) / line.length;
}

/** The names of the best sites, in order of execution. */
function best(scores, count) {
  const rows = scores.sites.map((_, row) => row).sort((a, b) => mean(scores, b) - mean(scores, a));
  return new Set(rows.slice(0, count).map((row) => scores.sites[row]));
}

class ScoreMap {
  constructor(node) {
    this.node = node;
    this.scores = null;
    this.dragging = null; // whether dragging chooses (true) or lets go (false)
    this.root = document.createElement("div");
    this.root.className = "steering-score-map";
    this.root.style.cssText = "font: 10px sans-serif; color: #ccc; display: flex; flex-direction: column; gap: 3px;";
    this.buttons = document.createElement("div");
    this.buttons.hidden = true; // until there is something to choose from
    this.canvas = document.createElement("canvas");
    this.canvas.height = 0;
    this.canvas.style.cssText = "width: 100%; cursor: crosshair;";
    this.said = document.createElement("div");
    this.said.textContent = HINT;
    this.root.append(this.buttons, this.canvas, this.said);
    this.button("best 5", () => best(this.scores, 5));
    this.button("best 10", () => best(this.scores, 10));
    for (const kind of ["attn1", "attn2", "ff", "resnet"])
      this.button(kind, () => new Set(this.scores.sites.filter((site) => kindOf(site) === kind)));
    this.button("none", () => new Set());
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", () => (this.dragging = null));
    this.canvas.addEventListener("pointerleave", () => this.leave());
  }

  get widget() {
    return this.node.widgets.find((widget) => widget.name === "sites");
  }

  /** Names in the widget; kinds stand for all their sites. */
  get chosen() {
    const named = new Set(String(this.widget.value ?? "").split(",").map((name) => name.trim()).filter(Boolean));
    const sites = this.scores?.sites ?? [];
    return new Set(sites.filter((site) => named.has(site) || named.has(kindOf(site))));
  }

  set chosen(names) {
    const ordered = this.scores.sites.filter((site) => names.has(site));
    this.widget.value = ordered.join(",");
    this.widget.callback?.(this.widget.value);
    this.draw();
    this.node.graph?.setDirtyCanvas(true, true);
  }

  get height() {
    return this.scores ? this.scores.sites.length * ROW + 62 : 40;
  }

  button(label, choose) {
    const button = document.createElement("button");
    button.textContent = label;
    button.style.cssText = "font: 10px sans-serif; margin-right: 3px; padding: 1px 4px;";
    button.addEventListener("click", () => this.scores && (this.chosen = choose()));
    this.buttons.append(button);
  }

  show(scores) {
    this.scores = scores;
    this.buttons.hidden = false;
    this.leave();
    this.draw();
    const [width, height] = this.node.computeSize();
    this.node.setSize([Math.max(this.node.size[0], width, 340), Math.max(this.node.size[1], height)]);
  }

  draw() {
    if (!this.scores) return;
    const { sites, sigmas, discriminability, consistency, active } = this.scores;
    const width = Math.max(260, this.root.clientWidth), cell = (width - NAMES) / sigmas.length;
    this.canvas.width = width;
    this.canvas.height = sites.length * ROW;
    this.canvas.style.height = `${sites.length * ROW}px`; // else it grows as the node's width is known
    const pen = this.canvas.getContext("2d"), chosen = this.chosen;
    pen.textBaseline = "middle";
    sites.forEach((site, row) => {
      pen.font = `${chosen.has(site) ? "bold " : ""}${ROW}px sans-serif`;
      pen.fillStyle = chosen.has(site) ? "#ffd700" : "#ccc";
      pen.fillText(`${chosen.has(site) ? "▸ " : "  "}${site}`, 2, (row + 0.5) * ROW);
      sigmas.forEach((_, step) => {
        pen.fillStyle = colour(discriminability[row][step] + consistency[row][step], active[row][step]);
        pen.fillRect(NAMES + step * cell, row * ROW, Math.ceil(cell), ROW - 1);
      });
    });
  }

  /** Row and step under the mouse; the canvas may be scaled by the graph's zoom. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    const { sites, sigmas } = this.scores;
    const row = Math.min(sites.length - 1, Math.max(0, Math.floor(y / ROW)));
    const step = Math.floor(((x - NAMES) / (this.canvas.width - NAMES)) * sigmas.length);
    return [row, step];
  }

  press(event) {
    if (!this.scores) return;
    event.stopPropagation();
    const [row] = this.at(event);
    this.dragging = !this.chosen.has(this.scores.sites[row]);
    this.set(row);
  }

  set(row) {
    const names = this.chosen;
    names[this.dragging ? "add" : "delete"](this.scores.sites[row]);
    this.chosen = names;
  }

  move(event) {
    if (!this.scores) return;
    const [row, step] = this.at(event), site = this.scores.sites[row];
    if (this.dragging !== null) this.set(row);
    if (step < 0) this.said.textContent = `${site}: mean score ${mean(this.scores, row).toFixed(2)}`;
    else {
      const d = this.scores.discriminability[row][step], c = this.scores.consistency[row][step];
      const where = `${site}, step ${step + 1} of ${this.scores.sigmas.length} (sigma ${this.scores.sigmas[step].toFixed(2)})`;
      this.said.textContent = `${where}: discriminability ${d.toFixed(2)}, consistency ${c.toFixed(2)}`;
    }
  }

  leave() {
    this.dragging = null;
    if (this.scores) this.said.textContent = `${this.chosen.size} of ${this.scores.sites.length} sites chosen`;
  }
}

function attach(node) {
  const map = new ScoreMap(node);
  const shown = node.addDOMWidget("map", "STEERING_SCORE_MAP", map.root, {
    serialize: false,
    getMinHeight: () => map.height,
    getMaxHeight: () => map.height,
  });
  shown.serialize = false;
  const executed = node.onExecuted;
  node.onExecuted = function (message) {
    executed?.apply(this, arguments);
    if (message?.steering_scores) map.show(message.steering_scores[0]);
  };
  const changed = map.widget?.callback;
  if (map.widget)
    map.widget.callback = function () {
      changed?.apply(this, arguments);
      map.draw();
    };
}

app.registerExtension({
  name: "activation-steering.score-map",
  nodeCreated(node) {
    if (node.comfyClass === "SteeringScore") attach(node);
  },
});
