"""The page of licences: of every package of the lock file, and of nothing else."""

from importlib.metadata import Distribution, distribution

import pytest

from study.run.licences import LICENCES, licence, locked, page


def test_every_package_of_the_lock_file_has_its_licence_on_the_page():
    rows = [
        line.split(" | ") for line in LICENCES.read_text().splitlines() if line.startswith("| ")
    ]
    listed = {name.strip("| "): (version, text) for name, version, text in rows[2:]}
    assert {name: version for name, (version, _) in listed.items()} == locked()
    assert all(text.strip(" |") not in ("", "not stated") for _, text in listed.values())
    assert "GNU General Public License" in listed["MedPy"][1]


def test_the_page_is_what_the_command_writes():
    here = {name: distribution(name).version.split("+")[0] for name in locked()}  # torch's "+cpu"
    other = [name for name, version in locked().items() if here[name] != version]
    if other:
        pytest.skip(f"not as in requirements.lock: {', '.join(other)}")
    assert page() == LICENCES.read_text()


@pytest.mark.parametrize(
    "about, expected",
    [
        ("License-Expression: MIT\nLicense: other", "MIT"),
        ("License: BSD-3\nClassifier: License :: OSI Approved :: BSD License", "BSD-3"),
        ("License: LICENSE.txt\nClassifier: License :: OSI Approved :: GPL", "GPL"),
        ("License: UNKNOWN\nClassifier: License :: OSI Approved :: ISC", "ISC"),
        ("License: A\nClassifier: License :: X :: A\nClassifier: License :: X :: GPL", "A or GPL"),
        ("Classifier: License :: OSI Approved", "not stated"),
    ],
)
def test_what_the_metadata_say(about, expected, tmp_path):
    folder = tmp_path / "some-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Name: some\nVersion: 1\n{about}\n")
    assert licence(Distribution.at(folder)) == expected


def test_else_the_title_of_the_licence_that_comes_along(tmp_path):
    folder = tmp_path / "some-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text("Name: some\nVersion: 1\n")
    (folder / "LICENSE").write_text("\nMIT License\n\nCopyright ...\n")
    (folder / "RECORD").write_text("some-1.dist-info/METADATA,,\nsome-1.dist-info/LICENSE,,\n")
    assert licence(Distribution.at(folder)) == "MIT License"
