"""The folder ``models/steering_vectors``, merged with the user's own paths and the vectors of the pack."""

from __future__ import annotations

from pathlib import Path

import folder_paths

VECTORS = "steering_vectors"
SHIPPED = Path(__file__).parent.parent / "vectors"


def register() -> None:
    """Tell ComfyUI about the folder; harmless when done again.

    The user's extra_model_paths are there already and stay; the pack's own vectors come last, so that a
    file of the user's with the same name wins.
    """
    folder_paths.add_model_folder_path(VECTORS, str(Path(folder_paths.models_dir) / VECTORS), is_default=True)
    folder_paths.add_model_folder_path(VECTORS, str(SHIPPED))
    paths, endings = folder_paths.folder_names_and_paths[VECTORS]
    # add_model_folder_path leaves the set of endings empty, which means every file there is.
    folder_paths.folder_names_and_paths[VECTORS] = (paths, set(endings) | {".safetensors"})


def vector_names() -> list[str]:
    """Names of every vector that can be loaded."""
    return folder_paths.get_filename_list(VECTORS)


def vector_path(name: str) -> Path:
    """Where a vector lies.

    Raises:
        ValueError: the name leaves the folders.
        FileNotFoundError: there is no such file; the message says how to make one.
    """
    if Path(name).is_absolute() or ".." in Path(name).parts:
        raise ValueError(f"vector {name!r} must be the name of a file in models/{VECTORS}")
    path = folder_paths.get_full_path(VECTORS, name)
    if path is None:
        raise FileNotFoundError(
            f"there is no vector {name!r} in models/{VECTORS} ({', '.join(vector_names()) or 'the folder is empty'}); "
            "make it with the command `steering build`, or choose another"
        )
    return Path(path)
