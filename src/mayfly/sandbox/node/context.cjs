'use strict';
// The `context` that a handler gets: what AWS documents for its Node.js runtimes.

const { RuntimeFault } = require('./failures.cjs');

/** The part that every generation has, from the fields of an INVOKE and the function's variables. */
function contextOf(fields) {
  const { AWS_LAMBDA_FUNCTION_VERSION, AWS_LAMBDA_FUNCTION_NAME, AWS_LAMBDA_FUNCTION_MEMORY_SIZE } = process.env;
  return {
    functionVersion: AWS_LAMBDA_FUNCTION_VERSION,
    functionName: AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: process.env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: process.env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parsed(fields.clientContext, 'ClientContext'),
    identity: parsed(fields.identity, 'CognitoIdentity'),
    invokedFunctionArn: fields.arn,
    awsRequestId: fields.requestId,
    tenantId: fields.tenant || undefined,
    getRemainingTimeInMillis() {
      return fields.deadlineMs - Date.now();
    },
  };
}

function parsed(text, name) {
  if (!text) return undefined;
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new RuntimeFault('LambdaContextUnmarshalError', `Cannot parse ${name} as json: ${error}`);
  }
}

/**
 * What handlers of Node.js 22 and before have in addition: `done`, `succeed`, `fail`, the callback, and whether an
 * answer by callback waits until nothing is left to do. `settle(error, result, waits)` is called once, at the first of them.
 */
function callbacks(settle) {
  let settled = false;
  let waits = true;
  const once = (error, result, waiting) => {
    if (settled) return;
    settled = true;
    settle(error, result, waiting);
  };
  const failed = (error) => error !== undefined && error !== null;
  const done = (error, result) => once(failed(error) ? { thrown: error } : undefined, result, false);
  const context = {
    get callbackWaitsForEmptyEventLoop() {
      return waits;
    },
    set callbackWaitsForEmptyEventLoop(value) {
      waits = value;
    },
    succeed: (result) => done(null, result),
    fail: (error) => done(failed(error) ? error : 'handled'),
    done,
  };
  const callback = (error, result) => {
    if (failed(error)) done(error);
    else once(undefined, result, waits);
  };
  return { context, callback };
}

module.exports = { contextOf, callbacks };
