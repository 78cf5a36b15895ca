// What a node said of its run, below its widgets: where a file was saved, what a measurement found, what a word means.
//
// ComfyUI shows such texts on its own Preview Any only.

import { app } from "../../scripts/app.js";
import { attach, fit } from "./widget.js";

// Node -> pixels kept for its text, before it has run as well, so that nothing moves in the graph.
const HEIGHTS = {
  SteeringSaveVector: 30,
  SteeringSaveActivations: 30,
  SteeringExportLora: 30,
  SteeringEvaluate: 130,
  SteeringWritePairs: 60,
};

/** A text below a node's widgets, empty until it has run. */
function said(node, height) {
  const text = document.createElement("div");
  text.className = "steering-said";
  text.style.cssText =
    "font: 11px sans-serif; color: #ccc; white-space: pre-wrap; overflow-wrap: anywhere; overflow: auto; user-select: text;";
  text.style.minHeight = `${height}px`;
  attach(node, "said", text, () => height, (message) => {
    if (!message.text) return;
    text.textContent = [].concat(message.text).join("\n");
    fit(node); // a node of a saved graph may be lower
  });
  fit(node);
}

app.registerExtension({
  name: "activation-steering.said",
  nodeCreated(node) {
    if (HEIGHTS[node.comfyClass]) said(node, HEIGHTS[node.comfyClass]);
  },
});
