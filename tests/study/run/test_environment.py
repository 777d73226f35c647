"""run_all.sh: which Python runs the study, and when an environment is made for it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from scnlib.paths import REPOSITORY
from study.run import environment


@pytest.fixture
def house(tmp_path, monkeypatch):
    """A repository with a lock file, where interpreters and installing are only pretended."""
    (tmp_path / "requirements.lock").write_text("torch==1\n")
    state = SimpleNamespace(root=tmp_path, working=set(), calls=[], fail=False)
    own = str(tmp_path / ".venv" / "bin" / "python")

    def succeeds(command):
        is_own = command[0] == own and Path(own).exists()
        return command[0] in state.working or (is_own and command[1:2] != ["-P"])

    def run(command):
        pip = "hashes" if "--require-hashes" in command else "pip"
        state.calls.append(pip if "pip" in command else "venv")
        if "venv" in command:
            Path(own).parent.mkdir(parents=True)
            Path(own).touch()
        elif state.fail:
            raise subprocess.CalledProcessError(1, command)

    monkeypatch.setattr(environment, "_succeeds", succeeds)
    monkeypatch.setattr(environment, "_run", run)
    for name in ("VIRTUAL_ENV", "CONDA_PREFIX"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(shutil, "which", lambda name: None)
    state.own = own
    return state


def test_a_colon_in_the_repositorys_path_is_one_line(tmp_path):
    folder = tmp_path / "a:b"
    folder.mkdir()
    shutil.copy(REPOSITORY / "run_all.sh", folder)
    ended = subprocess.run(["bash", folder / "run_all.sh"], capture_output=True, text=True)
    assert ended.returncode == 1 and ended.stderr.count("\n") == 1
    assert ended.stderr.startswith(f"error: {folder}: ")


def test_first_use_makes_its_own_environment_once(house):
    assert environment.choose(house.root) == house.own
    assert environment.choose(house.root) == house.own
    assert house.calls == ["venv", "hashes", "pip"]


def test_a_changed_lock_is_installed_into_the_same_environment(house):
    environment.choose(house.root)
    (house.root / "requirements.lock").write_text("torch==2\n")
    environment.choose(house.root)
    assert house.calls == ["venv", "hashes", "pip", "hashes", "pip"]


def test_an_interrupted_installation_is_repaired(house):
    house.fail = True
    with pytest.raises(subprocess.CalledProcessError):
        environment.choose(house.root)
    house.fail = False
    assert environment.choose(house.root) == house.own
    assert house.calls == ["venv", "hashes", "hashes", "pip"]


@pytest.mark.parametrize("variable", ["VIRTUAL_ENV", "CONDA_PREFIX"])
def test_an_active_environment_that_works_is_used_and_never_installed_into(
    house, variable, monkeypatch
):
    monkeypatch.setenv(variable, "/somewhere/env")
    house.working = {"/somewhere/env/bin/python"}
    assert environment.choose(house.root) == "/somewhere/env/bin/python"
    house.working = set()
    assert environment.choose(house.root) == house.own
    assert house.calls == ["venv", "hashes", "pip"]


def test_a_container_with_everything_installed_needs_no_environment(house, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    house.working = {"/usr/bin/python3"}
    assert environment.choose(house.root) == "/usr/bin/python3"


def test_the_lock_names_one_version_of_each_package():
    locked = (REPOSITORY / "requirements.lock").read_text().splitlines()
    pins = [line for line in locked if line and not line.startswith("#")]
    assert all(line.count("==") == 1 and "+" not in line and "/" not in line for line in pins)
    assert "torch==2.13.0" in pins


def test_all_but_torch_have_sums():
    text = (REPOSITORY / environment.HASHES).read_text()
    sums = r"^(\S+==\S+)((?: \\\n {4}--hash=sha256:[0-9a-f]{64})+)$"
    entries = re.findall(sums, text, re.MULTILINE)
    assert text.count("--hash=") == sum(found.count("--hash=") for _, found in entries)
    locked = (REPOSITORY / "requirements.lock").read_text().splitlines()
    pins = {line for line in locked if not line.startswith(("#", "torch=="))}
    assert sorted(pin for pin, _ in entries) == sorted(map(_normal, pins))


def _normal(pin):
    """As package indexes spell it: the name in lower case, with dashes only."""
    name, version = pin.split("==")
    return f"{re.sub('[-_.]+', '-', name).lower()}=={version}"


def test_help_needs_no_packages():
    bare = [sys.executable, "-S", "-P", "-m", "study.run.command", "--help"]
    out = subprocess.run(bare, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert out.returncode == 0, out.stderr
    assert "--profile {demo,cpu,night,paper}" in out.stdout


def test_choosing_an_interpreter_needs_no_packages():
    code = "from study.run.environment import REPOSITORY; print(REPOSITORY)"
    bare = [sys.executable, "-S", "-P", "-c", code]
    out = subprocess.run(bare, env={"PYTHONPATH": str(REPOSITORY)}, capture_output=True, text=True)
    assert (out.stdout.strip(), out.stderr) == (str(REPOSITORY), "")


def test_without_python_one_clear_line(tmp_path):
    for name in ("bash", "dirname"):
        (tmp_path / name).symlink_to(shutil.which(name) or name)
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")  # as a Python before 3.11 answers
    old.chmod(0o755)
    command = [str(tmp_path / "bash"), str(REPOSITORY / "run_all.sh")]
    out = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True)
    assert out.returncode == 1
    assert out.stderr == "error: no Python 3.11 or newer found; install one and run this again\n"


def test_the_check_of_a_change_is_the_readme_command():
    lines = (REPOSITORY / ".ci" / "run").read_text().splitlines()
    code = [line for line in lines if line and not line.startswith("#")]
    assert code[-1] == 'cd "$(dirname "$0")/.." && exec ./run_all.sh --test'
    assert sum("apt-get install" in line for line in code) == 1
    assert not re.search(r"pip|python|pytest", "\n".join(code))
