"""The guide's Python runs as it stands, in its order."""

import re
from pathlib import Path

GUIDE = (Path(__file__).parents[1] / "docs" / "write-a-protection.md").read_text()


def test_code_blocks_run(capsys):
    names: dict = {}
    blocks = re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL)
    assert len(blocks) == 2
    for block in blocks:
        exec(compile(block, "write-a-protection.md", "exec"), names)
    assert capsys.readouterr().out.count("tensor([") == 3


def test_the_class_is_the_one_that_new_writes():
    """Minus the comments: a reader of either knows the other."""
    template = Path(__file__).parents[1] / "benchmark" / "templates" / "protection.py.txt"
    text = template.read_text().replace("$class_name", "MyCloak").replace("$name", "my-cloak")
    code = [line for line in text.splitlines() if line.strip() and '"""' not in line]
    (block,) = (b for b in re.findall(r"```python\n(.*?)```", GUIDE, re.DOTALL) if "class" in b)
    shown = [line for line in block.splitlines() if line.strip() and '"""' not in line]
    assert shown == code


def test_two_pages_at_most():
    assert len(GUIDE.split()) < 900
