"""The ComfyUI nodes: thin, and the only part of the pack that knows ComfyUI."""

from comfy_api.latest import ComfyExtension, io

from .apply import Apply
from .comfy_files import register
from .pocket import LoadPocket
from .vectors import LoadVector

NODES: list[type[io.ComfyNode]] = [LoadPocket, LoadVector, Apply]
"""Every node of the pack, in menu order."""


class SteeringExtension(ComfyExtension):
    """What ComfyUI asks for the nodes."""

    async def get_node_list(self) -> list[type[io.ComfyNode]]:
        """The nodes."""
        register()
        return NODES
