"""Names of CAM methods in a list of them: `cam.methods=[cam,layercam]`."""

from omegaconf import DictConfig, ListConfig, OmegaConf

from wsss.errors import unknown_word
from wsss.settings.config_dir import config_dir

GROUP, METHODS = "cam", "methods"


def spell_out(cfg: DictConfig) -> None:
    """Put the settings of methods, their defaults, where a fusion of methods has their names.

    Args:
        cfg: the configuration of a run, which is changed.

    Raises:
        WsssError: there is no such method; names the nearest one.
    """
    cam = cfg.get(GROUP)
    methods = cam.get(METHODS) if isinstance(cam, DictConfig) else None
    if not isinstance(methods, ListConfig):
        return
    known = sorted(path.stem for path in (config_dir() / GROUP).glob("*.yaml"))
    for position, name in enumerate(methods):
        if not isinstance(name, str):
            continue
        if name not in known:
            where, remedy = (
                f"{GROUP}.{METHODS}",
                "Correct the name; `wsss explain --list` shows them all.",
            )
            raise unknown_word(where, "method", name, known, remedy)
        node = OmegaConf.load(config_dir() / GROUP / f"{name}.yaml")
        assert isinstance(node, DictConfig)
        node.pop("defaults", None)  # The stages that train what it needs are the run's.
        methods[position] = node
