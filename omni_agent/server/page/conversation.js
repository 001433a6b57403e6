// Server events to what is on the page. The standard Realtime events alone give a usable
// page; our `omni.*` extensions (omni_agent/server/realtime.py) add the rest.

import { plain } from "./dom.js";
import { drawWaterfall } from "./waterfall.js";

const ACTIVITIES = new Set(["listening", "hearing", "thinking", "speaking"]);

/** The words of a conversation item, wherever its parts keep them. */
function words(item) {
  const parts = Array.isArray(item?.content) ? item.content : [];
  return parts.map((part) => plain(part?.transcript ?? part?.text)).filter(Boolean).join(" ");
}

export class Conversation {
  #kinds;

  /**
   * @param {{timeline: import("./timeline.js").Timeline, captions: import("./captions.js").Captions,
   *   tools: import("./tools.js").ToolCards, panels: import("./panels.js").Panels,
   *   onActivity: (activity: string) => void, onPersona: (name: string) => void,
   *   onSession: (omni: object) => void, onEnded: (reason: string) => void,
   *   onError: (message: string) => void}} parts
   */
  constructor(parts) {
    Object.assign(this, parts);
    this.#kinds = { ...this.#userEvents(), ...this.#agentEvents(), ...this.#toolEvents(), ...this.#callEvents() };
  }

  /** One server event; unknown ones and broken ones are left alone. */
  receive(event) {
    if (!event || typeof event.type !== "string" || !Object.hasOwn(this.#kinds, event.type)) return;
    try {
      this.#kinds[event.type](event);
    } catch (error) {
      console.warn("omni_agent: an event could not be shown", event.type, error);
    }
  }

  /** The call is over. */
  settle() {
    this.captions.settle();
    this.tools.settle();
    this.panels.settle();
  }

  clear() {
    this.captions.clear();
    this.tools.clear();
    this.panels.clear();
    this.timeline.clear();
  }

  #userEvents() {
    const { captions } = this;
    return {
      "input_audio_buffer.speech_started": ({ item_id: id }) => captions.userSpeaks(id),
      "omni.transcript.partial": ({ item_id: id, text }) => captions.userPartial(id, plain(text)),
      "conversation.item.input_audio_transcription.delta": ({ item_id: id, delta }) => captions.userDelta(id, plain(delta)),
      "conversation.item.input_audio_transcription.completed": ({ item_id: id, transcript }) =>
        captions.userText(id, plain(transcript), true),
      "conversation.item.input_audio_transcription.failed": ({ item_id: id }) => captions.drop(id),
      "omni.backchannel": ({ item_id: id }) => captions.ignore(id),
    };
  }

  #agentEvents() {
    const { captions } = this;
    const said = ({ item_id: id, response_id: response, delta }) => captions.agentDelta(id, response, plain(delta));
    return {
      "omni.utterance.started": ({ item_id: id, response_id: response, kind }) => captions.agentStarts(id, response, plain(kind)),
      "omni.utterance.playing": ({ item_id: id }) => captions.agentPlays(id),
      "omni.utterance.finished": (end) => captions.agentFinishes(end.item_id, {
        text: plain(end.text), heard: plain(end.heard), heardMs: Number(end.heard_ms) || 0, interrupted: Boolean(end.interrupted),
      }),
      "response.output_audio_transcript.delta": said,
      "response.output_text.delta": said,
      "response.output_audio_transcript.done": ({ item_id: id, transcript }) => captions.agentText(id, plain(transcript)),
      "response.output_text.done": ({ item_id: id, text }) => captions.agentText(id, plain(text)),
      "output_audio_buffer.started": ({ response_id: response }) => captions.responsePlays(response),
    };
  }

  #toolEvents() {
    const { tools } = this;
    return {
      "omni.tool.started": ({ call_id: id, name, arguments: args }) =>
        tools.started(id, plain(name), args, { reported: true }),
      "omni.tool.waiting": ({ call_id: id }) => tools.waiting(id, true),
      "omni.tool.answered": ({ call_id: id }) => tools.waiting(id, false),
      "omni.tool.progress": ({ call_id: id, text }) => tools.progress(id, plain(text)),
      "omni.tool.finished": ({ call_id: id, name, output, ok, ms }) =>
        tools.finished(id, { name: plain(name), output, ok: ok !== false, ms }),
      "response.function_call_arguments.done": ({ call_id: id, name, arguments: args }) => tools.started(id, plain(name), args),
      "omni.panel": ({ panel, data }) => this.panels.show(plain(panel), data),
    };
  }

  #callEvents() {
    const item = ({ item: one }) => this.#item(one);
    const session = ({ session: one }) => one?.omni && this.onSession(one.omni);
    return {
      "session.created": session,
      "session.updated": session,
      "conversation.item.added": item,
      "conversation.item.done": item,
      "omni.activity": ({ activity }) => ACTIVITIES.has(activity) && this.onActivity(activity),
      "omni.persona.changed": ({ persona }) => this.onPersona(plain(persona)),
      "omni.waterfall": ({ response_id: response, marks }) => this.#waterfall(response, marks),
      "omni.session.ended": ({ reason }) => this.onEnded(plain(reason)),
      error: ({ error }) => this.onError(plain(error?.message) || "Something went wrong on the server."),
    };
  }

  #item(item) {
    if (item?.type === "function_call_output") this.tools.output(item.call_id, item.output);
    else if (item?.type === "function_call" && item.call_id) this.tools.started(item.call_id, plain(item.name), item.arguments || undefined);
    else if (item?.type === "message" && item.role === "user") {
      const text = words(item);
      if (text && !this.captions.has(item.id)) this.captions.userText(item.id, text, true);
    }
  }

  #waterfall(response, marks) {
    const drawn = this.captions.answers(response) && drawWaterfall(marks);
    if (!drawn) return;
    const home = this.captions.lastOf(response);
    if (!home) return void this.timeline.add(wrap(drawn));
    home.querySelector(":scope > .waterfall")?.remove();
    home.append(drawn);
    this.timeline.grew();
  }
}

function wrap(drawn) {
  const item = document.createElement("li");
  item.className = "note waterfall-note";
  item.append(drawn);
  return item;
}
