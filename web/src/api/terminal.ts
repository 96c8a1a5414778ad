import type { Schemas } from './client';

export type TerminalRequest = Schemas['TerminalRequest'];
export type TerminalReady = Schemas['TerminalReady'];
export type TerminalEnded = Schemas['TerminalEnded'];

/** The first byte of a message of bytes says which stream they are of. */
const streams = { input: 0, output: 1 } as const;

/** What a session tells whoever opened it. */
export type Listener = {
  onReady: (ready: TerminalReady) => void;
  onOutput: (bytes: Uint8Array) => void;
  /** Called once. Nothing is known if the connection to the server broke. */
  onEnded: (ended?: TerminalEnded) => void;
};

/** TerminalSession is an SSH session through the server. */
export type TerminalSession = {
  input: (bytes: Uint8Array) => void;
  resize: (columns: number, rows: number) => void;
  close: () => void;
};

/** openTerminal opens one at a path of the API. */
export function openTerminal(path: string, request: TerminalRequest, listener: Listener): TerminalSession {
  const url = new URL(path, window.location.href);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  const socket = new WebSocket(url, 'terminal.mcic.v1');
  socket.binaryType = 'arraybuffer';
  let over = false;
  const end = (ended?: TerminalEnded) => {
    if (over) return;
    over = true;
    listener.onEnded(ended);
  };
  const send = (message: string | Uint8Array<ArrayBuffer>) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(message);
  };
  socket.onopen = () => send(JSON.stringify(request));
  socket.onclose = () => end();
  socket.onmessage = ({ data }: MessageEvent<string | ArrayBuffer>) => {
    if (typeof data !== 'string') {
      listener.onOutput(new Uint8Array(data, streams.output));
      return;
    }
    const said = JSON.parse(data) as Schemas['TerminalOutput'];
    if (said.ready) listener.onReady(said.ready);
    if (said.ended) end(said.ended);
  };
  return {
    input(bytes) {
      const message = new Uint8Array(1 + bytes.length);
      message[0] = streams.input;
      message.set(bytes, 1);
      send(message);
    },
    resize: (columns, rows) => send(JSON.stringify({ resize: { columns, rows } })),
    close() {
      over = true;
      socket.close();
    },
  };
}
