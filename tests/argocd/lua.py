"""Lua as Argo CD runs it: the libraries of its sandbox, and how objects are converted.

`STRICT` is the bar for scripts in argocd-cm: Lua 5.1 with the base and table libraries alone, and
`require("os")` that knows `time` and `date`. `OPEN` has all libraries, as built-in scripts do.
"""

from __future__ import annotations

import time
from typing import Any

import lupa.lua51
import lupa.luajit21

STRICT, OPEN = "lua51, strict", "luajit, open"
_CLOSE = """
local time, date = ...
debug.setmetatable("", nil)
for _, name in ipairs({"string", "math", "io", "os", "debug", "coroutine", "bit", "jit", "ffi",
                       "package", "module", "loadfile", "dofile", "python", "newproxy"}) do
  _G[name] = nil
end
function require(name)
  if name ~= "os" then error("module " .. name .. " not found") end
  return {time = time, date = date}
end
"""


class LuaFailed(Exception):
    """The script raised an error; the text is what a user of Argo CD reads."""


def run(script: str, obj: dict[str, Any], engine: str) -> Any:
    """What the script returns for the global `obj`, as Argo CD would read it. Raises LuaFailed."""
    module = lupa.lua51 if engine == STRICT else lupa.luajit21
    runtime = module.LuaRuntime(unpack_returned_tuples=True)
    if engine == STRICT:
        runtime.execute(_CLOSE, time.time, lambda form: time.strftime(form.lstrip("!")))
    runtime.globals()["obj"] = _into(runtime, obj)
    runtime.globals()["actionParams"] = runtime.table()
    try:
        return _cleaned(_out(module, runtime.execute(script)), obj)
    except module.LuaError as error:
        raise LuaFailed(str(error).partition("\nstack traceback")[0]) from None


def _into(runtime: Any, value: Any) -> Any:
    if isinstance(value, dict):
        table = runtime.table()
        for key, item in value.items():
            table[key] = _into(runtime, item)
        return table
    if isinstance(value, list | tuple):
        return runtime.table(*(_into(runtime, item) for item in value))
    return value


def _out(module: Any, value: Any) -> Any:
    if module.lua_type(value) != "table":
        return value
    keys = list(value.keys())
    if all(isinstance(key, str) for key in keys) and keys:
        return {key: _out(module, item) for key, item in value.items()}
    assert sorted(keys) == list(range(1, len(keys) + 1)), f"neither list nor map: {keys}"
    return [_out(module, value[key]) for key in sorted(keys)]


def _cleaned(new: Any, old: Any) -> Any:
    """An empty table becomes a list; where the object had a map, Argo CD restores the map."""
    if isinstance(old, dict) and new == []:
        return {}
    if isinstance(old, dict) and isinstance(new, dict):
        return {key: _cleaned(item, old.get(key)) for key, item in new.items()}
    if isinstance(old, list) and isinstance(new, list):
        rest = new[len(old) :]
        return [_cleaned(*pair) for pair in zip(new, old, strict=False)] + rest
    return new


def merge_patch(old: Any, new: Any) -> dict[str, Any]:
    """The JSON merge patch that Argo CD sends: only what an action has changed."""
    patch: dict[str, Any] = {key: None for key in old if key not in new}
    for key, value in new.items():
        if key in old and isinstance(old[key], dict) and isinstance(value, dict):
            inner = merge_patch(old[key], value)
            if inner:
                patch[key] = inner
        elif key not in old or old[key] != value:
            patch[key] = value
    return patch
