"""The help of commands whose settings are a file of their own."""


def settings_help(text: str) -> str:
    """A configuration file as help: its comments as text, each setting above its description."""
    lines = []
    for line in text.splitlines():
        if line == "defaults:" or line.startswith("  - "):
            continue  # Groups, which the comments describe.
        if line.startswith("#"):
            lines.append(line.removeprefix("#").removeprefix(" "))
            continue
        setting, _, comment = line.partition(" # ")
        key, _, value = setting.partition(":")
        key = key.strip('"')  # `yes` alone would be a truth value.
        lines.append(f"  {key + '=' + value.strip():<20}{' ' * bool(comment)}{comment}".rstrip())
    return "\n".join(lines)
