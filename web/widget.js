// What our widgets have in common: a part of the page below a node's own widgets, that is not saved with the graph.

/** Make a node as large as its widgets, never smaller, and at least so wide. */
export function fit(node, least = 0) {
  const [width, height] = node.computeSize();
  node.setSize([Math.max(node.size[0], width, least), Math.max(node.size[1], height)]);
}

/** Show an element below a node's widgets, `height()` pixels high, and tell it what every run of the node said. */
export function attach(node, name, element, height, tell) {
  const shown = node.addDOMWidget(name, `STEERING_${name.toUpperCase()}`, element, {
    serialize: false,
    getMinHeight: height,
    getMaxHeight: height,
  });
  shown.serialize = false;
  const executed = node.onExecuted;
  node.onExecuted = function (message) {
    executed?.apply(this, arguments);
    if (message) tell(message);
  };
}
