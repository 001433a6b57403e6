"""``omni-agent serve``: what an operator decides, and the start."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import closing, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from omni_agent.cli.config import ConfigFile
from omni_agent.cli.engines import Said, make_agent
from omni_agent.cli.options import (
    ApiKey,
    BaseUrl,
    EngineName,
    Light,
    Many,
    Model,
    OfEars,
    OfTalker,
    OfThinker,
    PersonaName,
    Personas,
    checked,
    days,
    port_range,
)
from omni_agent.cli.printing import err, progress, show
from omni_agent.errors import ConfigError
from omni_agent.records.transcripts import TranscriptStore
from omni_agent.runtime.logs import log_to_stderr

if TYPE_CHECKING:
    from omni_agent.agent import Agent
    from omni_agent.server.options import ServerOptions, Tls

INSECURE = (
    "  browsers give a page the microphone only at localhost or over HTTPS: --tls-cert and\n"
    "  --tls-key, or a proxy that speaks TLS (docs/operating.md)\n"
)

SERVER_KEY = "OMNI_AGENT_SERVER_KEY"


def _of_server(option: str) -> Callable[[Any], Any]:
    """The callback of what is one of the server's options."""

    def make(value: Any) -> None:
        from omni_agent.server.options import Network, ServerOptions

        (Network if option in ("udp_ports", "external_ip") else ServerOptions)(**{option: value})

    return checked(make)


def _ice_servers(urls: Sequence[str]) -> None:
    from omni_agent.server.ice import ice_server

    for url in urls:
        ice_server(url)


def _somewhere(host: str) -> None:
    if not host:
        raise ConfigError("--host is empty: 127.0.0.1 is this machine, 0.0.0.0 all of it")


Host = Annotated[str, typer.Option(help="Address to listen on.", callback=checked(_somewhere))]
Port = Annotated[int, typer.Option(help="Port; 0 takes any free one.", min=0, max=65535)]
ServerKey = Annotated[
    str | None,
    typer.Option(
        envvar=SERVER_KEY,
        help="What programs must bring to call, and the page asks for once.",
        callback=_of_server("api_key"),
    ),
]
Origin = Annotated[
    Many,
    typer.Option(
        help="Another site whose pages may call (repeatable).", callback=_of_server("origins")
    ),
]
Name = Annotated[
    Many,
    typer.Option(
        help="A public name this server answers to (repeatable).", callback=_of_server("hosts")
    ),
]
TrustedProxy = Annotated[
    Many,
    typer.Option(
        help="An address or network whose X-Forwarded-For and -Proto are believed (repeatable).",
        callback=_of_server("trusted_proxies"),
    ),
]
Metrics = Annotated[
    Literal["private", "public", "off"],
    typer.Option(help="Who reads /metrics; private: this machine, and who has the server key."),
]
MaxCalls = Annotated[
    int | None, typer.Option(help="Calls at once; the default fits engine and cores.", min=1)
]
IceServer = Annotated[
    Many,
    typer.Option(
        help="stun:HOST, turn:HOST or turn:USER:SECRET@HOST (repeatable).",
        callback=checked(_ice_servers),
    ),
]
IceUsername = Annotated[str | None, typer.Option(help="For TURN servers.")]
IceCredential = Annotated[
    str | None, typer.Option(envvar="OMNI_AGENT_ICE_CREDENTIAL", help="For TURN servers.")
]
TurnSecret = Annotated[
    str | None,
    typer.Option(
        envvar="OMNI_AGENT_TURN_SECRET",
        help="coturn's static-auth-secret: each call gets credentials that outlast it.",
    ),
]
UdpPorts = Annotated[
    Any,
    typer.Option(
        parser=port_range,
        metavar="FIRST-LAST",
        help="Ports of media.",
        callback=_of_server("udp_ports"),
    ),
]
ExternalIp = Annotated[
    str | None,
    typer.Option(
        help="The address a one-to-one NAT shows to callers.", callback=_of_server("external_ip")
    ),
]
AllowPrivate = Annotated[
    bool | None,
    typer.Option(
        "--allow-private/--no-private",
        help="Send to private addresses that callers name (default: only on loopback).",
    ),
]
TlsCert = Annotated[Path | None, typer.Option(help="A certificate chain, PEM: serve HTTPS.")]
TlsKey = Annotated[Path | None, typer.Option(help="Its private key, where the chain has none.")]
KeepTranscripts = Annotated[
    float | None,
    typer.Option(parser=days, metavar="AGE", help="Delete calls that ended 30d, 12h ago."),
]
NoTranscripts = Annotated[
    bool, typer.Option("--no-transcripts", help="Keep nothing of what is said.")
]
WaitForEngine = Annotated[
    bool,
    typer.Option("--wait-for-engine", help="Try again while a server is not up, not exit."),
]
Dev = Annotated[
    bool, typer.Option("--dev", envvar="OMNI_AGENT_DEV", help="Show callers what failed.")
]
Verbose = Annotated[
    int,
    typer.Option("--verbose", "-v", count=True, help="-v: what happens; -vv: media, too."),
]


def serve(
    persona: PersonaName = "concierge",
    personas: Personas = None,
    host: Host = "127.0.0.1",
    port: Port = 7860,
    engine: EngineName = "",
    model: Model = None,
    light: Light = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
    thinker: OfThinker = None,
    talker: OfTalker = None,
    ears: OfEars = None,
    server_key: ServerKey = None,
    origin: Origin = None,
    name: Name = None,
    trusted_proxy: TrustedProxy = None,
    metrics: Metrics = "private",
    max_calls: MaxCalls = None,
    ice_server: IceServer = None,
    ice_username: IceUsername = None,
    ice_credential: IceCredential = None,
    turn_secret: TurnSecret = None,
    udp_ports: UdpPorts = None,
    external_ip: ExternalIp = None,
    allow_private: AllowPrivate = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    keep_transcripts: KeepTranscripts = None,
    no_transcripts: NoTranscripts = False,
    wait_for_engine: WaitForEngine = False,
    dev: Dev = False,
    verbose: Verbose = 0,
    config: ConfigFile = None,
) -> None:
    """Serve the call page: open the printed URL and press Call."""
    from omni_agent.server.ice import ice_server as parsed
    from omni_agent.server.limits import Limits
    from omni_agent.server.options import Network, ServerOptions, Tls

    log_to_stderr(verbose)
    if no_transcripts and keep_transcripts is not None:
        raise typer.BadParameter("--no-transcripts keeps nothing that --keep-transcripts could")
    tls = Tls(tls_cert, tls_key) if tls_cert or tls_key else None
    said = Said(config, engine, model, light, base_url, api_key, thinker, talker, ears)
    agent = make_agent(persona, said, personas=personas)
    options = ServerOptions(
        api_key=os.environ.get(SERVER_KEY) if server_key is None else server_key,  # empty: told
        origins=tuple(origin or ()),
        hosts=tuple(name or ()),
        trusted_proxies=tuple(trusted_proxy or ()),
        ice_servers=[parsed(url, ice_username, ice_credential) for url in ice_server or ()],
        allow_private=allow_private,
        network=Network(udp_ports, external_ip, turn_secret),
        metrics=metrics,
        dev=dev,
        limits=Limits(calls=max_calls),
    )
    store = None if no_transcripts else TranscriptStore(keep_days=keep_transcripts)
    with closing(store) if store is not None else nullcontext():
        agent.transcripts = store
        _serve(agent, host, port, options, tls, wait_for_engine)


def _serve(
    agent: Agent,
    host: str,
    port: int,
    options: ServerOptions,
    tls: Tls | None,
    wait_for_engine: bool,
) -> None:
    """Serve until Ctrl-C, and show what there is to know."""
    from omni_agent.server.options import is_loopback
    from omni_agent.server.serving import serve as serve_agent

    for problem in agent.registry.problems:
        show(("skipped: ", "yellow"), str(problem), to=err)
    ready = "ready: press Call"
    agent.on_progress(lambda line: progress(line or (ready if agent.ready else "")))

    def announce(url: str) -> None:
        hint = "" if tls or is_loopback(host) else INSECURE
        show((f"\n  {url}\n", "bold"), hint, to=err)

    serve_agent(
        agent, host, port, options, announce, tls=tls, wait_for_engine=wait_for_engine, leaving=True
    )
