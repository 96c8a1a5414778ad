import '@xterm/xterm/css/xterm.css';
import { useComputedColorScheme } from '@mantine/core';
import { FitAddon } from '@xterm/addon-fit';
import { Terminal as XTerm } from '@xterm/xterm';
import { getNonce } from 'get-nonce';
import { useEffect, useRef } from 'react';
import { openTerminal, type TerminalEnded, type TerminalReady, type TerminalRequest } from '../api/terminal';

/**
 * The page's policy allows style elements only with its nonce, and no style attributes.
 * xterm.js makes both, with the page's own document whatever it is given
 * (documentOverride reaches a part of it). So while a terminal is shown, style elements
 * are made with the nonce, and the attribute of the spans that its rows consist of is set
 * through the CSSOM, which the policy allows. Answers how to end that.
 */
function withinPolicy(page: Document): () => void {
  const create = Document.prototype.createElement;
  page.createElement = (name: string, options?: ElementCreationOptions) => {
    const element: HTMLElement = create.call(page, name, options);
    if (element instanceof HTMLStyleElement) element.nonce = getNonce() ?? '';
    if (element instanceof HTMLSpanElement) {
      element.setAttribute = (key: string, value: string) => {
        if (key === 'style') element.style.cssText = value;
        else Element.prototype.setAttribute.call(element, key, value);
      };
    }
    return element;
  };
  return () => {
    page.createElement = create;
  };
}

const themes = {
  light: {
    background: '#ffffff',
    foreground: '#1f2328',
    cursor: '#1f2328',
    cursorAccent: '#ffffff',
    selectionBackground: '#b6d7f5',
  },
  dark: {
    background: '#16181c',
    foreground: '#e6e6e6',
    cursor: '#e6e6e6',
    cursorAccent: '#16181c',
    selectionBackground: '#33506e',
  },
};

/** Screen is a terminal with a session, for as long as it is shown. */
export default function Screen({
  path,
  request,
  over,
  onReady,
  onEnded,
}: {
  path: string;
  request: TerminalRequest;
  over: boolean;
  onReady: (ready: TerminalReady) => void;
  onEnded: (ended?: TerminalEnded) => void;
}) {
  const place = useRef<HTMLDivElement>(null);
  const shown = useRef<XTerm>(null);
  const scheme = useComputedColorScheme('light');
  const told = useRef({ request, onReady, onEnded });
  told.current = { request, onReady, onEnded };

  useEffect(() => {
    const at = place.current;
    if (!at) return;
    const leavePolicy = withinPolicy(document);
    const term = new XTerm({
      cursorBlink: true,
      fontFamily: 'ui-monospace, "Cascadia Mono", "DejaVu Sans Mono", Menlo, Consolas, monospace',
      fontSize: 13,
      minimumContrastRatio: 4.5,
      scrollback: 10_000,
      screenReaderMode: true,
    });
    const fit = new FitAddon();
    term.loadAddon(fit);
    term.open(at);
    fit.fit();
    shown.current = term;
    const session = openTerminal(
      path,
      { ...told.current.request, terminal: { columns: term.cols, rows: term.rows } },
      {
        onReady: (ready) => {
          told.current.onReady(ready);
          term.focus();
        },
        onOutput: (bytes) => term.write(bytes),
        onEnded: (ended) => told.current.onEnded(ended),
      },
    );
    const encoder = new TextEncoder();
    term.onData((text) => session.input(encoder.encode(text)));
    term.onBinary((text) => session.input(Uint8Array.from(text, (c) => c.charCodeAt(0))));
    term.onResize(({ cols, rows }) => session.resize(cols, rows));
    const watch = new ResizeObserver(() => {
      if (at.clientHeight > 0) fit.fit(); // not while another tab is shown
    });
    watch.observe(at);
    return () => {
      watch.disconnect();
      session.close();
      term.dispose();
      leavePolicy();
    };
  }, [path]);

  useEffect(() => {
    if (!shown.current) return;
    shown.current.options.theme = themes[scheme];
    shown.current.options.disableStdin = over;
    shown.current.options.cursorBlink = !over;
  }, [scheme, over]);

  return <div ref={place} className="screen" />;
}
