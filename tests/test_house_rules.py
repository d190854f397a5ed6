"""The conventions of this code base, each a test: see CONTRIBUTING.md."""

import ast
import functools
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import xent

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "xent"
FILES = sorted(SOURCE.rglob("*.py"))
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
MODULES = [".".join(path.relative_to(ROOT / "src").with_suffix("").parts).removesuffix(".__init__") for path in FILES]


def layer(path):
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def each(values):
    """A test of every one of them; a failure tells which it was."""

    def over_all(test):
        @functools.wraps(test)
        def tested():
            for value in values:
                try:
                    test(value)
                except Exception as error:
                    error.add_note(f"({value})")
                    raise

        del tested.__wrapped__  # which pytest would ask for the arguments
        return tested

    return over_all


each_file = each(FILES)


@each_file
def test_files_and_functions_are_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) < 300
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.FunctionDef):
            statements = node.body[1:] if ast.get_docstring(node) else node.body
            lines = statements[-1].end_lineno - statements[0].lineno + 1 if statements else 0
            assert lines <= 50, f"{node.name} has {lines} lines"


@each_file
def test_names_of_files_say_what_is_in_them(path):
    assert path.stem.lstrip("_") not in {"utils", "helpers", "common", "misc", "base", "manager"}


@each_file
def test_words_of_the_field_are_used(path):
    for node in ast.walk(TREES[path]):
        name = getattr(node, "id", None) or getattr(node, "arg", None) or getattr(node, "name", None)
        assert name not in {"backend", "metric", "metrics", "loss_fn", "eval", "data2", "utils"}


ARITHMETIC = {"formulas", "information", "gaussian", "units", "scoring", "kernels", "_arrays"}


@each([path for path in FILES if layer(path) not in ARITHMETIC])
def test_logarithms_are_taken_where_the_formulas_are(path):
    taken = {
        node.func.attr
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)
    }
    allowed = {"exp"} if layer(path) == "checks" else set()  # row sums of log-probabilities
    allowed |= {"charts.py": {"exp", "log", "log10"}}.get(path.name, set())  # axes and digits
    assert taken & {"log", "log2", "log10", "log1p", "exp", "expm1", "logaddexp"} <= allowed


@each_file
def test_a_console_is_made_where_names_are_kept_from_being_markup(path):
    made = {ast.unparse(node.func) for node in ast.walk(TREES[path]) if isinstance(node, ast.Call)}
    assert "Console" not in made or path.relative_to(SOURCE).as_posix() == "report/lines.py"


@each([path for path in FILES if layer(path) == "kernels"])
def test_kernels_check_and_allocate_nothing(path):
    for node in ast.walk(TREES[path]):
        assert not isinstance(node, ast.Raise | ast.Assert)
        if isinstance(node, ast.FunctionDef) and node.decorator_list:
            made = {ast.unparse(call.func) for call in ast.walk(node) if isinstance(call, ast.Call)}
            assert not made & {"np.empty", "np.zeros", "np.ones", "np.full"}


PARENTS = {
    "str",  # a sentence is text that also knows how to be said in another language
    "Exception",
    "XentError",
    "SourceError",
    "RuntimeError",
    "ValueError",
    "TypeError",
    "ImportError",
    "NamedTuple",
    "Protocol",
    "Reducible",
}
PARENTS |= {"torch.autograd.Function", "nn.Module", "torch.nn.Module", "Loss", "keras.losses.Loss", "ir.Type"}


@each_file
def test_nothing_is_inherited_from(path):
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.ClassDef):
            assert {ast.unparse(base).split("[")[0] for base in node.bases} <= PARENTS


@each_file
def test_nothing_of_xent_is_imported_inside_a_function_but_to_keep_a_package_out_of_import_xent(path):
    allowed = {
        "kernels/choice.py",  # numba
        "losses/adapters.py",  # torch, jax
        "report/model.py",  # rich, jinja2
        "commands/shown.py",  # rich
        "commands/merge.py",  # pyarrow
        "commands/options.py",  # pyarrow
        "commands/baseline.py",  # pyarrow
        "commands/compare.py",  # pyarrow
        "commands/engine.py",  # pyarrow
        "commands/recalibrate.py",  # pyarrow
        "commands/sql.py",  # pyarrow
        "commands/tokens.py",  # pyarrow
    }
    for function in ast.walk(TREES[path]):
        if isinstance(function, ast.FunctionDef):
            for node in ast.walk(function):
                if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("xent"):
                    assert str(path.relative_to(SOURCE)) in allowed


PACKAGES = {
    "autodiff",
    "checks",
    "commands",
    "doctor",
    "engines",
    "explaining",
    "formulas",
    "kernels",
    "losses",
    "playground",
    "report",
    "scoring",
    "sources",
    "texts",
}


@each(MODULES)
def test_all_lists_what_is_there(module):
    loaded = importlib.import_module(module)
    if not hasattr(loaded, "__all__"):
        assert module.rpartition(".")[2] in PACKAGES
        return
    for name in loaded.__all__:
        assert hasattr(loaded, name)


@each([name for name in xent.__all__ if inspect.isfunction(getattr(xent, name))])
def test_public_functions_are_documented(name):
    text = inspect.getdoc(getattr(xent, name))
    for part in ("Args:", "Returns:", "Raises:", "Example:"):
        assert part in text


def run(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout


def test_importing_xent_loads_numpy_and_array_api_compat_alone():
    """NumPy and array-api-compat not before something is asked for."""
    loaded = run(
        "import sys; before = set(sys.modules)\n"
        "for use in ('import xent', 'xent.entropy([0.5, 0.5])'):\n"
        "    exec(use)\n"
        "    print(*sorted({name.partition('.')[0] for name in set(sys.modules) - before}))"
    )
    at_first, in_use = (
        {name for name in line.split() if name[0] != "_"} - set(sys.stdlib_module_names) for line in loaded.splitlines()
    )
    assert at_first == {"xent"}
    assert {"numpy", "array_api_compat"} <= in_use <= {"xent", "numpy", "array_api_compat", "cython_runtime"}


def test_judging_in_memory_loads_no_frame_library_and_no_renderer():
    loaded = run("import sys, xent; xent.evaluate([0, 1], [0.2, 0.7]); print(*sys.modules)").split()
    assert not {"pandas", "polars", "torch", "jax", "numba", "rich", "jinja2", "pyarrow.dataset"} & set(loaded)


def test_help_loads_neither_what_reads_files_nor_what_renders():
    loaded = run("import sys; from xent import cli\ntry: cli.main(['--help'])\nexcept SystemExit: print(*sys.modules)")
    assert not {"pyarrow", "rich", "jinja2", "numba"} & set(loaded.splitlines()[-1].split())


def test_readme_shows_the_tree_as_it_is():
    tree = re.search(r"```\nsrc/xent/\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL)
    assert tree is not None, "README.md has no tree of src/xent/"
    shown = {word for line in tree[1].splitlines() for word in re.split(r"\s{2,}", line.strip())[0].split()}
    on_disk = {path.name for path in SOURCE.glob("*.py")} - {"__init__.py"}
    on_disk |= {f"{path.name}/" for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert shown - {"__init__.py"} == on_disk


def test_figures_in_the_docs_name_the_script_that_prints_them():
    for page in [*sorted(ROOT.glob("README*.md")), *sorted((ROOT / "docs").rglob("*.md"))]:
        for section in page.read_text(encoding="utf-8").split("\n## "):
            if re.search(r"\d\s?(×|times faster|MB\b|ns\b)", section):
                scripts = re.findall(r"benchmarks/\w+\.py", section)
                assert scripts, f"{page.name}: a figure without its script: {section[:80]}"
                assert all((ROOT / script).exists() for script in scripts)
