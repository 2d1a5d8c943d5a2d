// Signs and verifies messages with the npm package standardwebhooks: one JSON object a line comes in, one a line goes out.
//
//   {"op": "sign", "secret", "id", "timestamp", "body"}             → {"signature"}
//   {"op": "verify", "secret", "headers", "body"}                   → {}
//
// The body is in base64, the timestamp in seconds. Whatever the package throws is answered as {"error"}.
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

const answer = (line) => {
  const request = JSON.parse(line); // what is no request is the test's mistake, and ends the program
  const op = ops[request.op];
  const body = Buffer.from(request.body, "base64");
  try {
    return op(new Webhook(request.secret), request, body);
  } catch (error) {
    return { error: error.message };
  }
};

createInterface({ input: process.stdin }).on("line", (line) => {
  process.stdout.write(JSON.stringify(answer(line)) + "\n");
});
