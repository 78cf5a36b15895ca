// What a node said of its run, below its widgets: where a file was saved, what a measurement found.
//
// ComfyUI shows such texts on its own Preview Any only.

import { app } from "../../scripts/app.js";

// Node -> pixels kept for its text, before it has run as well, so that nothing moves in the graph.
const HEIGHTS = {
  SteeringSaveVector: 30,
  SteeringSaveActivations: 30,
  SteeringExportLora: 30,
  SteeringEvaluate: 130,
};

/** Make a node as high as its widgets, never lower. */
function fit(node) {
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width), Math.max(node.size[1], height)]);
}

function attach(node, height) {
  const said = document.createElement("div");
  said.className = "steering-said";
  said.style.cssText =
    "font: 11px sans-serif; color: #ccc; white-space: pre-wrap; overflow-wrap: anywhere; overflow: auto; user-select: text;";
  said.style.minHeight = `${height}px`;
  const shown = node.addDOMWidget("said", "STEERING_SAID", said, {
    serialize: false,
    getMinHeight: () => height,
    getMaxHeight: () => height,
  });
  shown.serialize = false;
  fit(node);
  const executed = node.onExecuted;
  node.onExecuted = function (message) {
    executed?.apply(this, arguments);
    if (!message?.text) return;
    said.textContent = [].concat(message.text).join("\n");
    fit(node); // a node of a saved graph may be lower
  };
}

app.registerExtension({
  name: "activation-steering.said",
  nodeCreated(node) {
    if (HEIGHTS[node.comfyClass]) attach(node, HEIGHTS[node.comfyClass]);
  },
});
