"""The reference has a page for every room, and on it everything that a room offers."""

import ast
import functools
import importlib
import inspect
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


def test_every_public_method_says_what_it_does_where_it_is_first_defined():
    """Those that override another take its docstring: the reference shows it so."""
    silent, seen = [], 0
    for name in re.findall(r"automodule:: (\S+)\n", "\n".join(reference.reference_pages().values())):
        module = importlib.import_module(name)
        own = [one for one in vars(module).values() if inspect.isclass(one) and one.__module__ == name]
        for defined in (one for one in own if not one.__name__.startswith("_")):
            for method, value in vars(defined).items():
                described = inspect.isroutine(value) or isinstance(value, property | functools.cached_property)
                first = not any(method in vars(base) for base in defined.__mro__[1:])
                if described and first and not method.startswith("_"):
                    seen += 1
                    if not inspect.getdoc(getattr(defined, method)):
                        silent.append(f"{name}.{defined.__name__}.{method}")
    assert silent == [] and seen > 250


def test_a_page_of_a_room_that_is_no_more_is_removed(checkout):
    folder = checkout / "book" / "reference"
    folder.mkdir()
    (folder / "hallway.md").write_text("# `hallway`\n")
    pages.write_reference(folder)
    assert {path.stem for path in folder.iterdir()} == set(reference.reference_pages())
