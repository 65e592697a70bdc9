// npm's `eventsource`, which reconnects by itself: node eventsource.js URL
//
// Tells on stdout what happens, a line each; ends when its stdin does.
"use strict";
const { EventSource } = require("eventsource");

const tell = (line) => process.stdout.write(line + "\n");
const source = new EventSource(process.argv[2]);

source.addEventListener("open", () => tell("open"));
source.addEventListener("error", () => tell("error"));
source.addEventListener("gap", (event) => tell(`gap ${event.data}`));
source.addEventListener("message", (event) => {
  const { id } = JSON.parse(event.data);
  tell(event.lastEventId.split(".")[0] === String(id) ? `mail ${event.data}` : `wrong id ${event.lastEventId}`);
});

process.stdin.resume().on("end", () => source.close());
