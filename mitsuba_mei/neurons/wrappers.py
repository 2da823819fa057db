"""Prefixes that wrappers put before the keys of a checkpoint, and hints to remove them."""

from __future__ import annotations

import re
from collections.abc import Iterable

from ..errors import first_line

__all__ = ["explained", "prefix_of", "without_prefix"]

WRAPPERS = {
    "module": ("DataParallel", "torch.save(model.module.state_dict(), path)"),
    "model": ("a Lightning module", "torch.save(lightning_module.model.state_dict(), path)"),
    "_orig_mod": ("torch.compile", "torch.save(model._orig_mod.state_dict(), path)"),
    "network": ("a wrapper", "torch.save(wrapper.network.state_dict(), path)"),
    "net": ("a wrapper", "torch.save(wrapper.net.state_dict(), path)"),
}
"""Who puts a name before all keys of a state dict, and how the model within is saved without it."""

LISTED = re.compile(r"(Missing|Unexpected) key\(s\) in state_dict: (.*?)(?:\. *)?$", re.MULTILINE)
MISMATCH = re.compile(r"size mismatch for (\S+): .*?shape (\S+\(\[.*?\]\)).*?shape.*? is (\S+\(\[.*?\]\))")


def prefix_of(keys: Iterable[str], expected: Iterable[str]) -> str:
    """Prefix of the expected keys in a checkpoint, such as ``module.`` or ``model.core.``; may be empty."""
    expected = set(expected)
    for key in keys:
        parts = key.split(".")
        for first in range(1, len(parts)):
            if ".".join(parts[first:]) in expected:
                return ".".join(parts[:first]) + "."
    return ""


def without_prefix(prefix: str, covers_all: bool) -> str:
    """The hint on a prefix: who puts it there, and how weights are written without it; empty without one.

    Parameters
    ----------
    prefix : str
        With its last dot.
    covers_all : bool
        Whether all keys begin so.
    """
    if not prefix:
        return ""
    parts = prefix.rstrip(".").split(".")
    known = [WRAPPERS[part][0] for part in parts if part in WRAPPERS]
    whose = f", as {' in '.join(reversed(known))} saves them" if known else ""
    which = "all its keys" if covers_all else "the keys of its model"
    if covers_all and len(parts) == 1 and parts[0] in WRAPPERS:
        how = WRAPPERS[parts[0]][1]
    else:
        how = f"torch.save({{key[{len(prefix)}:]: state[key] for key in state if key.startswith('{prefix}')}}, path)"
    return f"; {which} begin with '{prefix}'{whose}: write it with {how}"


def explained(error: BaseException) -> str:
    """Describe an error of a user's model in one line; for a state dict that does not fit, with the keys."""
    text = str(error)
    last = text.strip().rpartition("\n")[2].strip()[:200]
    if "TorchScript interpreter" in text and re.match(r"\w+(Error|Exception): ", last):
        return last  # its first line says no more than that something failed
    if not isinstance(error, RuntimeError) or "in loading state_dict for" not in text:
        return first_line(error)
    listed = {kind: re.findall(r'"([^"]+)"', keys) for kind, keys in LISTED.findall(text)}
    missing, extra = listed.get("Missing", []), listed.get("Unexpected", [])
    problems = [f"lacks {_some(missing)}"] * bool(missing) + [f"has {_some(extra)}, which it must not"] * bool(extra)
    for name, actual, expected in MISMATCH.findall(text)[:1]:
        shapes = (re.sub(r".*\[(.*)\].*", r"(\1)", shape) for shape in (actual, expected))
        problems.append("has '{}' of the shape {} where {} is needed".format(name, *shapes))
    if not problems:
        return first_line(error)
    hint = without_prefix(prefix_of(extra, missing), True)
    inner = prefix_of(missing, extra)
    if inner:
        hint = f"; the module's own keys begin with '{inner}': load the state into its '{inner.rstrip('.')}'"
    return f"the state dict that it loads {' and '.join(problems)}{hint}"


def _some(keys: list[str]) -> str:
    """The first two, and how many more."""
    more = f" and {len(keys) - 2} more" if len(keys) > 2 else ""
    return ", ".join(f"'{key}'" for key in keys[:2]) + more
