"""``omni-agent serve``: what an operator decides, and the start."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from omni_agent.cli.logs import log_to_stderr
from omni_agent.cli.options import (
    ApiKey,
    BaseUrl,
    EngineName,
    Light,
    Model,
    PersonaName,
    Personas,
    days,
    make_agent,
    port_range,
)
from omni_agent.cli.printing import err, progress, show
from omni_agent.store import TranscriptStore

INSECURE = (
    "  browsers give a page the microphone only at localhost or over HTTPS: --tls-cert and\n"
    "  --tls-key, or a proxy that speaks TLS (docs/operating.md)\n"
)

Many = list[str] | None
SERVER_KEY = "OMNI_AGENT_SERVER_KEY"


Host = Annotated[str, typer.Option(help="Address to listen on.")]
Port = Annotated[int, typer.Option(help="Port; 0 takes any free one.", min=0, max=65535)]
ServerKey = Annotated[
    str | None,
    typer.Option(
        envvar=SERVER_KEY,
        help="What programs must bring to call, and the page asks for once.",
    ),
]
Origin = Annotated[Many, typer.Option(help="Another site whose pages may call (repeatable).")]
Name = Annotated[Many, typer.Option(help="A public name this server answers to (repeatable).")]
TrustedProxy = Annotated[
    Many,
    typer.Option(
        help="An address or network whose X-Forwarded-For and -Proto are believed (repeatable)."
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
    typer.Option(help="stun:HOST, turn:HOST or turn:USER:SECRET@HOST (repeatable)."),
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
    Any, typer.Option(parser=port_range, metavar="FIRST-LAST", help="Ports of media.")
]
ExternalIp = Annotated[
    str | None, typer.Option(help="The address a one-to-one NAT shows to callers.")
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
    engine: EngineName = "local",
    model: Model = None,
    light: Light = False,
    base_url: BaseUrl = None,
    api_key: ApiKey = None,
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
) -> None:
    """Serve the call page: open the printed URL and press Call."""
    from omni_agent.server.ice import ice_server as parsed
    from omni_agent.server.limits import Limits
    from omni_agent.server.options import Network, ServerOptions, Tls, is_loopback
    from omni_agent.serving import serve as serve_agent

    log_to_stderr(verbose)
    if not host:
        raise typer.BadParameter("--host is empty: 127.0.0.1 is this machine, 0.0.0.0 all of it")
    if no_transcripts and keep_transcripts is not None:
        raise typer.BadParameter("--no-transcripts keeps nothing that --keep-transcripts could")
    tls = Tls(tls_cert, tls_key) if tls_cert or tls_key else None
    agent = make_agent(persona, engine, model, light, base_url, api_key, personas=personas)
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
    for problem in agent.registry.problems:
        show(("skipped: ", "yellow"), str(problem), to=err)
    ready = "ready: press Call"
    agent.on_progress(lambda line: progress(line or (ready if agent.ready else "")))

    def announce(url: str) -> None:
        hint = "" if tls or is_loopback(host) else INSECURE
        show((f"\n  {url}\n", "bold"), hint, to=err)

    store = None if no_transcripts else TranscriptStore(keep_days=keep_transcripts)
    agent.transcripts = store
    try:
        serve_agent(
            agent,
            host,
            port,
            options,
            announce,
            tls=tls,
            wait_for_engine=wait_for_engine,
            leaving=True,
        )
    finally:
        if store is not None:
            store.close()
