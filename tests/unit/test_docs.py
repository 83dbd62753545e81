"""The documentation says what the code does: the same names, no more, no fewer, and links that lead on."""

import argparse
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client.metrics import MetricWrapperBase
from sqlalchemy import CheckConstraint

from bot.commands import COMMANDS
from devstack import __main__ as devstack_cli
from shared import backlog, deadlines, metrics, texts
from shared.authoring.lint import RULES
from shared.authoring.reference import filled
from shared.engine.bpmn import read_activities
from shared.errors import AuthorError
from shared.models import Base
from shared.settings import Settings
from shared.steps import asks, contract
from shared.steps.fields import TYPES
from shared.steps.keys import KINDS, PREFIXES, STEP_KEYS
from shared.steps.reading import Declared
from workers import registry

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "bpmn" / "README.md", *(ROOT / "docs").rglob("*.md")])
LINK = re.compile(r"""\]\(([^)\s]+)\)|(?:src|href)="([^"]+)\"""")
CODE = re.compile(r"`([^`]+)`")
FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def page(path: str) -> str:
    return (ROOT / path).read_text()


def without_code(text: str) -> str:
    return FENCE.sub("", text)


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of any level."""
    lines = text.splitlines()
    begin = next(at for at, line in enumerate(lines) if re.fullmatch(rf"#+ {re.escape(heading)}", line))
    rest = lines[begin + 1 :]
    return "\n".join(rest[: next((at for at, line in enumerate(rest) if line.startswith("#")), len(rest))])


def rows(text: str) -> list[list[str]]:
    """The cells of the body of every table."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    heads = {at - 1 for at, line in enumerate(lines) if set(line) <= set("|- ")}
    return [
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for at, line in enumerate(lines)
        if at not in heads and not set(line) <= set("|- ")
    ]


def named(text: str, column: int = 0) -> list[str]:
    """The code words of one column of every table in a text, in order."""
    return [name for row in rows(text) for name in CODE.findall(row[column])]


def test_the_contract_names_every_topic() -> None:
    registry.load()
    topics = [topic.name for topic in registry.human_topics()]
    topics += [topic.name for topic in registry.automated_topics() if _is_ours(topic)]
    assert named(section(page("docs/reference/contract.md"), "The author's contract")) == topics


def _is_ours(topic: registry.Automated) -> bool:
    return topic.handler.__module__ in registry.BUILT_IN_MODULES


def test_the_contract_names_every_prefix() -> None:
    table = named(section(page("docs/reference/contract.md"), "Items, by name"))
    assert table == [f"{prefix}*" for prefix in PREFIXES]


@pytest.mark.parametrize(
    ("heading", "kinds"),
    [
        ("Keys of texts, lines, pictures and documents", ["text", "line", "photo", "file"]),
        ("Keys of buttons", ["action"]),
        ("Keys of files asked for", ["s3"]),
        ("Keys of fields", ["field"]),
    ],
)
def test_the_contract_names_every_key_of_an_item(heading: str, kinds: list[str]) -> None:
    keys = named(section(page("docs/reference/contract.md"), heading))
    assert sorted(keys) == sorted({key for kind in kinds for key in KINDS[kind].keys})


def test_every_kind_of_item_has_its_keys_in_the_contract() -> None:
    assert set(KINDS) == {"text", "line", "photo", "file", "action", "s3", "field"}


def test_the_contract_names_every_key_of_a_step() -> None:
    assert named(section(page("docs/reference/contract.md"), "Keys of the step")) == list(STEP_KEYS)


def test_the_tables_of_the_contract_are_those_of_the_code() -> None:
    text = page("docs/reference/contract.md")
    assert filled(text) == text, "run `make docs`"


def test_the_contract_names_every_type_of_a_field() -> None:
    assert named(section(page("docs/reference/contract.md"), "Types")) == list(TYPES)


def test_the_contract_tells_the_limits() -> None:
    text = page("docs/reference/contract.md")
    assert f"At most {contract.MAX_ACTIONS} buttons" in text
    assert f"at most {contract.MAX_CAPTION} characters" in text
    assert f"at most {asks.MAX_OPTIONS}" in section(text, "Keys of fields")
    hours = [f"{2**number - 1}" for number in range(1, deadlines.MAX_REMINDERS + 1)]
    assert f"{', '.join(hours[:-1])} and {hours[-1]} hours" in " ".join(section(text, "Time").split())


def test_every_setting_is_told_with_its_default() -> None:
    told = {
        CODE.findall(row[0])[0]: "".join(CODE.findall(row[1])) or row[1]
        for row in rows(page("docs/reference/settings.md"))
    }
    assert told == {
        name.upper(): _default(name, field.default) for name, field in Settings.model_fields.items()
    }


def _default(name: str, value: object) -> str:
    if name == "topics":
        return "all"
    if value is None or value == () or not (text := _secret(value)):
        return "none"
    return f"{int(value)}" if isinstance(value, float) and value >= 10_000 else text


def _secret(value: object) -> str:
    reveal = getattr(value, "get_secret_value", None)
    return str(reveal() if reveal else value)


def test_the_example_of_an_environment_names_settings_only() -> None:
    names = re.findall(r"^#?([A-Z][A-Z0-9_]+)=", page(".env.example"), re.MULTILINE)
    assert set(names) <= {name.upper() for name in Settings.model_fields}
    assert len(names) == len(set(names))


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_shell_examples_set_settings_only(path: Path) -> None:
    known = {name.upper() for name in Settings.model_fields} | {
        "ENGINE",
        "ADA",
        "LUNCH",
        "ARGS",
        "AWS_REGION",
    }
    for language, code in FENCE.findall(path.read_text()):
        if language == "sh":
            assert set(re.findall(r"(?:^|\s)([A-Z][A-Z0-9_]+)=", code)) <= known


def test_every_command_of_the_bot_is_told() -> None:
    assert set(named(section(page("docs/reference/commands.md"), "In the chat"))) == {
        f"/{name}" for name in COMMANDS
    }


def test_every_command_of_the_operator_is_told() -> None:
    names = set(re.findall(r'add_parser\("(\w+)"', page("shared/cli.py")))
    told = named(section(page("docs/reference/commands.md"), "stepgram"))
    assert {command.split()[1] for command in told} == names


def test_every_rule_for_diagrams_is_told() -> None:
    assert named(section(page("docs/how-to/check-diagrams.md"), "The rules")) == list(RULES)


def test_every_command_of_the_development_stack_is_told() -> None:
    (commands,) = (
        action.choices
        for action in devstack_cli._parser()._actions
        if isinstance(action, argparse._SubParsersAction)
    )
    told = named(section(page("docs/reference/commands.md"), "devstack"))
    assert told == [f"devstack {name}" for name in commands]


def test_every_target_of_make_is_told() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", page("Makefile"), re.MULTILINE)
    assert named(section(page("docs/reference/commands.md"), "make")) == [f"make {name}" for name in targets]


def states_of(table: str) -> list[str]:
    for constraint in Base.metadata.tables[table].constraints:
        if isinstance(constraint, CheckConstraint) and str(constraint.name).endswith("_state"):
            return re.findall(r"'(\w+)'", str(constraint.sqltext))
    return []


def test_every_state_of_every_table_is_told() -> None:
    text = page("docs/reference/states.md")
    told = {}
    for heading in re.findall(r"^## (.+)$", text, re.MULTILINE):
        part = section(text, heading)
        (table,) = set(CODE.findall(part)) & set(Base.metadata.tables)
        told[table] = sorted(named(part))
    assert told == {table: sorted(states) for table in Base.metadata.tables if (states := states_of(table))}


def test_every_metric_is_told_with_its_kind_and_labels() -> None:
    told = {CODE.findall(row[0])[0]: (row[1], row[2]) for row in rows(page("docs/reference/metrics.md"))}
    every = [*metrics.STEPS.values(), *vars(metrics).values(), *vars(backlog).values()]
    ours = [each for each in every if isinstance(each, MetricWrapperBase)]
    assert told == {name_of(each): (each._type, ", ".join(each._labelnames)) for each in ours}


def name_of(metric: MetricWrapperBase) -> str:
    """The name under which a metric is shown."""
    return f"{metric._name}_total" if metric._type == "counter" else str(metric._name)


def links() -> Iterator[tuple[Path, str]]:
    for path in PAGES:
        for found in LINK.finditer(without_code(path.read_text())):
            yield path, found[1] or found[2]


def anchors(path: Path) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", without_code(path.read_text()), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_every_link_within_the_repository_leads_somewhere() -> None:
    dead = []
    for path, link in links():
        target, _, anchor = link.partition("#")
        if target.startswith(("http://", "https://")):
            continue
        there = (path.parent / target).resolve() if target else path
        if not there.exists() or (anchor and anchor not in anchors(there)):
            dead.append(f"{path.relative_to(ROOT)}: {link}")
    assert dead == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, next_pages = set(), [ROOT / "README.md"]
    every = list(links())
    while next_pages:
        current = next_pages.pop()
        seen.add(current)
        for path, link in every:
            there = (path.parent / link.partition("#")[0]).resolve()
            if path == current and there.suffix == ".md" and there not in seen:
                next_pages.append(there)
    assert set(PAGES) <= seen


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_test_that_is_named_exists_where_the_link_leads(path: Path) -> None:
    text = path.read_text()
    linked = re.findall(r"\[`(test_\w+)`\]\(([^)]+)\)", text)
    missing = [
        name for name, target in linked if f"def {name}(" not in (path.parent / target).resolve().read_text()
    ]
    assert missing == []
    assert {name for name, _ in linked} == set(re.findall(r"`(test_\w+)`", text))


def test_the_smallest_process_of_the_readme_is_a_step() -> None:
    (xml,) = [code for language, code in FENCE.findall(page("README.md")) if language == "xml"]
    (info,) = read_activities(xml.encode()).values()
    values = dict(re.findall(r'inputParameter name="([^"]+)">([^<]*)<', xml)) | {"telegram_user_id": 1}
    properties = dict(re.findall(r'property name="([^"]+)" value="([^"]*)"', xml))
    declared = Declared(info.id, info.input_names, values, properties)
    step = contract.read_step(declared)
    assert [ask.name for ask in step.asks] == ["form_people"]
    assert [action.name for action in step.actions] == ["yes", "no"]


def test_the_step_beside_the_picture_is_the_one_of_the_diagram() -> None:
    diagram = page("bpmn/community_audit.bpmn")
    review = diagram[diagram.index('<bpmn:serviceTask id="review"') :]
    table = page("README.md").partition("<table>")[2].partition("</table>")[0]
    for name, value in rows(table):
        plain_name, plain_value = name.strip("`"), value.strip("`")
        said = [f'name="{plain_name}">{plain_value}<', f'name="{plain_name}" value="{plain_value}"']
        assert any(each in review for each in said), plain_name


@pytest.mark.parametrize("path", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_property_in_an_example_is_of_the_contract(path: Path) -> None:
    keys = {key for kind in KINDS.values() for key in kind.keys}
    keys |= {f"{key}.{language}" for key in keys for language in texts.LANGUAGES}
    for name in re.findall(r'camunda:property name="([^"]+)"', path.read_text()):
        item, dot, key = name.partition(".")
        assert key in keys or (item in STEP_KEYS and key in texts.LANGUAGES) if dot else item in STEP_KEYS


def test_the_error_that_troubleshooting_shows_is_the_one_that_authors_get() -> None:
    properties = {"form_place.type": "choice", "form_place.lable": "Where to?", "form_place.options": "a|b"}
    declared = Declared("approval", (), {"telegram_user_id": 1}, properties)
    with pytest.raises(AuthorError) as error:
        contract.read_step(declared)
    beginning = "activity 'approval': form_place.lable: unknown key 'lable', did you mean 'label'?; allowed: "
    assert str(error.value).startswith(beginning)
    assert beginning in page("docs/how-to/troubleshooting.md")
