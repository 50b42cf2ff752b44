// The published verifier of messages of topics, as it is, on messages that a platform sent. Run by
// tests/services/topics/test_published_verifiers.py, which hands them over in a file.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import http from "node:http";
import https from "node:https";
import { test } from "node:test";

import MessageValidator from "sns-validator";

const messages = JSON.parse(readFileSync(process.env.TEST_MESSAGES, "utf8"));

// The verifier insists on https; in production a proxy in front of the platform speaks it. Here the proxy is this line.
https.get = (url, answer) => http.get(url.replace(/^https:/, "http:"), answer);

const verify = (message, pattern) => new Promise((resolve, reject) => {
  new MessageValidator(pattern).validate({ ...message }, (error, valid) => (error ? reject(error) : resolve(valid)));
});
const behindTls = (message) => ({ ...message, SigningCertURL: message.SigningCertURL.replace(/^http:/, "https:") });

for (const message of messages.map(behindTls)) {
  test(`a ${message.Type} of version ${message.SignatureVersion} is what the platform sent`, async () => {
    assert.equal((await verify(message, /^127\.0\.0\.1:\d+$/)).MessageId, message.MessageId);
  });

  test(`a ${message.Type} of version ${message.SignatureVersion} that was changed is not`, async () => {
    await assert.rejects(verify({ ...message, Message: `${message.Message}!` }, /^127\.0\.0\.1:\d+$/), /invalid/);
  });
}

test("as it comes, the verifier trusts certificates of AWS alone", async () => {
  await assert.rejects(verify(behindTls(messages[0])), /invalid domain/);
});
