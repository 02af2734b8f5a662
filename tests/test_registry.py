"""Tables of components: by name, by `module:Name`, and what is told where neither fits."""

import sys
from dataclasses import dataclass

import pytest

from pastforward.baselines import BASELINES
from pastforward.cells import CELLS
from pastforward.data import EMBEDDED, SOURCES
from pastforward.errors import UsageError
from pastforward.methods import METHODS
from pastforward.recipes import RECIPES
from pastforward.registry import Entry, NoConfig, Registry, import_target, is_foreign
from pastforward.teacher.encoders import ENCODERS


@dataclass(frozen=True)
class SawConfig:
    teeth: int = 8
    hand: str = "left"


@dataclass(frozen=True)
class PlaneConfig:
    width: float = 1.0


TOOLS = Registry(
    "tool",
    {
        "saw": Entry("collections:OrderedDict", SawConfig, "cuts"),
        "plane": Entry("collections:Counter", PlaneConfig, "smooths"),
        "clamp": Entry("collections:deque"),
    },
)


def test_a_table_is_a_mapping_in_order():
    assert list(TOOLS) == ["saw", "plane", "clamp"]
    assert len(TOOLS) == 3
    assert TOOLS["saw"].summary == "cuts"
    assert TOOLS["clamp"].config is NoConfig
    assert "hammer" not in TOOLS


def test_a_component_is_imported_when_it_is_loaded(monkeypatch):
    monkeypatch.delitem(sys.modules, "colorsys", raising=False)
    table = Registry("tool", {"paint": Entry("colorsys:rgb_to_hsv")})
    assert table.config("paint") == NoConfig()
    assert "colorsys" not in sys.modules
    assert table.load("paint") is sys.modules["colorsys"].rgb_to_hsv


def test_a_component_of_the_users_own(tmp_path, monkeypatch):
    (tmp_path / "mine_registry.py").write_text(
        "from dataclasses import dataclass\n"
        "@dataclass(frozen=True)\n"
        "class Dials:\n    depth: int = 2\n"
        "class Hammer:\n    Config = Dials\n"
        "class Nail:\n    pass\n"
        "class Glue:\n    Config = dict\n"
        "class Tape:\n    Config = Dials()\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [p for p in sys.path if p])
    try:
        hammer = TOOLS.load("mine_registry:Hammer")  # of the current folder
        assert hammer.__module__ == "mine_registry"
        assert TOOLS.config("mine_registry:Hammer") == hammer.Config()
        assert TOOLS.config("mine_registry:Hammer", {"depth": 5}) == hammer.Config(5)
        assert TOOLS.config("mine_registry:Nail") == NoConfig()
        for name in ("Glue", "Tape"):
            with pytest.raises(UsageError, match=f"{name}.Config is .*; make it a frozen datac"):
                TOOLS.config(f"mine_registry:{name}")
    finally:
        sys.modules.pop("mine_registry", None)


@pytest.mark.parametrize("ask", [TOOLS.load, TOOLS.config, TOOLS.config_type, TOOLS.require])
def test_an_unknown_name_is_told_the_nearest(ask):
    with pytest.raises(UsageError, match="There is no tool 'plaen'; did you mean 'plane', or give"):
        ask("plaen")
    with pytest.raises(UsageError, match="no tool 'xyz'; choose one of saw, plane, clamp, or give"):
        ask("xyz")


@pytest.mark.parametrize(
    ("name", "foreign"),
    [
        ("torch.nn:GRUCell", True),
        ("my_cells:Fast", True),
        ("_a._b:_C1", True),
        ("copy:32", False),
        ("copy:32,symbols=4", False),
        ("gru", False),
        ("a:b:c", False),
        ("a b:c", False),
        ("C:\\data", False),
        (":Name", False),
        ("module:", False),
        ("", False),
    ],
)
def test_what_is_of_the_form_module_name(name, foreign):
    assert is_foreign(name) == foreign


def test_what_can_not_be_imported_is_told():
    with pytest.raises(UsageError, match=r"_here:A' can't be imported.*; give module:N"):
        import_target("no_module_here:A")
    with pytest.raises(UsageError, match="The module 'collections' has no 'Queue'; check its"):
        import_target("collections:Queue")


@pytest.mark.parametrize("kind", [RuntimeError, AttributeError])
def test_an_error_inside_the_users_module_is_not_hidden(kind, tmp_path, monkeypatch):
    (tmp_path / "mine_broken.py").write_text(f"raise {kind.__name__}('mine')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(kind, match="mine"):
        import_target("mine_broken:Name")


def test_dials_are_given_as_they_are_as_json_or_not_at_all():
    assert TOOLS.config("saw") == SawConfig()
    assert TOOLS.config("saw", SawConfig(3)) == SawConfig(3)
    assert TOOLS.config("saw", {"teeth": 3}) == SawConfig(3)
    assert TOOLS.config("saw", {}) == SawConfig()


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (PlaneConfig(), "The tool 'saw' was given PlaneConfig; give it SawConfig"),
        ({"width": 2.0}, "'saw' can't be configured by .*width.*its dials are those of SawConfig"),
        ({"teeth": "many"}, "'saw' can't be configured by .*many"),
        (3, "The tool 'saw' was given int; give it SawConfig"),
    ],
)
def test_dials_of_another_component_are_refused(given, says):
    with pytest.raises(UsageError, match=says) as told:
        TOOLS.config("saw", given)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize(
    "table", [CELLS, ENCODERS, METHODS, BASELINES, SOURCES, EMBEDDED, RECIPES], ids=lambda t: t.kind
)
def test_every_row_of_every_table_is_there(table):
    assert len(table) >= 2
    for name, row in table.items():
        assert callable(table.load(name)), name
        assert row.summary, name
        assert not is_foreign(name)
        table.config_type(name)()  # every dial has a default
