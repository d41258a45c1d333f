// Pictures of large groups: 300 entities are legible, 5,000 hang nothing, and everybody is found by opening and in the table.

import assert from "node:assert/strict";
import { mkdirSync } from "node:fs";
import { startHub } from "./beginning.mjs";
import { group } from "./group.mjs";
import { DESK, PHONE, WAYS, browser, go, hold, inspectAll, open, pictures, test, wanted } from "./harness.mjs";

/** What a picture is held to as the browser draws it, with its own fonts. */
const unreadable = (page) =>
  page.evaluate(() => {
    const of = (selector) => [...document.querySelectorAll(`.canvas ${selector}`)].map((one) => ({ what: one.textContent || "a box", ...one.getBoundingClientRect().toJSON() }));
    const [boxes, words, written] = [of(".box rect"), of(".label text"), of(".box text")];
    const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 1 && b.top < a.bottom - 1;
    const wrong = [];
    const all = [...boxes, ...words];
    all.forEach((a, number) => {
      for (const b of all.slice(number + 1)) if (meet(a, b)) wrong.push(`${a.what} and ${b.what} meet`);
    });
    for (const text of written) {
      const box = boxes.find((one) => one.top < text.top + 2 && text.bottom - 2 < one.bottom && one.left < text.right && text.left < one.right);
      if (!box || text.left < box.left || text.right > box.right) wrong.push(`${text.what} is wider than its box`);
    }
    return { wrong, boxes: boxes.length };
  });

export async function graphs() {
  if (!wanted("a group of")) return;
  const hub = await startHub("graphs");
  const ask = async (path, body) => {
    const response = await fetch(`${hub.url}/api/${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${hub.token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    });
    assert.ok(response.ok, `${path}: ${response.status} ${await response.clone().text()}`);
    return response.json();
  };
  const pages = {};
  for (const count of [300, 5_000]) {
    const { middle, statements } = group(count);
    await ask("ties", { statements });
    const member = await ask("members", { name: `Merrowgate ${count}`, kind: "provider", listed: ["open"] });
    await ask(`members/${member.id}/entity`, { entity: middle });
    pages[count] = { member: `${hub.url}/members/${member.id}?tier=cleared`, entity: `${hub.url}/entities/${middle}` };
  }
  const first = await browser.newContext();
  const signing = await open(first, hub.url);
  await signing.goto(`${hub.url}/sign-in`);
  await signing.getByText("Sign in with a token").click();
  await signing.getByLabel("Token").fill(hub.token);
  await go(signing, signing.getByRole("button", { name: "Sign in with the token" }));
  const storageState = await first.storageState();

  for (const { javaScriptEnabled, how } of WAYS) {
    const somebody = async () => {
      const context = await browser.newContext({ storageState, javaScriptEnabled, viewport: DESK });
      return { context, page: await open(context, hub.url) };
    };
    for (const count of [300, 5_000]) {
      await test(`a group of ${count} can be read, ${how}`, async () => {
        const { context, page } = await somebody();
        for (const url of [pages[count].entity, pages[count].member]) {
          await hold(page, url, javaScriptEnabled);
          const { wrong, boxes } = await unreadable(page);
          assert.deepEqual(wrong, [], url);
          assert.ok(boxes > 12 && boxes < 60, `${boxes} boxes`);
        }
        // The way that decides, whole and in front.
        const path = page.locator(".picture .tie.matters");
        assert.equal(await path.count(), 4);
        const last = await page.locator(".picture .tie").last().getAttribute("class");
        assert.match(last, /matters/);
        for (const name of ["Merrowgate Holding BV", "Castellane", "Orsino Investment", "Zhaoling State"]) {
          assert.equal(await page.locator(".picture .box", { hasText: name }).count(), 1, name);
        }
        await context.close();
      });
    }

    await test(`what a group of 300 folds is opened by the keyboard, and the page can be sent, ${how}`, async () => {
      const { context, page } = await somebody();
      await page.goto(pages[300].member);
      const folded = page.locator(".picture a", { has: page.locator(".cluster"), hasText: "more" });
      const before = await page.locator(".picture .box").count();
      const below = folded.filter({ hasText: "countries" }).last();
      await below.focus();
      await Promise.all([page.waitForEvent("load"), page.keyboard.press("Enter")]);
      assert.match(page.url(), /open=0\./);
      assert.ok((await page.locator(".picture .box").count()) > before);
      assert.deepEqual((await unreadable(page)).wrong, []);
      await inspectAll(page, "an opened picture", javaScriptEnabled);
      // Somebody else who is sent the link sees the same.
      const other = await open(context, hub.url);
      await other.goto(page.url());
      assert.equal(await other.locator(".picture").innerHTML(), await page.locator(".picture").innerHTML());
      await go(page, page.getByRole("link", { name: "Fold again" }));
      assert.equal(await page.locator(".picture .box").count(), before);
      await context.close();
    });

    await test(`the table of a group of 300 has all of its ties, in parts, ${how}`, async () => {
      const { context, page } = await somebody();
      await page.goto(pages[300].member);
      const file = page.getByRole("region", { name: "The same ties as a table" }).getByRole("link", { name: "JSON" });
      const rows = await (await context.request.get(new URL(await file.getAttribute("href"), hub.url).href)).json();
      const seen = new Set();
      for (;;) {
        for (const tie of await page.locator("input[type=checkbox][name=end]").evaluateAll((all) => all.map((one) => one.value))) seen.add(tie);
        const next = page.locator(".part a[rel=next]");
        if (!(await next.count())) break;
        await go(page, next);
      }
      assert.deepEqual([...seen].sort(), rows.map((row) => row.tie).sort());
      assert.ok(seen.size > 290, `${seen.size} ties`);
      await context.close();
    });
  }

  await test("a group of 300 fits on paper", async () => {
    const context = await browser.newContext({ storageState, viewport: DESK });
    const page = await open(context, hub.url);
    await page.goto(pages[300].member);
    await page.emulateMedia({ media: "print" });
    await page.setViewportSize({ width: 794, height: 1123 });
    const picture = await page.locator(".picture").boundingBox();
    assert.ok(picture.x >= 0 && picture.x + picture.width <= 794, JSON.stringify(picture));
    // The styles for paper are in force soon after the browser is told of it.
    await page.waitForFunction(() => getComputedStyle(document.querySelector(".canvas")).overflow === "visible");
    await context.close();
  });

  if (pictures) {
    mkdirSync(pictures, { recursive: true });
    const context = await browser.newContext({ storageState, viewport: DESK });
    const page = await open(context, hub.url);
    await page.goto(pages[300].member);
    await page.locator(".canvas").screenshot({ path: `${pictures}/group-300.png` });
    await context.close();
  }
  await first.close();
  hub.stop();
}
