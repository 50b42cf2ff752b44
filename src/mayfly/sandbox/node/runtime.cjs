'use strict';
// The managed Node.js runtime: INIT once, then one INVOKE after another, over a socket. User code runs in this same
// process: nothing here is secret from it, and nothing it does here can reach beyond the sandbox.
//
// The socket keeps the event loop alive only while no call runs. So Node.js itself tells when a call has nothing left
// to do, and a handler that can never answer ends the process, as on AWS.

const calls = require('./calls.cjs');
const compiling = require('./compiling.cjs');
const failures = require('./failures.cjs');
const frames = require('./frames.cjs');
const loader = require('./loader.cjs');
const { Logs } = require('./logs.cjs');
const streaming = require('./streaming.cjs');

// Exit codes of AWS's runtime, and that of Node.js for an import that waits for ever.
const REJECTED = 128;
const UNCAUGHT = 129;
const NEVER_LOADED = 13;

class Runtime {
  #decoder = new frames.Decoder();
  #logs = new Logs();
  #waiting = []; // calls that came before the one under way was answered
  #socket;
  #setUp; // what a function needs before it is loaded; gives the generation of its runtime
  #call; // how the handler is called
  #state = 'fresh'; // then: loading, idle, busy, ending
  #number = 0; // of the call under way
  #idle = null; // what happens when nothing is left to do
  #stream = null; // to which the call under way writes its answer

  /** `setUp(meta, logs)` is called once, with what INIT says. */
  constructor(socket, setUp) {
    this.#socket = socket;
    this.#setUp = setUp;
  }

  /** Until the socket closes. */
  run() {
    this.#socket.on('data', (data) => this.hear(data));
    this.#socket.on('error', () => process.exit(0)); // the server is gone
    this.#socket.on('close', () => process.exit(0));
    process.on('beforeExit', () => this.#nothingLeft());
    process.on('uncaughtException', (error) => this.#fall('Uncaught Exception', error, UNCAUGHT));
    process.on('unhandledRejection', (reason, promise) =>
      this.#fall('Unhandled Promise Rejection', failures.unhandledRejection(reason, promise), REJECTED),
    );
  }

  /** Bytes that came. */
  hear(data) {
    for (const frame of this.#decoder.feed(data)) this.#take(frame);
  }

  #take(frame) {
    if (frame.kind === frames.INIT) this.#init(JSON.parse(frame.head));
    else if (frame.kind === frames.COMPILE) compiling.compile(JSON.parse(frame.head), this.#setUp, this.#logs, this.#socket);
    else if (frame.kind === frames.INVOKE) this.#waiting.push(frame);
    else if (frame.kind === frames.MORE && frame.number === this.#number) this.#stream?.more(JSON.parse(frame.head).bytes);
    this.#next();
  }

  async #init(meta) {
    const began = performance.now();
    this.#state = 'loading';
    this.#socket.unref();
    try {
      const generation = this.#setUp(meta, this.#logs);
      this.#call = calls.callerOf(await loader.load(meta.task_root, meta.handler), generation);
    } catch (error) {
      this.#fall('Uncaught Exception', error, UNCAUGHT);
      return;
    }
    if (this.#state !== 'loading') return; // it has failed beside that
    this.#socket.write(frames.encode(frames.READY, { init_ms: Math.round((performance.now() - began) * 1e3) / 1e3 }));
    this.#rest();
  }

  #rest() {
    this.#state = 'idle';
    this.#socket.ref();
    this.#next();
  }

  #next() {
    if (this.#state === 'idle' && this.#waiting.length > 0) this.#invoke(this.#waiting.shift());
  }

  async #invoke(frame) {
    this.#state = 'busy';
    this.#number = frame.number;
    this.#socket.unref();
    const fields = frames.callFields(frame.head);
    this.#logs.follow(fields.requestId, fields.tenant);
    if (fields.traceId) process.env._X_AMZN_TRACE_ID = fields.traceId;
    else delete process.env._X_AMZN_TRACE_ID;
    const began = performance.now();
    let answer;
    try {
      const event = () => JSON.parse(frame.payload);
      const whenIdle = (react) => this.#whenIdle(frame.number, react);
      const payload = await this.#call(fields, event, whenIdle, (mark) => this.#open(frame.number, mark));
      answer = [frames.RESULT, null, payload];
    } catch (thrown) {
      this.#logs.failure('Invoke Error', thrown);
      answer = [frames.ERROR, { fatal: false }, JSON.stringify(failures.errorObject(thrown))];
    }
    if (this.#state !== 'busy') return; // it has failed beside that
    this.#idle = this.#stream = null;
    this.#socket.write(frames.encode(...answer, frame.number, frames.took(performance.now() - began)));
    this.#rest();
  }

  /** The stream of an answer in parts. */
  #open(number, highWaterMark) {
    const write = (...frame) => {
      if (this.#state === 'busy' && this.#number === number) this.#socket.write(frames.encode(...frame, number));
    };
    const wire = {
      begin: (type) => write(frames.STREAM, type ? { content_type: type } : null, ''),
      part: (bytes) => write(frames.CHUNK, null, bytes),
      wait: (waits) => (waits || this.#state === 'idle' ? this.#socket.ref() : this.#socket.unref()),
    };
    return (this.#stream = new streaming.ResponseStream(wire, frames.STREAM_WINDOW, highWaterMark));
  }

  /** A call of before, whose callback comes late, changes nothing. */
  #whenIdle(number, react) {
    if (this.#state === 'busy' && this.#number === number) this.#idle = react;
  }

  /** Node.js has nothing left to do, and would end. */
  #nothingLeft() {
    if (this.#state === 'loading') process.exitCode = NEVER_LOADED;
    while (this.#idle) {
      const react = this.#idle; // which may say what happens next
      this.#idle = null;
      react();
    }
  }

  /** Something failed that nobody caught: say so if it can be said, and end. */
  #fall(what, error, code) {
    const state = this.#state;
    if (state === 'ending') return;
    this.#state = 'ending';
    this.#logs.failure(what, error);
    const failure = JSON.stringify(failures.errorObject(error));
    const last =
      state === 'loading' ? frames.encode(frames.INIT_ERROR, { restoring: false }, failure)
      : state === 'busy' ? frames.encode(frames.ERROR, { fatal: true }, failure, this.#number)
      : null;
    if (last === null) process.exit(code);
    this.#socket.ref();
    this.#socket.write(last, () => process.exit(code));
  }
}

module.exports = { Runtime };
