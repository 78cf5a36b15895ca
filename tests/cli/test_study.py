"""``steering study`` and ``steering evaluate`` as a user types them."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from filelock import FileLock

from ..conftest import steering

SMALL = ["--quick", "--steps", "2", "--size", "64", "--pairs", "4", "--prompts", "4", "--k", "1,2", "--batch", "4"]


def run(*words, check=True, **environment):
    command = [sys.executable, "-m", "steering", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment}, check=False)
    if check:
        assert done.returncode == 0, done.stderr
    return done


def test_a_study_that_is_killed_goes_on_and_evaluates_its_vector(tmp_path):
    out = tmp_path / "study"
    words = ["study", "pocket", "--concepts", "dog,violence", "--out", str(out), *SMALL, "--json"]
    process = subprocess.Popen([sys.executable, "-m", "steering", *words], stderr=subprocess.DEVNULL)
    deadline = time.time() + 180
    while len(list(out.glob("pictures/*/unit.json"))) < 8 and time.time() < deadline and process.poll() is None:
        time.sleep(0.05)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    kept = {path: path.stat().st_mtime_ns for path in out.glob("pictures/*/unit.json")}
    assert len(kept) >= 8
    assert not (out / "report.html").exists()
    answer = json.loads(run(*words).stdout)
    assert all(path.stat().st_mtime_ns == time for path, time in kept.items())
    assert set(answer["concepts"]) == {"dog", "violence"}

    chosen = out / "dog" / "dog.safetensors"
    made = tmp_path / "evaluation"
    few = ["--prompts", "4", "--steps", "2", "--size", "64"]
    answer = json.loads(
        run("evaluate", "pocket", "dog", "--vector", f"{chosen}:1.5", "--out", made, *few, "--json").stdout
    )
    assert "steered" in answer["concepts"]["dog"]["presence"]
    assert (made / "report.html").is_file()


def test_a_dry_run_draws_nothing_and_estimates_the_judge(tmp_path):
    words = ["study", "pocket", "--out", tmp_path / "x", "--dry-run", "--json", "--judge", "m", "--judge-consent"]
    answer = json.loads(steering(*words, "--judge-price", "1,10").stdout)
    assert answer["pictures"] > answer["questions"] > 1000
    assert answer["dollars"] == pytest.approx((answer["input_tokens"] + 10 * answer["output_tokens"]) / 1e6, abs=0.01)
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("study", "pocket", "--concepts", "unicorn"), "dog, van_gogh, violence"),
        (("study", "pocket", "--k", "1,x"), "whole numbers separated by commas"),
        (("study", "pocket", "--k", "1,1"), "different whole numbers"),
        (("study", "pocket", "--targets", "dog"), "CONCEPT=FILE"),
        (("study", "pocket", "--concepts", "dog", "--targets", "cat=x.csv"), "--targets names cat"),
        (("study", "pocket", "--concepts", "dog", "--targets", "dog=none.csv"), "no file of prompts"),
        (("study", "pocket", "--judge", "m"), "--judge-consent"),
        (("study", "nowhere"), "neither 'pocket'"),
        (
            ("study", "pocket", "--concepts", "dog", "--clip-weights", "none.pt"),
            "ViT-B-32 does not load from 'none.pt'",
        ),
        (("evaluate", "pocket", "dog", "--vector", "none.safetensors"), "there is no file"),
        (("evaluate", "pocket", "dog,van_gogh", "--vector", "none.safetensors"), "'dog,van_gogh' is not one of"),
        (("evaluate", "pocket", "", "--vector", "none.safetensors"), "concept '' is not one of"),
        (("study", "pocket", "--concepts", ""), "must name each concept once"),
        (("study", "pocket", "--concepts", "dog, dog", "--dry-run"), "must name each concept once"),
        (("study", "pocket", "--targets", "dog=a.csv", "--targets", "dog=b.csv"), "--targets names 'dog' twice"),
        (("study", "pocket", "--clip", "pocket", "--clip-weights", "x.pt"), "--clip pocket has weights of its own"),
        (("study", "pocket", "--judge-price", "nan,1"), "must be two numbers from 0"),
        (("study", "pocket", "--judge-price", "1,2,3"), "must be two numbers from 0"),
        (("study", "pocket", "--judge-price", "1"), "must be two numbers from 0"),
    ],
)
def test_bad_input_ends_with_one_sentence_and_status_2(words, message, tmp_path):
    done = steering(*words, "--out", tmp_path / "out", check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.slow
def test_two_workers_write_the_report_of_one(tmp_path):
    pytest.importorskip("ray", reason="Ray is the extra 'cluster'")
    words = ["study", "pocket", "--concepts", "dog,violence", *SMALL, "--json"]
    alone = json.loads(run(*words, "--out", tmp_path / "one", OMP_NUM_THREADS="1").stdout)
    done = run(*words, "--out", tmp_path / "two", "--workers", 2, OMP_NUM_THREADS="1")
    assert json.loads(done.stdout.strip().splitlines()[-1])["concepts"] == alone["concepts"]
    for name in ("rows.csv", "results.json", "table.md", "report.html"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


def test_a_second_command_on_a_folder_at_work_is_refused(tmp_path):
    with FileLock(tmp_path / ".lock"):
        done = steering("study", "pocket", "--concepts", "dog", "--out", tmp_path, *SMALL, check=False)
    assert done.returncode == 2
    assert "another command works in" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]
