"""The server: HTTP, signalling, the Realtime protocol and the call page.

``serving`` and ``app`` put it together from ``options`` and ``limits``; ``host`` is what it needs
of an agent, ``agent_host`` is one. ``connections`` reads HTTP, ``sockets`` WebSockets, ``pacing``
and ``rates`` say how often; ``shielding`` is around every answer and ``guarding`` around every
route, asking ``access``, ``logins`` and ``refusals``. ``exchange`` lets calls in, by ``tokens``,
for the lines that plugins bring; ``desk`` mints those tokens, and serves the page. ``calls`` holds
them, with the personas that are ``offered``, ``ice`` to help media connect, and each call's
transport ``watched``. ``realtime`` is the wire: ``wire``, ``reading``, ``allowance``,
``client_messages`` and ``client_commands`` of what comes, ``server_events`` and ``view`` of what
goes, ``realtime_transport`` between them and the call. ``metrics`` and ``call_log`` tell how it
goes.
"""
