"""Starting and stopping a server."""

from __future__ import annotations

import asyncio
import re
import signal
import socket
import ssl
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from omni_agent import Agent, Persona
from omni_agent.errors import ConfigError, EngineError, EngineUnavailable
from omni_agent.server import serving
from omni_agent.server.agent_host import AgentHost
from omni_agent.server.limits import Limits
from omni_agent.server.options import Network, ServerOptions, Tls
from omni_agent.server.serving import create_agent_app, fitted
from omni_agent.stages import Stages
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker, virtual_time
from tests.certificates import self_signed

PERSONA = Persona(name="Test", fillers=())


class Late(Agent):
    """An agent whose engine is not there at first."""

    def __init__(self, *errors: Exception) -> None:
        stages = Stages(ScriptedThinker(), ScriptedTalker(), ScriptedEars())
        super().__init__(PERSONA, stages=stages)
        self.attempts: list[float] = []
        self._errors, self._up = list(errors), False

    @property
    def ready(self) -> bool:
        return self._up

    async def start(self) -> None:
        self.attempts.append(asyncio.get_running_loop().time())
        if self._errors:
            raise self._errors.pop(0)
        self._up = True


def away(times: int) -> list[EngineUnavailable]:
    return [EngineUnavailable("nobody answers at :8000", may_recover=True) for _ in range(times)]


@virtual_time
async def test_a_server_that_waits_tries_again_less_and_less_often_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = Late(*away(8))
    host = AgentHost(agent, wait_for_engine=True)
    starting = asyncio.create_task(host.start())
    await asyncio.sleep(0.5)
    assert host.readiness.progress == f"waiting: {EngineUnavailable.public}"
    assert (host.readiness.ready, host.readiness.failed) == (False, False)
    await starting
    assert host.readiness.ready
    pauses = [round(b - a) for a, b in zip(agent.attempts, agent.attempts[1:], strict=False)]
    assert pauses == [1, 2, 4, 8, 16, 30, 30, 30]
    assert caplog.text.count("nobody answers at :8000") == 1


@pytest.mark.parametrize(
    ("wait", "error"),
    [
        (False, EngineUnavailable("not up", may_recover=True)),
        (True, EngineUnavailable("no such model")),
        (True, ConfigError("a typo")),
    ],
)
@virtual_time
async def test_what_waiting_cannot_help_ends_the_start(wait: bool, error: Exception) -> None:
    told: list[bool] = []
    agent = Late(error)
    host = AgentHost(agent, wait_for_engine=wait, on_failure=lambda: told.append(True))
    await host.start()
    assert host.failure is error
    assert (len(agent.attempts), told) == (1, [True])


@virtual_time
async def test_a_start_that_succeeds_makes_up_for_one_that_failed() -> None:
    """The app's lifespan may be entered again."""
    host = AgentHost(Late(EngineUnavailable("not up")))
    await host.start()
    assert host.readiness.failed
    await host.start()
    assert (host.readiness.ready, host.readiness.failed) == (True, False)
    assert host.failure is None


def test_an_ipv6_address_is_told_as_urls_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on \[2001:db8::1\]:80"):
        serving.bind("2001:db8::1", 80)
    monkeypatch.setattr(serving, "bind", lambda host, port: socket.create_server(("", 0)))
    told: list[str] = []
    with pytest.raises(EngineError):
        Late(EngineUnavailable("x")).serve(host="2001:db8::1", port=0, announce=told.append)
    assert re.fullmatch(r"http://\[2001:db8::1\]:\d+/", told[0])


@pytest.mark.parametrize("error", [EngineUnavailable("no such model"), RuntimeError("a bug")])
def test_a_server_whose_agent_cannot_start_ends_with_the_reason(error: Exception) -> None:
    with pytest.raises(EngineError, match=r"no such model|a bug"):
        Late(error).serve(port=0, announce=lambda url: None)


def test_what_is_missing_for_calls_is_said_before_anything_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "omni_agent_webrtc.desk", None)
    agent = Late()
    with pytest.raises(Exception, match=r"\[webrtc\]"):
        agent.serve(port=0, announce=lambda url: None)
    assert not agent.attempts


async def test_an_app_mounted_without_its_lifespan_starts_with_the_first_request_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    app = create_agent_app(Late())
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        async with asyncio.timeout(20):
            while (await client.get("/healthz")).json()["status"] != "ready":  # noqa: ASYNC110
                await asyncio.sleep(0)  # nobody is told
    assert caplog.text.count("examples/mounted.py") == 1
    await app.state.calls.aclose()


async def test_callers_see_what_failed_inside_in_development_only() -> None:
    for dev, shown in ((True, "key of :8000"), (False, EngineUnavailable.public)):
        host = AgentHost(Late(EngineUnavailable("the key of :8000 is wrong")))
        app = create_agent_app(host._agent, ServerOptions(dev=dev), host=host)
        await host.start()
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            assert shown in (await client.get("/healthz")).json()["progress"]


@pytest.mark.parametrize(("bearable", "calls"), [(4, 4), (128, 16), (None, 16)])
def test_there_are_as_many_lines_as_the_engines_bear(bearable: int | None, calls: int) -> None:
    network = Network(udp_ports=(40_000, 40_100))
    assert fitted(ServerOptions(network=network), bearable).limits.calls == calls
    assert fitted(ServerOptions(limits=Limits(calls=3)), bearable).limits.calls == 3


# -- a process ------------------------------------------------------------------------------

SCRIPT = """
from pathlib import Path
import signal
from omni_agent import Agent, Persona
from omni_agent.stages import Stages
from omni_agent.server import serving
from omni_agent.server.options import Tls
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker

stages = Stages(ScriptedThinker(), ScriptedTalker(), ScriptedEars())
agent = Agent(Persona(name="Test"), stages=stages)
# A test run in a shell's background inherits that it is ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
{more}
try:
    agent.serve(port=0, tls={tls})
finally:
    print("closed", flush=True)
"""


@contextmanager
def served(*, more: str = "", tls: str = "None") -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A server in a process of its own, and its URL."""
    script = textwrap.dedent(SCRIPT).format(more=more, tls=tls)
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.communicate()


def get(url: str, context: ssl.SSLContext | bool = True) -> httpx.Response:
    transport = httpx.HTTPTransport(retries=5, verify=context)
    with httpx.Client(transport=transport) as client:
        return client.get(f"{url}healthz", timeout=20)


def test_a_program_of_a_developer_s_own_says_what_the_command_says() -> None:
    with served() as (process, _):
        assert process.stdout is not None
        while (line := process.stdout.readline().strip()) and "ready" not in line:
            pass
        assert line == "ready: press Call"


@pytest.mark.parametrize("early", [True, False], ids=["while it starts", "when it is ready"])
def test_ctrl_c_ends_a_server_and_the_program_goes_on_without_a_word(early: bool) -> None:
    with served() as (process, url):
        if not early:
            get(url)
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
        assert out.splitlines()[-1] == "closed"
        assert "Traceback" not in err
        assert process.returncode == 0


def test_sigterm_ends_a_server_as_gracefully_as_an_exit() -> None:
    with served() as (process, url):
        assert get(url).status_code in (200, 503)
        process.terminate()
        out, _ = process.communicate(timeout=20)
        assert out.splitlines()[-1] == "closed"
        assert process.returncode == 0


def test_a_server_that_something_holds_ends_all_the_same() -> None:
    more = (
        "serving.STOP_S = 0.3\n"
        "async def hold():\n"
        "    import time; time.sleep(60)\n"
        "agent.aclose = hold\n"
    )
    with served(more=more) as (process, url):
        get(url)
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 1


def test_a_server_ends_also_where_nobody_reads_what_it_says() -> None:
    """Standard error is a full pipe, whoever writes to it waits, and whoever logs for that one."""
    more = (
        "serving.STOP_S, serving.TELL_S = 0.5, 0.1\n"
        "import logging, threading, time\n"
        "logging.basicConfig()\n"
        "def chatter():\n"
        "    while True: logging.error('x' * 4096)\n"
        "async def hold():\n"
        "    threading.Thread(target=chatter, daemon=True).start()\n"
        "    time.sleep(60)\n"
        "agent.aclose = hold\n"
    )
    with served(more=more) as (process, url):
        get(url)
        process.terminate()
        assert process.wait(timeout=20) == 1


def test_a_server_ends_also_where_c_code_lets_no_thread_run() -> None:
    more = (
        "serving.STOP_S, serving.TELL_S = 0.3, 0.1\n"
        "async def hold():\n"
        "    import re; re.match('(a+)+b', 'a' * 60)\n"
        "agent.aclose = hold\n"
    )
    with served(more=more) as (process, url):
        get(url)
        process.terminate()
        assert process.wait(timeout=20) == 1


def test_half_a_request_is_no_traceback_when_the_server_stops() -> None:
    more = (
        "import logging; logging.basicConfig()\n"
        "configured = serving.uvicorn.Config\n"
        "at_once = {'timeout_graceful_shutdown': 0}\n"
        "serving.uvicorn.Config = lambda *a, **k: configured(*a, **k | at_once)\n"
    )
    with served(more=more) as (process, url):
        get(url)
        address = httpx.URL(url)
        with socket.create_connection(("127.0.0.1", address.port or 0)) as half:
            head = f"POST /v1/realtime/calls HTTP/1.1\r\nHost: localhost:{address.port}\r\n"
            half.sendall(f"{head}Content-Type: application/sdp\r\n".encode())
            half.sendall(b"Content-Length: 1000\r\nExpect: 100-continue\r\n\r\n")
            assert b"100 Continue" in half.recv(1000)  # it is read, and waited for
            process.terminate()
            _, err = process.communicate(timeout=20)
        assert process.returncode == 0
        assert "Cancel 1 running task" in err
        assert "Traceback" not in err


LEAKS = {
    "thread": "threading.Thread(target=time.sleep, args=(60,)).start()",
    "pool": "concurrent.futures.ThreadPoolExecutor(1).submit(time.sleep, 60)",
    "atexit": "atexit.register(time.sleep, 60)",
}
COMMAND = """
import atexit, concurrent.futures, sys, threading, time
from omni_agent import Agent, Persona
from omni_agent.server import serving
from omni_agent.stages import Stages
from omni_agent.cli import main, serve
from omni_agent.testing import ScriptedEars, ScriptedTalker, ScriptedThinker

serving.STOP_S, serving.TELL_S = 2.0, 60.0
stages = Stages(ScriptedThinker(), ScriptedTalker(), ScriptedEars())
agent = Agent(Persona(name="Test"), stages=stages)
sys.modules["omni_agent.cli.serve"].make_agent = lambda *a, **k: agent
LEAK
main()
"""


@pytest.mark.parametrize("leak", LEAKS)
def test_the_command_ends_whatever_plugins_left_running(leak: str) -> None:
    command = COMMAND.replace("LEAK", LEAKS[leak])
    arguments = ["serve", "--port", "0", "--no-transcripts"]
    process = subprocess.Popen(
        [sys.executable, "-c", command, *arguments], stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    try:
        url = next(line.strip() for line in process.stderr if "http://" in line)
        get(url)
        process.terminate()
        _, err = process.communicate(timeout=20)
        assert process.returncode == 1
        assert "still held the process" in err
    finally:
        process.kill()


def test_with_a_certificate_the_server_speaks_https(tmp_path: Path) -> None:
    cert, key = self_signed(tmp_path)
    trusting = ssl.create_default_context(cafile=str(cert))
    with served(tls=f"Tls(Path({str(cert)!r}), Path({str(key)!r}))") as (_, url):
        assert url.startswith("https://localhost:")
        assert get(url, trusting).status_code in (200, 503)


def test_a_key_that_is_not_the_certificate_s_is_refused(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    cert, _ = self_signed(tmp_path)
    _, key = self_signed(tmp_path / "other")
    with pytest.raises(ConfigError, match="--tls-cert"):
        Tls(cert, key)
