// Runs prism with the arguments of its command line until standard input ends, at the latest with
// the test.
"use strict";

process.stdin.on("end", () => process.exit()).resume();
require("@stoplight/prism-cli/dist/index.js");
