"""Activation Steering, a ComfyUI node pack; the engine is the package `steering` beside this file.

Nothing is imported at module level: pytest imports this file for every test below it, where there
is no ComfyUI.
"""

WEB_DIRECTORY = "./web"
"""Help pages, one a node."""


async def comfy_entrypoint():
    """The extension with all nodes, for ComfyUI's V3 loader."""
    from .nodes import SteeringExtension

    return SteeringExtension()
