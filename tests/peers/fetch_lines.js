// node's own `fetch`, which reads a response while it arrives: node fetch_lines.js URL
//
// Asks again where a stream ended, with the cursor in the URL. Tells on stdout what happens, a line each; ends
// when its stdin does.
"use strict";
const tell = (line) => process.stdout.write(line + "\n");
const url = new URL(process.argv[2]);
const stop = new AbortController();
let [after, epoch] = [0, ""];

/** The lines of a body, as they come. */
async function* lines(body) {
  let rest = "";
  for await (const text of body.pipeThrough(new TextDecoderStream())) {
    const whole = (rest + text).split("\n");
    rest = whole.pop();
    yield* whole;
  }
}

function take(line) {
  if (line === "") return;
  const value = JSON.parse(line);
  if ("epoch" in value) epoch = value.epoch;
  else if ("gap" in value) tell(`gap ${value.gap}`), (after += value.gap);
  else tell(`mail ${line}`), (after = value.id);
}

async function follow() {
  url.searchParams.set("after", `${after}.${epoch}`);
  const response = await fetch(url, { signal: stop.signal });
  const kind = response.headers.get("content-type");
  if (response.status !== 200 || kind !== "application/x-ndjson") return tell(`answer ${response.status} ${kind}`);
  for await (const line of lines(response.body)) take(line);
}

(async () => {
  while (!stop.signal.aborted) {
    await follow().catch((error) => stop.signal.aborted || tell(`error ${error.message}`));
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
})();

process.stdin.resume().on("end", () => stop.abort());
