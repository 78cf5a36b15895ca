"""The pack's folders below ``models``, merged with the user's own paths and with what the pack brings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import folder_paths

from ..steering.checks import short
from ..steering.concepts.pairs import CONCEPTS, every_built_in
from ..steering.errors import SteeringError

VECTORS = "steering_vectors"
PAIRS = "steering_pairs"
ACTIVATIONS = "steering_activations"
LORAS = "loras"
"""ComfyUI's own folder, which Export LoRA writes into."""
SHIPPED = Path(__file__).parent.parent / "vectors"
LONGEST_NAME = 200
"""Bytes of a file's name: systems take 255, and an ending and a number follow."""
ENDINGS = {VECTORS: {".safetensors"}, PAIRS: {".csv", ".jsonl"}, ACTIVATIONS: {".safetensors"}}


def register() -> None:
    """Tell ComfyUI about the folders; harmless when done again.

    The user's extra_model_paths are there already and stay; the pack's own vectors come last, so that a
    file of the user's with the same name wins.
    """
    for name, endings in ENDINGS.items():
        folder_paths.add_model_folder_path(name, str(Path(folder_paths.models_dir) / name), is_default=True)
        if name == VECTORS:
            folder_paths.add_model_folder_path(name, str(SHIPPED))
        paths, known = folder_paths.folder_names_and_paths[name]
        # add_model_folder_path leaves the set of endings empty, which means every file there is.
        folder_paths.folder_names_and_paths[name] = (paths, set(known) | endings)


def names(folder: str) -> list[str]:
    """Names of the files in one of the folders."""
    return folder_paths.get_filename_list(folder)


def found(folder: str, name: str, remedy: str) -> Path:
    """Where a file lies.

    Raises:
        SteeringError: the name leaves the folders.
        FileNotFoundError: there is no such file; the message ends with the remedy.
    """
    _refuse_paths(folder, name)
    path = folder_paths.get_full_path(folder, name)
    if path is None:
        known = ", ".join(names(folder)) or "the folder is empty"
        raise FileNotFoundError(f"there is no {name!r} in models/{folder} ({known}); {remedy}")
    return Path(path)


def vector_path(name: str) -> Path:
    """Where a vector lies."""
    return found(VECTORS, name, "run workflow 03_sd15_remove_dog or 02_build_a_vector_pocket, which make such files")


def activations_path(name: str) -> Path:
    """Where captured activations lie."""
    return found(ACTIVATIONS, name, "make it with Save Activations or with the command `steering capture`")


def fingerprint(path: Path) -> str:
    """Changes with the file, so that ComfyUI reads it again."""
    state = path.stat()
    return f"{state.st_mtime_ns}:{state.st_size}"


def changes(where: Callable[[str], Path], name: str | None, every: Callable[[], Sequence[str]]) -> str:
    """Changes with a file, or with any that there is where its name comes over a link and is None until that runs."""
    # ComfyUI's list may still name what has been removed.
    chosen = [one for one in every() if problem(where, one) is True] if name is None else [name]
    return " ".join(fingerprint(where(one)) for one in chosen)


def problem(where: Callable[[str], Path], name: str | None) -> bool | str:
    """True where a file can be found, or its name comes over a link; else the sentence that says why not."""
    if name is None:
        return True
    try:
        where(name)
    except (ValueError, FileNotFoundError) as error:
        return str(error)
    return True


def pair_names() -> list[str]:
    """Built-in concepts, then the user's files."""
    return [*every_built_in(), *names(PAIRS)]


def pairs_path(name: str) -> Path:
    """Where pairs lie."""
    if name in every_built_in():
        return CONCEPTS / name / "fit.csv"
    return found(PAIRS, name, f"the built-in concepts are {', '.join(every_built_in())}")


def new_file(folder: str, prefix: str) -> Path:
    """A path that nothing lies at yet: ``prefix.safetensors``, then ``prefix_00002.safetensors`` and so on.

    Raises:
        SteeringError: the prefix is empty or leaves the folder.
    """
    prefix = prefix.strip().removesuffix(".safetensors")
    _refuse_paths(folder, prefix)
    root = Path(folder_paths.get_folder_paths(folder)[0])
    base = root / prefix
    if not base.resolve().is_relative_to(root.resolve()):  # a link inside the folder may lead out of it
        raise SteeringError(f"{prefix!r} leads out of models/{folder}; give a plain name, such as my_dog")
    path, number = base.with_name(f"{base.name}.safetensors"), 2
    while path.exists():
        path, number = base.with_name(f"{base.name}_{number:05d}.safetensors"), number + 1
    return path


def cache_folder() -> Path:
    """Where captures are kept between runs."""
    return Path(folder_paths.get_user_directory()) / "steering_cache"


def _refuse_paths(folder: str, name: str) -> None:
    parts = name.replace("\\", "/").split("/")  # on every system: graphs travel between them
    odd = any(letter in ':<>|"?*' or ord(letter) < 32 for letter in name)
    if odd or any(part.strip() in ("", ".", "..") or len(part.encode()) > LONGEST_NAME for part in parts):
        raise SteeringError(
            f"{short(name)} must be the name of a file in models/{folder}, without '..', any of :<>|\"?* or a leading "
            f"'/', and of at most {LONGEST_NAME} bytes"
        )
