'use strict';
// The `console` that a function has: a line an entry, in text (time, request id, level, message, between tabs) or as
// JSON objects, from AWS_LAMBDA_LOG_LEVEL upwards. What it writes is in the output pipe before the call returns.

const util = require('node:util');
const { asError, logText } = require('./failures.cjs');

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const METHODS = { trace: 'TRACE', debug: 'DEBUG', info: 'INFO', log: 'INFO', warn: 'WARN', error: 'ERROR', fatal: 'FATAL' };

class Logs {
  #requestId = undefined;
  #tenantId = undefined;
  #json = false;

  /** From here on, lines belong to this request, and to a tenant if there is one; undefined: to none. */
  follow(requestId, tenant) {
    this.#requestId = requestId;
    this.#tenantId = tenant || undefined;
  }

  /** Give `console` its methods, by the variables of the function. */
  setUp(environment) {
    this.#json = (environment.AWS_LAMBDA_LOG_FORMAT ?? '').toUpperCase() === 'JSON';
    const least = Math.max(0, LEVELS.indexOf((environment.AWS_LAMBDA_LOG_LEVEL ?? '').toUpperCase()));
    for (const [method, level] of Object.entries(METHODS)) {
      const silent = LEVELS.indexOf(level) < least;
      console[method] = silent ? () => {} : (...message) => this.#write(level, message);
    }
  }

  /** An error of the function that the runtime tells of. */
  failure(what, thrown) {
    const error = asError(thrown);
    if (this.#json) console.error(error);
    else console.error(what, logText(error));
  }

  #write(level, message) {
    const time = new Date().toISOString();
    const line = this.#json
      ? this.#asJson(time, level, message)
      : `${time}\t${this.#requestId}\t${level}\t${util.format(...message)}`;
    // One entry stays one line, and so one event of the log.
    process.stdout.write(`${line.replaceAll('\n', '\r')}\n`);
  }

  #asJson(timestamp, level, message) {
    const entry = { timestamp, level, requestId: this.#requestId, tenantId: this.#tenantId };
    if (message.length === 1) {
      try {
        return JSON.stringify({ ...entry, message: message[0] }, showErrors);
      } catch {
        return JSON.stringify({ ...entry, message: util.format(message[0]) });
      }
    }
    entry.message = util.format(...message);
    const error = message.find((part) => part instanceof Error);
    return JSON.stringify(error ? { ...entry, ...described(error) } : entry);
  }
}

function described(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

function showErrors(_, value) {
  return value instanceof Error ? { ...described(value), ...value } : value;
}

module.exports = { Logs };
