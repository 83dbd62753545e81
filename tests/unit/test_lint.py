"""The check of a diagram: what is right passes, and what only the running process knows; how it is told."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from shared.authoring.lint import Finding, Topics, check, check_files, told
from shared.authoring.lint.diagram import MAX_BYTES
from tests.support.bpmn import (
    Each,
    call,
    end,
    event_subprocess,
    exclusive,
    external_task,
    goto,
    on_error,
    on_timer,
    parallel,
    process,
    subprocess,
    user_task,
)
from tests.support.bpmn_xml import Content, Node
from workers.cli import served

ROOT = Path(__file__).parents[2]
SERVED = served()
RECIPIENT = {"telegram_user_id": "${telegram_user_id}"}
YES_OR_NO = {"text_q": "Shall we?", "action_yes": "Yes", "action_no": "No"}
RESULTS: Mapping[str, Content] = dict.fromkeys(("action", "action_yes", "action_no"))
OUTPUTS = {"one": {"first_answer": "${action}"}, "two": {"second_answer": "${action}"}}


def ask(id_: str = "ask", inputs: Mapping[str, Content] = YES_OR_NO, **more: object) -> Node:
    return external_task(id_, "render_task", inputs={**RECIPIENT, **inputs}, **more)  # type: ignore[arg-type]


def decide(*conditions: str, otherwise: Sequence[Node] | None = None) -> Node:
    return exclusive(
        "decide", {f"${{{each}}}": [end(f"end_{at}")] for at, each in enumerate(conditions)}, otherwise
    )


def rules(*nodes: Node, vendor: str = "camunda", topics: Topics = SERVED) -> list[tuple[str, str]]:
    found = check("p.bpmn", process("p", nodes, vendor=vendor), topics)
    return [(each.element, each.rule) for each in found]


@pytest.mark.parametrize("path", sorted((ROOT / "bpmn").glob("*.bpmn")), ids=lambda path: path.stem)
def test_the_example_processes_are_clean(path: Path) -> None:
    assert check_files([path], SERVED) == []


def test_words_that_begin_like_a_place_to_fill_are_words() -> None:
    inputs = {**YES_OR_NO, "text_q": "SET the table?", "Note": "set it", "photo_x": "SET/1.png"}
    documented = process("p", [ask("ask", inputs, name="SET up")]).replace(
        b"<bpmn:startEvent", b"<bpmn:documentation>SET approver</bpmn:documentation><bpmn:startEvent", 1
    )
    assert check("p", documented, SERVED) == []


def test_the_smallest_process_of_the_readme_is_clean() -> None:
    (xml,) = re.findall(r"^```xml\n(.*?)^```$", (ROOT / "README.md").read_text(), re.MULTILINE | re.DOTALL)
    assert check("README", xml.encode(), SERVED) == []


@pytest.mark.parametrize("vendor", ["camunda", "operaton"])
def test_both_namespaces_mean_the_same(vendor: str) -> None:
    assert rules(ask(properties={"titel": "Hi"}), vendor=vendor) == [("ask", "unknown-key")]
    assert rules(ask(properties={"title": "Hi"}), vendor=vendor) == []


EVERY_KEY = ("type", "label", "required", "default", "min", "max", "pattern", "options", "help", "unit")


@pytest.mark.parametrize("key", ["", *EVERY_KEY])
@pytest.mark.parametrize("type_", ["string", "integer", "choice", "multichoice", "date", "phone"])
def test_a_computed_key_of_a_field_is_never_a_finding(key: str, type_: str) -> None:
    known = {
        "string": {"default": "ab", "min": "2", "max": "3", "pattern": "[a-c]+", "options": "ab|bc"},
        "integer": {"default": "10", "min": "1", "max": "20", "options": "1 kg|2 kg", "unit": "kg"},
        "choice": {"default": "a", "options": "a|b"},
        "multichoice": {"default": "a,b", "options": "a|b|c", "min": "2"},
        "date": {"default": "2026-03-14", "min": "2026-01-01", "max": "2026-12-31"},
        "phone": {"default": "+49 30 123456"},
    }[type_]
    properties = {f"form_x.{name}": value for name, value in {"type": type_, **known}.items()}
    computed = f"form_x.{key}" if key else "form_x"
    properties.pop(computed, None)
    assert rules(ask(inputs={**YES_OR_NO, computed: "${computed}"}, properties=properties)) == []


STEP_KEYS = (
    "title",
    "recipient",
    "chat_id",
    "allow",
    "thread",
    "review",
    "cancellable",
    "on_cancel",
    "after",
)


@pytest.mark.parametrize("key", [*STEP_KEYS, "action_yes.label", "action_yes.without_form", "text_q.links"])
def test_a_computed_key_of_the_step_is_never_a_finding(key: str) -> None:
    assert rules(ask(inputs={**YES_OR_NO, key: "#{computed}"})) == []


@pytest.mark.parametrize("name", ["text_q", "Amount", "photo_x", "file_x", "action_x"])
def test_a_step_that_shows_only_what_is_computed_is_clean(name: str) -> None:
    assert rules(ask(inputs={name: "${computed}"})) == []


@pytest.mark.parametrize(
    ("after", "how"), [("expires_after", "on_expire"), ("escalate_after", "escalate_to")]
)
def test_a_time_and_its_consequence_may_be_computed_and_neither_be_forgotten(after: str, how: str) -> None:
    assert rules(ask(inputs={**YES_OR_NO, how: "${x}"}, properties={after: "P1D"})) == []
    assert rules(ask(inputs={**YES_OR_NO, after: "${x}"}, properties={how: "7"}, on=[on_error("7")])) == []
    assert rules(ask(properties={after: "P1D"})) == [("ask", "bad-value")]
    assert rules(ask(properties={after: "P1M", how: "7"}, on=[on_error("7")])) == [("ask", "bad-value")]


def test_a_computed_value_hides_no_misspelled_name() -> None:
    assert rules(ask(inputs={**YES_OR_NO, "action_yes.lable": "${computed}"})) == [("ask", "unknown-key")]


def test_a_pattern_may_look_like_an_expression() -> None:
    assert rules(ask(properties={"form_x.pattern": "#{2}[a-z]"})) == []


def test_lists_and_maps_are_options() -> None:
    typed = {"form_x.type": "choice", "form_y.type": "choice"}
    inputs: dict[str, Content] = {**YES_OR_NO, "form_x.options": ["a", "${b}"], "form_y.options": {"a": "A"}}
    assert rules(ask(inputs=inputs, properties=typed)) == []


@pytest.mark.parametrize("said", ["recipient", "telegram_user_id", "chat_id"])
def test_a_step_may_name_whom_it_asks_in_each_way(said: str) -> None:
    assert rules(external_task("ask", "render_task", inputs={**YES_OR_NO, said: "-100123"})) == []


def test_an_input_of_another_step_is_nobodys_recipient() -> None:
    named = external_task("named", "render_task", inputs={**YES_OR_NO, "telegram_user_id": "${approver}"})
    unnamed = external_task("unnamed", "render_task", inputs=YES_OR_NO)
    assert rules(named, unnamed) == [("unnamed", "missing-recipient")]


def test_a_topic_may_be_served_elsewhere() -> None:
    task = external_task("book", "book_flight")
    assert rules(task) == [("book", "unknown-topic")]
    assert rules(task, topics=SERVED.with_names(["book_flight"])) == []
    assert rules(external_task("book", "${topic}")) == []


def test_an_error_may_be_caught_at_the_step_around_it_or_beside_it() -> None:
    cancel = {"on_cancel": "GIVEN_UP"}
    assert rules(ask(properties=cancel, on=[on_error("GIVEN_UP")])) == []
    assert rules(subprocess("round", [ask(properties=cancel)], on=[on_error(None)])) == []
    assert rules(ask(properties=cancel), event_subprocess("give_up", on_error("GIVEN_UP"))) == []


@pytest.mark.parametrize(
    "before",
    [
        [user_task("form")],
        [call("called", "other")],
        [ask("first", outputs={"action": "${action}"})],
        [subprocess("round", [ask()])],
        [parallel("both", [ask()], [user_task("rest")])],
        [ask(on=[on_timer("PT1H", [goto("decide")])])],
    ],
    ids=["a form", "a call", "an output", "a subprocess", "a branch", "a boundary event"],
)
def test_a_variable_may_come_from_whatever_stands_before(before: list[Node]) -> None:
    step = ask("later", {"text_q": "Why?", "form_reason": None})
    assert rules(*before, decide("action == 'yes'", otherwise=[step])) == []


def test_a_variable_may_come_from_a_branch_beside() -> None:
    assert (
        rules(parallel("both", [ask()], [user_task("rest"), decide("action_yes", otherwise=[end("no")])]))
        == []
    )


def test_a_variable_may_come_with_the_next_round() -> None:
    again = exclusive("again", {"${action == 'no'}": [goto("which")]}, [end("done")])
    asked = exclusive("which", {"${first}": [ask()]}, [user_task("look")])
    assert rules(asked, again) == []


def test_a_condition_that_asks_whether_a_variable_is_there_may_read_it() -> None:
    asked = ask("later", {"text_q": "Why?", "form_reason": None})
    guarded = "execution.hasVariable('action') && action == 'yes'"
    assert rules(decide(guarded, otherwise=[asked])) == []


def test_a_process_without_steps_is_given_its_variables_by_its_caller() -> None:
    assert rules(user_task("look"), decide("form_x == 1", otherwise=[end("no")])) == []


@pytest.mark.parametrize(
    "conditions",
    [
        ["action == 'yes'", "action == 'no'"],
        ["action_yes", "!action_yes"],
        ["action_yes", "not (action eq 'yes')"],
        ["'yes' == action", 'action != "yes"'],
        ["action == 'yes' && amount > 5", "action == 'yes' && amount <= 5", "action_no == true"],
        ["action == 'yes' || action == 'no'"],
        ["true"],
    ],
)
def test_a_gateway_without_default_is_clean_where_every_answer_has_its_flow(conditions: list[str]) -> None:
    assert rules(ask(), decide(*conditions)) == []


@pytest.mark.parametrize(
    "conditions",
    [
        ["action == 'yes'"],
        ["action_yes && amount > 5"],
        ["action != 'no'"],
        ["action_yes && action_no", "action_yes"],
    ],
)
def test_a_gateway_without_default_is_told_where_an_answer_has_no_flow(conditions: list[str]) -> None:
    assert rules(ask(), decide(*conditions)) == [("decide", "missing-default-flow")]


def test_an_answer_that_went_another_way_before_needs_no_flow() -> None:
    three = {**YES_OR_NO, "action_maybe": "Maybe"}
    first = exclusive(
        "first", {"${action == 'maybe'}": [end("later")]}, [external_task("note", "analyse_export")]
    )
    assert rules(ask(inputs=three), first, decide("action_yes", "action_no")) == []


def test_an_answer_is_followed_into_and_out_of_a_subprocess() -> None:
    inner = subprocess("inner", [external_task("note", "analyse_export")])
    outer = subprocess("outer", [ask(), inner])
    assert rules(outer, decide("action_yes")) == [("decide", "missing-default-flow")]


@pytest.mark.parametrize(
    "nodes",
    [
        [parallel("both", [ask("one", outputs=OUTPUTS["one"])], [ask("two", outputs=OUTPUTS["two"])])],
        [parallel("both", [ask("one")], [ask("two", outputs=OUTPUTS["two"])])],
        [parallel("both", [ask("one")], [user_task("rest")]), ask("two")],
        [exclusive("either", {"${a}": [ask("one")]}, [ask("two")])],
        [ask("one", on=[on_timer("P1D", [ask("two")])])],
        [
            parallel(
                "both",
                [subprocess("a", [ask("one")], inputs=RESULTS)],
                [subprocess("b", [ask("two")], inputs=RESULTS)],
            )
        ],
        [
            parallel(
                "both",
                [ask("one")],
                [external_task("two", "send_message", inputs={**RECIPIENT, "text_x": "x"})],
            )
        ],
    ],
    ids=["outputs", "one output", "after the join", "either", "interrupting", "scopes", "a notice"],
)
def test_steps_that_never_meet_in_a_variable_are_clean(nodes: list[Node]) -> None:
    assert rules(*nodes) == []


def test_each_step_that_waits_beside_others_is_told_once() -> None:
    found = rules(parallel("all", [ask("a"), ask("b")], [ask("c")], [ask("d")]))
    assert found == [("c", "parallel-results"), ("d", "parallel-results")]


def test_a_step_of_an_event_subprocess_waits_beside_its_scope() -> None:
    late = on_timer("P1D", [ask("two")], interrupting=False)
    assert rules(ask("one"), event_subprocess("late", late)) == [("two", "parallel-results")]


@pytest.mark.parametrize(
    "node",
    [
        subprocess("each", [ask()], inputs=RESULTS, each=Each("${people}", "person")),
        subprocess("round", [ask(each=Each("${people}", "person"))], inputs=RESULTS),
        ask(each=Each("${people}", "person", sequential=True)),
        subprocess("each", [ask()], each=Each("${people}", "person", sequential=True)),
        external_task(
            "tell", "send_message", inputs={**RECIPIENT, "text_x": "x"}, each=Each("${people}", "p")
        ),
    ],
    ids=["subprocess", "task in a subprocess", "one by one", "subprocess one by one", "a notice"],
)
def test_multi_instance_steps_whose_answers_do_not_meet_are_clean(node: Node) -> None:
    assert rules(node) == []


def test_a_step_in_a_multi_instance_subprocess_needs_its_results_declared_there() -> None:
    each = subprocess("each", [ask()], inputs={"action": None}, each=Each("${people}", "person"))
    (found,) = check("p", process("p", [each]), SERVED)
    assert (found.element, found.rule) == ("ask", "multi-instance-scope")
    assert "declares action_yes, action_no" in found.message


def test_a_process_that_is_not_executable_is_passed_over() -> None:
    xml = process("p", [external_task("a", "nonsense")]).replace(
        b'isExecutable="true"', b'isExecutable="false"'
    )
    assert check("p", xml, SERVED) == []


def test_unknown_constructs_are_passed_over() -> None:
    xml = process("p", [ask()]).replace(
        b'<bpmn:endEvent id="p_start_end"',
        b'<bpmn:dataObject id="d" /><x:gadget xmlns:x="urn:x" id="g" /><?x y?><!-- z -->'
        b'<bpmn:endEvent id="p_start_end"',
    )
    assert b"gadget" in xml
    assert check("p", xml, SERVED) == []


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "no XML"),
        (b"\x00\xff", "no XML"),
        (b"<x/>", "root is 'x'"),
        (b" " * (MAX_BYTES + 1), "bytes"),
        (b"<a>" * 100_000, "no XML"),
        (process("p", [ask()]).replace(b'id="p_start"', b'id="ask"'), "elements have the id"),
    ],
    ids=["empty", "binary", "another XML", "huge", "deep", "an id twice"],
)
def test_what_cannot_be_read_is_one_clear_finding(content: bytes, why: str) -> None:
    (found,) = check("p.bpmn", content, SERVED)
    assert found.rule == "unreadable"
    assert why in found.message


def test_a_file_that_is_not_there_is_a_finding_and_the_next_is_checked_all_the_same() -> None:
    found = check_files([Path("/no/such.bpmn"), ROOT / "tests/broken/unknown-topic.bpmn"], SERVED)
    assert [each.rule for each in found] == ["unreadable", "unknown-topic"]
    assert "No such file" in found[0].message


FOUND = Finding("a,b.bpmn", "ask", "bad-value", "100% wrong\nhere.", "Mend it.")


def test_findings_are_told_as_json() -> None:
    assert json.loads(told([FOUND], "json")) == [
        {
            "file": "a,b.bpmn",
            "element": "ask",
            "rule": "bad-value",
            "message": "100% wrong\nhere.",
            "fix": "Mend it.",
        }
    ]
    assert told([], "json") == "[]"


def test_findings_are_told_as_workflow_commands() -> None:
    command = "::error file=a%2Cb.bpmn,title=bad-value at ask::100%25 wrong%0Ahere. Mend it."
    assert told([FOUND], "github") == command


def test_findings_are_told_as_lines() -> None:
    assert told([FOUND], "text").splitlines()[0] == "a,b.bpmn: ask: bad-value"
    assert told([], "text") == ""
