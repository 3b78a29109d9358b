#!/usr/bin/env python3
"""Prints what each direct dependency of workflow-core costs a host: packages and seconds.

Builds a host with nothing but workflow-core, from nothing, in a temporary folder, and reads
cargo's own timings. Seconds are those of one core; a package counts for a dependency when no other
direct dependency needs it.
"""

import json
import pathlib
import re
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent
MANIFEST = """[package]
name = "host"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
workflow-core = {{ path = "{core}" }}
"""


def run(host, *command):
    return subprocess.run(command, cwd=host, check=True, capture_output=True, text=True).stdout


def packages_by_id(host):
    text = run(host, "cargo", "metadata", "--format-version=1", "--filter-platform", triple())
    data = json.loads(text)
    names = {package["id"]: package["name"] for package in data["packages"]}
    needs = {}
    for node in data["resolve"]["nodes"]:
        kinds = lambda dep: any(kind["kind"] != "dev" for kind in dep["dep_kinds"])
        needs[node["id"]] = [dep["pkg"] for dep in node["deps"] if kinds(dep)]
    return names, needs


def triple():
    text = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return re.search(r"host: (\S+)", text).group(1)


def reached(needs, start, without=None):
    seen, todo = set(), [start]
    while todo:
        at = todo.pop()
        if at not in seen and at != without:
            seen.add(at)
            todo.extend(needs[at])
    return seen


def seconds(host):
    page = max((host / "target/cargo-timings").glob("cargo-timing-*.html"))
    units = json.loads(re.search(r"const UNIT_DATA = (\[.*?\]);", page.read_text(), re.S).group(1))
    spent = {}
    for unit in units:
        spent[unit["name"]] = spent.get(unit["name"], 0.0) + unit["duration"]
    return spent


def main():
    with tempfile.TemporaryDirectory() as folder:
        host = pathlib.Path(folder)
        (host / "src").mkdir()
        (host / "src/lib.rs").write_text("")
        (host / "Cargo.toml").write_text(MANIFEST.format(core=ROOT / "workflow-core"))
        (host / "Cargo.lock").write_text((ROOT / "Cargo.lock").read_text())
        run(host, "cargo", "fetch")
        began = time.monotonic()
        run(host, "cargo", "build", "--timings")
        took = time.monotonic() - began
        names, needs = packages_by_id(host)
        spent = seconds(host)
        core = next(id for id, name in names.items() if name == "workflow-core")
        everything = reached(needs, core)
        print(f"{len(everything)} packages, built from nothing in {took:.1f} s (dev profile)\n")
        print("| direct dependency | packages it brings | seconds of one core |")
        print("|---|--:|--:|")
        rows = []
        for direct in needs[core]:
            only = everything - reached(needs, core, without=direct)
            rows.append((sum(spent.get(names[id], 0.0) for id in only), names[direct], len(only)))
        for cost, name, count in sorted(rows, reverse=True):
            print(f"| {name} | {count} | {cost:.1f} |")
        print(f"| workflow-core itself | 1 | {spent['workflow-core']:.1f} |")


main()
