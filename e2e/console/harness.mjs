// What the browser tests share: hubs, browsers, and what every page is held to.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const here = (path) => fileURLToPath(new URL(path, import.meta.url));
export const binary = process.env.RINGFENCE ? resolve(process.env.RINGFENCE) : here("../../target/debug/ringfence");
const executablePath = process.env.CHROMIUM ?? "/usr/bin/chromium";
const option = (name) => (process.argv.includes(name) ? process.argv[process.argv.indexOf(name) + 1] : null);
export const pictures = option("--pictures");
const only = option("--only");
const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
const PAGE_MAX_BYTES = 100_000;
export const DESK = { width: 1280, height: 900 };
export const PHONE = { width: 390, height: 844 };
export const WAYS = [true, false].map((javaScriptEnabled) => ({
  javaScriptEnabled,
  how: `${javaScriptEnabled ? "with" : "without"} script`,
}));

export const browser = await chromium.launch({ executablePath, args: ["--no-sandbox"] });

const children = [];
process.on("exit", () => children.forEach((child) => child.kill("SIGTERM")));

/** Starts a `ringfence` that goes on, and resolves with what it tells in the first line that `is` wants. */
export async function start(args, is) {
  const child = spawn(binary, ["--json", ...args], { stdio: ["ignore", "pipe", "inherit"] });
  children.push(child);
  const lines = createInterface({ input: child.stdout });
  const told = await new Promise((resolve, reject) => {
    lines.on("line", (line) => {
      const said = JSON.parse(line);
      if (is(said)) resolve(said);
    });
    child.on("exit", (code) => reject(new Error(`ringfence ${args[0]} ended with ${code} before it was ready`)));
  });
  return { ...told, child };
}

/** Runs a `ringfence` to its end, and resolves with its exit code and what it said. */
export async function run(args, env = {}, cwd = process.cwd()) {
  const child = spawn(binary, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env }, cwd });
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (piece) => (said += piece));
  const code = await new Promise((resolve) => child.on("close", resolve));
  return { code, said };
}

/** Starts the demo and resolves when its story is told, with its address and the links that sign in. */
export async function startDemo() {
  const told = await start(["demo", "--volume", "0"], (said) => said.console);
  return { ...told, links: Object.fromEntries(told.console.map((l) => [l.who, l.link])) };
}

let checks = 0;
/** Whether any test that begins with this is asked for: what they need may cost a while to set up. */
export const wanted = (begin) => !only || begin.includes(only) || only.includes(begin);

/** Runs one named test; a failure names it. */
export async function test(name, work) {
  if (only && !name.includes(only)) return;
  const begun = Date.now();
  try {
    await work();
    checks += 1;
    console.log(`ok ${name} (${Date.now() - begun} ms)`);
  } catch (error) {
    console.error(`FAILED ${name}\n${error.stack}`);
    process.exitCode = 1;
  }
}

/** Ends everything, and says how many tests held. */
export async function end() {
  await browser.close();
  console.log(`${checks} tests held${process.exitCode ? ", others failed" : ""}`);
  process.exit();
}

// Which pages were held to what pages have to be, and to which forms were sent.
const held = new Set();
const driven = new Set();

/** The routes as the router has them, with what they take. */
function routes() {
  const source = readFileSync(here("../../crates/console/src/router.rs"), "utf8");
  const lines = source.matchAll(/page\(Who::\w+, "([^"]+)", \|\| (.*)\),/g);
  return [...lines].map(([, path, handlers]) => ({ path, gets: /\bget\(/.test(handlers), posts: /\bpost\(/.test(handlers) }));
}

/** What is no page to look at: files, events, and steps of a browser on its way to a page. */
const NO_PAGES = ["/assets/{hash}/{name}", "/sign-in/once/{token}", "/sign-in/provider", "/live", "/me", "/ledger/certificates",
  "/ledger/growth", "/ledger/entries/{index}/receipt"];

/** Holds the tests to the router: each page was looked at, and each form was sent. */
export async function nothingIsLeftOut() {
  if (only) return;
  await test("every page was looked at, and every form was sent", () => {
    const all = routes();
    assert.ok(all.length > 50, `${all.length} routes were read`);
    const isIn = (seen, path) => {
      const pattern = new RegExp(`^${path.replaceAll(/\{\w+\}/g, "[^/]+")}$`);
      return [...seen].some((one) => pattern.test(one));
    };
    const left = (takes, seen) => all.filter((route) => takes(route) && !isIn(seen, route.path)).map((route) => route.path);
    assert.deepEqual(left((route) => route.gets && !NO_PAGES.includes(route.path), held), [], "pages that nobody looked at");
    assert.deepEqual(left((route) => route.posts, driven), [], "forms that nobody sent");
  });
}

/** A page that notes everything that goes wrong on it, and every request to elsewhere than these addresses. */
export async function open(context, ...urls) {
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.faults = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) page.faults.push(message.text());
  });
  page.on("pageerror", (error) => page.faults.push(String(error)));
  page.on("requestfailed", (request) => {
    const why = request.failure()?.errorText;
    // Whoever goes on before the page's icon is there leaves it behind.
    if (why !== "net::ERR_ABORTED") page.faults.push(`${request.url()} ${why}`);
  });
  page.on("request", (request) => {
    if (request.method() === "POST") driven.add(new URL(request.url()).pathname);
    if (!urls.some((url) => request.url().startsWith(url))) page.faults.push(`a request to elsewhere: ${request.url()}`);
  });
  return page;
}

/** All of WCAG 2.2 A and AA that can be checked, and what of it can come out otherwise in other colours and widths. */
const EVERYTHING = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
const LOOKS = { type: "rule", values: ["color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable"] };

/** How a page is looked at, and what axe is asked there: everything twice, as different as can be. */
const WAYS_TO_LOOK = [
  { colorScheme: "light", device: "desk", viewport: DESK, asks: EVERYTHING },
  { colorScheme: "light", device: "phone", viewport: PHONE, asks: LOOKS },
  { colorScheme: "dark", device: "desk", viewport: DESK, asks: LOOKS },
  { colorScheme: "dark", device: "phone", viewport: PHONE, asks: EVERYTHING },
];

/** Follows a link or sends a form, and waits until the page that it leads to is there. */
export async function go(page, locator) {
  await Promise.all([page.waitForEvent("load"), locator.click()]);
}

/** Goes to a page and holds it to what every page has to be. */
export async function hold(page, url, hasScript) {
  const response = await page.goto(url, { waitUntil: "load" });
  assert.equal(response.status(), 200, url);
  const bytes = (await response.body()).length;
  assert.ok(bytes < PAGE_MAX_BYTES, `${url} has ${bytes} bytes`);
  // What a page asks for by itself would be broken off by going on to the next, and count as failed there.
  if (hasScript && (await page.locator("[data-verify]").count())) {
    await page.locator('[data-verify] [aria-busy="false"]').waitFor({ state: "attached" });
  }
  await inspectAll(page, url, hasScript);
}

/** Signs in with a token, and waits for the page that it was for. */
export async function signInByToken(page, url, token, next = "/") {
  await page.goto(`${url}/sign-in?next=${encodeURIComponent(next)}`);
  await page.getByText("Sign in with a token").click();
  await page.getByLabel("Token").fill(token);
  await go(page, page.getByRole("button", { name: "Sign in with the token" }));
}

/** The message that a step leads to. */
export const told = (page, role = "status") => page.locator(`.message[role=${role}]`).innerText();

/** One look at the page that is there. Without script there is no axe; the markup is the same. */
async function inspect(page, what, hasScript, asks) {
  held.add(new URL(page.url()).pathname);
  assert.equal(await page.locator("h1").count(), 1, `${what} has one first heading`);
  assert.deepEqual(page.faults, [], what);
  if (!hasScript) return;
  if (await page.evaluate(() => !("axe" in window))) await page.evaluate(axe);
  const found = await page.evaluate((runOnly) => axe.run(document, { runOnly, resultTypes: ["violations"] }), asks);
  const told = found.violations.map((v) => `${v.id}: ${v.help}\n  ${v.nodes.map((n) => n.html + "\n    " + n.failureSummary).join("\n  ")}`);
  assert.deepEqual(told, [], what);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth);
  assert.ok(wide <= 0, `${what} is ${wide} pixels wider than the screen`);
}

/** Holds the page that is there to what every page has to be: on the desk and on the phone, in both colours. */
export async function inspectAll(page, what, hasScript = true) {
  for (const { colorScheme, device, viewport, asks } of WAYS_TO_LOOK) {
    await page.setViewportSize(viewport);
    await page.emulateMedia({ colorScheme });
    await inspect(page, `${what}, ${colorScheme}, ${device}`, hasScript, asks);
  }
  await page.setViewportSize(DESK);
  await page.emulateMedia({ colorScheme: null });
}
