"""Pictures as files, figures as pictures, grids with labels, galleries."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from PIL.PngImagePlugin import PngInfo

from ..files import SOFTWARE, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DPI = 110


def new_figure(**how: Any) -> Figure:
    """An empty figure that needs no window. Matplotlib takes longer to load than all nodes: only where it is drawn."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(**how)
    FigureCanvasAgg(figure)
    return figure


def save_figure(figure: Figure, path: Path) -> None:
    """Write a figure as a PNG, whole or not at all."""
    with replacing(path) as temporary:
        about = {"Software": SOFTWARE}
        figure.savefig(temporary, format="png", dpi=DPI, bbox_inches="tight", metadata=about)


def save_picture(picture: np.ndarray, path: Path) -> None:
    """Write a picture ``uint8 [H, W, 3]`` as a PNG, whole or not at all."""
    about = PngInfo()
    about.add_text("Software", SOFTWARE)
    with replacing(path) as temporary:
        Image.fromarray(picture).save(temporary, format="PNG", pnginfo=about)


def as_array(figure: Figure) -> np.ndarray:
    """A figure as a picture ``uint8 [H, W, 3]``."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, bbox_inches="tight")
    with Image.open(buffer) as image:
        return np.asarray(image.convert("RGB"))


def labelled_grid(
    pictures: Sequence[np.ndarray], labels: Sequence[str], columns: int, notes: Sequence[str] = ()
) -> np.ndarray:
    """Pictures ``uint8 [H, W, 3]`` of one size row by row, each under its label; one picture ``uint8 [H', W', 3]``.

    ``notes`` are written below the pictures, one each and of as many lines as there are, or none at all.
    """
    height, width = pictures[0].shape[:2]
    size = max(12, width // 16)
    under = max((note.count("\n") + 1 for note in notes), default=0) * (size + 4)
    head, gap, rows = size + 8, 6, -(-len(pictures) // columns)
    step = height + head + under + gap
    canvas = Image.new("RGB", (columns * (width + gap) + gap, rows * step + gap), "white")
    pen, font = ImageDraw.Draw(canvas), ImageFont.load_default(size)
    for i, (picture, label) in enumerate(zip(pictures, labels, strict=True)):
        left, top = gap + i % columns * (width + gap), gap + i // columns * step
        pen.text((left + 2, top + 2), label, fill="black", font=font)
        canvas.paste(Image.fromarray(picture), (left, top + head))
        if notes:
            pen.text((left + 2, top + head + height + 1), notes[i], fill="black", font=font, spacing=2)
    return np.asarray(canvas)


def gallery(columns: list[tuple[str, np.ndarray]], path: Path, rows: list[str], scale: int = 1) -> None:
    """Pictures of equal prompts and seeds side by side.

    Args:
        columns: (heading, pictures ``uint8 [N, H, W, 3]``) of each arm.
        path: PNG to write.
        rows: N captions, written under each row.
        scale: whole-number enlargement.
    """
    count, height, width = columns[0][1].shape[:3]
    height, width, gap, head, line = height * scale, width * scale, 4, 20, 16
    canvas = Image.new("RGB", (len(columns) * (width + gap) + gap, head + count * (height + line + gap)), "white")
    pen = ImageDraw.Draw(canvas)
    for i, (heading, pictures) in enumerate(columns):
        left = gap + i * (width + gap)
        pen.text((left, 4), heading, fill="black")
        for j, picture in enumerate(pictures):
            top = head + j * (height + line + gap)
            canvas.paste(Image.fromarray(picture).resize((width, height), Image.Resampling.NEAREST), (left, top))
            if i == 0:
                pen.text((left, top + height + 1), rows[j], fill="black")
    save_picture(np.asarray(canvas), path)
