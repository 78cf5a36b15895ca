"""Draw the pack's icon: ``uv run python tools/icon.py``. Layers of a network, and a path that is steered past one."""

from pathlib import Path

from PIL import Image, ImageDraw

SIZE, SCALE = 400, 4
LAYERS = 5
DARK, GREY, LIGHT, ACCENT = (24, 27, 38), (92, 100, 124), (226, 230, 240), (255, 158, 64)


def main() -> None:
    side = SIZE * SCALE
    icon = Image.new("RGBA", (side, side), (0, 0, 0, 0))
    pen = ImageDraw.Draw(icon)
    pen.rounded_rectangle((0, 0, side - 1, side - 1), side // 6, fill=DARK)
    height, gap = side // 14, side // 7
    tops = [int(side * 0.19) + i * gap for i in range(LAYERS)]
    for i, top in enumerate(tops):
        steered = i == LAYERS // 2
        box = (side * 0.16, top, side * 0.84, top + height)
        pen.rounded_rectangle(box, height // 2, fill=ACCENT if steered else GREY)
    middle, width = tops[LAYERS // 2] + height // 2, side // 26
    x, bent = side * 0.38, side * 0.62
    path = [(x, side * 0.08), (x, middle - gap), (bent, middle + gap), (bent, side * 0.84)]
    pen.line(path, fill=DARK, width=width * 2, joint="curve")  # a rim, so that the path stands out from the layers
    pen.line(path, fill=LIGHT, width=width, joint="curve")
    tip = side * 0.94
    pen.polygon([(bent - 2 * width, side * 0.83), (bent + 2 * width, side * 0.83), (bent, tip)], fill=LIGHT)
    icon.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(Path(__file__).parent.parent / "docs" / "icon.png")


if __name__ == "__main__":
    main()
