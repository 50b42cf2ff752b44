'use strict';
// `awslambda`, the global by which a handler says that it streams its answer, and the stream that it writes to.

const { Writable } = require('node:stream');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const HTTP_RESPONSE = 'application/vnd.awslambda.http-integration-response';
const DELIMITER = Buffer.alloc(8);

/** A chunk as streams take it: on AWS, whatever is neither text nor bytes is written as JSON. */
function writable(chunk) {
  const plain = typeof chunk === 'string' || Buffer.isBuffer(chunk) || chunk?.constructor === Uint8Array;
  return plain ? chunk : JSON.stringify(chunk);
}

/** What a streaming handler writes to. No more is sent than the server has said that it takes. */
class ResponseStream extends Writable {
  #wire; // begin(contentType), part(bytes), wait(whether it does)
  #window; // how many bytes may be sent
  #contentType;
  #prelude;
  #begun = false;
  #rest; // of what is being written
  #done = null; // its callback

  constructor(wire, window, highWaterMark) {
    super(highWaterMark === undefined ? {} : { highWaterMark });
    this.#wire = wire;
    this.#window = window;
  }

  setContentType(contentType) {
    this.#contentType = contentType;
  }

  /** The answer is an HTTP response with this status and these headers. */
  setPrelude(prelude) {
    this.setContentType(HTTP_RESPONSE);
    this.#prelude = Buffer.concat([Buffer.from(JSON.stringify(prelude)), DELIMITER]);
  }

  /** The server has taken so many bytes. */
  more(bytes) {
    this.#window += bytes;
    if (this.#done) this.#send();
  }

  write(chunk, ...more) {
    return super.write(writable(chunk), ...more);
  }

  end(chunk, ...more) {
    if (chunk === undefined || chunk === null || typeof chunk === 'function') return super.end(chunk, ...more);
    return super.end(writable(chunk), ...more);
  }

  _write(chunk, _, done) {
    this.#rest = Buffer.concat([this.#begin(), chunk]);
    this.#done = done;
    this.#send();
  }

  _final(done) {
    const prelude = this.#begin();
    if (prelude.length === 0) done();
    else this._write(prelude, undefined, done);
  }

  #begin() {
    if (this.#begun) return DELIMITER.subarray(0, 0);
    this.#begun = true;
    this.#wire.begin(this.#contentType);
    return this.#prelude ?? DELIMITER.subarray(0, 0);
  }

  #send() {
    const part = this.#rest.subarray(0, this.#window);
    if (part.length > 0) {
      this.#wire.part(part);
      this.#window -= part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    this.#wire.wait(this.#rest.length > 0);
    if (this.#rest.length > 0) return;
    const done = this.#done;
    this.#done = null;
    done();
  }
}

const HttpResponseStream = {
  /** The same stream, with the status and the headers of an HTTP response. */
  from(stream, prelude) {
    stream.setPrelude(prelude);
    return stream;
  },
};

function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response';
  if (typeof options?.highWaterMark === 'number') handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  return handler;
}

/** Make `awslambda` known, unless the function wants it away. */
function provide(environment) {
  delete globalThis.awslambda; // a rehearsal has made it known
  if (['1', 'true'].includes(environment.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) return;
  globalThis.awslambda = { streamifyResponse, HttpResponseStream };
}

function streams(handler) {
  return handler[STREAMING] === 'response';
}

function highWaterMark(handler) {
  const mark = Number.parseInt(handler[HIGH_WATER_MARK], 10);
  return Number.isNaN(mark) ? undefined : mark;
}

module.exports = { ResponseStream, provide, streams, highWaterMark };
