// What officers decide: each form of a member, of names that may be the same and of doubts is filled in and sent, seen by whom it
// concerns, and the pages are looked at with something on them.

import assert from "node:assert/strict";
import { WAYS, go, hold, inspectAll, open, test, told } from "./harness.mjs";

/** What the first member that has something has of the indicators, and how it asks. */
export async function holdings(hub) {
  for (const { user, password } of hub.members) {
    const headers = { Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` };
    const taxii = { ...headers, Accept: "application/taxii+json;version=2.1" };
    const polled = await fetch(`${hub.url}/jcsp/collections/indicators/objects/?limit=100`, { headers: taxii });
    const objects = polled.ok ? ((await polled.json()).objects ?? []) : [];
    const held = objects.filter((one) => one.type === "indicator" && !one.revoked).map((one) => one.id);
    if (held.length > 3) return { headers, held };
  }
  throw new Error("no member has indicators");
}

/** A file for the page of imports. */
const file = (name, lines) => ({ name, mimeType: "text/plain", buffer: Buffer.from(`${lines.join("\n")}\n`) });

/** The pages' own table of ties. */
const ties = (...rows) => file("ties.csv", ["id,from,to,kind,votes,money,from_date,source", ...rows]);

/** Companies with their names, as FollowTheMoney has them. */
const companies = (...pairs) =>
  file("companies.ftm.json", pairs.map(([id, name]) => JSON.stringify({ id, schema: "Company", properties: { name: [name] } })));

export async function decisions({ hub, as, symantec }) {
  const somebody = async (who, options) => {
    const context = await as(who, options);
    return { context, page: await open(context, hub.url) };
  };
  /** Records a file, after its preview. */
  const record = async (page, chosen, source) => {
    await page.goto(`${hub.url}/ties/import`);
    await page.getByLabel("File", { exact: true }).setInputFiles(chosen);
    await page.getByLabel(/^Name of the document/).fill(source);
    await go(page, page.getByRole("button", { name: "Preview" }));
    await go(page, page.getByRole("button", { name: "Record it" }));
    assert.match(await told(page), /^Recorded: /);
  };
  const within = (page, button) => page.locator("form").filter({ has: page.getByRole("button", { name: button, exact: true }) }).first();
  /** Fills in a form by its labels and sends it. */
  const send = async (page, button, fields) => {
    const form = within(page, button);
    // What is folded away is opened as people do it.
    const summary = page.locator("details:not([open])").filter({ has: page.getByRole("button", { name: button, exact: true, includeHidden: true }) }).locator("> summary");
    if (await summary.count()) await summary.first().click();
    for (const [label, value] of Object.entries(fields)) {
      // The words of a choice belong to its label's.
      if (label === "Kind") await form.locator("select[name=kind]").selectOption(value);
      else if (value === true) await form.getByLabel(label, { exact: true }).check();
      else await form.getByLabel(label, { exact: true }).fill(value);
    }
    await go(page, form.getByRole("button", { name: button, exact: true }));
    assert.equal(await page.locator(".message.bad").count(), 0, await page.locator("main").innerText());
    return told(page);
  };

  for (const { javaScriptEnabled, how } of WAYS) {
    const word = javaScriptEnabled ? "osmium" : "iridium";
    await test(`a member is admitted, bound by two, reviewed, and signs an instrument, ${how}`, async () => {
      const name = `${word} works & <i>sons</i>`;
      const [first, second] = await Promise.all(["an officer", "another officer"].map((who) => somebody(who, { javaScriptEnabled })));
      const { page } = first;
      await page.goto(`${hub.url}/members`);
      assert.match(await send(page, "Admit it", { Name: name, open: true, programme: true }), /registry|admitted|member/i);
      const here = new URL(page.url()).pathname;
      assert.equal(await page.locator("h1").innerText(), name);

      await record(page, ties(`${word}-venture-a,huawei,${word}-venture,holds,40%,40%,2015-01,a-test`), `${word}-one`);
      await page.goto(`${hub.url}${here}?tier=programme#actions`);
      await send(page, "Say so", { "It is the entity": word });
      // Whoever is on a list already is bound to another entity by two.
      if (await page.getByText("waits for another person").count()) {
        await inspectAll(page, "an entity that waits for another person", javaScriptEnabled);
        await second.page.goto(`${hub.url}${here}?tier=programme#actions`);
        await go(second.page, second.page.getByRole("button", { name: "Agree" }).first());
      }
      await page.goto(`${hub.url}${here}?tier=programme`);
      assert.match(await page.locator("#record").innerText(), new RegExp(`Entity\\s+${word}`));

      // A venture beside a party of concern has to be looked at.
      await record(page, ties(
        `${word}-venture-b,${word},${word}-venture,holds,40%,40%,2015-01,a-test`,
        `${word}-stake,${word}-investor,${word},holds,8%,8%,2015-01,a-test`,
      ), `${word}-two`);
      await page.goto(`${hub.url}${here}?tier=programme`);
      assert.match(await page.locator("#record").innerText(), /Reviews/);
      await inspectAll(page, "a member under review", javaScriptEnabled);
      await send(page, "Give it time", { "It negotiates a mitigation:": "an agreement on the venture" });
      assert.match(await page.locator("#record").innerText(), /Negotiates\s+until/);

      await page.goto(`${hub.url}${here}?tier=programme`);
      const instrument = `${word}-proxy`;
      await send(page, "Record it", { "Name of it": instrument, Kind: "proxy-agreement", "In force from": "2016-01-01", "Others, by their identifiers": `${word}-stake` });
      assert.match(await page.locator("#record").innerText(), new RegExp(instrument));
      await inspectAll(page, "a member with an instrument and a duty", javaScriptEnabled);
      await page.goto(`${hub.url}${here}?tier=programme`);
      await send(page, "Done", { "What is certified": "the proxies act alone" });
      assert.match(await page.locator("#record").innerText(), /done \d{4}/);
      await page.goto(`${hub.url}${here}?tier=programme`);
      await send(page, "Conclude", { Finding: "the venture makes furniture" });
      assert.match(await page.locator("#record").innerText(), /the venture makes furniture/);
      await page.goto(`${hub.url}${here}?tier=programme`);
      await send(page, "Record its end", { "It ended on": "2019-01-01" });
      await inspectAll(page, "an instrument that ended", javaScriptEnabled);
      assert.equal(await page.getByRole("button", { name: "Record its end" }).count(), 0);

      // The certificate stands in the ledger's table, and the ties on the entity's page.
      await hold(page, `${hub.url}/ledger`, javaScriptEnabled);
      assert.match(await page.getByRole("region", { name: "What was certified" }).innerText(), /the proxies act alone/);
      await hold(page, `${hub.url}/entities/${word}`, javaScriptEnabled);
      await hold(page, `${hub.url}/ties/at/${word}-venture-b`, javaScriptEnabled);
      await Promise.all([first.context.close(), second.context.close()]);
    });

    await test(`names that may be the same are answered, and the answer taken back, ${how}`, async () => {
      const { context, page } = await somebody("an officer", { javaScriptEnabled });
      const register = `${word}-register`;
      // Two sources that know nothing of each other.
      await record(page, companies([register, `${word} Deep Networks Limited`]), `${word}-names`);
      await record(page, companies([`${word}-list`, `${word.toUpperCase()} DEEP NETWORKS LTD`]), `${word}-others`);
      await page.goto(`${hub.url}/members`);
      await send(page, "Admit it", { Name: `${word} Deep Networks` });
      await send(page, "Say so", { "It is the entity": register });
      const match = () => page.locator("main > section").filter({ hasText: `${word} Deep Networks Limited` });
      // The hub compares names beside its other work.
      const deadline = Date.now() + 60_000;
      for (;;) {
        await page.goto(`${hub.url}/ties/matches`);
        if (await match().count()) break;
        assert.ok(Date.now() < deadline, "the names were never compared");
      }
      await inspectAll(page, "names side by side", javaScriptEnabled);
      const answer = async (button, reason) => {
        await match().getByLabel("Reason").fill(reason);
        await go(page, match().getByRole("button", { name: button }));
        return told(page);
      };
      await answer("They are one", "one registry number");
      await page.goto(`${hub.url}/ties/matches?state=accepted`);
      await inspectAll(page, "an accepted match", javaScriptEnabled);
      await answer("Take that back", "another branch");
      await page.goto(`${hub.url}/ties/matches`);
      await answer("They are two", "another branch");
      await page.goto(`${hub.url}/ties/matches?state=rejected`);
      assert.equal(await match().count(), 1);
      await inspectAll(page, "a refused match", javaScriptEnabled);
      await context.close();
    });

    await test(`what members doubt is decided, ${how}`, async () => {
      const { context, page } = await somebody("an officer", { javaScriptEnabled });
      const { headers, held } = await holdings(hub);
      const [wrong, right] = javaScriptEnabled ? held.slice(0, 2) : held.slice(-2);
      for (const object of [wrong, right]) {
        const body = JSON.stringify({ object, reason: "it is our own mail server" });
        const said = await fetch(`${hub.url}/api/false-positives`, { method: "POST", headers: { ...headers, "Content-Type": "application/json" }, body });
        assert.equal(said.status, 202, await said.text());
      }
      await page.goto(`${hub.url}/hits`);
      await inspectAll(page, "doubts", javaScriptEnabled);
      const doubt = (id) => page.getByRole("article", { name: id });
      await doubt(wrong).getByLabel("Reason").fill("it is theirs");
      await go(page, doubt(wrong).getByRole("button", { name: "It is one" }));
      await doubt(right).getByLabel("Reason").fill("it is not");
      await go(page, doubt(right).getByRole("button", { name: "It is none" }));
      assert.match(await doubt(wrong).innerText(), /Decided[\s\S]*it is theirs/);
      assert.match(await doubt(right).innerText(), /Decided[\s\S]*it is not/);
      await inspectAll(page, "doubts that are decided", javaScriptEnabled);
      await context.close();
    });
  }
}
