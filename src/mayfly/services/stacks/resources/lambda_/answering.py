"""The modules with which code that stands in a template answers custom resources: CloudFormation puts them beside such
code, under these names and with these functions (user guide, "cfn-response module"). Put there by `function`."""

import re
from typing import Final

_PYTHON_USE = re.compile(r"^\s*(?:import|from)\s+cfnresponse\b", re.MULTILINE)
_NODE_USE = re.compile(r"""(?:require\(|from\s+)\s*['"]cfn-response['"]""")

_PYTHON: Final = '''\
"""Answers CloudFormation for a custom resource."""

import json
import urllib.request

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(event, context, responseStatus, responseData, physicalResourceId=None, noEcho=False, reason=None):
    answer = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(answer).encode()
    request = urllib.request.Request(
        event["ResponseURL"], data=body, method="PUT", headers={"content-type": "", "content-length": str(len(body))}
    )
    try:
        with urllib.request.urlopen(request) as response:
            print("Status code:", response.status)
    except Exception as error:
        print("send(..) failed executing the request:", error)
'''

_NODE: Final = """\
"use strict";
// Answers CloudFormation for a custom resource.
const http = require("http");
const https = require("https");

exports.SUCCESS = "SUCCESS";
exports.FAILED = "FAILED";

exports.send = function (event, context, responseStatus, responseData, physicalResourceId, noEcho) {
  const body = JSON.stringify({
    Status: responseStatus,
    Reason: "See the details in CloudWatch Log Stream: " + context.logStreamName,
    PhysicalResourceId: physicalResourceId || context.logStreamName,
    StackId: event.StackId,
    RequestId: event.RequestId,
    LogicalResourceId: event.LogicalResourceId,
    NoEcho: noEcho || false,
    Data: responseData,
  });
  const url = new URL(event.ResponseURL);
  const headers = { "content-type": "", "content-length": Buffer.byteLength(body) };
  return new Promise((resolve) => {
    const ended = () => {
      if (typeof context.done === "function") context.done();
      resolve();
    };
    const sender = url.protocol === "http:" ? http : https;
    const request = sender.request(url, { method: "PUT", headers }, (response) => {
      console.log("Status code: " + response.statusCode);
      response.resume();
      ended();
    });
    request.on("error", (error) => {
      console.log("send(..) failed executing https.request(..): " + error);
      ended();
    });
    request.end(body);
  });
};
"""


def beside(runtime: str, code: str) -> dict[str, str]:
    """The files that go with code in a template, by their paths: none if it does not ask for them."""
    if runtime.startswith("python") and _PYTHON_USE.search(code):
        return {"cfnresponse.py": _PYTHON}
    if runtime.startswith("nodejs") and _NODE_USE.search(code):
        return {"node_modules/cfn-response/index.js": _NODE}
    return {}
