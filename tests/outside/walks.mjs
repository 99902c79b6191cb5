// XState 5 as the other interpreter: it loads our JSON unchanged, and walks each script under its simulated clock.
// stdin: {"machines": [machine], "walks": [{"machine": index, "script": [{"at", "kind", "data"}]}]}; stdout: a trace for each walk.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

// XState lies in the folder that is given: node looks for packages beside this file only.
const found = createRequire(pathToFileURL(process.argv[2] + "/")).resolve("xstate");
const xstate = await import(pathToFileURL(found));
const { SimulatedClock, assign, cancel, createActor, createMachine, enqueueActions, raise } = xstate.default ?? xstate;

const COMPARED = {
  eq: (a, b) => a === b,
  ne: (a, b) => a !== b,
  lt: (a, b) => a < b,
  le: (a, b) => a <= b,
  gt: (a, b) => a > b,
  ge: (a, b) => a >= b,
};

function holds([word, ...parts], visits) {
  if (word === "all") return parts.every((part) => holds(part, visits));
  if (word === "any") return parts.some((part) => holds(part, visits));
  const value = (term) => ("number" in term ? term.number : visits[term.box] * term.times);
  return COMPARED[word](value(parts[0]), value(parts[1]));
}

/** What the machine's JSON names, as `dsl/export/xstate.py` says it. `told` is what the script has said of guards and draws. */
function host(told, entered) {
  const put = (field, key, value) => assign(({ context }) => ({ [field]: { ...context[field], [key]: value(context) } }));
  return {
    guards: {
      open: ({ context, event }, asked) =>
        (asked.arrow === undefined || told.guards[asked.arrow] === true) &&
        (!asked.own || event.visit === context.visit) &&
        (asked.left === undefined || event.visit === context.left[asked.left]) &&
        (asked.answer === undefined || event[asked.answer] === true) &&
        (asked.limit === undefined || context.taken[asked.limit.arrow] < asked.limit.times) &&
        (asked.visits === undefined || holds(asked.visits, context.visits)) &&
        (asked.below === undefined || told.draws[asked.below.split] < asked.below.draw),
    },
    actions: {
      step: enqueueActions(({ context, enqueue }, { box, rest }) => {
        entered(box ?? `rest-${rest}`);
        enqueue(assign({ visit: context.visit + 1 }));
        if (box in context.visits) enqueue(put("visits", box, (now) => now.visits[box] + 1));
      }),
      take: enqueueActions(({ enqueue }, { arrow }) => enqueue(put("taken", arrow, (now) => now.taken[arrow] + 1))),
      leave: enqueueActions(({ enqueue }, { box }) => enqueue(put("left", box, (now) => now.visit))),
      answer: enqueueActions(({ enqueue }, { box }) => enqueue(put("left", box, () => -1))),
      plan: enqueueActions(({ event, enqueue }, { event: type, told: name }) => {
        if (event[name] !== undefined) enqueue(raise({ type }, { id: type, delay: event[name] }));
      }),
      unplan: cancel((_, { event }) => event),
    },
  };
}

function walked(machine, script) {
  const told = { guards: {}, draws: {} };
  const clock = new SimulatedClock();
  const trace = [];
  const provided = host(told, (name) => trace.push([clock.now() / 1000, name]));
  const actor = createActor(createMachine(machine).provide(provided), { clock });
  actor.start();
  for (const { at, kind, data } of script) {
    if (kind === "wait") {
      // Up to the last second first, so that what it would do too early shows.
      for (const moment of [at * 1000 - 1000, at * 1000]) clock.set(Math.max(moment, clock.now()));
    } else if (kind === "guards") {
      Object.assign(told.guards, data);
    } else if (kind.startsWith("parcours.draw.")) {
      told.draws[kind.slice("parcours.draw.".length)] = data.draw;
    } else {
      const waits = Object.entries(data).map(([name, value]) => [name, name.startsWith("wait") ? value * 1000 : value]);
      actor.send({ type: kind, ...Object.fromEntries(waits) });
    }
  }
  return trace;
}

const { machines, walks } = JSON.parse(readFileSync(0, "utf8"));
process.stdout.write(JSON.stringify(walks.map(({ machine, script }) => walked(machines[machine], script))));
