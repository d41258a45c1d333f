// What script adds: pages that keep themselves up to date, tables that are sorted, a picture that is looked at closely, and a
// ledger that is verified in the browser. What happens without it stands in the other tests.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { holdings } from "./decisions.mjs";
import { go, inspectAll, open, signInByToken, test } from "./harness.mjs";

export async function scripts({ hub, as, symantec }) {
  const token = readFileSync(hub.token_file, "utf8").trim();
  const api = async (path, body) => {
    const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
    const answer = await fetch(`${hub.url}${path}`, { method: "POST", headers, body: JSON.stringify(body) });
    assert.ok(answer.ok, `${path}: ${answer.status} ${await answer.text()}`);
  };
  /** A page whose stream is open, and that knows when it was loaded anew. */
  const live = async (context, path) => {
    const page = await open(context, hub.url);
    await page.goto(hub.url + path);
    await page.locator('.live[data-is="open"]').waitFor();
    await page.evaluate(() => { globalThis.isTheSame = true; });
    return page;
  };
  const isTheSame = async (page) => {
    assert.ok(await page.evaluate(() => globalThis.isTheSame), "it was not loaded again");
    assert.deepEqual(page.faults, []);
  };
  let members = 0;
  /** Something that everybody of the programme is told. */
  const happens = async () => {
    members += 1;
    const name = `Live ${members}`;
    await api("/api/members", { name, kind: "participant", listed: [] });
    return name;
  };

  await test("Today, Hits and Ledger show what happens without being loaded again", async () => {
    const context = await as("an overseer");
    const { headers, held } = await holdings(hub);
    const pages = [await live(context, "/"), await live(context, "/hits"), await live(context, "/ledger")];
    const [today, hits, ledger] = pages;
    const name = await happens();
    await ledger.locator("#entries-live tbody").getByText(name).first().waitFor();
    const size = Number((await ledger.locator("#head-live dd").first().innerText()).replaceAll(",", ""));
    assert.ok(size > 0);
    const body = JSON.stringify({ object: held[2], reason: "seen by the tests" });
    const said = await fetch(`${hub.url}/api/false-positives`, { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body });
    assert.equal(said.status, 202);
    await hits.locator("#doubts-live").getByText(held[2]).waitFor();
    await today.locator("#todo-live").getByText(held[2]).waitFor();
    await today.locator(".live [aria-live=polite]", { hasText: "Needs a decision" }).waitFor({ state: "attached" });
    for (const page of pages) await isTheSame(page);
    await inspectAll(today, "a page that was brought up to date");
    await context.close();
  });

  await test("what somebody is in the middle of stays, and a page can be told to stay as it is", async () => {
    const context = await as("an overseer");
    const page = await live(context, "/ledger");
    const says = page.locator("#entries-live").getByLabel("Says");
    await says.fill("half a wor");
    const before = await page.locator("#entries-live").evaluate((region) => { globalThis.region = region; return region.isConnected; });
    assert.ok(before);
    await happens();
    // The other part of the page moves; this one does not.
    const first = await page.locator("#head-live pre").innerText();
    await happens();
    await page.waitForFunction((text) => document.querySelector("#head-live pre").innerText !== text, first);
    assert.ok(await page.evaluate(() => globalThis.region.isConnected), "somebody is typing in it");
    assert.equal(await says.inputValue(), "half a wor");
    await says.fill("");
    await says.blur();
    const name = await happens();
    await page.locator("#entries-live tbody").getByText(name).first().waitFor();
    await isTheSame(page);
    // Told to stop, it asks for nothing; told to go on, it has what it missed.
    await page.getByRole("button", { name: "Stop that" }).click();
    await inspectAll(page, "a page that is not kept up to date");
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    const missed = await happens();
    const other = await live(await as("an officer"), "/ledger");
    await other.locator("#entries-live tbody").getByText(missed).first().waitFor();
    assert.deepEqual(asked, []);
    await page.getByRole("button", { name: "Keep it up to date" }).click();
    await page.locator("#entries-live tbody").getByText(missed).first().waitFor();
    // Nor does a tab that nobody sees.
    const hide = (value) => page.evaluate((hidden) => {
      Object.defineProperty(document, "hidden", { value: hidden, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
    }, value);
    await hide(true);
    await page.locator('.live[data-is="paused"]').waitFor();
    const unseen = await happens();
    await other.locator("#entries-live tbody").getByText(unseen).first().waitFor();
    assert.equal(await page.locator("#entries-live tbody").getByText(unseen).count(), 0);
    await hide(false);
    await page.locator("#entries-live tbody").getByText(unseen).first().waitFor();
    await Promise.all([other.context().close(), context.close()]);
  });

  await test("a stream ends with its session", async () => {
    const context = await as("nobody");
    const page = await open(context, hub.url);
    await signInByToken(page, hub.url, token, "/ledger");
    await page.locator('.live[data-is="open"]').waitFor();
    const other = await open(context, hub.url);
    await other.goto(`${hub.url}/account`);
    await go(other, other.getByRole("button", { name: "Sign out" }));
    await page.getByText("This page is no longer kept up to date.").waitFor();
    await context.close();
  });

  await test("a table is sorted by its heads, the one that a search brings as well", async () => {
    const context = await as("nobody");
    const page = await open(context, hub.url);
    await signInByToken(page, hub.url, token, "/content?collection=indicators&type=indicator");
    const heads = page.getByRole("region", { name: "Objects" }).getByRole("columnheader");
    const column = () => page.getByRole("region", { name: "Objects" }).locator("tbody tr > :nth-child(5)").allInnerTexts();
    const sorted = async () => {
      const head = heads.nth(4);
      for (const [order, sign] of [["ascending", 1], ["descending", -1]]) {
        await head.getByRole("button").click();
        assert.equal(await head.getAttribute("aria-sort"), order);
        const found = await column();
        assert.ok(found.length > 1);
        assert.deepEqual(found, [...found].sort((a, b) => a.localeCompare(b, "en", { numeric: true }) * sign));
      }
    };
    await sorted();
    await inspectAll(page, "a sorted table");
    // The first page of a search finds nothing yet: the script goes on, and what it brings can be sorted.
    const whole = `${hub.url}/content?collection=indicators&type=indicator`;
    await page.route(/q=needle/, async (route) => {
      const answer = await route.fetch({ url: whole });
      const html = (await answer.text())
        .replace('<div id="results">', '<div id="results" data-goes-on>')
        .replace(/<div class="table"[\s\S]*?<\/table>\s*<\/div>/, "")
        .replace('<p class="files">', '<p class="files"><a href="/content?collection=indicators&type=indicator" rel="next">Search on</a> ');
      await route.fulfill({ response: answer, body: html });
    });
    await page.goto(`${whole}&q=needle`);
    await page.getByRole("region", { name: "Objects" }).waitFor();
    await sorted();
    assert.deepEqual(page.faults, []);
    await context.close();
  });

  await test("a part of a table is not sorted as if it were the whole", async () => {
    const context = await as("an officer");
    const page = await open(context, hub.url);
    await page.goto(`${hub.url}/ledger`);
    assert.ok(await page.getByRole("link", { name: "Older" }).count(), "there is more than a page");
    assert.equal(await page.getByRole("region", { name: "Entries, the newest first" }).locator("button.sort").count(), 0);
    await page.goto(`${hub.url}${symantec}?tier=cleared&as_of=2011-11-15&known=2019-04-01`);
    const table = page.getByRole("region", { name: "Table of the ties" });
    await table.getByRole("columnheader", { name: "To" }).getByRole("button").click();
    const found = await table.locator("tbody tr > :nth-child(4)").allInnerTexts();
    assert.deepEqual(found, [...found].sort((a, b) => a.localeCompare(b, "en", { numeric: true })));
    await context.close();
  });

  await test("a picture is made larger and smaller, and shows what is tied to what", async () => {
    const context = await as("an officer");
    const page = await open(context, hub.url);
    await page.goto(`${hub.url}${symantec}?tier=cleared&as_of=2011-11-15&known=2019-04-01`);
    const [canvas, svg] = [page.locator(".canvas").first(), page.locator(".canvas svg").first()];
    const width = async () => (await svg.boundingBox()).width;
    const first = await width();
    await page.getByRole("button", { name: "Larger" }).click();
    assert.ok((await width()) > first * 1.2);
    await page.getByRole("button", { name: "Smaller" }).click();
    await canvas.focus();
    for (const [key, is] of [["+", (now) => now > first], ["0", (now) => Math.abs(now - first) < 2], ["-", (now) => now < first]]) {
      await page.keyboard.press(key);
      assert.ok(is(await width()), key);
    }
    await page.keyboard.press("0");
    await canvas.hover();
    await page.keyboard.down("Control");
    await page.mouse.wheel(0, -300);
    await page.keyboard.up("Control");
    await page.waitForFunction((least) => document.querySelector(".canvas svg").getBoundingClientRect().width > least, first * 1.5);
    const scrolled = () => canvas.evaluate((one) => one.scrollLeft);
    const left = await scrolled();
    await canvas.focus();
    await page.keyboard.press("ArrowLeft");
    assert.ok((await scrolled()) < left, "it moves by the arrow keys");
    await page.getByRole("button", { name: "The whole picture" }).click();
    await page.waitForFunction(() => document.querySelector(".canvas").scrollWidth <= document.querySelector(".canvas").clientWidth + 1);
    await inspectAll(page, "a picture as a whole");

    await svg.locator(".label", { hasText: "49 %" }).first().hover();
    const near = await svg.locator(".box.near").allTextContents();
    assert.equal(near.length, 2, near.join("; "));
    assert.ok(near.some((name) => name.startsWith("Symantec")) && near.some((name) => name.includes("Huawei Symantec")), near.join("; "));
    await page.mouse.move(0, 0);
    await svg.locator(".dimmed").waitFor({ state: "detached" });
    assert.deepEqual(page.faults, []);
    await context.close();
  });

  await test("a tie's statements come up beside the picture, by the keyboard too", async () => {
    const context = await as("an overseer");
    const page = await open(context, hub.url);
    const path = `${symantec}?tier=cleared&as_of=2008-03-01&known=2019-04-01`;
    await page.goto(hub.url + path);
    const link = page.locator(".picture a", { hasText: "49 %" });
    const beside = page.getByRole("region", { name: "What was said of this tie" });
    for (const opens of [() => link.click(), () => link.focus().then(() => page.keyboard.press("Enter"))]) {
      await opens();
      await beside.getByText("Reuters, 2011-11-14").first().waitFor();
      assert.ok(page.url().endsWith(path), "the page stays");
      assert.ok(await beside.locator("h3").evaluate((heading) => document.activeElement === heading));
      await inspectAll(page, "a tie beside the picture");
      await beside.locator("h3").focus();
      await page.keyboard.press("Escape");
      await beside.waitFor({ state: "hidden" });
      assert.ok(await link.evaluate((one) => document.activeElement === one), "the focus goes back");
    }
    assert.deepEqual(page.faults, []);
    await context.close();
  });

  await test("the browser verifies the ledger, line by line, and says so when something is wrong", async () => {
    const context = await as("an overseer");
    const page = await open(context, hub.url);
    const lines = async () => {
      await page.locator('[data-verify] [aria-busy="false"]').waitFor({ state: "attached" });
      return page.locator("[data-verify] li").allInnerTexts();
    };
    const verified = (text) => new RegExp(`^verified .*${text}`);
    const hold = (found, wanted) => {
      assert.equal(found.length, wanted.length, found.join("\n"));
      wanted.forEach((pattern, at) => assert.match(found[at], pattern));
    };
    const [key, head] = [verified("The key is .*, and its id fits it"), verified("The signature of the head is by")];
    await page.goto(`${hub.url}/ledger`);
    hold(await lines(), [key, head, /^not checked That the log continues .* it sees it for the first time/]);
    const kept = await page.getByRole("region", { name: "Signed checkpoint" }).innerText();
    await happens();
    await page.goto(`${hub.url}/ledger/entries/1`);
    const continues = verified("The log of \\d+ entries continues the log that this browser saw last, which had \\d+: nothing in it was changed");
    hold(await lines(), [key, head, verified("The signature of the head of the proof"), continues,
      verified("The signature of the receipt's checkpoint"), verified("Entry 1 is in the log of \\d+ entries"), verified("What this page shows is what the entry commits to")]);

    // A checkpoint that somebody kept, and one that somebody changed.
    await page.goto(`${hub.url}/ledger`);
    await lines();
    await page.getByText("Compare with a checkpoint that you kept").click();
    const compare = async (text) => {
      await page.locator("[data-verify] textarea").fill(text);
      await page.locator("[data-verify] form button").click();
      return lines();
    };
    hold(await compare(kept), [verified("The signature of the checkpoint that you kept"), head, verified("continues the checkpoint that you kept")]);
    hold(await compare(kept.replace(/^\d+$/m, (size) => String(Number(size) + 1))), [/^wrong The signature of the checkpoint that you kept/]);

    // A log with another past: one hash of the proof is another; then a head that nobody signed; then an entry that says otherwise.
    const flipped = (base64) => {
      const bytes = Buffer.from(base64, "base64");
      bytes[3] ^= 1;
      return bytes.toString("base64");
    };
    const tamper = async (how) => {
      await page.unroute(/\/ledger\/growth/);
      await page.route(/\/ledger\/growth/, async (route) => {
        const answer = await route.fetch();
        await route.fulfill({ response: answer, json: how(await answer.json(), route.request().url()) });
      });
    };
    await happens();
    await tamper((grown, url) => (url.endsWith("from=0") ? grown : { ...grown, proof: grown.proof.map(flipped) }));
    await page.goto(`${hub.url}/ledger`);
    assert.match((await lines()).at(-1), /^wrong The log of \d+ entries continues the log that this browser saw last/);
    await tamper((grown) => ({ ...grown, checkpoint: grown.checkpoint.replace(/\n\d+\n/, (size) => `\n${Number(size) + 1}\n`) }));
    await page.goto(`${hub.url}/ledger`);
    assert.ok((await lines()).some((line) => /^wrong The signature of the head/.test(line)));
    await page.unroute(/\/ledger\/growth/);
    await page.route(/\/ledger\/entries\/1$/, async (route) => {
      const answer = await route.fetch();
      const html = (await answer.text()).replace(/(<pre[^>]*id="body"[^>]*>[\s\S]*?)\b(20\d\d)-/, "$11999-");
      await route.fulfill({ response: answer, body: html });
    });
    await page.goto(`${hub.url}/ledger/entries/1`);
    assert.match((await lines()).at(-1), /^wrong What this page shows/);
    // What was wrong is not remembered as what was seen.
    await page.unroute(/\/ledger\/entries\/1$/);
    await page.goto(`${hub.url}/ledger`);
    const after = await lines();
    assert.ok(after.every((line) => /^verified/.test(line)), after.join("\n"));
    assert.deepEqual(page.faults, []);
    await context.close();
  });
}
