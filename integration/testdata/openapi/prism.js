// Runs prism with the arguments of its command line, until standard input ends: with the test that started it, however that ends.
"use strict";

process.stdin.on("end", () => process.exit()).resume();
require("@stoplight/prism-cli/dist/index.js");
