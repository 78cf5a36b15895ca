"""The ComfyUI nodes: thin, and the only part of the pack that knows ComfyUI."""

from comfy_api.latest import ComfyExtension, io

NODES: list[type[io.ComfyNode]] = []
"""Every node of the pack, in menu order."""


class SteeringExtension(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The nodes."""
        return NODES
