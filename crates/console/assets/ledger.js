// Verifies the ledger in this browser: the head's signature, one entry's place, and that the log continues what was seen here
// before. What was verified last is kept in this browser, so that a log with another past is noticed.

import { bytesOf, holdsConsistency, holdsInclusion, isSigned, leafOf, readCheckpoint, readKey, readReceipt, textOf } from "./proofs.js";

const MEMORY = "ringfence-ledger";
const place = document.querySelector("[data-verify]");
const list = place?.querySelector("ol");

function say(isGood, text) {
  const line = document.createElement("li");
  const pill = document.createElement("span");
  pill.className = `pill ${isGood === true ? "listed" : isGood === false ? "suspended" : "applicant"}`;
  pill.textContent = isGood === true ? "verified" : isGood === false ? "wrong" : "not checked";
  line.append(pill, ` ${text}`);
  list.append(line);
  return isGood !== false;
}

function remembered(origin) {
  try {
    const kept = JSON.parse(localStorage.getItem(`${MEMORY} ${origin}`));
    return kept && { ...kept, root: bytesOf(kept.root) };
  } catch {
    return null;
  }
}

async function grownFrom(size) {
  const answer = await fetch(`${place.dataset.growth}?from=${size}`, { headers: { accept: "application/json" } });
  if (!answer.ok) throw new Error(`the hub answered ${answer.status}`);
  const grown = await answer.json();
  return { ...grown, head: readCheckpoint(grown.checkpoint), proof: grown.proof.map(bytesOf) };
}

async function signature(note, key, what) {
  const isGood = await isSigned(note, key);
  return say(isGood, isGood === null ? `The signature of ${what}: this browser has no Ed25519.` : `The signature of ${what} is by ${key.name}.`);
}

async function continues(older, grown, what) {
  if (older.size > grown.head.size) return say(false, `The log has ${grown.head.size} entries; ${what} had ${older.size}. Entries were lost.`);
  const isGood = await holdsConsistency(grown.proof, older.size, older.root, grown.head.size, grown.head.root);
  return say(isGood, `The log of ${grown.head.size} entries continues ${what}, which had ${older.size}: nothing in it was changed (${grown.proof.length} hashes recomputed).`);
}

async function inclusion(text, key) {
  const receipt = readReceipt(text);
  if (!receipt) return say(false, "The receipt cannot be read.");
  const head = readCheckpoint(receipt.note);
  const isSignedHead = await signature(receipt.note, key, "the receipt's checkpoint");
  const isIn = await holdsInclusion(receipt.proof, receipt.index, await leafOf(receipt.opening), head.size, head.root);
  say(isIn, `Entry ${receipt.index} is in the log of ${head.size} entries with what it says (${receipt.proof.length + 1} hashes recomputed).`);
  const shown = document.querySelector("#body").textContent;
  const isShown = JSON.stringify(JSON.parse(shown)) === JSON.stringify(JSON.parse(receipt.body));
  say(isShown, "What this page shows is what the entry commits to.");
  return isSignedHead && isIn && isShown;
}

async function verify() {
  list.replaceChildren();
  if (!globalThis.crypto?.subtle) {
    say(null, "Browsers compute this only on pages that came encrypted, or from this machine.");
    return;
  }
  const key = await readKey(place.dataset.vkey);
  if (!say(Boolean(key), key ? `The key is ${key.name}, and its id fits it.` : "The key has no valid form.")) return;
  const kept = remembered(key.name);
  if (kept && kept.vkey !== place.dataset.vkey) {
    say(false, `This browser knows another key of ${key.name}. Ask the operator why, by another way.`);
    return;
  }
  const now = await grownFrom(0);
  let isAllGood = await signature(now.checkpoint, key, "the head");
  if (kept) {
    const grown = kept.size <= now.head.size ? await grownFrom(kept.size) : now;
    isAllGood = (await signature(grown.checkpoint, key, "the head of the proof")) && isAllGood;
    isAllGood = (await continues(kept, grown, "the log that this browser saw last")) && isAllGood;
  } else {
    say(null, "That the log continues what this browser saw before: it sees it for the first time.");
  }
  const receipt = document.querySelector("#receipt");
  if (receipt) isAllGood = (await inclusion(receipt.textContent, key)) && isAllGood;
  if (isAllGood) {
    const { size, root } = now.head;
    localStorage.setItem(`${MEMORY} ${key.name}`, JSON.stringify({ vkey: place.dataset.vkey, size, root: textOf(root) }));
  }
}

async function compare(text) {
  list.replaceChildren();
  const key = await readKey(place.dataset.vkey);
  const note = text.replaceAll("\r\n", "\n");
  if (!(await signature(note, key, "the checkpoint that you kept"))) return;
  const older = readCheckpoint(note);
  const grown = await grownFrom(older.size).catch(() => grownFrom(0));
  await signature(grown.checkpoint, key, "the head");
  await continues(older, grown, "the checkpoint that you kept");
}

/** Busy until it is done, so that what is read out is the whole of it. */
async function attempt(work) {
  list.ariaBusy = "true";
  await work().catch((error) => say(false, `This could not be verified: ${error.message}.`));
  list.ariaBusy = "false";
}

if (place) {
  // A head that came while the page was open is verified as well, unless somebody is comparing.
  document.addEventListener("live", (event) => {
    if (event.target.id === "head-live" && !place.querySelector("form")?.elements.older.value) attempt(verify);
  });
  place.querySelector("[data-scripted]").hidden = false;
  attempt(verify);
  const older = place.querySelector("form");
  older?.addEventListener("submit", (event) => {
    event.preventDefault();
    attempt(() => compare(older.elements.older.value));
  });
}
