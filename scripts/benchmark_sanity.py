#!/usr/bin/env python3
"""Do the maps of a method change when the network's weights do? All methods, on the embedded set.

Usage:
    python scripts/benchmark_sanity.py
    python scripts/benchmark_sanity.py --images 4 --methods cam layercam --set data.num_train=24

The check is that of `wsss explain --sanity`, of the classes that each network predicts in
validation images; no mask is read. `scripts/sanity_benchmark/embedded.yaml` has the networks. They
are trained by `wsss run` in a work folder, where those that are finished are found again; vit_mini
and vig_mini learn from random weights, which takes long.
JSON is written after every method, and a call that was ended goes on with the same command, image
by image. What other code, other settings or other images gave is computed again. Rows of a random
map and of a Gaussian in the middle show the two ends: nothing stays, and everything does.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmark_levers import stage_folders
from benchmark_trained_networks import flat, words_of
from cam_benchmark.contestants import composed, method_names
from gpu_benchmark.environment import described
from gpu_benchmark.parts import make_console, table
from omegaconf import OmegaConf
from PIL import Image

from wsss.artifacts import atomic, file_digest, fingerprint, read_json, write_json
from wsss.data.source import VAL, Source
from wsss.errors import WsssError
from wsss.explain.options import configure_methods
from wsss.explain.request import configure, request_of
from wsss.explain.sanity import sanity_request
from wsss.explain.sanity.check_image import GAUSSIAN, RANDOM
from wsss.explain.sanity.permuted_tags import PERMUTED, TRUE
from wsss.settings.build import build
from wsss.settings.config_dir import config_dir

HERE = Path(__file__).parent
NETWORKS = HERE / "sanity_benchmark" / "embedded.yaml"
TRAINED = HERE / "trained_networks" / "embedded.yaml"
SOURCES = (HERE.parent / "wsss", config_dir())
BASELINES = (RANDOM, GAUSSIAN)


def code_digest() -> str:
    """Fingerprint of all code and all settings that results depend on."""
    files = [path for folder in SOURCES for path in sorted(folder.rglob("*.*"))]
    kept = [path for path in files if path.suffix in {".py", ".yaml"}]
    return fingerprint({str(path.relative_to(HERE.parent)): file_digest(path) for path in kept})


def network_words(asked: Mapping[str, Any], network: Mapping[str, Any]) -> list[str]:
    """The words of the run that trains a network.

    Args:
        asked: the file of networks.
        network: of one of them.
    """
    words = [*asked["base"]]
    if "trained" in network:
        group, run = network["trained"]
        words = words_of(OmegaConf.to_container(OmegaConf.load(TRAINED)))[group][run]
    words = [word for word in words if not word.startswith("stages=")]
    return [*words, *flat(network.get("words", [])), f"stages=[{','.join(network['stages'])}]"]


def images_of(source: Source, count: int, folder: Path) -> list[Path]:
    """The first validation images of a data set, as files."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for item in source.items(VAL)[:count]:
        path = folder / f"{item.id}.png"
        with atomic(path) as temporary:
            Image.fromarray(source.read_image(item)).save(temporary, format="PNG")
        found.append(path)
    return found


def checked(
    method: str, options: Sequence[str], checkpoint: Path, images: Sequence[Path],
    folder: Path, seed: int, data: Any,
) -> dict[str, Any]:  # fmt: skip
    """What `wsss explain --sanity` finds of a method; kept image by image in a folder."""
    words = [*map(str, images), f"checkpoint={checkpoint}", f"cam={method}", "sanity=true"]
    cfg, own = configure([*words, f"seed={seed}", f"output={folder}", *options])
    sanity_request.run(request_of(cfg), configure_methods(cfg.cam, own), data)
    return read_json(folder / sanity_request.SANITY)  # type: ignore[no-any-return]


def rows_of(results: Mapping[str, Mapping[str, Any]]) -> list[list[str]]:
    """A row of every method, and of both baselines as the first method's images have them."""
    rows = []
    for position, (name, result) in enumerate(results.items()):
        methods = result["found"]["methods"]
        own = [name, *(BASELINES if position == len(results) - 1 else ())]
        for one in own:
            cascade = methods[one]
            cells = [_cell(cascade["cascade"], 1), _cell(cascade["cascade"], -1)]
            heads = [cascade["heads"].get(head) for head in (TRUE, PERMUTED)]
            cells += ["" if head is None else _cell(head, 0) for head in heads]
            network = "" if one in BASELINES else result["network"]
            rows.append(
                [one, network, *cells, str(cascade["cascade"]["images"]), cascade["verdict"]]
            )
    return rows


def _cell(curve: Mapping[str, Any], step: int) -> str:
    """Rank correlation with its interval, and structural similarity."""
    rank, structure = (curve[name][step] for name in ("rank_correlation", "structural_similarity"))
    interval = rank["interval_95"]
    around = f" ({interval[0]:.2f}…{interval[1]:.2f})" if interval else ""
    return f"{rank['mean']:.2f}{around} / {structure['mean']:.2f}"


def main() -> int:
    """Train, check, print and write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--images", type=int, default=24, help="validation images of the embedded set (24)")
    add("--methods", nargs="+", help="of configs/cam; all")
    add("--seed", type=int, default=0, help="of the weights that are drawn (0)")
    add("--set", nargs="+", default=[], metavar="KEY=VALUE", help="words of every training")
    add("--networks", type=Path, default=NETWORKS, help="a YAML file of networks")
    add("--work-dir", type=Path, default=Path("runs/sanity"))
    add("--output", type=Path, help="the work folder's name with .json")
    arguments = parser.parse_args()
    asked: Any = OmegaConf.to_container(OmegaConf.load(arguments.networks))
    places = {
        name: network for network in asked["networks"].values() for name in network["methods"]
    }
    wanted = arguments.methods or method_names()
    if unknown := [name for name in wanted if name not in places]:
        parser.error(f"{arguments.networks} names no network for {', '.join(unknown)}")
    output = arguments.output or arguments.work_dir.with_suffix(".json")
    results: dict[str, Any] = read_json(output)["methods"] if output.is_file() else {}
    code, failed = code_digest(), 0
    source = build(composed(asked["base"]).data)
    images = images_of(source, arguments.images, arguments.work_dir / "images")
    digests = [file_digest(path) for path in images]
    for title, network in asked["networks"].items():
        folder = None
        words = [*network_words(asked, network), *arguments.set]
        for method in (one for one in network["methods"] if one in wanted):
            options = network["methods"][method]
            basis = {
                "code": code, "words": words, "options": options, "images": digests,
                "seed": arguments.seed,
            }  # fmt: skip
            key = fingerprint(basis)
            if results.get(method, {}).get("key") == key:
                continue
            results.pop(method, None)  # Of other code or other settings.
            if folder is None:
                folder = stage_folders(words, arguments.work_dir)[network["stages"][-1]]
            print(f"{method}, {title}", flush=True)
            data = composed(words).data if network.get("heads") else None
            kept = arguments.work_dir / "checks" / f"{method}-{key}"
            try:
                found = checked(method, options, folder, images, kept, arguments.seed, data)
            except WsssError as error:
                print(f"{method} is left out: {error}", file=sys.stderr)
                failed += 1
                continue
            results[method] = {"key": key, "network": title, "basis": basis, "found": found}
            write_json(output, {"environment": described("cpu"), "methods": results})
    head = ["method", "network", "head anew", "all weights anew", "true tags", "permuted tags",
            "images", "the map …"]  # fmt: skip
    shown = {name: results[name] for name in places if name in results and name in wanted}
    if shown:
        title = "Similarity to the trained network's map: rank correlation / structural similarity"
        make_console().print(table(title, head, rows_of(shown)))
        print(f"Written: {output}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
