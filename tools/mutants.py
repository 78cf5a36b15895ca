"""The mutants that no test notices, by reason: ``uv run python tools/mutants.py > docs/mutants.md``, after mutmut.

Reads what mutmut left in ``mutants/``. A survivor whose change fits no reason below stands under the last heading: what
it changes is not tested yet.
"""

import ast
import difflib
import re
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

FOLDER = Path("mutants")
REASONS = {
    "The wording of a message: tests look for the words that tell, not for all of them": r"XX|raise \w+\(None\)",
    "Letters of a message in another case": "<case>",
    "The same: the type or device is what it would be anyway": r"dtype=None|\.to\(None\)|asarray\(\w+(, None)?\)|"
    r"float\('(NAN|INF)'\)|astype\(None\)|, None\):$|np\.asarray\(\w+\)",
    "A guard of lengths that are equal by construction": r"strict=(None|False)|zip\([^=]*\)\]?:?$",
    "The same for the shapes that there are": r"dim=(None|\+1|1)\b|\.(mean|sum|any|amax|std|norm)\(None\)|"
    r"full_matrices|compute_uv|einsum\('[A-Z]|return_inverse|flatten\(0, 2\)|normalize\([^=]*\)(\[|$)",
    "A boundary that only equal floats, or an equal count that works as well, would cross": "<boundary>",
    "A number in a tolerance, a cap or a seed: the next one does as well": "<number>",
    "A default that callers always give": "^[+-] *ARGS",
}


def main() -> None:
    lines = subprocess.run(["mutmut", "results", "--all", "true"], capture_output=True, text=True, check=True).stdout
    states = [line.strip().rsplit(": ", 1) for line in lines.splitlines() if ": " in line]
    alive = [name for name, state in states if state in ("survived", "no tests", "not checked")]
    found = defaultdict(list)
    for name in alive:
        removed, added = change(name)
        found[reason(removed, added)].append(f"- `{label(name)}`: {shown(removed, added)}")
    killed = len(states) - len(alive)
    print(HEAD.format(total=len(states), killed=killed, percent=100 * killed / len(states)))
    for title in [*REASONS, OTHER]:
        if found[title]:
            print(f"## {title} ({len(found[title])})\n\n" + "\n".join(found[title]) + "\n")


OTHER = "Not covered"
HEAD = """# Mutants that no test notices

`uv run mutmut run` changes the core (interventions, vectors, scores, directions, lora, statistics, distances) in one
place at a time and asks the tests; `uv run python tools/mutants.py > docs/mutants.md` then writes this page. Of
{total:,} mutants {killed:,} were killed, {percent:.1f} %; these were not, by reason.
"""


def label(name: str) -> str:
    module, function = name.rsplit(".", 1)
    plain = re.sub(r"^x[_ǁ]", "", function).replace("ǁ", ".").replace("__mutmut_", " #")
    return f"{module.removeprefix('steering.')} {plain}"


@cache
def bodies(path: Path) -> dict[str, list[str]]:
    """Every variant of every function of a mutated module, as lines of code."""
    made = {}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef) and "__mutmut_" in node.name:
            code = [part for part in node.body if not isinstance(getattr(part, "value", None), ast.Constant)]
            made[node.name] = [*ast.unparse(ast.Module(code, [])).split("\n"), f"ARGS {ast.unparse(node.args)}"]
    return made


def change(name: str) -> tuple[str, str]:
    """The line that a mutant removed, and the one that it put there."""
    module, function = name.rsplit(".", 1)
    known = bodies(FOLDER / (module.replace(".", "/") + ".py"))
    original = function[: function.rindex("_") + 1] + "orig"
    lines = list(difflib.unified_diff(known[original], known[function], lineterm="", n=0))[2:]
    sides = {sign: " ".join(line[1:].strip() for line in lines if line.startswith(sign)) for sign in "-+"}
    return sides["-"], sides["+"]


def reason(removed: str, added: str) -> str:
    for title, pattern in REASONS.items():
        if pattern == "<case>":
            fits = removed.lower() == added.lower()
        elif pattern == "<boundary>":
            fits = re.sub(r"[<>]=?", "<", removed) == re.sub(r"[<>]=?", "<", added)
        elif pattern == "<number>":
            fits = re.sub(r"\d+", "0", removed) == re.sub(r"\d+", "0", added) and not removed.startswith("ARGS")
        elif title.startswith("A default"):
            fits = removed.startswith("ARGS")
        else:
            fits = re.search(pattern, added) is not None
        if fits:
            return title
    return OTHER


def shown(removed: str, added: str) -> str:
    """The middle of both lines, where they differ."""
    start = next((i for i, (a, b) in enumerate(zip(removed, added, strict=False)) if a != b), 0)
    start = max(0, start - 25)
    return f"`{clip(removed[start:])}` as `{clip(added[start:])}`".replace("\n", " ")


def clip(text: str) -> str:
    return (text if len(text) <= 60 else text[:57] + "...").replace("`", "'")


if __name__ == "__main__":
    main()
