"""A client of one's own, over OpenAI Realtime and WebRTC: push to talk, and a tool that runs here.

    omni-agent serve
    python examples/realtime_client.py http://localhost:7860 question.wav

asks what is in the file, answers calls of the tool, prints the reply and keeps its sound in
answer.wav.
"""

import asyncio
import json
import os
import sys
from typing import Any

import httpx
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.contrib.media import MediaPlayer, MediaRecorder

THING = {"type": "object", "properties": {"thing": {"type": "string"}}, "required": ["thing"]}
SESSION = {
    "type": "realtime",
    "audio": {"input": {"turn_detection": None}},  # push to talk: we say where a turn ends
    "tools": [
        {
            "type": "function",
            "name": "price_of",
            "description": "What a thing costs in our shop.",
            "parameters": THING,
        }
    ],
}


def price_of(thing: str) -> str:
    return f"The {thing} is nineteen euros."


async def begun(http: httpx.AsyncClient, offer: str) -> str:
    """The server's answer to an offer. What the session wants comes with it, and counts from the
    first word."""
    form = {"sdp": (None, offer), "session": (None, json.dumps(SESSION))}
    while (reply := await http.post("/v1/realtime/calls", files=form)).status_code == 503:
        print(reply.json()["error"]["message"], file=sys.stderr)  # it starts, or all lines are busy
        await asyncio.sleep(float(reply.headers["retry-after"]))
    return reply.raise_for_status().text


async def ask(server: str, question: str, answer: str = "answer.wav") -> str:
    """What the agent says to a recorded question."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    channel = peer.createDataChannel("oai-events")
    arrived: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    channel.on("message", lambda text: arrived.put_nowait(json.loads(text)))
    opened = asyncio.Event()
    channel.on("open", opened.set)
    microphone, spoken = MediaPlayer(question).audio, MediaRecorder(answer)
    assert microphone is not None, "there is no sound in this file"
    asked = asyncio.Event()
    microphone.on("ended", asked.set)
    peer.addTrack(microphone)
    peer.on("track", spoken.addTrack)

    def send(**message: Any) -> None:
        channel.send(json.dumps(message))

    async def reply() -> list[dict[str, Any]]:
        """What comes of asking for one, once it has been heard. (A greeting is not ours.)"""
        send(type="response.create", response={"metadata": {"asked": "yes"}})
        while True:
            message = await arrived.get()
            if message["type"] == "error":
                raise SystemExit(message["error"]["message"])
            if message["type"] == "response.done" and message["response"]["metadata"]:
                return message["response"]["output"]

    key = os.environ.get("OMNI_AGENT_SERVER_KEY")
    headers = {"authorization": f"Bearer {key}"} if key else {}
    try:
        await peer.setLocalDescription(await peer.createOffer())
        async with httpx.AsyncClient(base_url=server, headers=headers, timeout=30) as http:
            sdp = await begun(http, peer.localDescription.sdp)
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "answer"))
        await spoken.start()
        await opened.wait()
        await asked.wait()
        send(type="input_audio_buffer.commit")
        output = await reply()
        while calls := [one for one in output if one.get("name") == "price_of"]:
            for one in calls:
                result = price_of(**json.loads(one["arguments"]))
                item = {"type": "function_call_output", "call_id": one["call_id"], "output": result}
                send(type="conversation.item.create", item=item)
            output = await reply()
        said = [part["transcript"] for item in output for part in item.get("content", ())]
        return " ".join(said)
    finally:
        await spoken.stop()
        await peer.close()


if __name__ == "__main__":
    print(asyncio.run(ask(*sys.argv[1:])))
