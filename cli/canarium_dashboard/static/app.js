// Keeps the page current: the server reports each change, and the page is read again.
// Everything is usable without this file.
"use strict";

const banner = document.getElementById("connection");

function notify(text) {
  banner.textContent = text;
  banner.hidden = text === "";
}

// The page that is open stays readable; the server leads from it to the login and back.
function notifyExpired() {
  const link = document.createElement("a");
  link.href = location.href;
  link.textContent = "Log in";
  banner.replaceChildren("Your login has expired, and this page is no longer updated. ", link, " to return to it.");
  banner.hidden = false;
}

// Counts down between two updates; the server's number is the truth.
function countDown() {
  for (const node of document.querySelectorAll(".left[data-seconds]")) {
    const left = Math.max(0, Number(node.dataset.seconds) - 1);
    node.dataset.seconds = String(left);
    node.textContent = short(left);
  }
}

function short(seconds) {
  const whole = Math.floor(seconds);
  if (whole < 120) return `${whole}s`;
  if (whole < 7200) {
    const minutes = Math.floor(whole / 60), rest = whole % 60;
    return minutes < 10 && rest ? `${minutes}m${rest}s` : `${minutes}m`;
  }
  const hours = Math.floor(whole / 3600), minutes = Math.floor((whole % 3600) / 60);
  if (whole < 172800) return hours < 10 && minutes ? `${hours}h${minutes}m` : `${hours}h`;
  return `${Math.floor(whole / 86400)}d`;
}

// Whether a person is typing or choosing something that an update would take away.
function isBusy(main) {
  const active = document.activeElement;
  return main.contains(active) && active.matches("input, select, textarea");
}

async function refresh() {
  const main = document.getElementById("main");
  if (isBusy(main)) return false;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (answer.redirected || answer.status === 401) {
    notifyExpired();
    return true;
  }
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.getElementById("main");
  if (!fresh || isBusy(main)) return false;
  const open = new Map(
    [...main.querySelectorAll("details[id]")].map((node) => [node.id, node.open]),
  );
  for (const node of fresh.querySelectorAll("details[id]")) {
    if (open.has(node.id)) node.open = open.get(node.id);
  }
  // The focused link or region is found again by its address or label, so the keyboard keeps its place.
  const active = document.activeElement;
  const place = main.contains(active) && active !== main ? placeOf(active) : null;
  const scrolled = [...main.querySelectorAll(".wide")].map((node) => node.scrollLeft);
  main.replaceChildren(...fresh.childNodes);
  main.querySelectorAll(".wide").forEach((node, index) => { node.scrollLeft = scrolled[index] ?? 0; });
  if (place) find(main, place)?.focus({ preventScroll: true });
  document.title = page.title;
  return true;
}

function placeOf(node) {
  return { tag: node.tagName, href: node.getAttribute("href"), label: node.getAttribute("aria-label"), text: node.textContent };
}

function find(main, place) {
  return [...main.querySelectorAll(place.tag.toLowerCase())].find(
    (node) => node.getAttribute("href") === place.href && node.getAttribute("aria-label") === place.label
      && (place.href || place.label || node.textContent === place.text),
  );
}

let due = false, running = false;

async function update() {
  due = true;
  if (running || document.hidden) return;
  running = true;
  try {
    while (due && !document.hidden) {
      due = false;
      if (!(await refresh())) { due = true; break; }
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  } catch {
    due = true;
    notify("The connection is lost. Trying again.");
  } finally {
    running = false;
  }
}

function listen(address) {
  const source = new EventSource(address);
  source.addEventListener("open", () => { notify(""); update(); });
  source.addEventListener("change", update);
  source.addEventListener("login", () => {
    source.close();
    notifyExpired();
  });
  source.addEventListener("error", () => {
    notify("The connection is lost. Trying again.");
    if (source.readyState === EventSource.CLOSED) setTimeout(() => listen(address), 5000);
  });
}

const stream = document.getElementById("main").dataset.stream;
if (stream) {
  listen(stream);
  setInterval(countDown, 1000);
  document.addEventListener("visibilitychange", () => { if (due) update(); });
  document.addEventListener("focusout", () => { if (due) setTimeout(update, 200); });
}
