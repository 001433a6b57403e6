"""The agent: a persona, tools and engines, ready to take calls."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_agent.call.request import CallRequest
from omni_agent.call.session import Observer, Session
from omni_agent.engine import StageOptions
from omni_agent.errors import EngineError
from omni_agent.line import Line
from omni_agent.persona import BY_WORDS, Persona
from omni_agent.records.transcripts import TranscriptStore
from omni_agent.registry.engines import Lineup, choices
from omni_agent.registry.fitting import objections
from omni_agent.registry.registry import Registry
from omni_agent.registry.starting import start_stages
from omni_agent.registry.wardrobe import PersonaWardrobe
from omni_agent.runtime.scope import answer_of
from omni_agent.stages import Engines, Stages
from omni_agent.thinker import ThinkRequest
from omni_agent.tools.tool import Tool
from omni_agent.transport import Transport

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from omni_agent.server.options import ServerOptions, Tls

log = logging.getLogger(__name__)

DEFAULT_PERSONA = "concierge"


class Agent:
    """Takes calls as one persona (callers may choose another).

    ::

        Agent(persona="personas/concierge.md", tools=[order_status]).serve()

    persona: a name, a path or a Persona. personas: others that callers may choose, as
    names, paths, folders or Personas; None offers what lies in the persona's folder
    where it was given by name, and nothing else where it is a path or a Persona.
    tools: there for every persona.
    plugins: objects with hooks, beside the installed ones. transcripts: where calls are kept;
    None keeps nothing.

    thinker, talker, ears: an engine's name, or StageOptions; None is what is said for all:
    engine: a name, or an Engines; empty takes what is there. model: of the Thinker, and of a
    Talker that has one. light: the smaller models. base_url, api_key: an OpenAI-compatible
    server does the thinking; ``model`` is then its model's name, but a checkpoint of the
    engine that speaks where that needs one. stages: ready-made models instead of engines (the
    agent does not close them; as many calls as the server allows are taken).

    Raises OmniAgentError subclasses that say what is wrong with the persona,
    the plugins or the options.
    """

    def __init__(
        self,
        persona: str | Path | Persona = DEFAULT_PERSONA,
        *,
        personas: Sequence[str | Path | Persona] | None = None,
        tools: Sequence[Tool] = (),
        plugins: Iterable[Any] = (),
        engine: str | Engines = "",
        thinker: str | StageOptions | None = None,
        talker: str | StageOptions | None = None,
        ears: str | StageOptions | None = None,
        model: str | None = None,
        light: bool = False,
        base_url: str | None = None,
        api_key: str | None = None,
        stages: Stages | None = None,
        transcripts: TranscriptStore | None = None,
    ) -> None:
        self.registry = Registry(plugins)
        self.wardrobe = PersonaWardrobe(self.registry, persona, tools, personas)
        self.transcripts = transcripts
        all_of_it = StageOptions(
            model=model, light=light, base_url=base_url, api_key=api_key, report=self._report
        )
        asked = choices(engine, thinker=thinker, talker=talker, ears=ears)
        # What nobody provides is an error now, not at the first call.
        self.lineup = Lineup() if stages else self.registry.engines.lineup(asked, all_of_it)
        self._stages, self._owns_stages = stages, stages is None
        self._listeners: list[Callable[[str], None]] = []
        self._starting = ""
        """What is being started, in words for the user; empty when nothing is."""
        self._told = False
        """Whether plugins may have opened something, which they are to close."""

    # -- life ---------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """True when calls can be held: every stage has been started and works."""
        return self._stages is not None and not self.progress

    @property
    def lines(self) -> Sequence[Line]:
        """How users can reach it: the lines that plugins bring."""
        return self.registry.lines()

    @property
    def progress(self) -> str:
        """What calls wait for, in words for the user: a start, or a stage's being restarted."""
        if self._starting or self._stages is None:
            return self._starting
        return self._stages.trouble

    @property
    def stages(self) -> Stages:
        """The running models. Raises EngineError before ``start`` has them."""
        if self._stages is None:
            raise EngineError("the agent has not been started")
        return self._stages

    def on_progress(self, listener: Callable[[str], None]) -> None:
        """``listener(line)`` is told what is being started; an empty line is the end."""
        self._listeners.append(listener)

    def _report(self, line: str) -> None:
        """Heard from engines while they start; what they do later is for one call or for none."""
        if not self._starting:
            log.info("%s", line)
        elif line:
            self._tell(line)

    def _tell(self, line: str) -> None:
        self._starting = line
        for listener in self._listeners:
            listener(line)

    async def start(self) -> None:
        """Start the engines, all at once but for a server that thinks, which is asked first.

        Raises what an engine raises, as soon as it does; then nothing runs.
        """
        if self._told:
            return
        try:
            try:
                await self._begin()
            finally:
                self._tell("")
            await self.registry.started(self)  # calls are taken meanwhile
        except BaseException:
            await self.aclose()
            raise

    async def _begin(self) -> None:
        if self._stages is None:
            self._tell("starting the models")
            ends = self._turn_ends()
            self._stages = await start_stages(self.registry.engines, self.lineup, ends)
        self._told = True
        await self._dress(self._stages)
        if self._owns_stages:
            self._tell("reading the persona and its tools (the first time takes longer)")
            await answer_of(self._stages.thinker.prepare(self._opening()))

    async def _dress(self, stages: Stages) -> None:
        """See that personas have their tools, and that nothing is wrong with any."""
        if self.registry.connects:
            self._tell("connecting to tools")
            await self.registry.connect(self.wardrobe.known())
            self.wardrobe.renew()
        self.wardrobe.fit(partial(objections, stages))

    def _turn_ends(self) -> dict[str, StageOptions]:
        """The learned ends of turn that personas ask for; where there are ears to hear with."""
        known = self.wardrobe.known() if "ears" in self.lineup.roles else ()
        names = {persona.turn.end for persona in known} - {BY_WORDS}
        return {name: StageOptions(name, report=self._report) for name in sorted(names)}

    def _opening(self) -> ThinkRequest:
        outfit = self.wardrobe.outfit(None)
        return ThinkRequest(outfit.persona.thinker, (), outfit.schemas, outfit.sampling)

    async def aclose(self) -> None:
        """Stop the engines, also where this is cancelled while plugins are told."""
        async with AsyncExitStack() as closing:  # in reverse order
            closing.push_async_callback(self._stop_models)
            closing.push_async_callback(self.registry.aclose)
            if self._told:
                self._told = False
                await self.registry.stopping(self)

    async def _stop_models(self) -> None:
        if self._stages is not None and self._owns_stages:
            stages, self._stages = self._stages, None
            await stages.aclose()

    async def __aenter__(self) -> Agent:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    # -- calls ----------------------------------------------------------------------

    def session(
        self,
        transport: Transport,
        request: CallRequest | None = None,
        *,
        observers: Sequence[Observer] = (),
    ) -> Session:
        """A call over this line; ``await session.run()`` holds it.

        request: which persona is called, by whom, and how; None is the default persona's call, of
        nobody known. observers: told of every event. Raises as Session does.
        """
        request = request or CallRequest()
        transport = self.registry.wrapped(transport, request.session_id, request.caller)
        watching: list[Observer] = [self.registry.observe, *observers]
        if self.transcripts is not None:
            watching.append(self.transcripts.record)
        return Session(
            self.stages,
            transport,
            self.wardrobe,
            request,
            counsel=self.registry,
            observers=watching,
        )

    def app(
        self, options: ServerOptions | None = None, *, wait_for_engine: bool = False
    ) -> Starlette:
        """An ASGI app with the call page and the Realtime endpoints.

        Run it by itself, or mount it: then the outer app's lifespan should enter
        this one's, ``app.router.lifespan_context(app)`` (examples/mounted.py); where it
        does not, the models start with the first request. wait_for_engine: as for ``serve``.
        """
        from omni_agent.server.agent_host import AgentHost
        from omni_agent.server.serving import create_agent_app

        host = AgentHost(self, wait_for_engine=wait_for_engine)
        return create_agent_app(self, options, host=host)

    def _show_in_terminal(self) -> None:
        from omni_agent.runtime.logs import log_to_stderr

        if not logging.getLogger().handlers:  # an application that logs goes on as it does
            log_to_stderr(0)
        self.on_progress(lambda line: _print(line or ("ready: press Call" if self.ready else "")))

    def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 7860,
        *,
        options: ServerOptions | None = None,
        tls: Tls | None = None,
        wait_for_engine: bool = False,
        announce: Callable[[str], None] | None = None,
    ) -> None:
        """Serve the call page until Ctrl-C, then return; SIGTERM raises SystemExit.

        announce: told the URL; None shows it, what is being started, warnings and the calls, as
        ``omni-agent serve`` does. tls: to serve HTTPS.
        wait_for_engine: keep trying, and say so on the page, while a server that may come up
        is not there.

        Raises OmniAgentError when the agent cannot start, ConfigError among them when the
        port cannot be had.
        """
        from omni_agent.server.options import ServerOptions
        from omni_agent.server.serving import serve

        if announce is None:
            self._show_in_terminal()
        with suppress(KeyboardInterrupt):
            serve(
                self,
                host,
                port,
                options or ServerOptions(),
                announce or _print,
                tls=tls,
                wait_for_engine=wait_for_engine,
            )


def _print(line: str) -> None:
    print(line, flush=True)
