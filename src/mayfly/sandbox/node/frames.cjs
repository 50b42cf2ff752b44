'use strict';
// The frames of `sandbox/frames.py`, as seen from a runtime: bytes in, frames out, and the other way. Sans-IO.
//
// A frame is a header of 16 bytes (kind, flags, number of a call, length of the head, length of the payload;
// big-endian), a head and a payload. What each kind means is said there.

const HEADER_BYTES = 16;

const INIT = 1;
const INVOKE = 2;
const MORE = 6;
const COMPILE = 9;
const READY = 16;
const INIT_ERROR = 17;
const RESULT = 18;
const ERROR = 19;
const STREAM = 23;
const CHUNK = 24;
const ARTIFACT = 25;
const COMPILED = 26;

// How many bytes of chunks of one call may be on their way.
const STREAM_WINDOW = 1 << 20;

// How long a handler ran is said in the flags of its answer, in units of 10 microseconds, behind the flag QUIET.
const TOOK_SHIFT = 1;
const MOST_TOOK = 0x7fff;
const TOOK_PER_MS = 100;

/** Collects what is received, and hands out whole frames. A frame of several megabytes is put together once. */
class Decoder {
  #parts = [];
  #size = 0;

  /** The frames that `data` completes: {kind, flags, number, head, payload}. */
  feed(data) {
    this.#parts.push(data);
    this.#size += data.length;
    const frames = [];
    while (this.#size >= HEADER_BYTES) {
      const first = this.#firstBytes(HEADER_BYTES);
      const headLength = first.readUInt32BE(8);
      const length = HEADER_BYTES + headLength + first.readUInt32BE(12);
      if (this.#size < length) break;
      const bytes = this.#firstBytes(length);
      const middle = HEADER_BYTES + headLength;
      frames.push({
        kind: bytes.readUInt16BE(0),
        flags: bytes.readUInt16BE(2),
        number: bytes.readUInt32BE(4),
        head: bytes.subarray(HEADER_BYTES, middle),
        payload: bytes.subarray(middle, length),
      });
      this.#drop(bytes, length);
    }
    return frames;
  }

  #firstBytes(count) {
    if (this.#parts[0].length < count) this.#parts = [Buffer.concat(this.#parts, this.#size)];
    return this.#parts[0];
  }

  #drop(bytes, count) {
    this.#size -= count;
    if (bytes.length === count) this.#parts.shift();
    else this.#parts[0] = bytes.subarray(count);
  }
}

/** The bytes of one frame; `meta` becomes the JSON of its head, `payload` is a Buffer or a text. */
function encode(kind, meta, payload, number = 0, flags = 0) {
  const head = meta ? Buffer.from(JSON.stringify(meta)) : Buffer.alloc(0);
  const body = typeof payload === 'string' ? Buffer.from(payload) : payload ?? Buffer.alloc(0);
  const header = Buffer.allocUnsafe(HEADER_BYTES);
  header.writeUInt16BE(kind, 0);
  header.writeUInt16BE(flags, 2);
  header.writeUInt32BE(number, 4);
  header.writeUInt32BE(head.length, 8);
  header.writeUInt32BE(body.length, 12);
  return Buffer.concat([header, head, body]);
}

/** The fields of an INVOKE's head. Empty ones stand for none. */
function callFields(head) {
  const [requestId, deadlineMs, arn, traceId, clientContext, identity, tenant] = head.toString('utf8').split('\0');
  return { requestId, deadlineMs: Number(deadlineMs), arn, traceId, clientContext, identity, tenant };
}

/** The flags that say how long a handler ran. */
function took(milliseconds) {
  return Math.min(Math.floor(milliseconds * TOOK_PER_MS) + 1, MOST_TOOK) << TOOK_SHIFT;
}

module.exports = {
  ...{ INIT, INVOKE, MORE, COMPILE, READY, INIT_ERROR, RESULT, ERROR, STREAM, CHUNK, ARTIFACT, COMPILED, STREAM_WINDOW },
  ...{ Decoder, encode, callFields, took },
};
