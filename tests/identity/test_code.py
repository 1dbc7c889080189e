"""The identity of code that is not traced: by what it does and reaches, as it is loaded."""

import subprocess
import sys

import pytest

from gbaexplore import UserError
from gbaexplore.identity.code import code_hash, is_own

HEAD = """
import enum, functools, types
import jax
import jax.numpy as jnp
import numpy as np
"""

# Where a function may find a number.
REACHED = {
    "dict subclass": "class C(dict): pass\nK=C(a={v})\ndef f(x): return K['a']*x",
    "list subclass": "class C(list): pass\nK=C([{v}])\ndef f(x): return K[0]*x",
    "vmap": "def g(x): return {v}*x\nh=jax.vmap(g)\ndef f(x): return h(x)",
    "vmap axes": "def g(x): return x\nh=jax.vmap(g,in_axes=int({v}))\ndef f(x): return h(x)",
    "enum": "class E(enum.Enum):\n    A={v}\ndef f(x): return E.A.value*x",
    "slots": "class S:\n    __slots__=('a',)\n    def __init__(s,a): s.a=a\nK=S({v})\ndef f(x): return K.a*x",
    "lambda in dict": "K=dict(g=lambda x: {v}*x)\ndef f(x): return K['g'](x)",
    "partial method": (
        "def g(s,k,x): return k*x\nclass A:\n    h=functools.partialmethod(g,{v})\ndef f(x): return A().h(x)"
    ),
    "module alias": "m=types.ModuleType('mm'); m.K={v}\ndef f(x):\n    q=m\n    return q.K*x",
    "property": "class A:\n    @property\n    def k(s): return {v}\na=A()\ndef f(x): return a.k*x",
    "kwdefault": "def f(x,*,k={v}): return k*x",
    "nested": "def f(x):\n    def g(y): return {v}*y\n    return g(x)",
    "comprehension": "def f(x): return [{v}*y for y in x]",
    "generator": "def f(x): return sum({v}*y for y in x)",
    "recursion": "def f(x): return f(x-1)*{v} if x else 1",
    "mutual": "def g(x): return f(x)+{v}\ndef f(x): return g(x)",
    "frozenset": "def f(x): return x in {{v}, 3.0}",
    "match": "def f(x):\n    match x:\n        case {v}: return 1\n    return 0",
    "global stmt array": "K=np.array([{v}])\ndef f(x):\n    global K\n    return K*x",
    "bytes": "K=np.array([{v}]).tobytes()\ndef f(x): return K",
    "datetime": "import datetime\nK=datetime.timedelta(days={v})\ndef f(x): return K",
    "rng": "K=np.random.default_rng(int({v}))\ndef f(x): return K.normal()",
    "pandas": "import pandas as pd\nK=pd.DataFrame(dict(a=[{v},2.0]))\ndef f(x): return K.a.sum()*x",
    "xarray": "import xarray as xr\nK=xr.DataArray([{v}],dims='a')\ndef f(x): return float(K.sum())*x",
    "scipy interp": "import scipy.interpolate as si\nK=si.interp1d([0,1],[0,{v}])\ndef f(x): return K(x)",
    "scipy sparse": "import scipy.sparse as ss\nK=ss.csr_matrix([[{v}]])\ndef f(x): return K@x",
    "poly": "K=np.polynomial.Polynomial([0,{v}])\ndef f(x): return K(x)",
    "jit": "@jax.jit\ndef g(x): return {v}*x\ndef f(x): return g(x)",
    "custom jvp": (
        "@jax.custom_jvp\ndef g(x): return x\n@g.defjvp\ndef h(p,t): return p[0], {v}*t[0]\ndef f(x): return g(x)"
    ),
    "branch": "def f(x):\n    if x > {v}: return 1\n    return 2",
    "class var": "class A:\n    K=[{v}]\ndef f(x): return A.K[0]*x",
    "inherited": "class B:\n    def k(s): return {v}\nclass A(B): pass\na=A()\ndef f(x): return a.k()*x",
    "staticmethod": "class A:\n    @staticmethod\n    def k(): return {v}\ndef f(x): return A.k()*x",
    "attribute of a function": "def f(x): return f.k*x\nf.k={v}",
    "attribute of another function": "def g(x): return g.k*x\ng.k={v}\ndef f(x): return g(x)",
    "metaclass": "class M(type):\n    k={v}\nclass A(metaclass=M): pass\ndef f(x): return A.k*x",
    "walrus/str const": "def f(x): return 'linear' if {v}>1 else 'cubic'",
}


def function(source, value):
    space = {"__name__": "__main__"}
    exec(HEAD + source.replace("{v}", value), space)
    return space["f"]


@pytest.mark.parametrize("kind", REACHED)
def test_a_number_counts_wherever_it_stands(kind):
    one, again, other = (code_hash(function(REACHED[kind], value)) for value in ("1.0", "1.0", "2.0"))
    assert one == again
    assert one != other


@pytest.mark.slow
def test_the_order_of_sets_is_that_of_no_session():
    program = (
        HEAD
        + """
from gbaexplore.identity.code import code_hash
K = {"V1", "V2", "V4", "TEO", "24c"}
def f(x): return [name for name in K if x in {"a", "b", "c"}]
print(code_hash(f))
"""
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed}
        ).stdout
        for seed in "123"
    }
    assert len(found) == 1


CHANGES = {
    "environment": ("import os\ndef f(x): return os.environ.get('A')", "os.environ['A'] = {v}"),
    "environ by name": ("from os import environ as e\ndef f(x): return e.get('A')", "e['A'] = {v}"),
    "arguments": ("import sys\ndef f(x): return sys.argv[-1]", "sys.argv.append({v})"),
    "random numbers": ("import numpy as np\ndef f(x): return np.random.uniform()", "np.random.uniform()"),
    "random by name": ("from random import gauss\ndef f(x): return gauss(0, 1)", "gauss(0, 1)"),
    "random of numpy": ("from numpy.random import normal\ndef f(x): return normal()", "normal()"),
}


@pytest.mark.parametrize("kind", CHANGES)
def test_what_a_process_keeps_does_not_count(kind, monkeypatch):
    monkeypatch.delenv("A", raising=False)
    monkeypatch.setattr(sys, "argv", ["gbaexplore"])
    text, changed = CHANGES[kind]
    there = {}
    exec(text, there)
    before = code_hash(there["f"])
    exec(changed.format(v="'1'"), there)
    assert code_hash(there["f"]) == before


def test_what_can_not_be_told(tmp_path):
    with (tmp_path / "file").open("w") as file:
        space = {"file": file}
        exec("def f(x): return file.tell() * x", space)
        with pytest.raises(UserError, match="TextIOWrapper among what a model or measure uses can't be identified"):
            code_hash(space["f"])


def test_whose_code_it_is():
    import numpy as np

    assert is_own(sys.modules[__name__])
    assert not is_own(np)
    assert not is_own(sys)
    assert not is_own(sys.modules["gbaexplore"])
    assert not is_own(sys.modules["subprocess"])
    assert not is_own(None)
