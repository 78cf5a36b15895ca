"""Render the pocket world's drawings from emoji sets: ``python tools/drawings.py SETS --out steering/pocket/drawings``.

``SETS`` holds the unpacked npm packages ``@iconify-json/NAME`` as ``NAME/package/icons.json``. Every
drawing of `steering.pocket.kinds.KINDS` becomes ``KIND/SET-NAME.png``, its longer side 112 pixels.
Needs ``resvg-py``, which nothing else here does.
"""

from __future__ import annotations

import argparse
import io
import json
from pathlib import Path

from PIL import Image

from steering.pocket.kinds import KINDS

SIDE = 112


def render(sets: Path, drawing: str) -> Image.Image:
    """One drawing ``SET/NAME``, cropped to what is drawn."""
    import resvg_py

    name, icon = drawing.split("/")
    table = json.loads((sets / name / "package" / "icons.json").read_text(encoding="utf-8"))
    found = table["icons"].get(icon) or table["icons"][table["aliases"][icon]["parent"]]
    width, height = (found.get(side, table.get(side, 16)) for side in ("width", "height"))
    svg = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="512" height="512">'
        f"{found['body']}</svg>"
    )
    with Image.open(io.BytesIO(bytes(resvg_py.svg_to_bytes(svg_string=svg)))) as image:
        whole = image.convert("RGBA")
    cropped = whole.crop(whole.getchannel("A").getbbox())
    cropped.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    return cropped


def main() -> None:
    """Render all drawings."""
    parser = argparse.ArgumentParser(description="Render the pocket world's drawings.")
    parser.add_argument("sets", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    for name, kind in KINDS.items():
        for drawing in (*kind.drawings, *kind.unseen):
            path = options.out / name / f"{drawing.replace('/', '-')}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            render(options.sets, drawing).save(path, optimize=True)


if __name__ == "__main__":
    main()
