'use strict';
// One call of the handler, by the rules of the generation that the function's runtime identifier names.
//
// Up to Node.js 22 a handler answers by the promise that it returns, by its callback, or by `context.done` and its
// kin; when it has done none of these and nothing is left to do, the answer is null. From 24 on only what it returns
// counts. A handler that streams answers by the stream that it was given.

const { contextOf, callbacks } = require('./context.cjs');
const { RuntimeFault } = require('./failures.cjs');
const { highWaterMark, streams } = require('./streaming.cjs');

const LAST_WITH_CALLBACKS = 22;
const NO_CALLBACKS =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need to ' +
  'modify this function to use a supported handler signature to use Node.js 24 or later. For more information see ' +
  'https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';

/**
 * What calls a handler: (fields, event, whenIdle, open) to a promise of the payload.
 *
 * `whenIdle(react)` has `react` called when nothing is left to do; null takes that back. `open(highWaterMark)` gives
 * the stream of an answer in parts.
 */
function callerOf(handler, generation) {
  if (streams(handler)) return (fields, event, _, open) => stream(handler, fields, event, open);
  if (generation <= LAST_WITH_CALLBACKS) return (fields, event, whenIdle) => callWithCallback(handler, fields, event, whenIdle);
  if (handler.length >= 3) throw new RuntimeFault('CallbackHandlerDeprecated', NO_CALLBACKS);
  return (fields, event) => call(handler, fields, event);
}

async function call(handler, fields, event) {
  const result = await handler(event(), contextOf(fields));
  await nextTurn(); // a rejection that nobody handles comes before the answer
  return encoded(result);
}

function callWithCallback(handler, fields, event, whenIdle) {
  return new Promise((resolve, reject) => {
    const settle = (error, result, waits) => {
      whenIdle(null);
      const answer = () => (error ? reject(error.thrown) : resolveEncoded(result, resolve, reject));
      if (waits) whenIdle(answer);
      else answer();
    };
    const { context, callback } = callbacks(settle);
    whenIdle(() => callback(null, null));
    const result = handler(event(), Object.assign(context, contextOf(fields)), callback);
    if (typeof result?.then === 'function') result.then(context.succeed, context.fail);
  });
}

function resolveEncoded(result, resolve, reject) {
  try {
    resolve(encoded(result));
  } catch (error) {
    reject(error);
  }
}

async function stream(handler, fields, event, open) {
  const response = open(highWaterMark(handler));
  const ended = new Promise((resolve, reject) => response.once('finish', resolve).once('error', reject));
  ended.catch(() => {}); // the handler may fail first
  const running = handler(event(), response, contextOf(fields));
  if (typeof running?.then !== 'function') throw new Error('Streaming does not support non-async handlers.');
  if ((await running) !== undefined) console.warn('Streaming handlers ignore return values.');
  await ended;
  return ''; // all of it was sent
}

function encoded(result) {
  try {
    return JSON.stringify(result === undefined ? null : result) ?? 'null';
  } catch {
    throw new RuntimeFault('JSONStringifyError', 'Unable to stringify response body');
  }
}

function nextTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}

module.exports = { callerOf };
