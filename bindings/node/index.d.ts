/**
 * Types of duet for Node.js. README.md says what each option does.
 */

import * as http from 'node:http';
import * as net from 'node:net';
import { Duplex } from 'node:stream';

export const version: string;

export type Pattern = 'secret' | 'ephemeral' | 'identity';
export type Role = 'top' | 'bottom';

/** The path of a key file, or the bytes of a secret. */
export type Secret = string | URL | Uint8Array;

export interface ConfigOptions {
  /** A listener accepts any of several; a client uses the first. */
  secret: Secret | Secret[];
  identity?: string | URL;
  peers?: string | URL;
  profile?: string | URL;
  patterns?: Pattern | Pattern[];
  /** Bytes of payload that this side accepts in a frame; 1 MiB. */
  maxPayload?: number;
  /** Bytes of payload in each frame that is sent, 1 to 65536; 16 KiB. */
  frameSize?: number;
  /** Milliseconds that the peer's clock may be off; 0, the default: clocks are not compared. */
  maxSkew?: number;
}

/** A configuration, which any number of channels share. */
export class Config {
  constructor(options: ConfigOptions);
}

/** A replay cache. All of a process share one unless they are given their own. */
export class Replay {
  constructor(entries?: number);
}

/** A configuration, or what makes one. */
export type WithConfig = { config: Config } | ConfigOptions;

export interface CommonOptions {
  /** By default a client is 'top' and a server 'bottom'. */
  role?: Role;
  replay?: Replay;
  /** Chunks are messages, {code, data}, both ways. */
  messages?: boolean;
  /** Bytes of a message that are taken at most; 16 MiB. */
  maxMessage?: number;
  /** Milliseconds of silence after which the peer gets a ping; 0, the default: never. */
  keepalive?: number;
  allowHalfOpen?: boolean;
  highWaterMark?: number;
}

export interface ChannelOptions extends CommonOptions {
  /** The stream below, in place of connect(). */
  socket?: Duplex;
  isServer?: boolean;
  /** Milliseconds for the peer to prove itself; 10000. */
  handshakeTimeout?: number;
  /** Milliseconds without a byte until 'timeout'. */
  timeout?: number;
  signal?: AbortSignal;
}

export type ConnectOptions = ChannelOptions & Omit<Partial<net.NetConnectOpts>, 'timeout'> & {
  host?: string;
  port?: number;
  path?: string;
};

export interface Info {
  role: Role;
  pattern?: Pattern;
  secretId: string;
  /** The peer's public key (base64), where it has proven an identity. */
  peerKey?: string;
  framesSent: number;
  framesReceived: number;
  bytesSent: number;
  bytesReceived: number;
  rekeysSent: number;
  rekeysReceived: number;
  /** The digest of all that was sent (hex), once that direction is closed; both ends have the same. */
  receiptSent?: string;
  receiptReceived?: string;
}

export interface Message {
  code: number;
  data: Buffer;
}

export class Channel extends Duplex {
  constructor(options: ChannelOptions & WithConfig);
  connect(port: number | string, host?: string, callback?: () => void): this;
  connect(path: string, callback?: () => void): this;
  connect(options: Partial<net.NetConnectOpts>, callback?: () => void): this;
  write(chunk: string | Uint8Array | { code: number; data: string | Uint8Array },
    callback?: (error: Error | null | undefined) => void): boolean;
  write(chunk: string | Uint8Array, encoding: BufferEncoding,
    callback?: (error: Error | null | undefined) => void): boolean;
  ping(): Promise<number>;
  rekey(): void;
  refresh(): void;
  exportKeyingMaterial(length: number, label: string): Buffer;
  destroySoon(): void;
  setTimeout(milliseconds: number, callback?: () => void): this;
  setNoDelay(on?: boolean): this;
  setKeepAlive(on?: boolean, initialDelay?: number): this;
  ref(): this;
  unref(): this;
  readonly info: Info | undefined;
  readonly connecting: boolean;
  readonly encrypted: true;
  readonly authorized: boolean;
  readonly remoteAddress?: string;
  readonly remotePort?: number;
  readonly remoteFamily?: string;
  readonly localAddress?: string;
  readonly localPort?: number;
  readonly localFamily?: string;
  readonly bytesRead?: number;
  readonly bytesWritten?: number;
}

export type ServerOptions = CommonOptions & WithConfig & Omit<net.ServerOpts, 'allowHalfOpen'> & {
  /** Least and most milliseconds for which peers that have not authenticated are read. */
  drainTimeout?: [number, number];
  /** Connections at a time whose peers have not authenticated; 1024. */
  maxHalfOpen?: number;
};

export class Server extends net.Server {
  constructor(options: ServerOptions, listener?: (channel: Channel) => void);
  setConfig(options: WithConfig): void;
  on(event: 'secureConnection', listener: (channel: Channel) => void): this;
  on(event: 'clientError', listener: (error: DuetError & { remoteAddress?: string }) => void): this;
  on(event: string, listener: (...values: any[]) => void): this;
}

/** An http.Agent whose connections are channels. */
export class Agent extends http.Agent {
  constructor(options: http.AgentOptions & WithConfig & {
    role?: Role;
    replay?: Replay;
    keepalive?: number;
    handshakeTimeout?: number;
  });
}

/** An error of the closed list of the library. */
export class DuetError extends Error {
  /** Such as 'DUET_E_FORGED'. */
  readonly code: string;
  readonly errno: number;
  readonly kind: 'done' | 'not yet' | 'end' | 'yours' | 'fatal' | 'theirs';
  /** What to do. */
  readonly cure: string;
}

export function connect(options: ConnectOptions & WithConfig, callback?: () => void): Channel;
export function connect(port: number, host: string, options: ConnectOptions & WithConfig,
  callback?: () => void): Channel;
export function connect(path: string, options: ConnectOptions & WithConfig,
  callback?: () => void): Channel;

export function createServer(options: ServerOptions, listener?: (channel: Channel) => void): Server;
