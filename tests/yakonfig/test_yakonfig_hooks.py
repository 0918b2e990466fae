"""The hooks of modules: their order, what each sees, and what weighs more than what."""

from __future__ import annotations

import copy
import sys
from collections.abc import Iterator
from types import MappingProxyType, ModuleType, SimpleNamespace
from typing import Any

import pytest

import yakonfig
from yakonfig import (
    Configurable,
    ConfigurationError,
    NewSubModules,
    ProgrammerError,
    ProxyConfigurable,
    defaulted_config,
    get_global_config,
    set_default_config,
)


@pytest.fixture(autouse=True)
def _unset() -> Iterator[None]:
    yakonfig.clear_global_config()
    yield
    yakonfig.clear_global_config()


def module(name: str, /, **hooks: Any) -> Any:
    """A module with the hooks given and no others."""
    return SimpleNamespace(config_name=name, **hooks)


def merged(modules: list[Any], text: str = "", **params: Any) -> dict[str, Any]:
    return set_default_config(modules, yaml=text, params=params)


class Recorder(Configurable):
    """A module that writes down which of its hooks are called, in what order, with what."""

    def __init__(self, calls: list[tuple[Any, ...]], name: str, *sub_modules: Any, **defaults: Any) -> None:
        self.calls = calls
        self._name = name
        self._sub_modules = sub_modules
        self._defaults = defaults

    @property
    def config_name(self) -> str:
        return self._name

    @property
    def default_config(self) -> dict[str, Any]:
        return self._defaults

    @property
    def sub_modules(self) -> tuple[Any, ...]:
        return self._sub_modules

    def replace_config(self, config: dict[str, Any], name: str) -> Any:
        self.calls.append(("replace", name, copy.deepcopy(config)))
        return self

    def discover_config(self, config: dict[str, Any], name: str) -> None:
        self.calls.append(("discover", name, copy.deepcopy(config)))
        config.setdefault("found", name)

    def check_config(self, config: dict[str, Any], name: str) -> None:
        self.calls.append(("check", name, copy.deepcopy(config), get_global_config() != {}))

    def normalize_config(self, config: dict[str, Any]) -> None:
        self.calls.append(("normalize", self._name, copy.deepcopy(config)))
        config["normal"] = True


def test_the_order_of_hooks_and_what_each_sees() -> None:
    calls: list[tuple[Any, ...]] = []
    inner = Recorder(calls, "inner", i=1)
    outer = Recorder(calls, "outer", inner, o=1)
    other = Recorder(calls, "other")
    config = merged([outer, other], "outer: {o: 2, inner: {j: 3}}")
    inner_full = {"i": 1, "j": 3, "found": "outer.inner"}
    outer_full = {"o": 2, "found": "outer", "inner": inner_full}
    assert calls == [
        ("replace", "outer", {"o": 2, "inner": {"i": 1, "j": 3}}),
        ("replace", "outer.inner", {"i": 1, "j": 3}),
        ("replace", "other", {}),
        ("discover", "outer", {"o": 2, "inner": {"j": 3}}),
        ("discover", "outer.inner", {"j": 3}),
        ("discover", "other", {}),
        ("check", "outer", outer_full, True),
        ("check", "outer.inner", inner_full, True),
        ("check", "other", {"found": "other"}, True),
        ("normalize", "outer", outer_full),
        ("normalize", "inner", inner_full),
        ("normalize", "other", {"found": "other"}),
    ]
    assert config["outer"]["inner"]["normal"] is True
    assert config == get_global_config()


@pytest.mark.parametrize("hook", ["replace_config", "discover_config", "check_config", "normalize_config"])
def test_an_error_in_a_hook_leaves_the_global_configuration_alone(hook: str) -> None:
    def fail(*args: Any) -> Any:
        raise ConfigurationError("no")

    yakonfig.set_global_config({"before": 1})
    with pytest.raises(ConfigurationError, match="no"):
        merged([module("m", **{hook: fail})])
    with pytest.raises(ConfigurationError, match="no"), defaulted_config([module("m", **{hook: fail})]):
        pytest.fail("the block must not be entered")
    assert get_global_config() == {"before": 1}


def test_what_weighs_more() -> None:
    def discover(config: dict[str, Any], name: str) -> None:
        for key in ("found", "in_file", "in_flag"):
            config[key] = "discovered"

    parts = module(
        "m",
        default_config=dict.fromkeys(("default", "found", "in_file", "in_flag"), "default"),
        runtime_keys={"flag": "in_flag"},
        discover_config=discover,
    )
    config = merged([parts], "m: {in_file: file, in_flag: file}", flag="flag")
    assert config["m"] == {"default": "default", "found": "discovered", "in_file": "file", "in_flag": "flag"}


def test_none_in_the_file_removes_a_default_and_what_would_be_discovered() -> None:
    seen = {}

    def discover(config: dict[str, Any], name: str) -> None:
        seen.update(config)
        config["b"] = 2

    m = module("m", default_config={"a": 1, "b": 1, "c": {"d": 1, "e": 2}}, discover_config=discover)
    assert merged([m], "m: {a: null, b: null, c: {d: null}}") == {"m": {"c": {"e": 2}}}
    assert seen == {"a": None, "b": None, "c": {"d": None}}


def test_a_flag_wins_over_none_in_the_file() -> None:
    m = module("m", default_config={"a": 1}, runtime_keys={"a": "a"})
    assert merged([m], "m: {a: null}", a=3) == {"m": {"a": 3}}


@pytest.mark.parametrize("given", [False, 0, "", []])
def test_only_none_means_that_a_flag_is_not_given(given: Any) -> None:
    m = module("m", default_config={"a": 1}, runtime_keys={"flag": "a"})
    assert merged([m], "m: {a: 2}", flag=None) == {"m": {"a": 2}}
    assert merged([m], "m: {a: 2}", flag=given) == {"m": {"a": given}}
    assert merged([m], "m: {a: 2}", other=given) == {"m": {"a": 2}}


def test_nobody_s_data_is_changed() -> None:
    defaults = {"list": [1], "block": {"a": 1}, "inner": {"x": 1}}
    given = {"m": {"block": {"b": 2}, "inner": {}}, "rest": {"r": [1]}}
    params = {"flag": [1]}

    def spoil(config: dict[str, Any], *name: str) -> None:
        for key in ("list", "flag"):
            config.setdefault(key, []).append("spoilt")
        for key in ("block", "inner"):
            config.setdefault(key, {})["spoilt"] = True

    inner = module("inner", default_config={"y": [1]})
    m = module(
        "m", default_config=defaults, sub_modules=[inner], runtime_keys={"flag": "flag"},
        discover_config=spoil, check_config=spoil, normalize_config=spoil,
    )  # fmt: skip
    before = copy.deepcopy((defaults, given, params, inner.default_config))
    result = set_default_config([m], config=given, params=params)
    result["rest"]["r"].append(2)
    result["m"]["inner"]["y"].append(2)
    assert (defaults, given, params, inner.default_config) == before


def test_defaults_may_be_frozen_and_none() -> None:
    m = module("m", default_config=MappingProxyType({"a": MappingProxyType({"b": 1}), "none": None}))
    assert merged([m], "m: {a: {c: 2}}") == {"m": {"a": {"b": 1, "c": 2}, "none": None}}


def test_what_a_module_says_of_its_sub_modules_outweighs_their_own_defaults() -> None:
    inner = module("inner", default_config={"a": 1, "b": 1})
    outer = module("outer", default_config={"inner": {"a": 2}}, sub_modules=[inner])
    assert merged([outer]) == {"outer": {"inner": {"a": 2, "b": 1}}}
    assert merged([outer], "outer: {inner: {a: 3}}") == {"outer": {"inner": {"a": 3, "b": 1}}}


def test_flags_of_sub_modules_set_keys_of_their_own_blocks() -> None:
    leaf = module("leaf", runtime_keys={"deep": "x"})
    tree = module("a", sub_modules=[module("b", sub_modules=[leaf], runtime_keys={"deep": "y"})])
    assert merged([tree], deep=1) == {"a": {"b": {"y": 1, "leaf": {"x": 1}}}}


def test_one_module_may_have_several_places() -> None:
    shared = module("shared", default_config={"n": 1})
    pair = [module("a", sub_modules=[shared]), module("b", sub_modules=[shared])]
    assert merged(pair, "a: {shared: {n: 2}}") == {"a": {"shared": {"n": 2}}, "b": {"shared": {"n": 1}}}


@pytest.mark.parametrize("text", ["", "m:", "m: {}", "other: 1"])
def test_every_module_has_a_block_even_if_the_file_says_nothing(text: str) -> None:
    m = module("m", default_config={"a": 1}, sub_modules=[module("s")])
    assert merged([m], text)["m"] == {"a": 1, "s": {}}


@pytest.mark.parametrize("text", ["m: [Zq7Vx9]", "m: Zq7Vx9", "m: {s: Zq7Vx9}", "m: {s: [1]}", "m: 0"])
def test_a_block_that_is_no_mapping_is_named_but_not_quoted(text: str) -> None:
    m = module("m", runtime_keys={"flag": "f"}, sub_modules=[module("s", runtime_keys={"flag": "f"})])
    path = "m.s" if "s:" in text else "m"
    with pytest.raises(ConfigurationError, match=f"^{path}: must be a mapping") as caught:
        merged([m], text, flag=1)
    assert "Zq7Vx9" not in str(caught.value)


@pytest.mark.parametrize("hook", ["discover_config", "normalize_config"])
def test_a_hook_that_spoils_the_block_of_a_sub_module_is_found_out(hook: str) -> None:
    m = module("m", sub_modules=[module("s")], **{hook: lambda config, *name: config.update(s=5)})
    with pytest.raises(ConfigurationError, match=r"^m\.s: must be a mapping"):
        merged([m])


def test_blocks_that_no_module_claims_are_kept() -> None:
    text = "m: {a: 1}\nsomebody_else: {b: [1, {c: 2}]}\n5: x\n"
    assert merged([module("m")], text) == {"m": {"a": 1}, "somebody_else": {"b": [1, {"c": 2}]}, 5: "x"}


@pytest.mark.parametrize("key", ["kvlayr", "kv_layer", "KVLayer", "kvlayers", "kv-layer", "kvalyer"])
def test_nearly_the_name_of_a_module_is_an_error_that_suggests_it(key: str) -> None:
    with pytest.raises(ConfigurationError, match=f"{key}: .*did you mean kvlayer"):
        merged([module("kvlayer"), module("other")], f"{key}: {{a: 1}}")


def test_a_name_near_to_that_of_a_block_which_is_there_is_somebody_else_s() -> None:
    config = merged([module("worker")], "worker: {a: 1}\nworkers: {b: 2}\n")
    assert config == {"worker": {"a": 1}, "workers": {"b": 2}}


def test_checks_can_be_left_out() -> None:
    calls: list[tuple[Any, ...]] = []
    set_default_config([Recorder(calls, "m")], validate=False)
    assert [call[0] for call in calls] == ["replace", "discover", "normalize"]


def test_the_configuration_under_check_is_not_seen_by_other_threads() -> None:
    from concurrent.futures import ThreadPoolExecutor

    yakonfig.set_global_config({"before": 1})
    seen = []

    def check(config: dict[str, Any], name: str) -> None:
        with ThreadPoolExecutor(1) as pool:
            seen.append((get_global_config(), pool.submit(get_global_config).result()))

    merged([module("m", check_config=check)])
    assert seen == [({"m": {}}, {"before": 1})]


class TestPlugIns:
    def test_a_replacement_takes_over_with_its_defaults_flags_and_hooks(self) -> None:
        calls: list[tuple[Any, ...]] = []
        plugin = Recorder(calls, "m", module("extra", default_config={"e": 1}), kind="plugin", p=1)

        def replace(config: dict[str, Any], name: str) -> Any:
            assert config == {"kind": "plugin", "flagged": 7, "d": 1}
            return plugin

        original = module(
            "m", default_config={"kind": "none", "d": 1}, sub_modules=[], replace_config=replace,
            runtime_keys={"flag": "flagged"}, check_config=lambda *args: pytest.fail("was replaced"),
        )  # fmt: skip
        assert merged([original], "m: {kind: plugin}", flag=7) == {
            "m": {"kind": "plugin", "p": 1, "flagged": 7, "found": "m", "extra": {"e": 1}, "normal": True}
        }
        assert [call[0] for call in calls] == ["discover", "check", "normalize"]

    def test_a_replacement_may_take_flags_that_the_original_did_not(self) -> None:
        extra = module("extra", runtime_keys={"flag": "y"})
        plugin = module("m", runtime_keys={"flag": "x"}, sub_modules=[extra])
        original = module("m", replace_config=lambda config, name: plugin)
        assert merged([original], "m: {x: 1}", flag=2) == {"m": {"x": 2, "extra": {"y": 2}}}

    def test_sub_modules_of_replacements_can_be_replaced(self) -> None:
        last = module("inner", default_config={"last": True})
        middle = module("inner", replace_config=lambda config, name: last)
        outer = module("outer")
        outer.replace_config = lambda config, name: NewSubModules(outer, [middle])
        assert merged([outer]) == {"outer": {"inner": {"last": True}}}

    def test_other_sub_modules_leave_no_block_of_the_former_ones(self) -> None:
        outer = module("outer", sub_modules=[module("old")])
        outer.replace_config = lambda config, name: NewSubModules(outer, [module(config["use"])])
        assert merged([outer], "outer: {use: new}") == {"outer": {"use": "new", "new": {}}}
        with pytest.raises(ConfigurationError, match=r"^outer\.new: must be a mapping"):
            merged([outer], "outer: {use: new, new: 5}")

    def test_replacing_with_nonsense(self) -> None:
        for nonsense in (None, 5, object()):
            with pytest.raises(ProgrammerError, match="config_name"):
                merged([module("m", replace_config=lambda config, name, it=nonsense: it)])
        with pytest.raises(ProgrammerError, match="another config_name"):
            merged([module("m", replace_config=lambda config, name: module("n"))])
        outer = module("m")
        outer.replace_config = lambda config, name: NewSubModules(outer, [outer])
        with pytest.raises(ProgrammerError, match="itself"):
            merged([outer])


class TestMisuse:
    def test_modules_that_do_not_fit_together(self) -> None:
        m = module("m")
        for modules in ([m, m], [m, module("m")], [module("a", sub_modules=[m, module("m")])]):
            with pytest.raises(ProgrammerError, match="config_name '(a.)?m'"):
                merged(modules)

    def test_modules_without_a_name(self) -> None:
        for nameless in (
            object(),
            SimpleNamespace(config_name=None),
            SimpleNamespace(config_name=""),
            sys,
            5,
        ):
            with pytest.raises(ProgrammerError, match="needs a config_name"):
                merged([nameless])
        with pytest.raises(ProgrammerError, match="give an instance"):
            merged([Recorder])

    def test_a_module_inside_of_itself(self) -> None:
        m = module("m")
        m.sub_modules = [module("s", sub_modules=[m])]
        with pytest.raises(ProgrammerError, match=r"'m\.s\.m' is a sub module of itself"):
            merged([m])

    def test_defaults_that_are_none(self) -> None:
        with pytest.raises(ProgrammerError, match="default_config of 'm'"):
            merged([module("m", default_config=[1])])
        with pytest.raises(ProgrammerError, match="default_config of 'm': 's'"):
            merged([module("m", default_config={"s": 1}, sub_modules=[module("s")])])

    def test_two_sources(self, tmp_path: Any) -> None:
        path = tmp_path / "c.yaml"
        path.write_text("{}")
        for sources in (
            {"yaml": "", "config": {}},
            {"yaml": "", "filename": path},
            {"filename": path, "config": {}},
            {"config": {}, "params": {"config": path}},
        ):
            with pytest.raises(ProgrammerError, match="only one of"):
                set_default_config([yakonfig], **sources)


def test_a_python_module_a_class_and_an_instance_all_take_part() -> None:
    python_module = ModuleType("anything")
    python_module.config_name = "first"  # type: ignore[attr-defined]
    python_module.default_config = {"a": 1}  # type: ignore[attr-defined]

    class AClass:
        config_name = "second"

        @staticmethod
        def normalize_config(config: dict[str, Any]) -> None:
            config["b"] = 2

    class AnInstance(Configurable):
        config_name = "third"
        default_config = {"c": 3}

    modules: list[Any] = [python_module, AClass, AnInstance()]
    assert merged(modules) == {"first": {"a": 1}, "second": {"b": 2}, "third": {"c": 3}}


class TestConfigurable:
    def test_every_hook_does_nothing_by_default(self) -> None:
        class Plain(Configurable):
            config_name = "plain"

        plain = Plain()
        assert (plain.default_config, tuple(plain.sub_modules), plain.runtime_keys) == ({}, (), {})
        assert plain.replace_config({}, "plain") is plain
        assert merged([plain], "plain: {a: 1}") == {"plain": {"a": 1}}
        with pytest.raises(TypeError, match="config_name"):
            Configurable()  # type: ignore[abstract]

    def test_a_proxy_does_as_its_module_does(self) -> None:
        calls: list[tuple[Any, ...]] = []
        direct = merged([Recorder(calls, "m", module("s"), a=1)], "m: {b: 2}")
        expected = calls.copy()
        calls.clear()
        proxy = ProxyConfigurable(Recorder(calls, "m", module("s"), a=1))
        assert merged([proxy], "m: {b: 2}") == direct
        assert calls == expected

    def test_a_proxy_of_a_module_without_hooks_has_them_all(self) -> None:
        proxy = ProxyConfigurable(module("m"))
        assert (proxy.config_name, proxy.default_config, tuple(proxy.sub_modules)) == ("m", {}, ())
        assert proxy.runtime_keys == {}
        assert merged([proxy], "m: {a: 1}") == {"m": {"a": 1}}

    def test_a_proxy_may_change_a_part(self) -> None:
        class Louder(ProxyConfigurable):
            def normalize_config(self, config: dict[str, Any]) -> None:
                config["a"] *= 2

        calls: list[tuple[Any, ...]] = []
        assert merged([Louder(Recorder(calls, "m", a=4))])["m"]["a"] == 8
        assert "normalize" not in [call[0] for call in calls]

    def test_new_sub_modules_leaves_the_rest_alone(self) -> None:
        original = module("m", default_config={"a": 1}, sub_modules=[module("old")])
        assert merged([NewSubModules(original, [module("new")])]) == {"m": {"a": 1, "new": {}}}
        assert merged([NewSubModules(original)]) == {"m": {"a": 1}}


class TestChecksOfOthers:
    def test_check_subconfig_checks_a_block_inside(self) -> None:
        seen = []
        sub = module("s", check_config=lambda config, name: seen.append((config, name)))
        yakonfig.check_subconfig({"s": {"a": 1}}, "m", sub)
        yakonfig.check_subconfig({}, "m", sub)
        yakonfig.check_subconfig({}, "m", module("without_check"))
        assert seen == [({"a": 1}, "m.s"), ({}, "m.s")]
        with pytest.raises(ConfigurationError, match=r"^m\.s: must be a mapping"):
            yakonfig.check_subconfig({"s": [1]}, "m", sub)

    def test_a_needed_module_must_be_configured(self) -> None:
        needed = module("needed")
        needing = module(
            "needing", check_config=lambda config, name: yakonfig.check_toplevel_config(needed, name)
        )
        assert merged([needing, needed]) == {"needing": {}, "needed": {}}
        assert "needed" in merged([needing], "needed: {a: 1}\nneeding: {}")
        with pytest.raises(ConfigurationError, match="needing needs a configuration of needed"):
            merged([needing])
        with pytest.raises(ConfigurationError, match="^needed: must be a mapping"):
            merged([needing], "needed: 1\nneeding: {}")

    def test_without_any_configuration(self) -> None:
        with pytest.raises(ConfigurationError, match="app needs a configuration of m"):
            yakonfig.check_toplevel_config(module("m"), "app")

    def test_the_needed_module_checks_itself(self) -> None:
        def check(config: dict[str, Any], name: str) -> None:
            if "a" not in config:
                raise ConfigurationError(f"{name}.a: is missing")

        yakonfig.set_global_config({"m": {}})
        with pytest.raises(ConfigurationError, match=r"m\.a: is missing"):
            yakonfig.check_toplevel_config(module("m", check_config=check), "app")
        yakonfig.set_global_config({"m": {"a": 1}})
        yakonfig.check_toplevel_config(module("m", check_config=check), "app")

    def test_two_modules_may_need_each_other(self) -> None:
        a, b = module("a"), module("b")
        a.check_config = lambda config, name: yakonfig.check_toplevel_config(b, name)
        b.check_config = lambda config, name: yakonfig.check_toplevel_config(a, name)
        assert merged([a, b]) == {"a": {}, "b": {}}
