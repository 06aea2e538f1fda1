"""The chassis' own service for tests: its interface is compiled when first imported, into a folder of the process."""

import atexit
import shutil
import sys
import tempfile
from importlib import import_module, resources
from pathlib import Path
from typing import Any

from grpc_tools import protoc

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]


def _compile() -> tuple[Any, Any]:
    target = tempfile.mkdtemp(prefix="toy-")
    atexit.register(shutil.rmtree, target, ignore_errors=True)
    well_known = resources.files("grpc_tools") / "_proto"
    includes = [f"-I{path}" for path in (HERE / "protos", ROOT / "protos", ROOT / "third_party", well_known)]
    source = str(HERE / "protos/toy/v1/toy.proto")
    status = protoc.main(["protoc", *includes, f"--python_out={target}", f"--grpc_python_out={target}", source])
    if status:
        raise RuntimeError("the toy's interface does not compile")
    sys.path.insert(0, target)
    try:
        return import_module("toy.v1.toy_pb2"), import_module("toy.v1.toy_pb2_grpc")
    finally:
        sys.path.remove(target)


toy_pb2, toy_pb2_grpc = _compile()
