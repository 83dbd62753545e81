from pathlib import Path

from devstack.parts.java import java_command, properties


def test_settings_are_written_in_the_characters_that_java_reads() -> None:
    text = properties({"folder": "/größe/🙂", "share": "a\\b", "endpoint": "http://127.0.0.1:1"})
    assert text == (
        "folder=/gr\\u00f6\\u00dfe/\\ud83d\\ude42\nshare=a\\u005cb\nendpoint=http://127.0.0.1:1\n"
    )


def test_the_class_path_keeps_its_order_and_spaces(tmp_path: Path) -> None:
    jars = [Path("/my jars/b.jar"), Path('/my jars/"a".jar')]
    argv = java_command(tmp_path, jars, "org.example.Main", ["--place", "a b"], heap_mb=64)
    assert argv[1:] == [f"@{tmp_path}/java.args"]
    lines = (tmp_path / "java.args").read_text().splitlines()
    assert lines[0] == '"-Xmx64m"'
    assert lines[-5:] == [
        '"-cp"',
        '"/my jars/b.jar:/my jars/\\"a\\".jar"',
        '"org.example.Main"',
        '"--place"',
        '"a b"',
    ]
