// Signs and verifies messages with the npm package standardwebhooks. Reads and writes one JSON
// object on each line.
//
//   {"op": "sign", "secret", "id", "timestamp", "body"}             → {"signature"}
//   {"op": "verify", "secret", "headers", "body"}                   → {}
//
// The body is in base64, the timestamp in seconds. An error of the package is returned as
// {"error"}.
"use strict";

const { createInterface } = require("node:readline");
const { Webhook } = require("standardwebhooks");

const ops = {
  sign: (webhook, { id, timestamp }, body) => ({ signature: webhook.sign(id, new Date(timestamp * 1000), body) }),
  verify: (webhook, { headers }, body) => {
    webhook.verify(body, headers, { jsonParse: false }); // not all bodies here are JSON
    return {};
  },
};

const respond = (line) => {
  const request = JSON.parse(line); // throws and ends the program if the line is not a request
  const op = ops[request.op];
  const body = Buffer.from(request.body, "base64");
  try {
    return op(new Webhook(request.secret), request, body);
  } catch (error) {
    return { error: error.message };
  }
};

createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(respond(line)) + "\n");
});
