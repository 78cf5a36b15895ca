"""The integration tests with several ComfyUIs, once each: ``uv run python tools/integration.py PATH...``.

Paths may also stand in ``COMFYUI_PATH``, separated as in ``PATH``. A PATH may be followed by folders that only this one
needs on Python's path, each after a comma: ``~/ComfyUI,~/requirements_of_it``. Exits with 1 where any failed.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def version_of(comfyui: Path) -> str:
    """What a ComfyUI says of itself."""
    file = comfyui / "comfyui_version.py"
    found = re.search(r'__version__ = "(.+)"', file.read_text(encoding="utf-8")) if file.is_file() else None
    return found[1] if found else "of no known version"


def run(words: str, options: list[str]) -> bool:
    """Whether the tests pass with one ComfyUI."""
    comfyui, *folders = (Path(part).expanduser().resolve() for part in words.split(","))
    before = [os.environ["PYTHONPATH"]] if os.environ.get("PYTHONPATH") else []
    path = os.pathsep.join([*map(str, folders), *before])
    environment = {**os.environ, "COMFYUI_PATH": str(comfyui), "COMFYUI_REQUIRED": "1", "PYTHONPATH": path}
    print(f"ComfyUI {version_of(comfyui)}, {comfyui}", flush=True)
    command = [sys.executable, "-m", "pytest", "tests/integration", "-q", "-n", "0", *options]
    return subprocess.run(command, cwd=ROOT, env=environment, check=False).returncode == 0


def main() -> None:
    """Run and say which failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    known = [one for one in os.environ.get("COMFYUI_PATH", "").split(os.pathsep) if one]
    parser.add_argument("paths", nargs="*", default=known, metavar="PATH")
    chosen, options = parser.parse_known_args()
    if not chosen.paths:
        parser.error("name at least one ComfyUI, as an argument or in COMFYUI_PATH")
    failed = [path for path in chosen.paths if not run(path, options)]
    sys.exit(f"failed with {', '.join(failed)}" if failed else None)


if __name__ == "__main__":
    main()
