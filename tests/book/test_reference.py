"""The reference has a page for every room, and on it everything that a room offers."""

import ast
import re

import yaml

from conftest import REPOSITORY
from verydeep.book import pages
from verydeep.book.pages import reference


def test_every_room_has_its_page_in_the_table_of_contents():
    contents = (REPOSITORY / "book" / "_toc.yml").read_text()
    assert yaml.safe_load(contents)
    assert set(re.findall(r"reference/(\w+)", contents)) == set(reference.reference_pages())


def test_every_public_function_has_a_docstring_and_stands_in_the_reference():
    text = "\n".join(reference.reference_pages().values())
    for module, names in re.findall(r"automodule:: (\S+)\n   :members: (.*)", text):
        source = REPOSITORY / "src" / f"{module.replace('.', '/')}.py"
        kinds = (ast.FunctionDef, ast.ClassDef)
        defined = [node for node in ast.parse(source.read_text()).body if isinstance(node, kinds)]
        public = [node for node in defined if not node.name.startswith("_")]
        assert names.split(", ") == [node.name for node in public]
        assert [node.name for node in public if not ast.get_docstring(node)] == [], module
    assert "verydeep.results.numbers" in text and "verydeep.files" in text


#: What Sphinx and PyYAML call, and describe.
FOREIGN = {"apply", "run", "compose_node", "compose_scalar_node", "construct_mapping"}


def test_every_public_method_and_property_has_a_docstring_or_overrides_one_that_has():
    trees = [ast.walk(ast.parse(path.read_text())) for path in sorted((REPOSITORY / "src").rglob("*.py"))]
    every = [node for tree in trees for node in tree if isinstance(node, ast.ClassDef)]
    classes = {node.name: node for node in every}

    def described(node: ast.ClassDef, name: str) -> bool:
        own = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == name]
        bases = [classes[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in classes]
        return any(map(ast.get_docstring, own)) or any(described(base, name) for base in bases)

    public = [
        (node, part.name)
        for node in every
        for part in node.body
        if isinstance(part, ast.FunctionDef) and part.name[0] != "_" and part.name not in FOREIGN
    ]
    assert [f"{node.name}.{name}" for node, name in public if not described(node, name)] == [] and len(public) > 200


def test_a_page_of_a_room_that_is_no_more_is_removed(checkout):
    folder = checkout / "book" / "reference"
    folder.mkdir()
    (folder / "hallway.md").write_text("# `hallway`\n")
    pages.write_reference(folder)
    assert {path.stem for path in folder.iterdir()} == set(reference.reference_pages())
