"""The agent: a persona, tools and engines, ready to take calls."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omni_agent.call import Outfit, Stages
from omni_agent.ears import PickyEars
from omni_agent.errors import ConfigError, EngineError, first_of
from omni_agent.hookspecs import EngineOptions
from omni_agent.persona import Persona
from omni_agent.registry import Registry
from omni_agent.scope import answer_of
from omni_agent.session import Observer, Session
from omni_agent.store import TranscriptStore
from omni_agent.talker import MuteTalker, PickyTalker
from omni_agent.thinker import ThinkRequest
from omni_agent.tools import Tool
from omni_agent.transport import Transport
from omni_agent.wardrobe import PersonaWardrobe

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from omni_agent.server.options import ServerOptions, Tls

log = logging.getLogger(__name__)

DEFAULT_PERSONA = "concierge"
_SERVED = frozenset({"remote", "vllm-omni"})
"""Thinkers that are servers; with a ``base_url``, any other gives way to ``remote``."""


@dataclass(frozen=True, slots=True)
class Engines:
    """Which engine provides which stage, by name; None does without voice or ears."""

    thinker: str = "local"
    talker: str | None = "local"
    ears: str | None = "local"


class Agent:
    """Takes calls as one persona (callers may choose another).

    ::

        Agent(persona="personas/concierge.md", tools=[order_status]).serve()

    persona: a name, a path or a Persona. personas: others that callers may choose, as
    names, paths, folders or Personas; None offers what lies in the persona's folder
    where it was given by name, and nothing else where it is a path or a Persona.
    tools: there for every persona.
    plugins: objects with hooks, beside the installed ones. engine: a name for
    all stages, or an Engines. With ``base_url`` an OpenAI-compatible server does
    the thinking; ``model`` is then its model's name, but a checkpoint of the engine
    that speaks where that needs one (qwen3-omni). stages: ready-made models instead of
    engines (the agent does not close them). transcripts: where calls are kept; None
    keeps nothing.

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
        engine: str | Engines = "local",
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
        engines = engine if isinstance(engine, Engines) else Engines(engine, engine, engine)
        elsewhere = base_url and engines.thinker not in _SERVED
        self.engines = replace(engines, thinker="remote") if elsewhere else engines
        self.options = EngineOptions(
            model=model, light=light, base_url=base_url, api_key=api_key, report=self._report
        )
        # A Talker with a checkpoint of its own has the one model that can be named.
        own = elsewhere and engines.talker not in (None, "local")
        self._thinker_options = replace(self.options, model=None) if own else self.options
        self._stages, self._owns_stages = stages, stages is None
        if stages is None:
            self._factories()  # a name nobody provides is an error now, not at the first call
        self._listeners: list[Callable[[str], None]] = []
        self._starting = ""
        """What is being started, in words for the user; empty when nothing is."""

    # -- life ---------------------------------------------------------------------

    @property
    def ready(self) -> bool:
        """True when calls can be held: every stage has been started and works."""
        return self._stages is not None and not self.progress

    @property
    def progress(self) -> str:
        """What calls wait for, in words for the user: a start, or a stage's being restarted."""
        if self._starting or self._stages is None:
            return self._starting
        return self._stages.trouble

    @property
    def stages(self) -> Stages:
        """The running models. Raises EngineError before ``start`` is done."""
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
        try:
            if self._stages is None:
                self._tell("starting the models")
                stages = await self._start_stages()
                try:
                    await self._take_up(stages)
                except BaseException:
                    await stages.aclose()
                    raise
                self._stages = stages
            else:
                self.wardrobe.fit(partial(self._examine, self._stages))
        finally:
            self._tell("")

    async def _take_up(self, stages: Stages) -> None:
        self.wardrobe.fit(partial(self._examine, stages))
        self._tell("reading the persona and its tools (the first time takes longer)")
        await stages.thinker.prepare(self._opening())

    @staticmethod
    def _examine(stages: Stages, outfit: Outfit) -> Sequence[str]:
        """What these stages cannot do of a persona. Raises ConfigError when it would be deaf."""
        persona, ears, talker = outfit.persona, stages.ears, stages.talker
        if isinstance(ears, PickyEars) and (why := ears.objection(persona.language)):
            raise ConfigError(f"persona {persona.name!r}: {why}")
        return talker.objections(outfit.voice) if isinstance(talker, PickyTalker) else ()

    def _factories(self) -> dict[str, Callable[[], Awaitable[Any]]]:
        """How the Thinker, the Talker and the ears (where wanted) are started."""
        engines, options = self.engines, self.options
        factories: dict[str, Callable[[], Awaitable[Any]]] = {
            "thinker": partial(self.registry.thinker(engines.thinker), self._thinker_options)
        }
        if engines.talker is not None:
            factories["talker"] = partial(self.registry.talker(engines.talker), options)
        if engines.ears is not None:
            factories["ears"] = partial(self.registry.ears(engines.ears), options)
        return factories

    async def _start_stages(self) -> Stages:
        factories, started = self._factories(), dict[str, Any]()
        async with AsyncExitStack() as running:  # stopped when another fails, or we are cancelled

            async def start(name: str) -> None:
                stage = await answer_of(factories[name]())
                running.push_async_callback(_stop, stage)
                started[name] = stage

            if self.engines.thinker in _SERVED:  # while it is not there, nothing else is worth it
                await start("thinker")
            await _together([start(name) for name in factories if name not in started])
            running.pop_all()
        talker = started.get("talker", MuteTalker())
        return Stages(started["thinker"], talker, started.get("ears"))

    def _opening(self) -> ThinkRequest:
        outfit = self.wardrobe.outfit(None)
        return ThinkRequest(outfit.persona.thinker, (), outfit.schemas, outfit.sampling)

    async def aclose(self) -> None:
        """Stop the engines."""
        if self._stages is not None and self._owns_stages:
            await self._stages.aclose()
            self._stages = None

    async def __aenter__(self) -> Agent:
        await self.start()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self.aclose()

    # -- calls ----------------------------------------------------------------------

    def session(
        self,
        transport: Transport,
        *,
        persona: str | None = None,
        call_id: str | None = None,
        caller: str = "",
        observers: Sequence[Observer] = (),
        idle_s: float = 900.0,
        max_call_s: float | None = None,
    ) -> Session:
        """A call over this line; ``await session.run()`` holds it.

        call_id: its name everywhere; None makes one. caller: whose call it is.
        """
        watching: list[Observer] = [self.registry.observe, *observers]
        if self.transcripts is not None:
            watching.append(self.transcripts.record)
        return Session(
            self.stages,
            transport,
            self.wardrobe,
            persona=persona,
            call_id=call_id,
            caller=caller,
            observers=watching,
            idle_s=idle_s,
            max_call_s=max_call_s,
        )

    def app(
        self, options: ServerOptions | None = None, *, wait_for_engine: bool = False
    ) -> Starlette:
        """An ASGI app with the call page and the Realtime endpoints.

        Run it by itself, or mount it: then the outer app's lifespan should enter
        this one's, ``app.router.lifespan_context(app)`` (examples/mounted.py); where it
        does not, the models start with the first request. wait_for_engine: as for ``serve``.
        """
        from omni_agent.serving import AgentHost, create_agent_app

        host = AgentHost(self, wait_for_engine=wait_for_engine)
        return create_agent_app(self, options, host=host)

    def _show_in_terminal(self) -> None:
        from omni_agent.cli.logs import log_to_stderr

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
        from omni_agent.serving import serve

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


async def _together(works: Iterable[Coroutine[Any, Any, None]]) -> None:
    """Run them all; the first that fails has the others cancelled, and raises its error."""
    failed: BaseExceptionGroup[BaseException] | None = None
    try:
        async with asyncio.TaskGroup() as tasks:
            for work in works:
                tasks.create_task(work)
    except BaseExceptionGroup as group:
        failed = group
    if failed is not None:  # out there, where the error has no context but its own
        raise first_of(failed)


async def _stop(stage: Any) -> None:
    try:
        await stage.aclose()
    except Exception:  # an engine is somebody else's; the other stages are stopped, too
        log.exception("%s did not stop", type(stage).__name__)
