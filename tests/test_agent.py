"""The agent as a whole: what it starts, what it says when it cannot."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from omni_agent import Agent, Engine, Persona, StageOptions, events, hookimpl, tool
from omni_agent.call.session import Session
from omni_agent.conversation import Message
from omni_agent.engine import Start
from omni_agent.errors import ConfigError, EngineError, EngineUnavailable
from omni_agent.lines.in_process import InProcessTransport
from omni_agent.persona import TurnTaking
from omni_agent.records.database import Records
from omni_agent.records.transcripts import TranscriptStore
from omni_agent.server.agent_host import AgentHost
from omni_agent.server.host import Readiness
from omni_agent.server.serving import bind
from omni_agent.stages import Engines, Stages
from omni_agent.talker import Voice
from omni_agent.testing import (
    Rehearsal,
    ScriptedEars,
    ScriptedTalker,
    ScriptedThinker,
    ScriptedTurnEnd,
    virtual_time,
)
from omni_agent.thinker import Features, Thinker, ThinkRequest

PERSONA = Persona(name="Test", greeting="Hello.", fillers=(), thinker="Be brief.")


def scripted(thinker: ScriptedThinker | None = None) -> Stages:
    return Stages(thinker or ScriptedThinker(), ScriptedTalker(), ScriptedEars())


class Studio:
    """An engine plugin that starts scripted models and counts those that are running."""

    def __init__(self, failing: str = "") -> None:
        self.failing, self.running = failing, 0

    def _factory(self, stage: str, make: Callable[[], Any]) -> Start[Any]:
        async def start(options: StageOptions) -> Any:
            options.report(f"starting the {stage}")
            if stage == self.failing:
                raise EngineUnavailable(f"no {stage} on this machine")
            model = make()
            self.running += 1

            async def close() -> None:
                self.running -= 1

            model.aclose = close
            return model

        return start

    @hookimpl
    def register_engines(self) -> Sequence[Engine]:
        return [Engine("studio", takes={"talker": ("model",)}, **self.factories())]

    def factories(self) -> dict[str, Any]:
        return {
            "thinker": self._factory("thinker", ScriptedThinker),
            "talker": self._factory("talker", ScriptedTalker),
            "ears": self._factory("ears", ScriptedEars),
        }


@virtual_time
async def test_engines_start_together_prepare_the_persona_and_stop_with_the_agent() -> None:
    studio, lines = Studio(), []
    agent = Agent(PERSONA, plugins=[studio], engine="studio")
    agent.on_progress(lines.append)
    assert not agent.ready
    async with agent:
        assert agent.ready
        assert studio.running == 3
        assert isinstance(agent.stages.thinker, ScriptedThinker)
        assert agent.stages.thinker.prepared[0].instructions == "Be brief."
    assert studio.running == 0
    assert "starting the ears" in lines
    assert lines[-1] == ""


class HalfStudio(Studio):
    """Its Talker never comes to be; its Thinker does not stop properly."""

    def factories(self) -> dict[str, Any]:
        whole = super().factories()
        factory = whole["thinker"]

        async def start(options: StageOptions) -> Any:
            model = await factory(options)
            close = model.aclose

            async def stop_badly() -> None:
                await close()
                raise RuntimeError("stuck")

            model.aclose = stop_badly
            return model

        async def never(options: StageOptions) -> Any:
            await asyncio.Event().wait()

        return whole | {"thinker": start, "talker": never}


@virtual_time
async def test_plugins_know_when_an_agent_starts_and_stops_and_hold_no_call_up() -> None:
    told: list[tuple[str, Any, int]] = []
    release = asyncio.Event()
    studio = Studio()

    class Opens:
        @hookimpl
        async def agent_started(self, agent: Agent) -> None:
            await release.wait()
            told.append(("started", agent, studio.running))

        @hookimpl
        def agent_stopping(self, agent: Agent) -> None:
            told.append(("stopping", agent, studio.running))

    agent = Agent(PERSONA, engine="studio", plugins=[studio, Opens()])
    starting, ready = asyncio.create_task(agent.start()), asyncio.Event()
    agent.on_progress(lambda line: ready.set() if agent.ready else None)
    await ready.wait()
    assert not starting.done()  # calls are taken already
    release.set()
    await starting
    await agent.start()
    await agent.aclose()
    await agent.aclose()
    assert told == [("started", agent, 3), ("stopping", agent, 3)]
    assert studio.running == 0


class Leaves:
    """Takes for ever to say goodbye, or to say hello."""

    def __init__(self, *, at_once: bool = True) -> None:
        self.at_once, self.asked = at_once, asyncio.Event()

    @hookimpl
    async def agent_started(self) -> None:
        await self._linger() if not self.at_once else None

    @hookimpl
    async def agent_stopping(self) -> None:
        await self._linger() if self.at_once else None

    async def _linger(self) -> None:
        self.asked.set()
        await asyncio.Event().wait()


@virtual_time
async def test_a_stop_that_is_cancelled_while_plugins_are_told_stops_the_engines_all_the_same() -> (
    None
):
    studio, plugin = Studio(), Leaves()
    agent = Agent(PERSONA, engine="studio", plugins=[studio, plugin])
    await agent.start()
    stopping = asyncio.ensure_future(agent.aclose())
    await plugin.asked.wait()
    stopping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await stopping
    assert studio.running == 0


@virtual_time
async def test_a_start_that_is_cancelled_while_plugins_are_told_leaves_no_engine_running() -> None:
    studio, plugin = Studio(), Leaves(at_once=False)
    agent = Agent(PERSONA, engine="studio", plugins=[studio, plugin])
    starting = asyncio.ensure_future(agent.start())
    await plugin.asked.wait()
    assert studio.running == 3
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert studio.running == 0


@virtual_time
async def test_a_start_that_is_cancelled_leaves_no_engine_running() -> None:
    studio = HalfStudio()
    agent = Agent(PERSONA, plugins=[studio], engine="studio")
    starting = asyncio.ensure_future(agent.start())
    await asyncio.sleep(1)
    assert studio.running == 2
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert studio.running == 0
    assert not agent.ready


class Chatty(ScriptedThinker):
    """A Thinker that reports whatever it reads, as engines may, and never says that it is done."""

    def __init__(self, options: StageOptions) -> None:
        super().__init__(["One."], ["Two."], ["Three."])
        self._options = options

    async def prepare(self, request: ThinkRequest) -> Features | None:
        self._options.report("reading the persona and its tools (once)")
        return await super().prepare(request)


class ChattyStudio(Studio):
    def factories(self) -> dict[str, Any]:
        async def start(options: StageOptions) -> Thinker:
            return Chatty(options)

        return super().factories() | {"thinker": start}


@virtual_time
async def test_what_an_engine_reads_for_one_call_locks_nobody_out(tmp_path: Path) -> None:
    path = tmp_path / "guide.md"
    path.write_text("---\nname: Guide\nfillers: []\n---\nBe a guide.")
    lines: list[str] = []
    agent = Agent(path, plugins=[ChattyStudio()], engine="studio")
    agent.on_progress(lines.append)
    async with agent, asyncio.TaskGroup() as tasks:
        line, ears = InProcessTransport(), agent.stages.ears
        assert isinstance(ears, ScriptedEars)
        session = agent.session(line)
        tasks.create_task(session.run())
        stage = Rehearsal(session, line, ears)
        for prompt in ("Be a grumpy guide.", "Be a kind guide."):
            path.write_text(f"---\nname: Guide\nfillers: []\n---\n{prompt}")
            await stage.user("Say something nice.")
            await stage.agent()
            assert (agent.ready, agent.progress) == (True, "")
        line.hang_up()
    assert lines[-1] == ""


class Shaky(ScriptedTalker):
    trouble = ""


@virtual_time
async def test_a_stage_that_is_being_restarted_is_named_until_it_works_again() -> None:
    talker = Shaky()
    agent = Agent(PERSONA, stages=Stages(ScriptedThinker(), talker, ScriptedEars()))
    host = AgentHost(agent)
    await host.start()
    assert host.readiness == Readiness(True)
    talker.trouble = "voice: the model process died; it is being restarted"
    assert host.readiness == Readiness(False, talker.trouble)
    talker.trouble = ""
    assert host.readiness == Readiness(True)


def test_callers_may_name_a_persona_by_its_file_and_are_told_the_name_that_is_shown(
    tmp_path: Path,
) -> None:
    (tmp_path / "doctor.md").write_text("---\nname: Doctor Who\n---\nYou heal.")
    (tmp_path / "robin.md").write_text("---\nname: Robin\n---\nHi.")
    stages = Stages(ScriptedThinker(), ScriptedTalker(), ScriptedEars())
    host = AgentHost(Agent(tmp_path / "robin.md", personas=[tmp_path / "doctor.md"], stages=stages))
    assert [*map(host.shown_name, ("doctor", "DOCTOR", "doctor who"))] == ["Doctor Who"] * 3
    assert host.shown_name("concierge") == "concierge"  # not offered: left as it is


class English(ScriptedEars):
    def objection(self, language: str) -> str:
        return "" if language.startswith("en") else f"deaf to {language!r}, write en"


class Choir(ScriptedTalker):
    def objections(self, voice: Voice) -> Sequence[str]:
        return () if voice.speaker in ("ann", "bob") else (f"no voice {voice.speaker!r}: take ann",)


def choir() -> Stages:
    return Stages(ScriptedThinker(), Choir(), English())


async def test_a_persona_in_a_language_the_ears_do_not_know_is_an_error_at_the_start() -> None:
    deaf = Persona(name="Test", language="tlh")
    with pytest.raises(ConfigError, match=r"persona 'Test': deaf to 'tlh', write en"):
        await Agent(deaf, stages=choir()).start()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where personas are looked for."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        "omni_agent.personas.files.folders", lambda search=(): [tmp_path / "personas"]
    )
    (tmp_path / "personas").mkdir()
    return tmp_path / "personas"


def write(folder: Path, name: str, *lines: str) -> None:
    (folder / f"{name}.md").write_text("\n".join(["---", f"name: {name}", *lines, "---", "Hi."]))


async def test_what_a_persona_goes_without_is_said_once_when_it_is_loaded(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(folder, "one", "voice: zoe")
    write(folder, "two", "voice: bob")
    write(folder, "three", "language: tlh")
    agent = Agent("one", stages=choir())
    await agent.start()
    assert [record.message for record in caplog.records] == [
        "persona 'one': no voice 'zoe': take ann"
    ]
    for _ in range(2):
        assert [persona.name for persona in agent.wardrobe.known()] == ["one", "two"]
        agent.wardrobe.outfit("one")
    assert [record.message for record in caplog.records][1:] == [
        "persona 'three': deaf to 'tlh', write en"
    ]


async def test_numbers_without_words_in_the_persona_s_language_are_told(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name, language in (("one", "de-AT"), ("two", "sv")):
        write(folder, name, "voice: bob", f"language: {language}", "speech:", "  numbers: words")
    agent = Agent("one", stages=Stages(ScriptedThinker(), Choir(), ScriptedEars()))
    await agent.start()
    assert [persona.name for persona in agent.wardrobe.known()] == ["one", "two"]
    (told,) = [record.message for record in caplog.records]
    assert "numbers have no words in 'sv': they are spoken as written" in told
    assert "'sv' has no words for taking turns" in told


async def test_a_persona_that_was_looked_at_before_the_ears_were_there_is_examined_too(
    folder: Path,
) -> None:
    write(folder, "one", "voice: bob")
    write(folder, "two", "language: tlh")
    agent = Agent("one", stages=choir())
    assert len(agent.wardrobe.known()) == 2
    await agent.start()
    assert [persona.name for persona in agent.wardrobe.known()] == ["one"]
    with pytest.raises(ConfigError):
        agent.wardrobe.outfit("two")


async def test_an_edit_that_would_make_a_persona_deaf_is_a_problem_and_not_taken_up(
    folder: Path,
) -> None:
    write(folder, "one", "voice: bob", "language: en")
    agent = Agent("one", stages=choir())
    await agent.start()
    write(folder, "one", "voice: bob", "language: tlh")
    assert agent.wardrobe.outfit(None).persona.language == "en"
    (problem,) = agent.wardrobe.problems()
    assert str(problem).endswith("one.md: persona 'one': deaf to 'tlh', write en")


class Illiterate(ScriptedThinker):
    async def prepare(self, request: ThinkRequest) -> Features | None:
        raise EngineError("this persona is too long for the model")


def test_a_persona_that_cannot_be_read_stops_what_was_started() -> None:
    class School(Studio):
        def factories(self) -> dict[str, Any]:
            return super().factories() | {"thinker": self._factory("thinker", Illiterate)}

    studio = School()
    agent = Agent(PERSONA, plugins=[studio], engine="studio")
    with pytest.raises(EngineError, match="too long for the model"):
        asyncio.run(agent.start())
    assert studio.running == 0
    assert (agent.ready, agent.progress) == (False, "")


@pytest.mark.parametrize("stage", ["thinker", "talker", "ears"])
def test_one_engine_that_cannot_start_stops_the_others(stage: str) -> None:
    studio = Studio(failing=stage)
    agent = Agent(PERSONA, plugins=[studio], engine="studio")
    with pytest.raises(EngineUnavailable, match=f"no {stage} on this machine"):
        asyncio.run(agent.start())
    assert studio.running == 0
    assert not agent.ready


@virtual_time
async def test_an_agent_without_voice_and_ears_can_be_typed_to() -> None:
    agent = Agent(PERSONA, plugins=[Studio()], engine=Engines("studio", None, None))
    async with agent:
        line = InProcessTransport()
        session = agent.session(line)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(session.run())
            stage = Rehearsal(session, line, ScriptedEars())
            assert await stage.agent() == "Hello."
            stage.types("Hi")
            assert await stage.agent() == "I have nothing more to say."
            line.hang_up()


def test_an_engine_nobody_provides_is_an_error_at_once() -> None:
    with pytest.raises(ConfigError, match=r"there is no Thinker 'gpt'.*local"):
        Agent(PERSONA, engine="gpt")


@tool
def order_status(order_id: str) -> str:
    """Where an order is."""
    return order_id


def test_an_applications_tools_are_named_by_personas_and_listed_for_the_page() -> None:
    persona = Persona(name="Shop", tools=("order_status", "clock"))
    agent = Agent(persona, tools=[order_status], stages=scripted())
    assert "order_status" in agent.wardrobe.outfit(None).tools
    card = AgentHost(agent).personas[0]
    assert card.tools == ("order_status", "clock")
    other = Agent(Persona(name="Shop"), tools=[order_status], stages=scripted())
    assert AgentHost(other).personas[0].tools == ("order_status",)


def test_a_base_url_means_to_think_remotely_and_to_speak_here() -> None:
    agent = Agent(PERSONA, base_url="http://localhost:1/v1")
    assert agent.lineup.names == {"thinker": "remote", "talker": "local", "ears": "local"}


def test_an_agent_that_was_not_started_says_so() -> None:
    with pytest.raises(EngineError, match="has not been started"):
        _ = Agent(PERSONA).stages


@virtual_time
async def test_a_persona_file_is_reloaded_between_turns_and_a_broken_one_is_reported(
    tmp_path: Path,
) -> None:
    path = tmp_path / "guide.md"
    path.write_text("---\nname: Guide\nfillers: []\n---\nBe a guide.")
    thinker = ScriptedThinker(["One."], ["Two."], ["Three."])
    agent = Agent(path, stages=scripted(thinker))
    line, ears = InProcessTransport(), agent.stages.ears
    assert isinstance(ears, ScriptedEars)
    session = agent.session(line)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        stage = Rehearsal(session, line, ears)
        await stage.user("Say something nice.")
        await stage.agent()
        path.write_text("---\nname: Guide\nfillers: []\n---\nBe a grumpy guide.")
        await stage.user("Say something else.")
        await stage.agent()
        path.write_text("---\nname: Guide\npatience: 3\n---\nBroken.")
        await stage.user("Say something more.")
        problem = await stage.until(events.ErrorOccurred)
        assert "guide.md:3" in problem.detail
        assert await stage.agent() == "Three."
        line.hang_up()
    assert [request.instructions for request in thinker.requests] == [
        "Be a guide.",
        "Be a grumpy guide.",
        "Be a grumpy guide.",
    ]


@virtual_time
async def test_a_call_is_kept_as_it_happens(tmp_path: Path) -> None:
    store = TranscriptStore(tmp_path / "calls.sqlite3")
    agent = Agent(PERSONA, stages=scripted(ScriptedThinker(["Noon."])), transcripts=store)
    line, ears = InProcessTransport(), agent.stages.ears
    assert isinstance(ears, ScriptedEars)
    session: Session = agent.session(line)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(session.run())
        stage = Rehearsal(session, line, ears)
        await stage.agent()
        await stage.user("What time is it?")
        await stage.agent()
        store.settle()
        records = Records(store.path)
        kept = [(item.kind, item.body["text"]) for item in records.items(session.id)]
        assert kept == [
            ("assistant", "Hello."),
            ("user", "What time is it?"),
            ("assistant", "Noon."),
        ]
        line.hang_up()
    store.close()
    assert records.calls()[0].reason == "hangup"
    records.close()


def test_a_port_in_use_is_named_with_a_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=rf"port {port} is in use already.*--port"):
            bind("127.0.0.1", port)


def test_the_server_answers_while_models_start_and_the_log_tells_why_they_cannot(
    caplog: pytest.LogCaptureFixture,
) -> None:
    agent = Agent(PERSONA, plugins=[Studio(failing="talker")], engine="studio")
    with TestClient(agent.app(), base_url="http://localhost") as client:
        health = client.get("/healthz")
        while health.json()["status"] == "starting":
            health = client.get("/healthz")
        assert health.status_code == 503
        assert health.json()["progress"] == EngineUnavailable.public
        assert "no talker on this machine" in caplog.text
        assert client.get("/").status_code == 200


def test_what_could_not_be_recorded_is_seen_in_healthz(tmp_path: Path) -> None:
    store = TranscriptStore(tmp_path / "calls.sqlite3")
    store.record("s1", events.ItemAdded(0.0, Message("user", (), "\ud800")))
    store.settle()
    agent = Agent(PERSONA, stages=scripted(), transcripts=store)
    with TestClient(agent.app(), base_url="http://localhost") as client:
        records = client.get("/healthz").json()["records"]
    assert records["lost"] == 1
    assert records["why"] == "UnicodeEncodeError"
    store.close()


@pytest.mark.parametrize(("engine", "model"), [("local", "llama"), ("studio", None)])
def test_beside_a_server_the_model_is_the_servers_unless_the_talker_has_one(
    engine: str, model: str | None
) -> None:
    agent = Agent(
        PERSONA, plugins=[Studio()], engine=Engines("local", engine, None), model="llama",
        base_url="http://127.0.0.1:1/v1",
    )  # fmt: skip
    assert agent.lineup.names == {"thinker": "remote", "talker": engine}
    models = {stage: role.options.model for stage, role in agent.lineup.roles.items()}
    assert models == {"thinker": model, "talker": None if model else "llama"}


class SlowEars(Studio):
    """Its ears are fetched for five minutes, and stop when that is given up."""

    def __init__(self, failing: str = "") -> None:
        super().__init__(failing)
        self.fetching = 0

    def factories(self) -> dict[str, Any]:
        async def start(options: StageOptions) -> Any:
            self.fetching += 1
            try:
                await asyncio.sleep(300)
            finally:
                self.fetching -= 1
            return ScriptedEars()

        return super().factories() | {"ears": start}


@pytest.mark.parametrize("stage", ["thinker", "talker"])
def test_an_engine_that_cannot_start_is_told_at_once_whatever_the_others_do(stage: str) -> None:
    @virtual_time
    async def run() -> None:
        studio = SlowEars(failing=stage)
        loop = asyncio.get_running_loop()
        with pytest.raises(EngineUnavailable, match=f"no {stage} on this machine"):
            await Agent(PERSONA, plugins=[studio], engine="studio").start()
        assert loop.time() < 1
        assert (studio.running, studio.fetching) == (0, 0)

    run()


class Cancelled(Studio):
    def factories(self) -> dict[str, Any]:
        async def start(options: StageOptions) -> Any:
            raise asyncio.CancelledError

        return super().factories() | {"talker": start}


@virtual_time
async def test_an_engine_that_cancels_its_own_start_has_failed() -> None:
    studio = Cancelled()
    with pytest.raises(EngineError, match="cancelled, by nobody"):
        await Agent(PERSONA, plugins=[studio], engine="studio").start()
    assert studio.running == 0


class Served(Studio):
    """A Thinker on a server that comes up with the third attempt."""

    attempts = 0

    @hookimpl
    def register_engines(self) -> Sequence[Engine]:
        async def start(options: StageOptions) -> Any:
            self.attempts += 1
            if self.attempts < 3:
                raise EngineUnavailable("nobody answers", may_recover=True)
            return ScriptedThinker()

        elsewhere = Engine("elsewhere", thinker=start, served={"thinker"}, default=True)
        return [*super().register_engines(), elsewhere]


@virtual_time
async def test_while_a_server_is_waited_for_nothing_else_is_started() -> None:
    studio, lines = Served(), []
    agent = Agent(PERSONA, plugins=[studio], engine="studio", base_url="http://localhost:1/v1")
    agent.on_progress(lines.append)
    host = AgentHost(agent, wait_for_engine=True)
    await host.start()
    assert studio.attempts == 3
    assert [lines.count(f"starting the {stage}") for stage in ("talker", "ears")] == [1, 1]
    assert host.readiness == Readiness(True)
    await agent.aclose()
    assert studio.running == 0


class Keen(Studio):
    """An engine that has learned when turns are over, beside the others."""

    @hookimpl
    def register_engines(self) -> Sequence[Engine]:
        end = self._factory("end of turn", lambda: ScriptedTurnEnd(0.9))
        return [*super().register_engines(), Engine("keen", turn_end=end)]


async def test_an_end_of_turn_is_started_for_the_personas_that_ask_for_it(folder: Path) -> None:
    write(folder, "one")
    studio = Keen()
    async with Agent("one", plugins=[studio], engine="studio") as agent:
        assert not agent.stages.turn_ends
        assert studio.running == 3
    write(folder, "two", "turn: {end: keen}")
    async with Agent("one", plugins=[studio], engine="studio") as agent:
        assert list(agent.stages.turn_ends) == ["keen"]
        assert studio.running == 4
    assert studio.running == 0


async def test_a_persona_that_asks_for_one_later_is_told_to_start_again(folder: Path) -> None:
    write(folder, "one")
    async with Agent("one", plugins=[Keen()], engine="studio") as agent:
        write(folder, "one", "voice: bob", "turn: {end: keen}")
        assert agent.wardrobe.outfit(None).persona.turn.end == "words"
        (problem,) = agent.wardrobe.problems()
    assert "one.md:4: the end of turn 'keen' is not running" in str(problem)


def test_an_end_of_turn_that_nobody_has_is_an_error_with_its_line(folder: Path) -> None:
    write(folder, "one", "voice: bob", "turn:", "  patience_ms: 400", "  end: keem")
    with pytest.raises(ConfigError, match=r"one\.md:6: no end of turn 'keem'; did you mean 'keen'"):
        Agent("one", plugins=[Keen()], engine="studio")
    with pytest.raises(ConfigError, match="there are: words, smart-turn"):
        Agent("one", engine="local")


def test_an_end_of_turn_that_cannot_start_is_an_error_at_the_start() -> None:
    studio = Keen(failing="end of turn")
    eager = PERSONA.model_copy(update={"turn": TurnTaking(end="keen")})
    agent = Agent(eager, plugins=[studio], engine="studio")
    with pytest.raises(EngineUnavailable, match="no end of turn on this machine"):
        asyncio.run(agent.start())
    assert studio.running == 0
