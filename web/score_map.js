// The map of Score Layers: sites by steps, to look at with the mouse and to choose sites from.
//
// What is chosen stands in the node's widget "sites" as text, so that a graph without this file, or without a browser,
// does the same. A choice is a Map from a site's name to the Set of its steps.

import { app } from "../../scripts/app.js";
import { attach, fit } from "./widget.js";

const ROW = 8; // pixels a site
const NAMES = 78; // pixels for the sites' names
const CHOSEN = "#2f9bff"; // stands out from red, from white and from the dark of the node
const MOST = 2; // the most that D + C can be
const ACROSS = 12; // pixels that a mouse has to go along a row, into another column, before it means noise levels
const SLACK = 1e-3; // relative, as where the text is read
const HINT = "Run to see where the concept can be steered; click sites to choose them, drag across for noise levels.";

/** Red is steerable, blue is worse than nothing, grey is left alone. */
function colour(score, active) {
  if (!active) return "#777";
  const share = Math.min(1, Math.abs(score) / MOST);
  const pale = Math.round(255 * (1 - share));
  return score >= 0 ? `rgb(255, ${pale}, ${pale})` : `rgb(${pale}, ${pale}, 255)`;
}

/** attn1, attn2, ff, resnet or text. */
function kindOf(site) {
  const part = site.split(".")[1] ?? site; // the text has no blocks
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

/** A noise level in four digits. */
const short = (sigma) => Number(sigma.toPrecision(4));

/** Two numbers, the lower first. */
const ordered = (a, b) => (a <= b ? [a, b] : [b, a]);

/** The graph zooms under a wheel over the map as well; Nodes 2.0 sees to that by itself. */
function zoom(event) {
  if (event.target.closest(".lg-node")) return;
  event.preventDefault();
  app.canvas.canvas.dispatchEvent(new WheelEvent(event.type, event));
}

/** The steps of a run, from 0. */
const stepsOf = (scores) => scores.sigmas.map((_, step) => step);

/** What a text chooses: kinds and sites, at the noise levels behind a colon, or at all. */
function read(text, scores) {
  const choice = new Map();
  for (const part of text.split(",")) {
    const [name, levels] = part.trim().split(":");
    const [low, high] = ordered(...(levels ?? "0-Infinity").split("-").map(Number));
    const within = (sigma) => sigma >= low * (1 - SLACK) && sigma <= high * (1 + SLACK);
    const steps = stepsOf(scores).filter((step) => within(scores.sigmas[step]));
    if (steps.length)
      for (const site of scores.sites.filter((site) => site === name || kindOf(site) === name))
        choice.set(site, new Set([...(choice.get(site) ?? []), ...steps]));
  }
  return choice;
}

/** The text of a choice, sites in order of execution. */
function write(choice, scores) {
  const parts = [];
  scores.sites.forEach((site, row) => {
    const steps = choice.get(site) ?? new Set();
    const isWhole = stepsOf(scores).every((step) => steps.has(step) || !scores.active[row][step]);
    if (steps.size && isWhole) parts.push(site);
    else
      for (const [high, low] of stretches(steps, scores, row).map((ends) => ends.map((step) => scores.sigmas[step])))
        parts.push(`${site}:${short(high)}-${short(low)}`);
  });
  return parts.join(",");
}

/** First and last step of every stretch of chosen ones; those where the site is inactive do not end one. */
function stretches(steps, scores, row) {
  const found = [];
  let going = false;
  for (const step of stepsOf(scores)) {
    const chosen = steps.has(step);
    if (chosen && going) found.at(-1)[1] = step;
    else if (chosen) found.push([step, step]);
    going = chosen || (going && !scores.active[row][step]);
  }
  return found;
}

class ScoreMap {
  constructor(node) {
    this.node = node;
    this.scores = null;
    this.drag = null; // where it began, whether it chooses or lets go, and the choice before it
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
    this.axis = document.createElement("small");
    this.axis.style.cssText = `display: flex; justify-content: space-between; padding-left: ${NAMES}px;`;
    this.root.append(this.buttons, this.canvas, this.axis, this.said);
    this.button("best 5", () => best(this.scores, 5));
    this.button("best 10", () => best(this.scores, 10));
    for (const kind of ["attn1", "attn2", "ff", "resnet"])
      this.button(kind, () => this.scores.sites.filter((site) => kindOf(site) === kind));
    this.button("none", () => []);
    this.canvas.addEventListener("pointerdown", (event) => this.press(event));
    this.canvas.addEventListener("pointermove", (event) => this.move(event));
    this.canvas.addEventListener("pointerup", () => (this.drag = null));
    this.canvas.addEventListener("pointerleave", () => this.leave());
    this.root.addEventListener("wheel", (event) => zoom(event));
  }

  get widget() {
    return this.node.widgets.find((widget) => widget.name === "sites");
  }

  get choice() {
    return this.scores ? read(String(this.widget.value ?? ""), this.scores) : new Map();
  }

  set choice(choice) {
    this.widget.value = write(choice, this.scores);
    this.widget.callback?.(this.widget.value);
    this.draw();
    this.node.graph?.setDirtyCanvas(true, true);
  }

  get height() {
    return this.scores ? this.scores.sites.length * ROW + 78 : 40;
  }

  button(label, choose) {
    const button = document.createElement("button");
    button.textContent = label;
    button.style.cssText = "font: 10px sans-serif; margin-right: 3px; padding: 1px 4px;";
    button.addEventListener("click", () => {
      if (this.scores) this.choice = new Map([...choose()].map((site) => [site, new Set(stepsOf(this.scores))]));
    });
    this.buttons.append(button);
  }

  show(scores) {
    this.scores = scores;
    this.buttons.hidden = false;
    const ends = [`sigma ${scores.sigmas[0].toFixed(2)}, the first step`, scores.sigmas.at(-1).toFixed(2)];
    this.axis.replaceChildren(...ends.map((end) => Object.assign(document.createElement("span"), { textContent: end })));
    this.leave();
    this.draw();
    fit(this.node, 340);
  }

  draw() {
    if (!this.scores) return;
    const { sites, sigmas, discriminability, consistency, active } = this.scores;
    const width = Math.max(260, this.root.clientWidth), cell = (width - NAMES) / sigmas.length;
    this.canvas.width = width;
    this.canvas.height = sites.length * ROW;
    this.canvas.style.height = `${sites.length * ROW}px`; // else it grows as the node's width is known
    const pen = this.canvas.getContext("2d"), choice = this.choice;
    pen.textBaseline = "middle";
    sites.forEach((site, row) => {
      const steps = choice.get(site);
      pen.font = `${steps ? "bold " : ""}${ROW}px sans-serif`;
      pen.fillStyle = steps ? CHOSEN : "#ccc";
      pen.fillText(`${steps ? "▸ " : "  "}${site}`, 2, (row + 0.5) * ROW);
      sigmas.forEach((_, step) => {
        pen.fillStyle = colour(discriminability[row][step] + consistency[row][step], active[row][step]);
        pen.fillRect(NAMES + step * cell, row * ROW, Math.ceil(cell), ROW - 1);
        if (!steps?.has(step) || !active[row][step]) return;
        pen.fillStyle = CHOSEN;
        pen.fillRect(NAMES + step * cell, row * ROW + ROW - 3, Math.ceil(cell), 2);
      });
    });
  }

  /** Row and column under the mouse, the column in parts; the canvas may be scaled by the graph's zoom. */
  at(event) {
    const box = this.canvas.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * this.canvas.width;
    const y = ((event.clientY - box.top) / box.height) * this.canvas.height;
    const { sites, sigmas } = this.scores;
    const row = Math.min(sites.length - 1, Math.max(0, Math.floor(y / ROW)));
    return [row, ((x - NAMES) / (this.canvas.width - NAMES)) * sigmas.length];
  }

  press(event) {
    if (!this.scores) return;
    event.stopPropagation();
    this.canvas.setPointerCapture(event.pointerId); // a drag may go beyond the edge
    const [row, column] = this.at(event), before = this.choice;
    const steps = before.get(this.scores.sites[row]);
    const chosen = column < 0 ? Boolean(steps) : Boolean(steps?.has(Math.floor(column)));
    this.drag = { row, column, before, chooses: !chosen };
    this.choose(row, column);
  }

  /** Between where the mouse was pressed and where it is: whole sites, or noise levels of them if it went across. */
  choose(row, column) {
    const { drag, scores } = this, last = scores.sigmas.length - 1;
    const [top, bottom] = ordered(drag.row, row);
    let steps = stepsOf(scores);
    const [from, to] = ordered(drag.column, column).map((at) => Math.min(last, Math.max(0, Math.floor(at))));
    const gone = (Math.abs(column - drag.column) * (this.canvas.width - NAMES)) / scores.sigmas.length;
    if (drag.column >= 0 && from < to && gone >= ACROSS) {
      steps = steps.slice(from, to + 1);
      const [high, low] = [from, to].map((step) => scores.sigmas[step].toFixed(2));
      this.said.textContent = `${bottom - top + 1} sites, steps ${from + 1} to ${to + 1} (sigma ${high} to ${low})`;
    }
    const choice = new Map([...drag.before].map(([site, kept]) => [site, new Set(kept)]));
    for (const site of scores.sites.slice(top, bottom + 1)) {
      const kept = choice.get(site) ?? new Set();
      for (const step of steps) kept[drag.chooses ? "add" : "delete"](step);
      choice.set(site, kept);
    }
    this.choice = choice;
  }

  move(event) {
    if (!this.scores) return;
    const [row, column] = this.at(event);
    this.tell(row, Math.floor(column));
    if (this.drag) this.choose(row, column);
  }

  tell(row, step) {
    const { sites, sigmas, discriminability, consistency } = this.scores;
    if (step < 0) this.said.textContent = `${sites[row]}: mean score ${mean(this.scores, row).toFixed(2)}`;
    else {
      const d = discriminability[row][step], c = consistency[row][step];
      const where = `${sites[row]}, step ${step + 1} of ${sigmas.length} (sigma ${sigmas[step].toFixed(2)})`;
      this.said.textContent = `${where}: discriminability ${d.toFixed(2)}, consistency ${c.toFixed(2)}`;
    }
  }

  leave() {
    this.drag = null;
    if (!this.scores) return;
    const choice = this.choice, parts = write(choice, this.scores).split(",").filter((part) => part.includes(":"));
    const some = new Set(parts.map((part) => part.split(":")[0])).size;
    const more = some ? `, ${some} of them at some noise levels` : "";
    this.said.textContent = `${choice.size} of ${this.scores.sites.length} sites chosen${more}`;
  }
}

function show(node) {
  const map = new ScoreMap(node);
  attach(node, "map", map.root, () => map.height, (message) => {
    if (message.steering_scores) map.show(message.steering_scores[0]);
  });
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
    if (node.comfyClass === "SteeringScore") show(node);
  },
});
