"""The Containerfile, as far as it can be checked without an engine: its sources, its commands, its lock."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
LOCKS = ("requirements.txt", "requirements-build.txt")


def instructions() -> list[tuple[str, str]]:
    """(instruction, arguments), continued lines joined, comments left out."""
    lines = [line for line in (ROOT / "deploy/Containerfile").read_text().splitlines() if not line.startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = [tuple(line.split(None, 1)) for line in joined.splitlines() if line.strip()]
    return [(name, arguments) for name, arguments in found]


def stages() -> list[list[tuple[str, str]]]:
    found: list[list[tuple[str, str]]] = []
    for name, arguments in instructions():
        if name == "FROM":
            found.append([])
        found[-1].append((name, arguments))
    return found


def last(name: str) -> str:
    """The argument of an instruction that the image's last stage has once."""
    (argument,) = [arguments for found, arguments in stages()[-1] if found == name]
    return argument


def locked(name: str) -> dict[str, Requirement]:
    text = re.sub(r"\\\n\s*", " ", (ROOT / name).read_text())
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert all(re.search(r"--hash=sha256:[0-9a-f]{64}", line) for line in lines), "a line without hash"
    found = [Requirement(line.split(" --hash", 1)[0]) for line in lines]
    return {requirement.name.lower().replace("_", "-"): requirement for requirement in found}


def test_every_instruction_is_known() -> None:
    known = {"FROM", "WORKDIR", "RUN", "COPY", "ENV", "USER", "VOLUME", "EXPOSE", "STOPSIGNAL", "HEALTHCHECK",
             "ENTRYPOINT", "CMD"}  # fmt: skip
    assert {name for name, _ in instructions()} <= known


def test_what_is_copied_is_there() -> None:
    named = {arguments.rsplit(" AS ", 1)[1] for name, arguments in instructions() if " AS " in arguments}
    for name, arguments in instructions():
        if name != "COPY":
            continue
        *sources, _ = shlex.split(arguments)
        if sources[0].startswith("--from="):
            assert sources[0].removeprefix("--from=") in named
        else:
            missing = [source for source in sources if not (ROOT / source).exists()]
            assert not missing


def test_every_package_of_the_wheel_is_copied() -> None:
    copied = {source for name, arguments in instructions() if name == "COPY" for source in shlex.split(arguments)[:-1]}
    assert set(PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]) <= copied
    assert {"pyproject.toml", PROJECT["project"]["readme"], *PROJECT["project"]["license-files"]} <= copied


def test_packages_are_installed_by_their_hashes() -> None:
    installs = re.findall(
        r"pip install [^&]+", " ".join(arguments for name, arguments in instructions() if name == "RUN")
    )
    assert len(installs) == 3
    for command in installs:
        assert "--require-hashes" in command or "--no-deps --no-index" in command


def test_the_lock_has_what_the_project_needs() -> None:
    found = locked("requirements.txt")
    for wanted in PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["postgres"]:
        requirement = Requirement(wanted)
        (pin,) = found[requirement.name.lower()].specifier
        assert pin.operator == "=="
        assert requirement.specifier.contains(pin.version), wanted


def test_the_build_lock_has_the_builder() -> None:
    assert {Requirement(r).name for r in PROJECT["build-system"]["requires"]} <= set(locked("requirements-build.txt"))


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_names_no_index(name: str) -> None:
    assert "://" not in (ROOT / name).read_text()


def test_it_runs_as_nobody_special_and_keeps_its_data() -> None:
    assert last("USER") == "bouncemx"
    environment = dict(word.split("=", 1) for word in shlex.split(last("ENV")))
    assert environment["BOUNCEMX_DATA_DIR"] == last("VOLUME") == last("WORKDIR")
    assert environment["PYTHONSAFEPATH"] == "1"


def test_it_starts_our_command_at_the_ports_that_it_exposes() -> None:
    (entry,) = json.loads(last("ENTRYPOINT"))
    assert entry in PROJECT["project"]["scripts"]
    command = json.loads(last("CMD"))
    assert command[0] == "serve"
    ports = {word.rsplit(":", 1)[1] for word in command if re.search(r":\d+$", word)}
    assert ports == set(last("EXPOSE").split())
    assert all(int(port) > 1024 for port in ports)


def test_its_health_is_asked_at_the_port_of_smtp() -> None:
    options, command = last("HEALTHCHECK").split("CMD", 1)
    assert "--timeout=" in options
    program, flag, code = json.loads(command)
    assert (program, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert re.search(r"smtplib.SMTP\('127.0.0.1', 2525", code)
