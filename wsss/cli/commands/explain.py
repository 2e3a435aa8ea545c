"""`wsss explain`."""

import argparse

from omegaconf import OmegaConf
from rich.console import Console

from wsss.cli.prepare import prepare
from wsss.settings.config_dir import config_dir


def explain(words: list[str], arguments: argparse.Namespace) -> None:
    """Explain images and say where the pictures are."""
    if arguments.list:
        from wsss.cli.tables.whole_words import WholeWords
        from wsss.explain.method_catalogue import catalogue, method_table

        Console().print(WholeWords(method_table(catalogue(config_dir()))))
        return
    from wsss.explain.options import configure_methods
    from wsss.explain.request import configure, request_of

    cfg, options = configure(words)
    methods = configure_methods(cfg.cam, options)
    if arguments.cfg:
        print(OmegaConf.to_yaml(OmegaConf.create({**cfg, "methods": methods})))
        return
    request = request_of(cfg)
    if request.summary is not None:
        from wsss.cli.tables.summaries import summary_table
        from wsss.explain.summary.summarise import summarise

        prepare()
        summary = summarise(request, cfg.get("data"))
        Console().print(summary_table(summary.content, summary.page, summary.cached), crop=False)
        return
    from wsss.cli.quick_imports import import_timm

    import_timm()
    prepare()
    if request.compare:
        from wsss.cli.tables.compared_explanations import compared
        from wsss.explain.comparison import compare_request

        Console().print(compared(compare_request.run(request, methods)), crop=False)
        return
    if request.segmenter is not None:
        from wsss.cli.tables.explained_segments import explained_segments
        from wsss.explain.segments import segments_request

        Console().print(explained_segments(segments_request.run(request)), crop=False)
        return
    if request.sanity:
        from wsss.cli.tables.sanity_checks import checked
        from wsss.explain.sanity import sanity_request

        checks = sanity_request.run(request, methods, cfg.get("data"))
        Console().print(checked(checks), crop=False)
        return
    from wsss.cli.tables.explanations import outcome
    from wsss.explain import explain_request as explainer

    folder, found = explainer.run(request, methods)
    shown = outcome(folder, found.top, found.sheets, found.problems, found.means)
    Console().print(shown, crop=False)
