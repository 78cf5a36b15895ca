"""Whether a vector fits a model."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from ..errors import SteeringError
from ..sites import Site, module_width
from .vector import SteeringVector


def check_fit(vector: SteeringVector, available: Mapping[Site, nn.Module], family: str) -> None:
    """Refuse a vector that was made for another family, or steers sites or widths that a model does not have.

    Args:
        vector: the vector.
        available: every site of the model with its module.
        family: of the model; empty where nobody knows it.
    """
    made_for = vector.family or "another model"
    if family and vector.family and vector.family != family:
        raise SteeringError(
            f"the vector was made for {vector.family}, and this model is {family}; use a vector made for this model"
        )
    for site, part in vector.sites.items():
        if site not in available:
            raise SteeringError(
                f"the vector steers {site}, which this model lacks, and was made for {made_for}; use a vector made for "
                "this model"
            )
        width = module_width(available[site], site.kind)
        if width != part.width:
            raise SteeringError(
                f"{site} has {width} channels here and {part.width} in the vector, which was made for {made_for}; "
                "use a vector made for this model"
            )
