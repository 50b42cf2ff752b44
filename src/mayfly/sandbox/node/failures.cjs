'use strict';
// What goes wrong, in the shapes that AWS documents: the error object of an answer, and the line in the log.

const util = require('node:util');

/** A failure that the runtime finds, with its type as callers see it: `Runtime.…`. */
class RuntimeFault extends Error {
  constructor(type, message) {
    super(message);
    this.name = `Runtime.${type}`;
  }
}

/** A module of the function could not be loaded: what was thrown, under the runtime's name for it. */
function importFault(type, error) {
  const fault = new RuntimeFault(type, String(error));
  if (type === 'UserCodeSyntaxError') fault.stack = error.stack; // it shows the line
  return fault;
}

/** A promise was rejected, and nobody took notice. */
function unhandledRejection(reason, promise) {
  const fault = new RuntimeFault('UnhandledPromiseRejection', describeReason(reason));
  fault.reason = reason;
  fault.promise = promise;
  return fault;
}

function describeReason(reason) {
  try {
    return String(reason);
  } catch {
    return util.inspect(reason);
  }
}

function looksLikeError(value) {
  return (
    util.types.isNativeError(value) ||
    (value && [value.name, value.message, value.stack].every((part) => part && typeof part === 'string'))
  );
}

/** The error object that a caller gets, for anything that can be thrown. */
function errorObject(thrown) {
  try {
    if (looksLikeError(thrown)) {
      return { errorType: thrown.name, errorMessage: thrown.message, trace: thrown.stack.split('\n') };
    }
    return { errorType: typeof thrown, errorMessage: String(thrown), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or more of its message, ' +
        'name, and stack',
      trace: [],
    };
  }
}

/** For the log: JSON behind a tab, with the properties that the function gave to its errors. */
function logText(error) {
  try {
    return `\t${JSON.stringify(error, (_, value) => withProperties(value))}`;
  } catch {
    return `\t${JSON.stringify(errorObject(error))}`;
  }
}

function withProperties(value) {
  if (!(value instanceof Error)) return value;
  const shown = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
  if (typeof value.stack === 'string') shown.stack = value.stack.split('\n');
  return shown;
}

/** Anything thrown, as an Error. */
function asError(thrown) {
  return thrown instanceof Error ? thrown : new Error(thrown);
}

module.exports = { RuntimeFault, importFault, unhandledRejection, errorObject, logText, asError };
