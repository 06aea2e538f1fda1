"""A service of every shape that the edge has to carry, behind the real chassis chain; compiled when first imported."""

import asyncio
import atexit
import shutil
import sys
import tempfile
from importlib import import_module, resources
from pathlib import Path

from grpc_tools import protoc

from chassis.errors import Fault, FieldViolation, Kind
from chassis.identity import caller
from chassis.request import current_request
from chassis.server import App

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
NAME = "iocedu.parrot.v1.ParrotService"


def _compile():
    target = Path(tempfile.mkdtemp(prefix="parrot-"))
    atexit.register(shutil.rmtree, target, ignore_errors=True)
    well_known = resources.files("grpc_tools") / "_proto"
    includes = [f"-I{path}" for path in (HERE / "protos", ROOT / "protos", ROOT / "third_party", well_known)]
    source = str(HERE / "protos/iocedu/parrot/v1/parrot.proto")
    image = target / "descriptors.binpb"
    every = [source, "google/rpc/error_details.proto", "google/rpc/status.proto"]
    code = ["protoc", *includes, f"--python_out={target}", f"--grpc_python_out={target}", source]
    described = ["protoc", *includes, f"--descriptor_set_out={image}", "--include_imports", "--include_source_info"]
    if protoc.main(code) or protoc.main([*described, *every]):
        raise RuntimeError("the parrot's interface does not compile")
    # `iocedu` spans several folders: a new one is seen once its search path is made anew.
    sys.path.insert(0, str(target))
    try:
        package = "iocedu.parrot.v1.parrot_pb2"
        return import_module(package), import_module(f"{package}_grpc"), image
    finally:
        sys.path.remove(str(target))


parrot_pb2, parrot_pb2_grpc, DESCRIPTORS = _compile()


class Parrot(parrot_pb2_grpc.ParrotServiceServicer):  # type: ignore[name-defined,misc]  # made at run time
    """Repeats; `refuse` is refused, `gone` is unavailable until asked again, `slow` takes long."""

    def __init__(self) -> None:
        self.heard: list[str] = []

    async def Say(self, request, context):
        """Answers."""
        self.heard.append(request.word)
        if request.word == "refuse":
            raise Fault(
                Kind.PRECONDITION,
                "NOT_NOW",
                vi="Chưa thể nói lúc này.",
                en="Not now.",
                metadata={"word": request.word},
                violations=[FieldViolation("word", "NOT_NOW", "chưa được", "not yet")],
            )
        if request.word == "slow":
            await asyncio.sleep(30)
        if request.word == "gone" and self.heard.count("gone") < 3:
            raise Fault(Kind.UNAVAILABLE, "UNAVAILABLE", vi="Không có.", en="Gone.")
        return self._answer(request)

    async def Tell(self, request, context):
        """Takes."""
        self.heard.append(request.word)
        if request.word == "gone":
            raise Fault(Kind.UNAVAILABLE, "UNAVAILABLE", vi="Không có.", en="Gone.")
        return self._answer(request)

    async def Hear(self, request_iterator, context):
        """Counts."""
        size, parts, word, content_type = 0, 0, "", ""
        async for part in request_iterator:
            size, parts = size + len(part.content.data), parts + 1
            word = word or part.about.word
            content_type = content_type or part.content.content_type
        return parrot_pb2.HearResponse(bytes=size, parts=parts, word=word, content_type=content_type)

    async def Watch(self, request, context):
        """Repeats, the last but after a while."""
        for time in range(request.times):
            yield parrot_pb2.WatchResponse(item=parrot_pb2.SayResponse(word=request.perch, times=time))
        await asyncio.sleep(0.5)
        yield parrot_pb2.WatchResponse(end={"position": str(request.times)})

    async def Talk(self, request_iterator, context):
        """Repeats."""
        async for request in request_iterator:
            yield self._answer(request)

    async def Whisper(self, request, context):
        """Is never reached from outside."""
        return self._answer(request)

    def _answer(self, request):
        who, running = caller(), current_request()
        return parrot_pb2.SayResponse(
            said_on=request.perch,
            word=request.word[:1000],
            times=request.times,
            subject=who.subject,
            calling_service=who.service or "",
            seconds_left=(running.seconds_left() or 0) if running else 0,
        )


def parrot_app(servicer: Parrot) -> App:
    """The parrot assembled."""
    return App(servicers=[(parrot_pb2_grpc.add_ParrotServiceServicer_to_server, servicer)], service_names=[NAME])
