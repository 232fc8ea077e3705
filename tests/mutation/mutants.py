"""Small wrong changes to a file's syntax tree, each with a name that survives other edits."""

import ast
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
_COUNTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.FloorDiv,
    ast.FloorDiv: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
}
# What is said about types, in an annotation or an alias, decides nothing when the code runs.
_SAID_OF_TYPES = ("annotation", "returns")


@dataclass(frozen=True)
class _Site:
    node: ast.AST
    parent: ast.AST
    inside: str  # the function or class, dotted


_Change = Callable[[_Site], str]


@dataclass(frozen=True)
class Mutant:
    """One wrong change.

    Args:
        file: Where, from the top of the checkout.
        line: The line today, for a person.
        name: Function, what stood there and what stands there now.
        text: The file as it is.
        number: Which place of the file.
        change: What is done there.
    """

    file: str
    line: int
    name: str
    text: str
    number: int
    change: _Change

    def tree(self) -> ast.Module:
        """Return the whole file with the change."""
        tree = ast.parse(self.text)
        self.change(list(_sites(tree))[self.number])
        return ast.fix_missing_locations(tree)


def mutants_of(file: str, *, text: str) -> Iterator[Mutant]:
    """Yield every change of one file, in the order of its lines."""
    tree = ast.parse(text)
    members = _members_in(tree)
    seen: dict[str, int] = {}
    for number, site in enumerate(_sites(tree)):
        for change in _changes(site, members=members):
            alone = copy.deepcopy(site.node)
            after = change(_Site(alone, ast.List(elts=[alone]), site.inside))  # type: ignore[list-item]  # any node, only to be read
            name = f"{site.inside}: {_short(ast.unparse(site.node))} -> {_short(after)}"
            seen[name] = seen.get(name, 0) + 1
            ordinal = f" #{seen[name]}" if seen[name] > 1 else ""
            line = getattr(site.node, "lineno", 0)
            yield Mutant(file, line, name + ordinal, text, number, change)


def _short(text: str) -> str:
    return " ".join(text.split())[:100]


def _members_in(tree: ast.Module) -> dict[str, list[str]]:
    """Return the members of each capitalised name a file uses, so one can stand for another."""
    found: dict[str, list[str]] = {}
    for node in ast.walk(tree):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=member) if member.isupper():
                members = found.setdefault(owner, [])
                if member not in members:
                    members.append(member)
            case _:
                pass
    return found


def _sites(tree: ast.AST, inside: str = "module") -> Iterator[_Site]:
    for field, value in ast.iter_fields(tree):
        if field in _SAID_OF_TYPES or (field == "decorator_list" and value):
            continue
        for node in value if isinstance(value, list) else [value]:
            if not isinstance(node, ast.AST) or _is_docstring(node):
                continue
            deeper = inside
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                deeper = node.name if inside == "module" else f"{inside}.{node.name}"
            yield _Site(node, tree, deeper)
            yield from _sites(node, deeper)


def _is_docstring(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _changes(site: _Site, *, members: dict[str, list[str]]) -> Iterator[Callable[[_Site], str]]:
    """Yield what may be done at a place; each changes it and returns the words it reads as now."""
    match site.node:
        case ast.Compare() | ast.BoolOp() | ast.BinOp() | ast.UnaryOp():
            yield from _sums(site.node)
        case ast.Constant():
            yield from _constants(site)
        case ast.Attribute(value=ast.Name(id=owner)) if len(members.get(owner, ())) > 1:
            yield _member(members[owner])
        case _:
            yield from _steps(site.node)


def _sums(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.Compare(ops=[op]) if type(op) in _COMPARED:
            yield _compared
            if isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE):
                yield _turned
        case ast.BoolOp():
            yield _joined
        case ast.BinOp(op=counted) if type(counted) in _COUNTED:
            yield _counted
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            yield _replaced_by(lambda _node: operand)
        case _:
            pass


def _steps(node: ast.AST) -> Iterator[_Change]:
    match node:
        case ast.IfExp() | ast.If() | ast.While():
            yield _negated
        case ast.comprehension(ifs=[_, *_]):
            yield _unfiltered
        case ast.Return(value=value) if value is not None and not _is_none(value):
            yield _returns_none
        case ast.Expr(value=ast.Call(func=ast.Name(id="assert_never"))):
            pass  # an arm the type checker proves unreachable
        case ast.Expr() | ast.AugAssign() | ast.Raise():
            yield _replaced_by(lambda _node: ast.Pass())
        case _:
            pass


def _is_none(value: ast.AST) -> bool:
    return isinstance(value, ast.Constant) and value.value is None


def _put(site: _Site, new: ast.AST) -> str:
    """Put another node where this one stands and return how it reads."""
    for field, value in ast.iter_fields(site.parent):
        if value is site.node:
            setattr(site.parent, field, new)
        elif isinstance(value, list) and any(one is site.node for one in value):
            value[:] = [new if one is site.node else one for one in value]
    ast.copy_location(new, site.node)
    return ast.unparse(new)


def _replaced_by(make: Callable[[ast.AST], ast.AST]) -> Callable[[_Site], str]:
    return lambda site: _put(site, make(site.node))


def _compared(site: _Site) -> str:
    assert isinstance(site.node, ast.Compare)
    site.node.ops = [_COMPARED[type(site.node.ops[0])]()]
    return ast.unparse(site.node)


def _turned(site: _Site) -> str:
    """Turn a comparison round: what was below is above."""
    assert isinstance(site.node, ast.Compare)
    site.node.left, site.node.comparators = site.node.comparators[0], [site.node.left]
    return ast.unparse(site.node)


def _joined(site: _Site) -> str:
    assert isinstance(site.node, ast.BoolOp)
    site.node.op = ast.Or() if isinstance(site.node.op, ast.And) else ast.And()
    return ast.unparse(site.node)


def _counted(site: _Site) -> str:
    assert isinstance(site.node, ast.BinOp)
    site.node.op = _COUNTED[type(site.node.op)]()
    return ast.unparse(site.node)


def _negated(site: _Site) -> str:
    assert isinstance(site.node, ast.IfExp | ast.If | ast.While)
    site.node.test = ast.UnaryOp(op=ast.Not(), operand=site.node.test)
    return ast.unparse(site.node)


def _unfiltered(site: _Site) -> str:
    assert isinstance(site.node, ast.comprehension)
    site.node.ifs = site.node.ifs[1:]
    return f"{ast.unparse(site.node)} (a filter less)"


def _returns_none(site: _Site) -> str:
    assert isinstance(site.node, ast.Return)
    site.node.value = ast.Constant(None)
    return ast.unparse(site.node)


def _constants(site: _Site) -> Iterator[Callable[[_Site], str]]:
    assert isinstance(site.node, ast.Constant)
    match site.node.value:
        case bool() as flag:
            yield _replaced_by(lambda _node: ast.Constant(not flag))
        case int() as number:
            yield _replaced_by(lambda _node: ast.Constant(number + 1))
            yield _replaced_by(lambda _node: ast.Constant(number - 1))
        case str() as text if text:
            yield _replaced_by(lambda _node: ast.Constant(f"{text}\u2020"))
        case bytes() as raw if raw:
            yield _replaced_by(lambda _node: ast.Constant(raw + b"!"))
        case _:
            pass


def _member(members: list[str]) -> Callable[[_Site], str]:
    def change(site: _Site) -> str:
        assert isinstance(site.node, ast.Attribute)
        at = members.index(site.node.attr) if site.node.attr in members else -1
        site.node.attr = members[(at + 1) % len(members)]
        return ast.unparse(site.node)

    return change
