// The page: it shows what the agent reports, and says *unknown* as soon as the agent is not heard any more.
"use strict";

const STALE_MS = 3000;
const UNKNOWN = { words: "unknown", mark: "unknown" };
const MEANING = { fine: "as it should be", moving: "under way", trouble: "not as it should be", unknown: "not known" };

let latest = null; // what the agent reported last
let latestAt = 0; // when, by this browser's clock
let trouble = ""; // why the page does not hear the agent; empty if it does
let isStale = true;
let maySwitch = false;
let ticket = null;
let wanted = null; // what the dialog is about

const byId = (id) => document.getElementById(id);

function element(name, text = "", attributes = {}) {
  const made = document.createElement(name);
  made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

function setText(node, text) {
  if (node.textContent !== text) node.textContent = text; // or a screen reader would read it again
}

// What the page sends.

function listen() {
  const source = new EventSource("/events");
  source.addEventListener("hello", (event) => { maySwitch = JSON.parse(event.data).may_switch; });
  source.onmessage = (event) => {
    const message = JSON.parse(event.data);
    trouble = message.trouble;
    if (message.whole) { // else the page has not heard the agent yet
      latest = message;
      latestAt = performance.now() - message.age_ms;
    }
    show();
  };
  source.onerror = () => {
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000); // refused: the browser does not try again
  };
}

async function ask(path, options = {}) {
  const reply = await fetch(path, options);
  if (reply.status === 401) location.assign("/login");
  return reply;
}

// What is shown.

function show() {
  const age = performance.now() - latestAt;
  isStale = latest === null || trouble !== "" || age > STALE_MS;
  document.body.dataset.stale = isStale;
  if (latest !== null) {
    document.title = `${isStale ? "unknown" : latest.whole.mark}: ${latest.solution}`;
    setText(byId("solution"), latest.solution + (latest.is_observing ? " (observing only)" : ""));
    showHosts(age);
    showLines();
    showFacts();
    showNotes();
    showSwitches();
    showIncidents();
    lightDiagrams();
  }
  showWhole(age);
}

function showWhole(age) {
  const never = latest === null;
  const silence = `unknown: ${trouble || `the agent was not heard for ${Math.floor(age / 1000)} s`}`;
  const fact = never && !trouble ? { words: "waiting for the agent", mark: "unknown" }
    : isStale ? { words: silence, mark: "unknown" } : latest.whole;
  byId("whole").className = `fact ${fact.mark}`;
  setText(byId("whole"), fact.words);
  const time = never ? "" : new Date(latest.time_ms).toLocaleTimeString();
  setText(byId("agent"), never ? "" : `agent ${inWords(age)}; its time was ${time}`);
}

function inWords(ms) {
  if (ms === null) return "never heard";
  if (ms < 1000) return `heard ${Math.round(ms)} ms ago`;
  return `heard ${(ms / 1000).toFixed(ms < 10000 ? 1 : 0)} s ago`;
}

function showHosts(age) {
  const row = byId("hosts");
  if (row.children.length === 0) {
    row.append(element("td", "", { role: "cell", class: "corner" }));
    for (const host of latest.hosts) {
      const head = element("th", "", { role: "columnheader", scope: "col" });
      head.append(element("span", host.name, { class: "name" }), element("span", "", { class: "detail" }));
      row.append(head);
    }
  }
  latest.hosts.forEach((host, index) => {
    const heard = host.heard_ms_ago === null ? null : host.heard_ms_ago + age;
    row.children[index + 1].lastChild.textContent = inWords(heard);
  });
}

function showFact(node, fact) {
  const now = isStale ? UNKNOWN : fact;
  node.className = `fact ${now.mark}`;
  setText(node, now.words);
  node.title = MEANING[now.mark];
}

function showLines() {
  const body = byId("lines");
  while (body.children.length < latest.lines.length) {
    const row = element("tr", "", { role: "row" });
    const head = element("th", "", { role: "rowheader", scope: "row" });
    head.append(element("span", "", { class: "name" }), element("span", "", { class: "detail" }), element("span"));
    row.append(head);
    for (const _ of latest.hosts) {
      const cell = element("td", "", { role: "cell" });
      cell.append(element("span"), element("span", "", { class: "detail" }));
      row.append(cell);
    }
    body.append(row);
  }
  latest.lines.forEach((line, index) => {
    const [head, ...cells] = body.children[index].children;
    setText(head.children[0], line.name);
    setText(head.children[1], line.detail);
    showFact(head.children[2], line.fact);
    body.children[index].dataset.state = isStale ? "" : line.state;
    cells.forEach((cell, side) => {
      showFact(cell.firstChild, line.cells[side]);
      setText(cell.lastChild, line.cells[side].about);
    });
  });
}

function showFacts() {
  const list = byId("facts");
  if (list.children.length === 0) {
    for (const name of ["Redundancy", "Placement"]) {
      const value = element("dd");
      value.append(element("span", "", { id: name.toLowerCase() }));
      list.append(element("dt", name), value);
    }
  }
  showFact(byId("redundancy"), latest.redundancy);
  showFact(byId("placement"), latest.placement);
}

function showNotes() {
  const notes = isStale ? [] : [
    ...(latest.journal ? [latest.journal] : []),
    ...latest.pending.map((command) => `pending: ${command}`),
    ...latest.alarms.map((alarm) => `alarm active: ${alarm}`),
  ];
  const list = byId("notes");
  const before = [...list.children].map((item) => item.textContent);
  if (before.join("\n") !== notes.join("\n")) list.replaceChildren(...notes.map((note) => element("li", note)));
}

// Incidents: each keeps its place, so that one that is open stays open, and the focus where it is.

function showIncidents() {
  const list = byId("incidents");
  byId("no-incident").hidden = latest.incidents.length > 0;
  const known = new Map([...list.children].map((item) => [item.dataset.id, item]));
  const items = latest.incidents.map((incident) => {
    const item = known.get(String(incident.id)) ?? newIncident(incident);
    item.className = incident.is_over ? "over" : "open";
    const [when, cause, outcome] = item.querySelector("summary").children;
    const took = incident.is_over ? "" : isStale ? ", unknown whether it goes on" : ", going on";
    setText(when, `${new Date(incident.began).toLocaleTimeString()}, incident ${incident.id}${took}`);
    setText(cause, incident.cause);
    setText(outcome, incident.outcome.replaceAll("->", "→"));
    return item;
  });
  items.forEach((item, index) => {
    if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
  });
  while (list.children.length > items.length) list.lastChild.remove();
}

function newIncident(incident) {
  const item = element("li", "", { "data-id": incident.id });
  const details = element("details");
  const summary = element("summary");
  summary.append(...["aside", "cause", "outcome"].map((each) => element("span", "", { class: each })));
  const chain = element("pre", "", { tabindex: "0" });
  details.append(summary, chain);
  details.addEventListener("toggle", async () => {
    if (details.open) chain.textContent = await (await ask(`/incidents/${incident.id}`)).text();
  });
  item.append(details);
  return item;
}

// State diagrams: of each machine the first view that shows the present state.

let catalogue = {};
const pictures = new Map();

async function picture(path) {
  if (!pictures.has(path)) {
    const reply = ask(path).then(async (found) => (found.ok ? found.text() : Promise.reject(new Error(path))));
    reply.catch(() => pictures.delete(path)); // asked for again the next time
    pictures.set(path, reply);
  }
  return new DOMParser().parseFromString(await pictures.get(path), "image/svg+xml").documentElement;
}

function lightDiagrams() {
  latest.lines.filter((line) => line.kind in catalogue).forEach((line) => {
    const id = `diagram-${line.kind}-${line.name}`;
    const figure = byId(id) ?? newFigure(id, line);
    const state = isStale ? "" : line.state;
    const [caption, roll] = figure.children;
    setText(caption, state ? `${line.name}: ${state}, ${line.fact.words}` : `${line.name}: unknown`);
    figure.dataset.state = state;
    const views = catalogue[line.kind];
    const view = views.find((each) => each.states.includes(state)) ?? views[0];
    const path = `/diagrams/${line.kind}/${view.name}`;
    if (figure.dataset.path !== path) {
      figure.dataset.path = path;
      roll.replaceChildren(element("p", "the diagram is being drawn", { class: "aside" }));
      picture(path).then((svg) => {
        if (figure.dataset.path === path) roll.replaceChildren(document.importNode(svg, true));
        light(figure);
      }, () => { figure.dataset.path = ""; });
    } else {
      light(figure);
    }
  });
}

function newFigure(id, line) {
  const figure = element("figure", "", { id });
  const name = `state diagram of ${line.name}`;
  const roll = element("div", "", { class: "paper-roll", tabindex: "0", role: "region", "aria-label": name });
  figure.append(element("figcaption"), roll);
  byId("diagrams").append(figure);
  return figure;
}

function light(figure) {
  for (const box of figure.querySelectorAll("[data-state]")) {
    const isLit = figure.dataset.state !== "" && box.dataset.state.split(" ").includes(figure.dataset.state);
    if (isLit && !box.classList.contains("lit")) bringIntoSight(figure.lastChild, box);
    box.classList.toggle("lit", isLit);
  }
}

function bringIntoSight(roll, box) {
  const [outer, inner] = [roll.getBoundingClientRect(), box.getBoundingClientRect()];
  roll.scrollLeft += inner.left + inner.width / 2 - outer.left - outer.width / 2;
}

// The operator's switchover: the plan first, then the question.

function showSwitches() {
  const place = byId("switches");
  if (place.children.length === 0) {
    for (const host of latest.hosts) {
      const button = element("button", `Switch to ${host.name} …`, { type: "button" });
      button.addEventListener("click", () => openDialog(host.name));
      place.append(button);
    }
  }
  const why = isStale ? "not now: the agent is not heard"
    : latest.is_observing ? "not here: this agent only observes"
      : maySwitch ? "You see the plan first, and confirm it."
        : "only root and the agent's own user may switch over here, as there is no token";
  setText(byId("switch-why"), why);
  const can = maySwitch && !isStale && !latest.is_observing;
  for (const button of place.children) button.disabled = !can;
  byId("confirm").disabled = ticket === null || !can;
}

async function openDialog(host) {
  wanted = host;
  setText(byId("dialog-title"), `Switch everything to ${host}?`);
  setText(byId("reply"), "");
  byId("dialog").showModal();
  byId("cancel").focus();
  await showPlan("");
}

async function showPlan(note) {
  const host = wanted;
  const plan = byId("plan");
  const notes = () => (note ? [element("p", note, { class: "fact trouble" })] : []);
  ticket = null;
  byId("confirm").disabled = true;
  plan.replaceChildren(...notes(), element("p", "the plan is being made …"));
  try {
    const made = await (await ask(`/plan?to=${encodeURIComponent(host)}`)).json();
    if (host !== wanted || !byId("dialog").open) return;
    ticket = made.commands?.length ? made.ticket : null; // where the hosts would get no command, there is nothing to confirm
    plan.replaceChildren(...notes(), ...planned(made));
  } catch {
    plan.replaceChildren(element("p", "the agent does not answer", { class: "fact unknown" }));
  }
  showSwitches();
}

function planned(made) {
  if (made.ticket === undefined) return [element("p", made.text, { class: "fact trouble" })];
  const commands = element("ol");
  commands.append(...made.commands.map((command) => element("li", command)));
  const steps = element("details");
  steps.append(element("summary", "Every step, and why"), element("pre", made.text, { tabindex: "0" }));
  const outcome = element("p", `Outcome: ${made.outcome.replaceAll("->", "→")}`, { id: "outcome" });
  const hosts = made.commands.length
    ? [element("p", "Commands to the hosts:"), commands]
    : [element("p", "No host gets a command.")];
  const yet = element("p", "Nothing is done yet. Every command is assumed to succeed at once.", { class: "aside" });
  return [outcome, ...hosts, yet, steps];
}

async function confirmSwitch() {
  const body = JSON.stringify({ to: wanted, ticket });
  ticket = null;
  byId("confirm").disabled = true;
  try {
    const reply = await ask("/switch", { method: "POST", headers: { "Content-Type": "application/json" }, body });
    const answer = await reply.json();
    if (answer.changed) {
      await showPlan(answer.text);
      return;
    }
    setText(byId("reply"), `${answer.ok ? "Asked for" : "Refused"}: ${answer.text}`);
  } catch {
    setText(byId("reply"), "The agent does not answer: it is not known whether it got the request.");
  }
  byId("dialog").close();
}

byId("cancel").addEventListener("click", () => byId("dialog").close());
byId("confirm").addEventListener("click", confirmSwitch);
byId("dialog").addEventListener("close", () => {
  if (byId("dialog").open) return; // the event comes late: the dialog has been opened again since
  ticket = null;
  wanted = null;
});

ask("/diagrams").then(async (reply) => { catalogue = await reply.json(); });
listen();
setInterval(show, 250);
